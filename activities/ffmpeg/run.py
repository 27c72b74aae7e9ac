"""Run one ffmpeg command for an activity: slot, progress, limits, and what its end means.

Damage in a source (spec: ffmpeg facts, "Hostile input"): a few frames that the decoder
concealed are counted, for the caller to warn of; above `flags.MAX_ERROR_RATE`, or when the file
stops before its end, the run fails with `InvalidParameter.ResourceContentBad`. `diagnosis.py`
tells which it was, and `blame.py` whether the source explains what ffmpeg's words do not.
"""

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.ffmpeg.blame import blame
from activities.ffmpeg.diagnosis import Diagnosis
from activities.ffmpeg.joints import joints
from activities.ffmpeg.process import LastLines, Stopwatch, killed, supervise
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import (
    ActivityError,
    Code,
    InterruptedRunError,
    MediaflowError,
    file_error,
)

_STORAGE_FAILS = re.compile(
    r"input/output error|stale file handle|timed out|endpoint is not connected|too many open files",
    re.IGNORECASE,
)
#: bytes that are read at once
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a process is given up, in seconds: without any progress, and altogether.

    Raise `stall` for a graph that reads its whole input before the first output frame.
    """

    stall: float = 120.0
    wall: float = 86400.0


@dataclass(frozen=True, kw_only=True)
class ProcessReport:
    """What a finished process left.

    `stderr` are its last lines. `decode_errors` counts the lines that tell of concealed damage.
    `frames` and `out_time` (seconds) are the last that ffmpeg reported, of its first video
    output and of its longest output; 0 when it reported none.
    """

    elapsed: float
    stderr: tuple[str, ...] = ()
    decode_errors: int = 0
    frames: int = 0
    out_time: float = 0.0


def run(
    command: Sequence[str],
    *,
    context: ActivityContext,
    duration: float | None,
    on_progress: Callable[[float], None] | None = None,
    on_line: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    others: Sequence[Path] = (),
) -> ProcessReport:
    """Run an ffmpeg command (see `flags.argv`) in `context.work` and wait for its end.

    `duration` is the output's length in seconds, None when unknown; progress runs from 0 to 1
    and goes to `on_progress`, by default `context.progress`, on the calling thread. `on_line` gets
    every line of stdout, on a thread of its own; it must not raise. The process holds
    `context.slot`. `others` are further directories that it writes to. Raises
    InterruptedRunError on `context.cancel`, ActivityError otherwise: `Timeout`, `NoSpace`,
    `InvalidParameter.ResourceContentBad` or `InternalError`, with the last lines of stderr as
    `detail`; `transient` when it was killed from outside, when the disk is full and when the
    storage of the source fails.
    """
    limits = limits or Limits()
    diagnosis, progress = Diagnosis(), _Progress(duration)
    works = (context.work, *others)
    tail = LastLines(*works, see=diagnosis.see)
    tell = on_progress or context.progress
    with context.slot():
        if context.cancel.is_set():
            raise InterruptedRunError()
        context.log.debug("running %s", " ".join(command))
        watch = Stopwatch()

        def check() -> ActivityError | None:
            if progress.speed is not None:
                context.speed(progress.speed)
            tell(progress.fraction)
            over = _over_limit(watch, progress, limits, works, tail)
            return diagnosis.doomed(tail.lines) or over

        def read(line: str) -> None:
            progress.read(line)
            if on_line:
                on_line(line)

        status = supervise(
            command,
            cwd=context.work,
            on_line=read,
            stderr=tail,
            cancel=context.cancel,
            check=check,
        )
    tool = Path(command[0]).name
    if error := killed(status, tool, tail.lines):
        raise error
    if error := diagnosis.error(status, tool, tail.lines):
        raise _unreadable(context.source, tail.lines) or blame(error, [command], context)
    tell(1.0)
    return ProcessReport(
        elapsed=watch.elapsed,
        stderr=tail.lines,
        decode_errors=_damage(diagnosis, context.source),
        frames=progress.frames,
        out_time=progress.out_time,
    )


def _damage(diagnosis: Diagnosis, source: Path) -> int:
    """Return how many places were concealed, without those where mp3 files were joined."""
    if not diagnosis.headless:
        return diagnosis.decode_errors
    return diagnosis.decode_errors - min(diagnosis.headless, joints(source))


def _unreadable(source: Path, lines: Sequence[str]) -> MediaflowError | None:
    """Return the error of a source whose storage fails, when ffmpeg speaks of such a failure.

    Demuxers say the same of damaged files; so the file itself is asked.
    """
    if not any(_STORAGE_FAILS.search(line) for line in lines):
        return None
    try:
        with source.open("rb") as file:
            while file.read(_BLOCK):
                pass
    except OSError as error:
        return file_error(error, "The input cannot be read", check="", room="")
    return None


def _over_limit(
    watch: Stopwatch, progress: "_Progress", limits: Limits, works: Sequence[Path], tail: LastLines
) -> ActivityError | None:
    stalled = watch.idle(progress.signature) > limits.stall
    # moving the index of a large mp4 to its front reports nothing, but writes the file all along
    if stalled and time.time() - max(map(_last_write, works)) > limits.stall:
        what = f"made no progress for {limits.stall:g} seconds"
    elif watch.elapsed > limits.wall:
        what = f"did not end within {limits.wall:g} seconds"
    else:
        return None
    detail = "\n".join(tail.lines)
    return ActivityError(Code.TIMEOUT, f"ffmpeg {what} and was stopped.", detail=detail)


def _last_write(directory: Path) -> float:
    """Return when a file below the directory was written last, in seconds of the clock."""
    newest = 0.0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
    return newest


class _Progress:
    """The `key=value` lines of `-progress`: written by the reader, read by the waiting thread."""

    def __init__(self, duration: float | None) -> None:
        self._duration = duration
        self._lock = threading.Lock()
        self._values: dict[str, str] = {}
        self.frames = 0
        self.out_time = 0.0
        self.speed: float | None = None

    def read(self, line: str) -> None:
        key, _, value = line.strip().partition("=")
        if key == "speed":
            self._see_speed(value)
            return
        if key not in ("frame", "out_time_us", "total_size"):
            return
        with self._lock:
            self._values[key] = value
            if key == "frame" and value.isdecimal():
                self.frames = int(value)
            elif key == "out_time_us" and value.isdecimal():
                self.out_time = int(value) / 1e6

    def _see_speed(self, value: str) -> None:
        """Take `2.1x`; N/A while nothing has come out."""
        with contextlib.suppress(ValueError):
            self.speed = float(value.strip().removesuffix("x"))

    @property
    def signature(self) -> tuple[str, ...]:
        """Changes whenever ffmpeg got further."""
        with self._lock:
            return tuple(self._values.values())

    @property
    def fraction(self) -> float:
        return min(1.0, self.out_time / self._duration) if self._duration else 0.0
