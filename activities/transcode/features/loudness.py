"""How loud the sound of a source is, as it will be heard: measured before an output is planned.

Integrated loudness and true peak by EBU R 128, and the mean level that `volumedetect` tells.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.transcode.command.filters import Filter, filter_of
from workflow_engine.activity import ActivityContext, SideInput
from workflow_engine.records import Json, ObjectRef

#: `SideInput.kind` of the measurement
LOUDNESS = "loudness"
#: LUFS and dB at which there is nothing to be made louder
SILENCE = -69.0

_VALUE = re.compile(r"^lavfi\.(?:r128|astats\.Overall)\.(\w+)=(-?[\d.]+)$", re.MULTILINE)
_MEASURES = "loudness.txt"


@dataclass(frozen=True, kw_only=True)
class LoudnessQuery:
    """What is measured: a stream of the source in the output's form, and which part of it."""

    stream: int
    samplerate: int
    layout: str
    part: tuple[tuple[str, str], ...]

    def of(self, source: ObjectRef) -> SideInput:
        """Return the measurement of a source."""
        query: dict[str, Json] = asdict(self) | {"part": [list(option) for option in self.part]}
        return SideInput(ref=source, kind=LOUDNESS, query=query)

    @property
    def form(self) -> tuple[Filter, ...]:
        """The filters that give the sound the channels and the rate of the output."""
        return (
            filter_of("aresample", sample_rate=self.samplerate),
            filter_of("aformat", channel_layouts=self.layout),
        )


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Integrated loudness (LUFS), true peak (dBTP) and mean level (dB); -inf means silence."""

    integrated: float
    true_peak: float
    mean: float

    @classmethod
    def of(cls, facts: Mapping[str, Json]) -> "Loudness":
        """Read what `describe_loudness` returned."""
        levels = {name: -math.inf if facts[name] is None else facts[name] for name in facts}
        return cls(**levels)


def describe_loudness(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Decode the whole sound and return its `Loudness`, None for -inf."""
    query: dict[str, Any] = dict(side_input.query)
    source = graph.open_input(context.source, dict(query["part"]))
    shape = LoudnessQuery(**query).form
    levels = {"measure_perchannel": "none", "measure_overall": "RMS_level", "metadata": "1"}
    steps = [
        *((one.name, dict(one.options)) for one in shape),
        # one line for each second is enough
        ("asetnsamples", {"n": str(query["samplerate"]), "p": "0"}),
        ("astats", levels),
        ("ebur128", {"metadata": "1", "peak": "true", "framelog": "quiet"}),
        ("ametadata", {"mode": "print", "file": _MEASURES}),
    ]
    stream = source[str(query["stream"])]
    for name, options in steps:
        stream = stream.filter(name, options=options)
    command = graph.argv(graph.output("-", [stream], {"f": "null"}))
    ffmpeg.run(command, context=context, duration=None)
    measures = _last(context.work / _MEASURES)
    peak = measures.get("true_peak", 0)
    return {
        "integrated": _level(measures.get("I")),
        "true_peak": _level(20 * math.log10(peak) if peak > 0 else None),
        "mean": _level(measures.get("RMS_level")),
    }


def _level(value: float | None) -> float | None:
    return None if value is None or value <= SILENCE else round(value, 2)


def _last(path: Path) -> dict[str, float]:
    """Return the last measures in a file, and remove it; none when there was no sound."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        text = file.read().decode("utf-8", "replace")
    path.unlink()
    return {match[1]: float(match[2]) for match in _VALUE.finditer(text)}
