"""MergeList and MergeConfigUrl: clips that are appended to the input.

Specification: transcode, 10. Lengths are computed in `joining.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from pydantic import ValidationError

from activities.fields import whole_pictures
from activities.objects import object_of
from activities.probe import MediaInfo
from activities.transcode.command.filters import Chain, CommandInput, Filter, filter_of
from activities.transcode.features.media_facts import MEDIA, media_of
from activities.transcode.model.joined import MergeConfig, MergePart
from activities.transcode.source.colour import colour_filters, named_colours
from activities.transcode.source.geometry import SizeSettings, SourcePicture, place, upright
from activities.transcode.source.scene import OutputRequest, Scene, SoundScene
from activities.transcode.source.segments import (
    MediaSegment,
    concatenation,
    picture_steps,
    samples,
    segment_of,
    sound_chain,
    sound_steps,
)
from activities.transcode.source.timeline import not_seekable
from workflow_engine.activity import ActivityContext, SideInput
from workflow_engine.errors import ActivityError, Code, pointer_to
from workflow_engine.records import Json
from workflow_engine.topology import problems_of

#: `SideInput.kind` of the file that MergeConfigUrl names
PART_LIST = "merge-list"
#: bytes of such a file
MAX_LIST_BYTES = 1 << 20


def merging_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the list of parts, and the parts as soon as they are known."""
    listed = _list_of(request)
    if listed:
        yield listed
    if listed is None or listed in request.side_inputs:
        yield from (_media(part) for part, _ in _listed_parts(request))


