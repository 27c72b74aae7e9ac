"""One media process under watch: its own group, bounded output, never an orphan.

`supervise` is the only place that starts a media process. Look next at `run.py`, which gives
it ffmpeg's progress and limits, and at `inspect.py`, which gives it ffprobe.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from workflow_engine.errors import (
    ActivityError,
    Code,
    InterruptedRunError,
    Transient,
    file_error,
    transience,
)
from workflow_engine.telemetry import process_span

#: seconds between two looks at `cancel` and at the limits
POLL = 0.2
#: what is kept of stderr
TAIL_LINES = 40
TAIL_BYTES = 8192
#: bytes; a longer line is cut, however long it is
_LINE_BYTES = 1 << 16
_SHOWN_CHARACTERS = 400

# ffmpeg survives a reader that dies (it ignores SIGPIPE), and PR_SET_PDEATHSIG needs code
# between fork and exec, which is unsafe with threads. So a shell holds the read end of a pipe
# whose write end only the engine has: when the engine dies, even by SIGKILL, the pipe ends and
# the guard kills the process group. The guard is waited for, lest it stays as a zombie where
# the engine is process 1 of a container.
_LIFELINE = """
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait "$child"
status=$?
kill -KILL "$guard"
wait "$guard" 2>/dev/null
exit "$status"
"""

#: no fonts: libass would otherwise fall back on those of the machine, which shape the pictures
_FONTS = Path(__file__).with_name("fonts.conf")

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


class LastLines:
    """The last lines of a stream, in bounded memory; `see` gets every line, kept or not.

    `hide` are directories whose paths must not be shown.
    """

    def __init__(self, *hide: Path, see: Callable[[str], None] | None = None) -> None:
        """Start empty."""
        forms = {f"{path}{os.sep}" for each in hide for path in (each, each.resolve())}
        self._hidden = sorted(forms, key=len, reverse=True)
        self._see = see
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)

    def add(self, line: str) -> None:
        """Take one line."""
        for path in self._hidden:
            line = line.replace(path, "")
        line = _ADDRESS.sub("", line).rstrip()
        if not line:
            return
        if self._see:
            self._see(line)
        self._lines.append(line[:_SHOWN_CHARACTERS])
        while sum(len(kept) for kept in self._lines) > TAIL_BYTES:
            self._lines.popleft()

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, at most TAIL_LINES and TAIL_BYTES."""
        return tuple(self._lines)


def supervise(
    command: Sequence[str],
    *,
    cwd: Path,
    on_line: Callable[[str], None],
    stderr: LastLines,
    cancel: threading.Event | None = None,
    check: Callable[[], ActivityError | None] = lambda: None,
) -> int:
    """Run a command to its end and return its exit status (128 + n when signal n ended it).

    `on_line` gets each line of stdout on a thread of its own; `check` is called on this thread
    about every 0.2 s and returns the error that ends the process. Whatever ends this call, the
    whole process group is gone afterwards. It is killed outright: what a process could still
    finish lies in a private directory that is thrown away, and SIGTERM would make ffmpeg
    rewrite a whole faststart file first.

    Raises InterruptedRunError when `cancel` is set, the error of `check`, and MediaflowError when
    the process cannot be started.
    """
    with process_span(Path(command[0]).name) as seen:
        process = _started(command, cwd)
        readers = [_reader(process.stdout, on_line), _reader(process.stderr, stderr.add)]
        try:
            while process.poll() is None:
                if cancel is not None and cancel.is_set():
                    raise InterruptedRunError()
                if error := check():
                    raise error
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
        finally:
            _finish(process, readers)
        seen.set({"process.exit.code": process.returncode})
        if process.returncode:
            last = stderr.lines[-1] if stderr.lines else ""
            seen.fail(f"status {process.returncode}", last)
    return process.returncode


def _started(command: Sequence[str], cwd: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            ["/bin/sh", "-c", _LIFELINE, "mediaflow", *command],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # libsvtav1 prints past ffmpeg's own level
            env={**os.environ, "FONTCONFIG_FILE": str(_FONTS), "SVT_LOG": "1"},
        )
    except OSError as error:
        sentence = f"{Path(command[0]).name} cannot be started"
        if transience(error) is not None:
            raise file_error(error, sentence, check="", room="") from error
        raise ActivityError(Code.INTERNAL, f"{sentence}: {error.strerror}.") from error


def _finish(process: subprocess.Popen[bytes], readers: Sequence[threading.Thread]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
    for reader, stream in zip(readers, (process.stdout, process.stderr), strict=True):
        reader.join(timeout=5)
        # a process that left the group may hold the pipe; closing it then would wait for it
        if stream is not None and not reader.is_alive():
            stream.close()


def _reader(stream: IO[bytes] | None, take: Callable[[str], None]) -> threading.Thread:
    assert stream is not None

    def read() -> None:
        while line := stream.readline(_LINE_BYTES):
            take(line.decode(errors="replace"))

    thread = threading.Thread(target=read, name="media-process-reader", daemon=True)
    thread.start()
    return thread


#: signals by which others end a process; one that crashes gets another
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: how ffmpeg ends after the first of a gentler one; as an error it would have said which
_STOPPED = 255


def killed(status: int, tool: str, lines: Sequence[str]) -> ActivityError | None:
    """Return the error of a process that somebody else ended, None for other ends.

    `status` is that of `supervise`, which raises when it ends the process itself; `lines` are the
    last ones of stderr.
    """
    number = -status if status < 0 else status - 128
    if number not in _FROM_OUTSIDE and not (status == _STOPPED and not lines):
        return None
    return ActivityError(
        Code.INTERNAL,
        f"{tool} was killed from outside (status {status}).",
        remedy="The kernel does that when memory is short: see its log, and let fewer processes "
        "run at once ([runner] processes).",
        detail="\n".join(lines),
        transient=Transient.KILLED,
    )


class Stopwatch:
    """Seconds since it was made, and since the watched values changed last."""

    def __init__(self) -> None:
        """Start now."""
        self._start = self._changed = time.monotonic()
        self._value: object = None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def idle(self, value: object) -> float:
        """Return the seconds for which `value` has been what it is."""
        if value != self._value:
            self._value, self._changed = value, time.monotonic()
        return time.monotonic() - self._changed
