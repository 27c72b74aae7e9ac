"""What may not stand together in one output: checked before anything runs.

`faults` takes merged settings, so a template's field and an output's are judged alike; pointers
are relative to the output; those of picture and sound are in `video.py` and
`audio.py`, the tables in `model/containers.py`. Specification: transcode,
3 to 7; `container_codecs.json`.
"""

from collections.abc import Iterator

from activities.templates import Kind
from activities.transcode.features.volume import volume_faults
from activities.transcode.model.containers import (
    AUDIO_CONTAINERS,
    CONTAINERS,
    IMAGE_CONTAINERS,
    SEGMENTED,
)
from activities.transcode.model.encryption import Scheme
from activities.transcode.model.settings import OutputSettings, problem
from activities.transcode.rules.audio import audio_faults
from activities.transcode.rules.joined import PICTURE_MODES, joined_faults
from activities.transcode.rules.quality import quality_faults
from activities.transcode.rules.video import video_faults
from workflow_engine.errors import Code, Problem, Severity
from workflow_engine.topology.wire import WireModel

#: fields of an output that change pictures or sound, so that nothing can be copied
NEEDS_ENCODING = (
    *("clip", "rotate", "de_watermark", "merge_list", "merge_config_url", "amix"),
    *("water_marks", "subtitle_config", "opening_list", "tail_slate_list"),
)


def faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield every problem of one output, pointers relative to it."""
    if settings.video is None and settings.audio is None:
        yield problem(
            Code.INVALID,
            "",
            "The output has neither video nor audio.",
            "Remove at most one of them.",
        )
    if settings.copy:
        yield from _copy_faults(settings)
    else:
        yield from _codec_faults(settings)
        yield from video_faults(settings)
        yield from _rate_faults(settings)
        yield from _maxrate_faults(settings)
        yield from audio_faults(settings)
        yield from volume_faults(settings)
    yield from joined_faults(settings)
    yield from quality_faults(settings)
    yield from _mux_faults(settings)
    yield from _playlist_faults(settings)


def _copy_faults(settings: OutputSettings) -> Iterator[Problem]:
    sections: dict[str, WireModel | None] = {
        "Video": settings.output.video,
        "Audio": settings.output.audio,
    }
    for section, own_section in sections.items():
        if own_section is None:
            continue
        for name in sorted(
            own_section.model_fields_set & set(type(own_section).model_fields) - {"remove"}
        ):
            alias = type(own_section).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{section}/{alias}",
                f'The template "{settings.template.id}" copies the streams, so {section}.{alias} '
                "cannot be set.",
                "Take the field out, or use a template that encodes.",
            )
    for name in NEEDS_ENCODING:
        if getattr(settings.output, name):
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{type(settings.output).model_fields[name].alias}",
                f'The template "{settings.template.id}" copies the streams, which leaves no room '
                "for this.",
                "Take the field out, or use a template that encodes.",
            )
    for name, harmless in PICTURE_MODES.items():
        value = getattr(settings.trans, name)
        if value != harmless:
            yield problem(
                Code.NOT_SUPPORTED,
                settings.pointer("trans_config", name),
                f'The template "{settings.template.id}" copies the streams, so "{value}" has no '
                "meaning.",
                "Take the field out, or use a template that encodes.",
            )


def _codec_faults(settings: OutputSettings) -> Iterator[Problem]:
    container, video, audio = settings.container, settings.video, settings.audio
    if video and container in AUDIO_CONTAINERS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("container", "format"),
            f'The container "{container}" holds no video.',
            'Set Video to {"Remove": "true"}, or use the container mp4.',
        )
    elif video and video.codec not in CONTAINERS[container].video:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "codec"),
            f'The container "{container}" does not hold {video.codec} video.',
            f"Use {' or '.join(CONTAINERS[container].video)}.",
        )
    if container in IMAGE_CONTAINERS and settings.asked("audio") - {"remove"}:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Audio",
            f'The container "{container}" holds no sound.',
            "Take Audio out, or use the container mp4.",
        )
    if audio is None:
        return
    holds = CONTAINERS[container]
    alone = video is None or container in AUDIO_CONTAINERS
    codecs = holds.alone if alone else holds.audio
    if audio.codec not in codecs:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "codec"),
            f'The container "{container}" does not hold {audio.codec} audio'
            f"{' without video' if alone and holds.video else ''}.",
            f"Use {' or '.join(codecs)}.",
        )
    elif container == "m3u8" and video and (video.codec, audio.codec) == ("H.264", "MP3"):
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "codec"),
            "HLS with H.264 video and MP3 audio does not play everywhere.",
            "Use AAC.",
            Severity.WARNING,
        )


def _rate_faults(settings: OutputSettings) -> Iterator[Problem]:
    video, mode = settings.video, settings.trans.trans_mode
    if video is None or mode == "onepass":
        return
    # an intelligent template has its rates from the Analysis, so only what is given can be wrong
    missing = video.bitrate is None and settings.template.kind is not Kind.INTELLIGENT
    if missing or video.crf is not None:
        reason = f"Crf {video.crf:g} is set" if video.crf is not None else "there is none"
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("trans_config", "trans_mode"),
            f'TransMode "{mode}" needs Video.Bitrate without Crf, and {reason}.',
            "Set Bitrate and take Crf out, or use onepass.",
        )


def _maxrate_faults(settings: OutputSettings) -> Iterator[Problem]:
    video = settings.video
    if video is None or video.maxrate is None:
        return
    own_maxrate = settings.given("video", "maxrate")
    # what a template brings has no effect then, and is nobody's wish
    if settings.trans.trans_mode == "CBR" and own_maxrate:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "maxrate"),
            f'Maxrate {video.maxrate:g} has no meaning with TransMode "CBR".',
            "Take the field out: the bit rate is constant.",
        )
    elif video.crf is None and video.bitrate is not None and video.maxrate < video.bitrate:
        yield problem(
            Code.OUT_OF_RANGE,
            settings.pointer("video", "maxrate" if own_maxrate else "bitrate"),
            f"The Bitrate {video.bitrate:g} is above the Maxrate {video.maxrate:g}.",
            "Raise Maxrate, or lower Bitrate to it.",
        )


def _playlist_faults(settings: OutputSettings) -> Iterator[Problem]:
    output, cuts = settings.output, settings.mux.segment.force_seg_time
    if settings.container == "mpd" and cuts:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("mux_config", "segment"),
            f'The container "mpd" has segments of one length, and cannot be cut at "{cuts}".',
            "Use Duration instead of ForceSegTime, or the container m3u8.",
        )
    for name, containers in (("encryption", ("m3u8", "fmp4")), ("non_standard", ("m3u8",))):
        if getattr(output, name) is not None and settings.container not in containers:
            alias = type(output).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{alias}",
                f'The container "{settings.container}" has no {alias}.',
                "Take it out, or use the container m3u8.",
            )
    if output.encryption:
        yield from _encryption_faults(settings, output.encryption.scheme)
    if output.encryption and cuts:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Encryption",
            f'Segments cut at "{cuts}" (ForceSegTime) cannot be encrypted by this version.',
            "Use Segment.Duration instead of ForceSegTime.",
        )


def _encryption_faults(settings: OutputSettings, scheme: Scheme) -> Iterator[Problem]:
    if settings.container == "m3u8" and scheme is Scheme.CBCS:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Encryption/Type",
            f'Segments of the format "ts" cannot be encrypted with "{scheme}".',
            f'Use the Type "{Scheme.AES_128}", or streams of a package with the SegmentFormat '
            '"fmp4".',
        )
    elif settings.container == "fmp4" and scheme is Scheme.AES_128:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Encryption/Type",
            f'Segments of the format "fmp4" cannot be encrypted with "{scheme}".',
            f'Use the Type "{Scheme.CBCS}", an extension of ours, or the SegmentFormat "ts".',
        )
    elif scheme is Scheme.CBCS and settings.video and settings.audio:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Encryption/Type",
            f'A picture with sound of its own cannot be encrypted with "{scheme}".',
            "Put the sound behind an AudioGroup.",
        )


def _palette_faults(settings: OutputSettings) -> Iterator[Problem]:
    gif = settings.mux.gif
    if settings.container == "gif" and gif.dither_mode and not gif.is_custom_palette:
        own = (settings.template if settings.document else settings.output).mux_config
        own_fields = own.gif.model_fields_set if own else set[str]()
        names = {"dither_mode": "DitherMode", "is_custom_palette": "IsCustomPalette"}
        places = [f"/MuxConfig/Gif/{names[name]}" for name in names if name in own_fields]
        yield problem(
            Code.NOT_SUPPORTED,
            places[0] if places else "/TemplateId",
            f'The DitherMode "{gif.dither_mode}" needs a palette of its own.',
            "Take DitherMode out, or set IsCustomPalette to true.",
        )


def _mux_faults(settings: OutputSettings) -> Iterator[Problem]:
    yield from _palette_faults(settings)
    mux, container = settings.output.mux_config, settings.container
    if mux is None:
        return
    for section, containers in (("segment", SEGMENTED), ("gif", {"gif"}), ("webp", {"webp"})):
        if getattr(mux, section).model_fields_set and container not in containers:
            name = section.capitalize()
            yield problem(
                Code.NOT_SUPPORTED,
                f"/MuxConfig/{name}",
                f'The container "{container}" has no {name} settings.',
                f"Take {name} out, or use the container "
                f"{' or '.join(sorted(containers - {'fmp4'}))}.",
            )
    if settings.copy and mux.gif.model_fields_set:
        yield problem(
            Code.NOT_SUPPORTED,
            "/MuxConfig/Gif",
            f'The template "{settings.template.id}" copies the pictures of a GIF as they are.',
            "Take Gif out, or use a template that encodes.",
        )
