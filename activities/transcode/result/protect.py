"""Encrypt the samples of a finished stream: common encryption with the scheme `cbcs`.

Shaka Packager does it, behind the encode: what is verified and measured is what the encoder made.
It cuts the segments of pictures where they were cut, at key frames, and those of sound at most a
frame elsewhere; so the list is written anew. Specification: transcode, 12; ISO/IEC 23001-7;
RFC 8216, 4.3.2.4.
"""

import math
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.packaging import mp4
from activities.packaging.tail import join_short_tail
from activities.transcode.command.encryption import cbcs_command, cbcs_files, write_keys
from activities.transcode.model.encryption import KEY_BYTES, Key
from activities.transcode.result.files import files_of
from activities.transcode.result.finished import FinishedOutput
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code


def protected(made: FinishedOutput, context: ActivityContext) -> FinishedOutput:
    """Return an output whose fragments are encrypted, if they are to be.

    Raises ActivityError as `ffmpeg.run_packager` does, and `InternalError` where not all came out.
    """
    rendition, playlist = made.rendition, made.files.index
    key = rendition.sample_key
    if key is None or playlist is None:
        return made
    stem = Path(made.target.stem)
    clear, encrypted, keys = cbcs_files(made.target.stem)
    length = _lengths(made.files.content)[1]
    _join(made.files.content, clear)
    vector = secrets.token_bytes(KEY_BYTES)
    write_keys(keys, key, vector)
    ffmpeg.run_packager(cbcs_command(rendition, made.target.stem), context=context)
    for path in (clear, keys):
        path.unlink()
    files = [
        path.replace(path.with_name(path.name.replace(encrypted.name, stem.name, 1)))
        for path in sorted(stem.parent.glob(f"{encrypted.name}-*"), key=_init_first)
    ]
    lengths, whole = _lengths(files)
    if whole != length:
        raise ActivityError(
            Code.INTERNAL,
            f"Of {float(length):.3f} seconds {float(whole):.3f} were encrypted.",
            remedy="Report this with the source's media info.",
        )
    _write_list(playlist, files, lengths)
    if not rendition.picture:
        join_short_tail(playlist)
    _add_key(playlist, key, vector)
    return replace(made, files=files_of(playlist))


def _init_first(path: Path) -> tuple[bool, str]:
    return path.suffix == ".m4s", path.name


def _join(parts: Sequence[Path], whole: Path) -> None:
    """Put files one behind the other, and take them away."""
    with whole.open("wb") as target:
        for path in parts:
            with path.open("rb") as part:
                shutil.copyfileobj(part, target)
            path.unlink()


def _lengths(files: Sequence[Path]) -> tuple[list[Fraction], Fraction]:
    """Return the seconds of segments, the first of `files` being what they begin with."""
    init, *segments = files
    (track,) = mp4.tracks(init.read_bytes())
    lengths = [
        Fraction(sum(part.ticks for part in mp4.fragments(path, track)), track.timescale)
        for path in segments
    ]
    return lengths, sum(lengths, Fraction(0))


def _write_list(playlist: Path, files: Sequence[Path], lengths: Sequence[Fraction]) -> None:
    init, *segments = files
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, math.floor(max(lengths) + Fraction(1, 2)))}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{init.name}"',
    ]
    for path, seconds in zip(segments, lengths, strict=True):
        lines += [f"#EXTINF:{float(seconds):.6f},", path.name]
    playlist.write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]), encoding="utf-8")


def _add_key(playlist: Path, key: Key, vector: bytes) -> None:
    """Tell where players get the key, for all that stands behind the initialization segment."""
    tag = (
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{key.uri}",IV=0x{vector.hex()},KEYFORMAT="identity",'
        f'KEYFORMATVERSIONS="1"'
    )
    head, first, rest = playlist.read_text(encoding="utf-8").partition("#EXTINF:")
    playlist.write_text(f"{head}{tag}\n{first}{rest}", encoding="utf-8")
