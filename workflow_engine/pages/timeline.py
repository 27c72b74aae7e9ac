"""When the activities of an execution ran: bars over one axis, in shares of its whole time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An activity: where its bar begins, how long it is, and where attempts failed, in percent."""

    activity: ActivityRecord
    begin: float
    length: float
    seconds: float
    failed: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The bars in the order of their beginnings, over so many seconds."""

    seconds: float
    bars: tuple[Bar, ...]


def timeline(record: ExecutionRecord, now: datetime) -> Timeline:
    """Return what has begun of an execution; what still runs lasts until `now`.

    The axis begins when the execution was accepted, so that waiting is seen, too.
    """
    end = max([record.ended or now, *(a.ended for a in record.activities if a.ended)])
    whole = max((end - record.created).total_seconds(), 1e-3)
    return Timeline(seconds=whole, bars=tuple(_bars(record, end, whole)))


def _bars(record: ExecutionRecord, end: datetime, whole: float) -> Iterator[Bar]:
    def share(moment: datetime) -> float:
        part = (moment - record.created).total_seconds() / whole
        return round(100 * min(max(part, 0.0), 1.0), 2)

    begun = [
        (one.started, one)
        for one in record.activities
        if one.started and one.state is not ActivityState.SKIPPED
    ]
    for started, one in sorted(begun, key=lambda pair: pair[0]):
        ended = one.ended or end
        yield Bar(
            activity=one,
            begin=share(started),
            length=round(share(ended) - share(started), 2),
            seconds=max((ended - started).total_seconds(), 0.0),
            failed=tuple(share(attempt.ended) for attempt in one.attempts),
        )
