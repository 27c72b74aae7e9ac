"""The stages behind size and shape, in order: where each feature of an output is put in.

A feature is a module with pure functions: its `PictureStage` or `SoundStage` returns the filters
that it adds, its `Check` says what is wrong with the parameters, its `SideInputReader` names the
objects that it needs, and a handler in `HANDLERS` describes such an object for planning.
Specification: transcode, 4 (order) and 5.
"""

from collections.abc import Callable, Iterator, Mapping

from activities.packaging.subtitle_stream import SUBTITLE_FILE, describe_subtitle_file
from activities.transcode.command.filters import Filter, filter_of
from activities.transcode.features.border import BORDER, border_inputs, describe_border
from activities.transcode.features.loudness import LOUDNESS, describe_loudness
from activities.transcode.features.media_facts import MEDIA, describe_media
from activities.transcode.features.merging import (
    PART_LIST,
    append_pictures,
    append_sounds,
    describe_part_list,
    merging_inputs,
)
from activities.transcode.features.mixing import mix_sounds, mixing_inputs
from activities.transcode.features.slates import (
    append_tail_sounds,
    append_tails,
    lay_openings,
    slate_inputs,
)
from activities.transcode.features.subtitles import (
    SUBTITLES,
    burn_subtitles,
    describe_subtitles,
    subtitle_faults,
    subtitle_inputs,
)
from activities.transcode.features.volume import change_volume, volume_inputs
from activities.transcode.features.watermarks import (
    WATERMARK,
    describe_watermark,
    draw_watermarks,
    watermark_faults,
    watermark_inputs,
)
from activities.transcode.model.settings import OutputSettings
from activities.transcode.source.scene import (
    Check,
    OutputRequest,
    PictureStage,
    Scene,
    SideInputReader,
    SoundScene,
    SoundStage,
)
from activities.transcode.source.segments import IN_STEP
from workflow_engine.activity import ActivityContext, SideInput, TemplateLookup
from workflow_engine.errors import Problem
from workflow_engine.records import Json

#: what is done to the picture at its final size: merge, subtitles, watermarks, opening, tail
PICTURE_STAGES: tuple[PictureStage, ...] = (
    append_pictures,
    burn_subtitles,
    draw_watermarks,
    lay_openings,
    append_tails,
)
#: what is done to the sound; the input's own is levelled before anything is joined with it
SOUND_STAGES: tuple[SoundStage, ...] = (
    change_volume,
    append_sounds,
    mix_sounds,
    append_tail_sounds,
)
#: what judges the parameters before anything is known of the input; pointers relative to the output
CHECKS: tuple[Check, ...] = (subtitle_faults, watermark_faults)
#: who reads further objects
READERS: tuple[SideInputReader, ...] = (
    border_inputs,
    volume_inputs,
    merging_inputs,
    mixing_inputs,
    subtitle_inputs,
    watermark_inputs,
    slate_inputs,
)
#: by `SideInput.kind`: what is found out about such an object
HANDLERS: Mapping[str, Callable[[SideInput, ActivityContext], Mapping[str, Json]]] = {
    WATERMARK: describe_watermark,
    MEDIA: describe_media,
    LOUDNESS: describe_loudness,
    BORDER: describe_border,
    SUBTITLES: describe_subtitles,
    PART_LIST: describe_part_list,
    SUBTITLE_FILE: describe_subtitle_file,
}


def picture_filters(scene: Scene) -> tuple[Filter, ...]:
    """Return the filters of all stages of the picture."""
    return tuple(one for stage in PICTURE_STAGES for one in stage(scene))


def sound_filters(scene: SoundScene) -> tuple[Filter, ...]:
    """Return the filters of all stages of the sound."""
    # gaps in the sound become silence: mp3 and raw AAC have no time stamps to keep them
    begin = {"first_pts": 0} if scene.request.packaged else {}
    gaps = () if scene.stream is None else (filter_of("aresample", **IN_STEP, **begin),)
    return (*gaps, *(one for stage in SOUND_STAGES for one in stage(scene)))


def stage_faults(settings: OutputSettings, templates: TemplateLookup) -> Iterator[Problem]:
    """Yield what is wrong with the parameters of all stages of an output."""
    for check in CHECKS:
        yield from check(settings, templates)


def side_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the objects that an output reads beside its input."""
    for reader in READERS:
        yield from reader(request)


def describe(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Return what planning must know of a side input; see `HANDLERS`."""
    return HANDLERS[side_input.kind](side_input, context)
