"""What the picture of an output may be: fields, formats and modes by codec.

Part of `output.py`; the tables stand in `model/containers.py`. Specification: transcode, 4.
"""

from collections.abc import Iterator

from activities.templates.sections import Video, box_of
from activities.transcode.model.containers import (
    HDR_CODECS,
    HDR_PIXEL_FORMAT,
    KEEP,
    PIXEL_FORMATS,
    PROFILE_PIXEL_FORMATS,
    TRANS_MODES,
    VIDEO_FIELDS,
    WITHOUT_HDR,
)
from activities.transcode.model.settings import OutputSettings, problem
from workflow_engine.errors import Code, Problem


def video_faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield every problem of the picture, pointers relative to the output."""
    video = settings.video
    if video is None:
        return
    yield from _codec_faults(settings, video)
    if video.profile and video.codec == "H.264" and video.pix_fmt not in PROFILE_PIXEL_FORMATS:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "profile"),
            f'The profile "{video.profile}" does not allow the pixel format "{video.pix_fmt}".',
            "Take Profile out, or use yuv420p.",
        )
    if video.hdr == KEEP:
        yield from _hdr_faults(settings, video)
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


def _hdr_faults(settings: OutputSettings, video: Video) -> Iterator[Problem]:
    """HDR has 10 bits of a colour, and a white of its own, which what is laid over it has not."""
    wanted = {
        "codec": (video.codec, HDR_CODECS),
        "pix_fmt": (video.pix_fmt, (HDR_PIXEL_FORMAT,)),
    }
    for name, (found, allowed) in wanted.items():
        if found not in allowed:
            field = Video.model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                settings.pointer("video", "hdr"),
                f'Hdr "{KEEP}" needs {field} {" or ".join(allowed)}, and it is {found}.',
                f"Set {field}, or take Hdr out to get SDR.",
            )
    for name in WITHOUT_HDR:
        if getattr(settings.output, name):
            field = type(settings.output).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{field}",
                f'{field} cannot stand beside Hdr "{KEEP}": it is made for SDR.',
                f"Take {field} out, or take Hdr out to get SDR.",
            )


def _codec_faults(settings: OutputSettings, video: Video) -> Iterator[Problem]:
    codec = video.codec
    for name, field in type(video).model_fields.items():
        if name not in settings.asked("video") or name in VIDEO_FIELDS[codec]:
            continue
        others = [one for one, fields in VIDEO_FIELDS.items() if name in fields]
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", name),
            f'{field.alias} "{getattr(video, name)}" is for {" and ".join(others)} only, and the '
            f"codec is {codec}.",
            f"Take the field out, or use {' or '.join(others)}.",
        )
    formats = PIXEL_FORMATS.get(codec)
    wrong = video.pix_fmt not in formats if formats else video.pix_fmt == "bgr8"
    if wrong and "pix_fmt" in settings.asked("video"):
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "pix_fmt"),
            f'{codec} has no pixel format "{video.pix_fmt}" here.',
            f"Use {' or '.join(formats or PROFILE_PIXEL_FORMATS)}.",
        )
    if video.scan_mode == "interlaced" and codec != "H.264":
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "scan_mode"),
            f"Interlaced {codec} is not supported by this version.",
            "Use ScanMode progressive, or H.264.",
        )
    modes = TRANS_MODES.get(codec)
    if modes and settings.trans.trans_mode not in modes:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("trans_config", "trans_mode"),
            f'{codec} has no TransMode "{settings.trans.trans_mode}" here.',
            f"Use {' or '.join(modes)}.",
        )
    if codec == "AV1" and video.crf is not None and video.crf % 1:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "crf"),
            f"AV1 takes whole numbers as Crf, and not {video.crf:g}.",
            f"Use {video.crf // 1:g} or {video.crf // 1 + 1:g}.",
        )
    if codec == "AV1" and video.maxrate and video.crf is None and video.bitrate is not None:
        yield problem(
            Code.NOT_SUPPORTED,
            settings.pointer("video", "maxrate"),
            f"AV1 takes a Maxrate with Crf only, and the Bitrate {video.bitrate:g} is set.",
            "Take Maxrate out, or use Crf.",
        )
