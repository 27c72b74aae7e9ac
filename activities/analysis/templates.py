"""The result: a template for each offered rung in each container, and the rungs as they are told.

Pure. Specification: analysis, 4, 5 and 6a.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.analysis.classes import MIN_SIDE, Definition
from activities.analysis.picture import PictureDecision
from activities.analysis.rates import LEAST_RATE, RateControl
from activities.analysis.selection import Rung
from workflow_engine.records import Json

#: what the result templates ask for, and what is measured
PRESET = "medium"
#: container and the first digit of the preset's serial
CONTAINERS = (("flv", "0"), ("m3u8", "1"), ("mp4", "2"))
#: seconds of a segment
_SEGMENT = "10"
#: how much longer two passes take than one
_TWO_PASSES = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedRung:
    """A rung with what is known of it beyond its size and rate.

    `rate` is None unless it is offered. `vmaf` is that of the samples, `seconds` the time that
    its encode takes on this machine, None where nothing was measured; `sampled` is how many
    seconds of the source were encoded to find out.
    """

    rung: Rung
    rate: RateControl | None = None
    vmaf: float | None = None
    seconds: float | None = None
    sampled: float | None = None


def template_ids(definition: Definition) -> list[str]:
    """Return the presets of a class, one for each container."""
    return [f"S00000000-{digit}{definition.serial}" for _, digit in CONTAINERS]


def template_list(
    judged: Sequence[JudgedRung], picture: PictureDecision, *, network: bool
) -> list[Json]:
    """Return the TemplateList: each offered rung in each container."""
    return [
        _template(one.rung, one.rate, container, template_id, picture, network=network)
        for one in judged
        if one.rate is not None
        for (container, _), template_id in zip(
            CONTAINERS, template_ids(one.rung.definition), strict=True
        )
    ]


def video_section(edge: int, picture: PictureDecision) -> dict[str, Json]:
    """Return what every output of a size has in common: codec, preset, size, crop and fields."""
    width, height = picture.output_size(edge)
    section: dict[str, Json] = {
        "Codec": "H.264",
        "Profile": "high",
        "Preset": PRESET,
        "PixFmt": "yuv420p",
    }
    if width >= MIN_SIDE:
        section["Width"] = str(width)
    if height >= MIN_SIDE:  # else it follows from the width, or is the source's
        section["Height"] = str(height)
    if picture.crop:
        section["Crop"] = ":".join(map(str, picture.crop))
    if picture.scan_mode:
        section["ScanMode"] = picture.scan_mode
    if picture.field_order:
        section["FieldOrder"] = picture.field_order
    return section


def _template(
    rung: Rung,
    rate: RateControl,
    container: str,
    template_id: str,
    picture: PictureDecision,
    *,
    network: bool,
) -> dict[str, Json]:
    definition = rung.definition
    assert rung.edge is not None
    kept = {"Crf": _text(rate.crf)} if rate.bitrate is None else {"Bitrate": _text(rate.bitrate)}
    template: dict[str, Json] = {
        "Id": template_id,
        "Name": f"{container.upper()}-{definition.name}",
        "State": "Normal",
        "Container": {"Format": container},
        "Video": video_section(rung.edge, picture)
        | kept
        | {
            "Maxrate": _text(rate.maxrate),
            "Bufsize": _text(rate.bufsize),
            "BitrateBnd": {
                "Max": _text(rung.high),
                "Min": _text(max(rung.low, LEAST_RATE)),
            },
        },
        "Audio": {
            "Codec": "AAC",
            "Samplerate": "44100",
            "Bitrate": str(definition.audio_kbps),
            "Channels": "2",
        },
        "TransConfig": {"TransMode": rate.mode},
    }
    if container == "m3u8" and network:
        template["MuxConfig"] = {"Segment": {"Duration": _SEGMENT}}
    return template


def told(
    judged: Sequence[JudgedRung], picture: PictureDecision, duration: float | None, *, sound: bool
) -> list[Json]:
    """Return the `Rungs` of the result: what was looked at, and why it is offered or dropped.

    `duration` is how long outputs are, in seconds; `sound` whether they have any.
    """
    return [_told(one, picture, duration, sound=sound) for one in judged]


def _told(
    one: JudgedRung, picture: PictureDecision, duration: float | None, *, sound: bool
) -> dict[str, Json]:
    rung, rate = one.rung, one.rate
    told: dict[str, Json] = {
        "Class": rung.definition.name,
        "TemplateIds": template_ids(rung.definition),
        "State": "Offered" if rung.offered else "Dropped",
    }
    if rung.edge is not None:
        width, height = picture.output_size(rung.edge)
        told |= {"Width": str(width), "Height": str(height)}
    kbps = rung.kbps if rate is None else rate.bitrate or rung.kbps
    if kbps is not None:
        told["PredictedBitrate"] = f"{kbps:.0f}"
    if one.vmaf is not None:
        told["PredictedVmaf"] = f"{one.vmaf:.1f}"
    if rate is not None:
        kept = (
            {"Crf": _text(rate.crf)} if rate.bitrate is None else {"Bitrate": _text(rate.bitrate)}
        )
        told |= kept | {"TransMode": rate.mode}
        if duration and kbps is not None:
            total = (kbps + rung.definition.audio_kbps * sound) * 1000 / 8 * duration
            told["PredictedSize"] = f"{total:.0f}"
        if one.seconds is not None:
            passes = 1.0 if rate.bitrate is None else _TWO_PASSES
            told["PredictedSeconds"] = f"{one.seconds * passes:.1f}"
    if one.sampled is not None:
        told["SampleSeconds"] = f"{one.sampled:.1f}"
    if rung.reason is not None:
        told["Reason"] = str(rung.reason)
    return told | {"Detail": rung.detail}


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if value < 1e5 else f"{value:.0f}"
