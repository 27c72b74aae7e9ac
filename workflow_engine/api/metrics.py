"""What `/metrics` shows, by the client library of Prometheus.

metrics = Metrics()
metrics.count("AddMedia", "OK", 0.012)
text = metrics.text([Present(name="executions", help="...", label="state", values={...})])
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

#: the media type of what `Metrics.text` returns
MEDIA_TYPE = CONTENT_TYPE_LATEST

_PREFIX = "mediaflow_"


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

    def text(self, present: Iterable[Present] = ()) -> bytes:
        """Return everything that was counted, and some present values, as Prometheus reads it."""
        shown = CollectorRegistry()
        for one in present:
            labels = [one.label] if one.label else []
            gauge = Gauge(f"{_PREFIX}{one.name}", one.help, labels, registry=shown)
            for value, number in one.values.items():
                (gauge.labels(value) if labels else gauge).set(number)
        return generate_latest(self._registry) + generate_latest(shown)
