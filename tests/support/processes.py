"""Which processes work in a directory."""

import os
from pathlib import Path


def media_processes(data: Path) -> list[int]:
    """Processes of ffmpeg that work below a data directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                cwd, name = os.readlink(entry / "cwd"), (entry / "comm").read_text()
            except OSError:
                continue
            if cwd.startswith(str(data)) and "ffmpeg" in name:
                found.append(int(entry.name))
    return found


def processes_in(home: Path) -> list[int]:
    """Processes that work in a directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd") == str(home):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
