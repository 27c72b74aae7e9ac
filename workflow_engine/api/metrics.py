"""What `/metrics` shows, by the client library of Prometheus.

metrics = Metrics()
metrics.ran(record, since)
metrics.count("AddMedia", "OK", 0.012)
text = metrics.text([Present(name="executions", help="...", label="state", values={...})])
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from workflow_engine.errors import Code
from workflow_engine.records import ActivityState, ExecutionRecord, ExecutionState

#: the media type of what `Metrics.text` returns
MEDIA_TYPE = CONTENT_TYPE_LATEST

_PREFIX = "mediaflow_"
#: seconds; the upper ends of the classes of activities and executions
_LENGTHS = (0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


@dataclass(frozen=True, kw_only=True)
class Present:
    """A present value, or one for each value of a label (`""` where there is no label)."""

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""


class Metrics:
    """Counts of this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            f"{_PREFIX}api_requests",
            "Answered requests of the API.",
            ["action", "code"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}api_request_seconds",
            "Time from request to answer.",
            ["action"],
            registry=self._registry,
        )
        self._executions = Counter(
            f"{_PREFIX}executions_ended",
            "Executions that ended in this process.",
            ["outcome"],
            registry=self._registry,
        )
        self._execution_seconds = Histogram(
            f"{_PREFIX}execution_seconds",
            "Time that executions took in this process.",
            buckets=_LENGTHS,
            registry=self._registry,
        )
        self._activities = Counter(
            f"{_PREFIX}activities_ended",
            "Activities that ended in this process.",
            ["type", "state"],
            registry=self._registry,
        )
        self._activity_seconds = Histogram(
            f"{_PREFIX}activity_seconds",
            "Time that activities took, without those that were skipped or reused.",
            ["type"],
            buckets=_LENGTHS,
            registry=self._registry,
        )
        self._output_bytes = Counter(
            f"{_PREFIX}output_bytes",
            "Bytes that activities published.",
            registry=self._registry,
        )
        started = time.monotonic()
        uptime = Gauge(
            f"{_PREFIX}uptime_seconds",
            "Seconds since the server started.",
            registry=self._registry,
        )
        uptime.set_function(lambda: time.monotonic() - started)
        # memory, processor time, open files: process_*
        ProcessCollector(registry=self._registry)

    def count(self, action: str, code: str, seconds: float) -> None:
        """Count an answer. Actions and codes must come from a bounded set."""
        self._requests.labels(action, code).inc()
        self._seconds.labels(action).observe(seconds)

    def ran(self, record: ExecutionRecord, since: datetime) -> None:
        """Count what has ended of an execution that this process runs since a moment."""
        for activity in record.activities:
            if not activity.ended or activity.ended < since:
                continue  # of an earlier attempt
            made = not activity.reused and activity.state is not ActivityState.SKIPPED
            state = "Reused" if activity.reused else str(activity.state)
            self._activities.labels(activity.type, state).inc()
            self._output_bytes.inc(sum(output.digests.size for output in activity.outputs))
            if made and activity.started:
                seconds = (activity.ended - max(activity.started, since)).total_seconds()
                self._activity_seconds.labels(activity.type).observe(max(seconds, 0.0))
        if record.ended:
            self._executions.labels(_outcome(record)).inc()
            self._execution_seconds.observe(max((record.ended - since).total_seconds(), 0.0))

    def text(self, present: Iterable[Present] = ()) -> bytes:
        """Return everything that was counted, and some present values, as Prometheus reads it."""
        shown = CollectorRegistry()
        for one in present:
            labels = [one.label] if one.label else []
            gauge = Gauge(f"{_PREFIX}{one.name}", one.help, labels, registry=shown)
            for value, number in one.values.items():
                (gauge.labels(value) if labels else gauge).set(number)
        return generate_latest(self._registry) + generate_latest(shown)


def _outcome(record: ExecutionRecord) -> str:
    if record.state is ExecutionState.COMPLETED:
        return "partial" if record.failed else "completed"
    return "cancelled" if record.code == Code.CANCELLED else "failed"
