"""The files that ffmpeg encrypts HLS segments with; they never leave the work directory.

Specification: transcode, 11.
"""

from pathlib import Path

from activities.transcode.model.encryption import Key


def key_name(stem: str) -> str:
    """Return the path of the key; ffprobe opens only names that media have."""
    return f"{stem}-key.ts"


def key_info_name(stem: str) -> str:
    """Return the path of what tells ffmpeg where the key lies."""
    return f"{stem}-key.txt"


def write_key(stem: Path, key: Key) -> None:
    """Write the files that ffmpeg encrypts with; the playlist gets a neutral address."""
    path = Path(key_name(str(stem)))
    path.write_bytes(key.secret)
    Path(key_info_name(str(stem))).write_text(f"{path.name}\n{path}\n", encoding="utf-8")
