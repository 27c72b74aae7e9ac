"""The files that ffmpeg and the packager encrypt with; they never leave the work directory.

Specification: transcode, 12.
"""

from pathlib import Path

from activities import ffmpeg
from activities.transcode.command.rendition import Rendition
from activities.transcode.model.encryption import Key, Scheme


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


def cbcs_files(stem: str) -> tuple[Path, Path, Path]:
    """Return what a stream is encrypted with `cbcs` from, what its new files begin with, its key.

    The first is its initialization segment and all fragments, the last what `write_keys` writes.
    """
    clear, made, keys = (Path(f"{stem}-{name}") for name in ("clear.mp4", "cbcs", "keys.txt"))
    return clear, made, keys


def cbcs_command(rendition: Rendition, stem: str) -> tuple[str, ...]:
    """Return the command that encrypts a stream with `cbcs`; see `cbcs_files`.

    The new files have `-init.mp4` and `-00001.m4s` behind their stem. Raises InstallationError
    when there is no packager.
    """
    clear, made, keys = cbcs_files(stem)
    assert rendition.segment is not None
    stream = {
        "in": clear,
        "stream": "video" if rendition.picture else "audio",
        "init_segment": f"{made}-init.mp4",
        "segment_template": f"{made}-$Number%05d$.m4s",
    }
    return (
        str(ffmpeg.packager_path()),
        ",".join(f"{name}={value}" for name, value in stream.items()),
        f"--segment_duration={rendition.segment:g}",
        # players that begin without a key would stumble when they need one
        "--clear_lead=0",
        f"--protection_scheme={Scheme.CBCS}",
        # its log of what it does would be told as an error
        "--quiet",
        # other users of the machine see the words of commands
        f"--flagfile={keys}",
    )


def write_keys(path: Path, key: Key, vector: bytes) -> None:
    """Write the words of a command that hold the key; `vector` is that of all samples."""
    flags = [
        "--enable_raw_key_encryption",
        f"--keys=label=:key_id={key.id}:key={key.secret.hex()}",
        f"--iv={vector.hex()}",
    ]
    path.write_text("\n".join(flags) + "\n", encoding="utf-8")
