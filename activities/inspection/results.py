"""What is told of the spans: the output file and the summary (specification, api, 16.3).

The file has one JSON object for each label that was found, one after the other; the summary is
one object for all of them, with less in it. Both name single pictures with a defect: of a span the
first, one for every second, and the last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from activities.inspection.labels import Label
from activities.inspection.measure import Rate
from activities.inspection.spans import Moment, Span
from workflow_engine.records import Json

#: pictures of one label that the summary names, since it is a part of answers and records; those
#: of more are thinned out evenly
SUMMARY_MOST = 200
#: spans that the table of a result has
TABLE_MOST = 200

#: labels whose pictures have a type and no number, in the file
_TYPED = frozenset({Label.BLOCKNESS, Label.BRIGHTNESS, Label.FREEZE})
#: what the file calls the share of noise
_NOISE_RATE = "noise_rate"


@dataclass(kw_only=True)
class Results:
    """Collects the spans of `labels`; `rate` tells the numbers of frames."""

    rate: Rate
    labels: tuple[Label, ...]
    _spans: dict[Label, list[Span]] = field(default_factory=dict[Label, list[Span]])

    def add(self, label: Label, span: Span) -> None:
        """Take a span, when its label is asked for."""
        if label in self.labels:
            self._spans.setdefault(label, []).append(span)

    def write(self, file: Path) -> None:
        """Write the output file; of a good source it is empty."""
        with file.open("w", encoding="utf-8") as out:
            for label, moments in self._found():
                items = [self._item(label, moment) for moment in moments]
                out.write(json.dumps({label: items}) + "\n")

    def data(self) -> dict[str, Json]:
        """Return what the activity's result has: the summary, and the spans as a table."""
        summary = {
            label.summary_key: [_summary(label, moment) for moment in _thinned(moments)]
            for label, moments in self._found()
        }
        rows = [
            {"Label": label, "Begin": _clock(span.begin), "End": _clock(span.end), **_words(span)}
            for label in self.labels
            for span in self._sorted(label)
        ]
        return {"VideoQualityResults": summary, "Spans": rows[:TABLE_MOST]}

    def _found(self) -> list[tuple[Label, list[Moment]]]:
        """Return the pictures of each label that was found, by their times."""
        return [
            (label, [moment for span in self._sorted(label) for moment in span.moments])
            for label in self.labels
            if label in self._spans
        ]

    def _sorted(self, label: Label) -> list[Span]:
        return sorted(self._spans.get(label, ()), key=lambda span: span.begin)

    def _item(self, label: Label, moment: Moment) -> dict[str, Json]:
        milliseconds = round(moment.time * 1000)
        if label in _TYPED:
            result = {"result": "blocking"} if label is Label.BLOCKNESS else {}
            return {**result, **moment.told, "timestamp": str(milliseconds), "type": label}
        told = dict(moment.told)
        if "ratio" in told:
            name = _NOISE_RATE if label is Label.NOISE else "ratio"
            told = {name: str(told["ratio"])}
        number = self.rate.number(moment.time)
        return {**told, "id": number, "timestamp": float(milliseconds)}


def _summary(label: Label, moment: Moment) -> dict[str, str]:
    """Return a picture as the summary has it: strings, and no places in the picture."""
    told = {
        name.title(): str(value)
        for name, value in moment.told.items()
        if name in ("ratio", "score") or (name == "result" and label is Label.BRIGHTNESS)
    }
    return {"TimeStamp": _clock(moment.time), **told}


def _thinned(moments: list[Moment]) -> list[Moment]:
    return moments[:: -(-len(moments) // SUMMARY_MOST)]


def _words(span: Span) -> Mapping[str, Json]:
    told = span.moments[0].told
    shown = (f"{name} {value}" for name, value in told.items())
    return {"First": ", ".join(shown)}


def _clock(seconds: float) -> str:
    """Return a time as hh:mm:ss.SSS.

    >>> _clock(3725.5)
    '01:02:05.500'
    """
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