def describe_part_list(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Read a file of MergeConfigUrl. Raises ActivityError for one that cannot be used."""
    with context.source.open("rb") as file:
        text = file.read(MAX_LIST_BYTES + 1)
    try:
        config = MergeConfig.model_validate(json.loads(text[:MAX_LIST_BYTES]))
    except ValidationError as error:
        first = next(iter(problems_of(error)))
        raise ActivityError(
            first.code, f"at {first.pointer}: {first.message}", remedy=first.remedy
        ) from None
    except (ValueError, RecursionError):
        raise ActivityError(
            Code.JSON_FORMAT,
            "it is not a JSON object.",
            remedy='Write {"MergeList": [{"MergeURL": "oss://BUCKET/KEY"}]}.',
        ) from None
    return {"MergeList": [part.model_dump(by_alias=True) for part in config.merge_list]}


def parts_of(
    request: OutputRequest, rate: Fraction | None, *, sound: bool
) -> tuple[MediaSegment, ...]:
    """Return the parts; `rate` is None for outputs without picture, `sound` whether the source has.

    Raises ActivityError (`InvalidParameter.MergeFileNoVideoOrAudio`, `.OutOfRange`).
    """
    parts = [
        (part, at, media_of(request.side_inputs[_media(part)].facts))
        for part, at in _listed_parts(request)
    ]
    heard = request.settings.audio is not None
    # a silent source and silent parts need no sound
    heard = heard and (sound or any(media.default_audio for _, _, media in parts))
    return tuple(_segment(request, part, at, media, rate, heard) for part, at, media in parts)


def append_pictures(scene: Scene) -> Iterator[Filter]:
    """Yield the filters that append the parts' pictures, and clip the whole."""
    joined = scene.timeline.joined
    if joined is None:
        return
    yield from picture_steps(joined.first)
    if joined.parts:
        yield concatenation([_picture_chain(part, scene) for part in joined.parts], picture=True)
    if joined.cut:
        start, end = (round(time * scene.rate) for time in joined.cut)
        yield filter_of("trim", start_frame=start, end_frame=end)
        yield filter_of("setpts", expr="PTS-STARTPTS")
    if joined.merged is not None and joined.body is not None and joined.body > joined.merged:
        # what is mixed in is longer
        held = round((joined.body - joined.merged) * scene.rate)
        yield filter_of("tpad", stop_mode="clone", stop=held)


def append_sounds(scene: SoundScene) -> Iterator[Filter]:
    """Yield the filters that append the parts' sounds, and clip the whole."""
    joined, encoding = scene.timeline.joined, scene.encoding
    if joined is None:
        return
    yield from sound_steps(joined.first, encoding)
    if joined.parts:
        yield concatenation([sound_chain(part, encoding) for part in joined.parts], picture=False)
    if joined.cut:
        start, end = (samples(time, encoding) for time in joined.cut)
        yield filter_of("atrim", start_sample=start, end_sample=end)
        yield filter_of("asetpts", expr="PTS-STARTPTS")


def _list_of(request: OutputRequest) -> SideInput | None:
    url = request.settings.output.merge_config_url
    return SideInput(ref=object_of(url), kind=PART_LIST) if url else None


def _listed_parts(request: OutputRequest) -> Sequence[tuple[MergePart, str]]:
    """Return the parts and where each stands in the output."""
    listed = _list_of(request)
    if listed is None:
        parts = request.settings.output.merge_list or ()
        return [(part, pointer_to("MergeList", n)) for n, part in enumerate(parts)]
    config = MergeConfig.model_validate(request.side_inputs[listed].facts)
    return [(part, "/MergeConfigUrl") for part in config.merge_list]


def _media(part: MergePart) -> SideInput:
    return SideInput(ref=object_of(part.merge_url), kind=MEDIA)


def _segment(
    request: OutputRequest,
    part: MergePart,
    at: str,
    media: MediaInfo,
    rate: Fraction | None,
    heard: bool,
) -> MediaSegment:
    ref = object_of(part.merge_url)
    pointer = at if at == "/MergeConfigUrl" else f"{at}/MergeURL"
    video = media.video if rate else None
    audio = media.default_audio if heard else None
    required = {"video": rate and not video, "audio": heard and not audio}
    missing = [name for name, gone in required.items() if gone]
    if missing:
        raise ActivityError(
            Code.MERGE_FILE,
            f'The part "{ref.object}" of the bucket "{ref.bucket}" has no {missing[0]} stream, and '
            "the output has one.",
            pointer=pointer,
            remedy="Use a part with video and audio.",
        )
    if part.start and not media.seekable:
        raise not_seekable(pointer if at == "/MergeConfigUrl" else f"{at}/Start")
    options = (("ss", f"{part.start:.3f}"),) if part.start else ()
    if part.duration is not None:
        options += (("t", f"{part.duration:.3f}"),)
    segment = segment_of(
        media,
        CommandInput(file=request.side_inputs[_media(part)].name, options=options),
        video=video,
        audio=audio,
        rate=rate,
        seek=part.start,
        length=part.duration,
    )
    if segment is None:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The Start {part.start:g} is out of range: nothing is left of the part "
            f'"{ref.object}".',
            pointer=pointer if at == "/MergeConfigUrl" else f"{at}/Start",
            remedy="Choose a start inside the part.",
        )
    return segment


def _picture_chain(part: MediaSegment, scene: Scene) -> Chain:
    """Return a part's picture in the size of the output: whole, on black, unless cropped."""
    video = scene.request.settings.video
    assert part.video is not None and video is not None
    method = scene.request.settings.trans.adj_dar_method
    source = upright(part.video)
    placed = place(
        # in the pixels of the output
        SourcePicture(width=source.width, height=source.height, sar=source.sar / scene.sar),
        SizeSettings(
            width=scene.size[0],
            height=scene.size[1],
            method=method if method in ("crop", "rescale") else "pad",
        ),
    )
    steps = [*named_colours(part.video)]
    steps += (filter_of(name, **how) for name, how in whole_pictures(part.video, scene.rate))
    steps += placed.before_scale
    if placed.scale:
        steps.append(filter_of("scale", w=placed.scale[0], h=placed.scale[1]))
    steps += colour_filters(video, part.video, scene.colour)
    steps += placed.after_scale
    sar = scene.sar
    steps.append(filter_of("setsar", sar=f"{sar.numerator}/{sar.denominator}", max=65535))
    return Chain(
        input=part.input,
        stream=str(part.video.index),
        filters=(*steps, *picture_steps(part)),
    )
