"""The four definitions of the intelligent presets, and which of them a source is good for.

Pure: rates come in as numbers, measured or assumed. Specification: analysis, 4 to 6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from activities.analysis.config import AnalysisConfig
from activities.probe import VideoStream
from workflow_engine.records import Json

Size = tuple[int, int]

#: share of a class's lower bit rate that suffices
SLACK = 0.9
#: what the result templates ask for, and what is measured
PRESET = "medium"

#: pixels; templates cannot name less or more (specification, transcode, 4)
_MIN_SIDE, _MAX_SIDE = 128, 4096
#: container and the first digit of the preset's serial
_CONTAINERS = (("flv", "0"), ("m3u8", "1"), ("mp4", "2"))


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A class of presets: short edges in pixels, rates in kbit/s."""

    name: str
    serial: str
    min_edge: int
    max_edge: int
    min_kbps: int
    max_kbps: int
    audio_kbps: int

    def fits(self, size: Size) -> bool:
        """Whether the source has pixels enough."""
        return min(size) >= self.min_edge

    def output_size(self, size: Size) -> Size:
        """Return the size of an output: edges capped, ratio kept, even, never enlarged."""
        share = min(Fraction(self.max_edge, min(size)), Fraction(_MAX_SIDE, max(size)))
        if share >= 1:
            return _even(size[0]), _even(size[1])
        return _scaled(size[0], share), _scaled(size[1], share)


#: the highest first
DEFINITIONS = (
    Definition(
        name="FHD",
        serial="00050",
        min_edge=720,
        max_edge=1080,
        min_kbps=2000,
        max_kbps=4000,
        audio_kbps=160,
    ),
    Definition(
        name="HD",
        serial="00040",
        min_edge=576,
        max_edge=720,
        min_kbps=1000,
        max_kbps=2000,
        audio_kbps=128,
    ),
    Definition(
        name="SD",
        serial="00030",
        min_edge=480,
        max_edge=576,
        min_kbps=500,
        max_kbps=1000,
        audio_kbps=80,
    ),
    Definition(
        name="LD",
        serial="00020",
        min_edge=270,
        max_edge=360,
        min_kbps=0,
        max_kbps=500,
        audio_kbps=64,
    ),
)


@dataclass(frozen=True, kw_only=True)
class DefinitionVerdict:
    """Whether a definition is usable for a source, and why; `kbps` is None if not looked at."""

    definition: Definition
    size: Size
    kbps: float | None
    usable: bool
    reason: str


def candidates(size: Size) -> list[Definition]:
    """Return the definitions whose bit rate may have to be known, the highest first."""
    return [d for d in DEFINITIONS if d.fits(size) and d.min_kbps]


def judge(size: Size, rate: Callable[[Size], float | None]) -> list[DefinitionVerdict]:
    """Judge every definition for a source of this upright display size, the highest first.

    `rate` gives the kbit/s that an output of a size needs, None if unknown; it is asked from
    the highest definition downwards and only until one is usable.
    """
    verdicts: list[DefinitionVerdict] = []
    for definition in DEFINITIONS:
        verdicts.append(
            _judge(definition, size, rate, larger_usable=any(v.usable for v in verdicts))
        )
    if not any(v.usable for v in verdicts):
        lowest = verdicts.pop()
        reason = "smaller than every class, offered at source size"
        verdicts.append(
            DefinitionVerdict(
                definition=lowest.definition,
                size=lowest.size,
                kbps=None,
                usable=True,
                reason=reason,
            )
        )
    return verdicts


def _judge(
    definition: Definition, size: Size, rate: Callable[[Size], float | None], *, larger_usable: bool
) -> DefinitionVerdict:
    target, kbps = definition.output_size(size), None
    if not definition.fits(size):
        usable, reason = False, f"short edge {min(size)} is below {definition.min_edge}"
    elif larger_usable or not definition.min_kbps:
        usable, reason = True, "below a usable class" if larger_usable else "no lower bit rate"
    else:
        kbps = rate(target)
        usable = kbps is None or kbps >= SLACK * definition.min_kbps
        reason = "bit rate unknown" if kbps is None else "enough" if usable else "not enough"
        if kbps is not None:
            reason = f"{reason} detail for {definition.min_kbps} kbit/s"
    return DefinitionVerdict(
        definition=definition, size=target, kbps=kbps, usable=usable, reason=reason
    )


def template_list(
    verdicts: list[DefinitionVerdict],
    video: VideoStream,
    config: AnalysisConfig,
    only_highest: bool,
) -> list[Json]:
    """Return the TemplateList (specification, analysis, 4): each usable class in each container."""
    usable = [verdict for verdict in verdicts if verdict.usable]
    return [
        _template(verdict, container, digit, video, config)
        for verdict in (usable[:1] if only_highest else usable)
        for container, digit in _CONTAINERS
    ]


def _template(
    verdict: DefinitionVerdict,
    container: str,
    digit: str,
    video: VideoStream,
    config: AnalysisConfig,
) -> dict[str, Json]:
    definition, (width, height) = verdict.definition, verdict.size
    network = config.quality_control.method_streaming == "network"
    picture = {
        "Codec": "H.264",
        "Profile": "high",
        "Crf": str(config.quality_control.crf),
        "Preset": PRESET,
        "Maxrate": str(definition.max_kbps),
        "BitrateBnd": {"Max": str(definition.max_kbps), "Min": str(max(definition.min_kbps, 10))},
        "PixFmt": "yuv420p",
    }
    if network:
        picture["Bufsize"] = "6000"
    if width >= _MIN_SIDE:
        picture["Width"] = str(width)
    if height >= _MIN_SIDE:  # else it follows from the width, or is the source's
        picture["Height"] = str(height)
    if video.interlaced:
        picture["ScanMode"] = "interlaced" if config.keeps_fields(video) else "progressive"
    template: dict[str, Json] = {
        "Id": f"S00000000-{digit}{definition.serial}",
        "Name": f"{container.upper()}-{definition.name}",
        "State": "Normal",
        "Container": {"Format": container},
        "Video": picture,
        "Audio": {
            "Codec": "AAC",
            "Samplerate": "44100",
            "Bitrate": str(definition.audio_kbps),
            "Channels": "2",
        },
        "TransConfig": {"TransMode": "onepass"},
    }
    if container == "m3u8" and network:
        template["MuxConfig"] = {"Segment": {"Duration": "10"}}
    return template


def _scaled(side: int, share: Fraction) -> int:
    return max(2, 2 * round(side * share / 2))


def _even(side: int) -> int:
    return max(2, side - side % 2)
