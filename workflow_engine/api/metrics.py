"""What `/metrics` shows, in the text format of Prometheus.

metrics = Metrics()
metrics.count("AddMedia", "OK", 0.012)
text = metrics.text([Gauge(name="executions", help="...", label="state", values={...})])
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PREFIX = "mediaflow_"


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A present value, or one for each value of a label (`""` where there is no label)."""

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""


@dataclass
class _Action:
    codes: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0


class Metrics:
    """Counts of this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._actions: dict[str, _Action] = {}

    def count(self, action: str, code: str, seconds: float) -> None:
        """Count an answer. Actions and codes must come from a bounded set."""
        with self._lock:
            entry = self._actions.setdefault(action, _Action())
            entry.codes[code] = entry.codes.get(code, 0) + 1
            entry.seconds += seconds

    def text(self, gauges: Iterable[Gauge] = ()) -> str:
        """Return everything that was counted, and some gauges, as Prometheus reads it."""
        own = (
            Gauge(
                name="uptime_seconds",
                help="Seconds since the server started.",
                values={"": time.monotonic() - self._started},
            ),
            Gauge(
                name="resident_memory_bytes",
                help="Memory of this process.",
                values={"": resident_memory()},
            ),
        )
        lines = [*self._counters()]
        for gauge in (*own, *gauges):
            lines += _head(gauge.name, "gauge", gauge.help)
            for value, number in gauge.values.items():
                labels = {gauge.label: value} if gauge.label else {}
                lines.append(_line(gauge.name, labels, number))
        return "\n".join(lines) + "\n"

    def _counters(self) -> Iterator[str]:
        with self._lock:
            actions = {
                name: (dict(entry.codes), entry.seconds)
                for name, entry in sorted(self._actions.items())
            }
        yield from _head("api_requests_total", "counter", "Answered requests of the API.")
        for action, (codes, _) in actions.items():
            for code, number in codes.items():
                yield _line("api_requests_total", {"action": action, "code": code}, number)
        yield from _head("api_request_seconds", "summary", "Time from request to answer.")
        for action, (codes, seconds) in actions.items():
            yield _line("api_request_seconds_sum", {"action": action}, seconds)
            yield _line("api_request_seconds_count", {"action": action}, sum(codes.values()))


def resident_memory() -> int:
    """Return the memory of this process in bytes; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} {kind}"]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{_PREFIX}{name}{{{shown}}} {value}" if shown else f"{_PREFIX}{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
