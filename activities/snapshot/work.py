"""How much work a Snapshot is; see `Step.work`. Amounts are about seconds of a small machine."""

import math
from collections.abc import Hashable, Mapping

from activities.snapshot.job import SnapshotJob
from workflow_engine.activity import Work

#: seconds to start a process, and to decode a million pixels
_START, _DECODE = 0.05, 0.001


def work_of(job: SnapshotJob, commands: int, end: float | None) -> Mapping[Hashable, Work]:
    """Return the work of so many commands on a source of `end` seconds."""
    config = job.config
    if config.preview or config.best:
        kind, seconds = "preview" if config.preview else "best", end or 0.0
    elif config.sequence and commands <= 2:
        kind, seconds = "all pictures", end or 0.0  # one command takes them all, on its way
    else:
        kind, seconds = f"single pictures {config.frame_type}", job.opening * commands
    pixels = math.prod(job.video.upright_size) * float(job.video.fps) * seconds / 1e6
    return {"pictures": Work(kind=kind, amount=_START * commands + pixels * _DECODE)}
