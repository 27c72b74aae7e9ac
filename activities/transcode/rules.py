"""What may not stand together in one output: checked before anything runs.

`faults` takes merged settings, so a template's field and an output's are judged alike; pointers
are relative to the output; those of the sound are in `audio_rules.py`. Specification: transcode,
3 to 7; `container_codecs.json`.
"""

from collections.abc import Iterator

from activities.templates import Kind
from activities.templates.sections import Video, box_of
from activities.transcode.audio_rules import audio_faults
from activities.transcode.settings import AUDIO_CONTAINERS, Settings, problem
from workflow_engine.errors import Code, Problem, Severity
from workflow_engine.topology.wire import WireModel

#: video codecs by container, for encoding
VIDEO_CODECS = {
    "flv": ("H.264",),
    "mp4": ("H.264", "H.265"),
    "ts": ("H.264", "H.265"),
    "m3u8": ("H.264", "H.265"),
}
#: audio codecs by container, beside a picture and alone
AUDIO_CODECS = {
    "flv": ("AAC", "MP3"),
    "mp4": ("AAC", "MP3"),
    "ts": ("AAC", "MP3"),
    "m3u8": ("AAC", "MP3"),
    "mp3": ("MP3",),
    "m4a": ("AAC",),
}
#: chroma formats of the profiles baseline, main and high
PROFILE_PIXEL_FORMATS = ("yuv420p", "yuvj420p")


def faults(settings: Settings) -> Iterator[Problem]:
    """Yield every problem of one output, pointers relative to it."""
    kind = settings.template.kind
    if kind in (Kind.DOUBLING, Kind.NARROWBAND):
        yield problem(
            Code.TEMPLATE_NOT_SUPPORTED,
            "/TemplateId",
            f'The template "{settings.template.id}" ({settings.template.name}) is of the kind '
            f"{kind}, which is not supported by this version.",
            "Use a static template (S00000001-...) with the Video fields that you need.",
        )
        return
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
        yield from _video_faults(settings)
        yield from _rate_faults(settings)
        yield from _maxrate_faults(settings)
        yield from audio_faults(settings)
    yield from _segment_faults(settings)


def _copy_faults(settings: Settings) -> Iterator[Problem]:
    sections: dict[str, WireModel | None] = {
        "Video": settings.output.video,
        "Audio": settings.output.audio,
    }
    for section, given in sections.items():
        if given is None:
            continue
        for name in sorted(given.model_fields_set & set(type(given).model_fields) - {"remove"}):
            alias = type(given).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{section}/{alias}",
                f'The template "{settings.template.id}" copies the streams, so {section}.{alias} '
                "cannot be set.",
                "Take the field out, or use a template that encodes.",
            )
    for name, harmless in (("trans_mode", "onepass"), ("adj_dar_method", "none")):
        value = getattr(settings.trans, name)
        if value != harmless:
            yield problem(
                Code.NOT_SUPPORTED,
                settings.pointer("trans_config", name),
                f'The template "{settings.template.id}" copies the streams, so "{value}" has no '
                "meaning.",
                "Take the field out, or use a template that encodes.",
            )


def _codec_faults(settings: Settings) -> Iterator[Problem]:
    container, video, audio = settings.container, settings.video, settings.audio
    if video and container in AUDIO_CONTAINERS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("container", "format"),
            f'The container "{container}" holds no video.',
            'Set Video to {"Remove": "true"}, or use the container mp4.',
        )
    elif video and video.codec not in VIDEO_CODECS[container]:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "codec"),
            f'The container "{container}" does not hold {video.codec} video.',
            f"Use {' or '.join(VIDEO_CODECS[container])}.",
        )
    if audio is None:
        return
    # MP3 in an mp4 without a picture is an .mp3 under another name (compatibility table)
    alone = container == "mp4" and video is None
    codecs = ("AAC",) if alone else AUDIO_CODECS[container]
    if audio.codec not in codecs:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("audio", "codec"),
            f'The container "{container}" does not hold {audio.codec} audio'
            f"{' without video' if alone else ''}.",
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


def _video_faults(settings: Settings) -> Iterator[Problem]:
    video = settings.video
    if video is None:
        return
    if video.codec == "H.265":
        yield from _h265_faults(settings, video)
    if video.profile and video.pix_fmt not in PROFILE_PIXEL_FORMATS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "profile"),
            f'The profile "{video.profile}" does not allow the pixel format "{video.pix_fmt}".',
            "Take Profile out, or use yuv420p.",
        )
    if video.profile == "baseline" and video.scan_mode == "interlaced":
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "scan_mode"),
            'The profile "baseline" has no interlaced pictures.',
            "Use the profile main or high, or ScanMode progressive.",
        )
    if video.pad:
        width, height, left, top = box_of(video.pad)
        if left >= width or top >= height:
            yield problem(
                Code.OUT_OF_RANGE,
                settings.pointer("video", "pad"),
                f'The Pad "{video.pad}" puts the picture outside the canvas.',
                "Use width:height:left:top with left < width and top < height.",
            )


def _h265_faults(settings: Settings, video: Video) -> Iterator[Problem]:
    for name in ("profile", "preset"):
        value = getattr(video, name)
        if value:
            yield problem(
                Code.NOT_SUPPORTED,
                settings.pointer("video", name),
                f'{name.capitalize()} "{value}" is for H.264 only, and the codec is H.265.',
                "Take the field out, or use H.264.",
            )
    if video.scan_mode == "interlaced":
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "scan_mode"),
            "Interlaced H.265 is not supported by this version.",
            "Use ScanMode progressive, or H.264.",
        )


def _rate_faults(settings: Settings) -> Iterator[Problem]:
    video, mode = settings.video, settings.trans.trans_mode
    if video is None or mode == "onepass":
        return
    # an intelligent template has its rates from the Analysis, so only what is given can be wrong
    missing = video.bitrate is None and settings.template.kind is not Kind.INTELLIGENT
    if missing or video.crf is not None:
        told = f"Crf {video.crf:g} is set" if video.crf is not None else "there is none"
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("trans_config", "trans_mode"),
            f'TransMode "{mode}" needs Video.Bitrate without Crf, and {told}.',
            "Set Bitrate and take Crf out, or use onepass.",
        )


def _maxrate_faults(settings: Settings) -> Iterator[Problem]:
    video = settings.video
    if video is None or video.maxrate is None:
        return
    pointer = settings.pointer("video", "maxrate")
    # what a template brings has no effect then, and is nobody's wish
    if settings.trans.trans_mode == "CBR" and pointer != "/TemplateId":
        yield problem(
            Code.NOT_SUPPORTED,
            pointer,
            f'Maxrate {video.maxrate:g} has no meaning with TransMode "CBR".',
            "Take the field out: the bit rate is constant.",
        )
    elif video.crf is None and video.bitrate is not None and video.maxrate < video.bitrate:
        yield problem(
            Code.OUT_OF_RANGE,
            settings.pointer("video", "bitrate") if pointer == "/TemplateId" else pointer,
            f"The Bitrate {video.bitrate:g} is above the Maxrate {video.maxrate:g}.",
            "Raise Maxrate, or lower Bitrate to it.",
        )


def _segment_faults(settings: Settings) -> Iterator[Problem]:
    mux = settings.output.mux_config
    if mux and mux.segment.model_fields_set and settings.container != "m3u8":
        yield problem(
            Code.NOT_SUPPORTED,
            "/MuxConfig/Segment",
            f'The container "{settings.container}" has no segments.',
            "Take Segment out, or use the container m3u8.",
        )
