"""Which processes work in a directory."""

import os
from collections.abc import Iterator
from pathlib import Path


def media_processes(data: Path) -> list[int]:
    """Processes of ffmpeg that work below a data directory."""
    below = [pid for pid, cwd in _working() if cwd.startswith(str(data))]
    return [pid for pid in below if "ffmpeg" in _read(pid, "comm")]


def processes_in(home: Path) -> list[int]:
    """Processes that work in a directory, but for one that is only just becoming another program.

    Who stops such a one holds up the process that waits for its start.
    """
    ours = _read(os.getpid(), "cmdline")
    found = [pid for pid, cwd in _working() if cwd == str(home)]
    return [pid for pid in found if _read(pid, "cmdline") not in ("", ours)]


def state_of(pid: int) -> str:
    """Return what the kernel tells of a process, empty when it is gone."""
    return _read(pid, "stat") + _read(pid, "cmdline")


def _working() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), os.readlink(entry / "cwd")
            except OSError:
                continue


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
