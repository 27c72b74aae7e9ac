"""Ask ffprobe about a file: the whole description, or single packets of a stream.

The answers are ffprobe's own JSON and rows; `activities/probe` gives them meaning.
"""

import codecs
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from activities.ffmpeg.flags import probe_options
from activities.ffmpeg.process import LastLines, Stopwatch, killed, supervise
from activities.ffmpeg.tools import ffprobe_path
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Json

#: characters; more than any real file has to say
MAX_ANSWER = 1 << 24

_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp")
_PLAYLISTS = ("hls", "concat", "concatf", "dash", "imf", "sdp")
_REFUSED = re.compile(r"\[(\S+)\] (?:Format|Codec) not on whitelist")


def content_bad(reason: str, detail: str = "") -> ActivityError:
    """Return the error of an unusable input; `reason` is a plain clause without a full stop."""
    return ActivityError(
        Code.RESOURCE_CONTENT_BAD,
        f'The resource operated "InputFile" is bad: {reason}.',
        remedy="Upload a complete media file.",
        detail=detail,
    )


def still_picture(kind: str = "", detail: str = "") -> ActivityError:
    """Return the error of an input that is one picture; `kind` is what people call its format."""
    called = f" ({kind})" if kind else ""
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is a still picture{called}, which is not supported as '
        "input.",
        remedy="Give a video or audio file; animated GIF, PNG, WebP and AVIF count as video.",
        detail=detail,
    )


def probe_json(
    path: Path,
    *,
    opened: Mapping[str, str] | None = None,
    playlists: bool = False,
    timeout: float = 60,
    cancel: threading.Event | None = None,
) -> dict[str, Json]:
    """Return what ffprobe says about format, streams and programs of a local file.

    `opened` are further input options, `playlists` allows HLS lists that mediaflow wrote itself;
    `timeout` is in seconds. Raises ActivityError (`InvalidParameter.ResourceContentBad`,
    `.ResourceNotSupported` for lists that name other files, `Timeout`), InterruptedRunError,
    InstallationError.
    """
    answer: list[str] = []
    show = ("-of", "json", "-show_format", "-show_streams", "-show_programs")
    on_line = answer.append
    ask(path, show, on_line, opened=opened, playlists=playlists, timeout=timeout, cancel=cancel)
    try:
        description: Json = json.loads("".join(answer))
    except ValueError:
        raise content_bad("ffprobe cannot describe it") from None
    if not isinstance(description, dict):
        raise content_bad("ffprobe cannot describe it")
    return cast("dict[str, Json]", description)


def ask(
    path: Path,
    arguments: Sequence[str],
    on_line: Callable[[str], None],
    *,
    opened: Mapping[str, str] | None = None,
    playlists: bool = False,
    timeout: float = 60,
    endless: bool = False,
    cancel: threading.Event | None = None,
) -> None:
    """Run ffprobe on a local file with these arguments; `on_line` gets every line it prints.

    An `endless` answer may be longer than any description. Other options, and errors, are those of
    `probe_json`.
    """
    require_file(path, playlists=playlists)
    command = (
        *(str(ffprobe_path()), "-v", "error", *probe_options(opened, playlists=playlists)),
        *(*arguments, "-i", f"file:{path.absolute()}"),
    )
    tail, watch, size = LastLines(path.absolute().parent), Stopwatch(), 0

    def take(line: str) -> None:
        nonlocal size
        size += len(line)
        if endless or size <= MAX_ANSWER:
            on_line(line)

    def check() -> ActivityError | None:
        if watch.elapsed > timeout:
            message = f"ffprobe did not end within {timeout:g} seconds and was stopped."
            return ActivityError(Code.TIMEOUT, message, detail="\n".join(tail.lines))
        too_long = size > MAX_ANSWER and not endless
        return content_bad("its description is endless") if too_long else None

    # the root, so that no relative name inside a file can mean anything
    status = supervise(
        command, cwd=Path("/"), on_line=take, stderr=tail, cancel=cancel, check=check
    )
    if status:
        raise killed(status, "ffprobe", tail.lines) or _failure(path, tail.lines)


def require_file(path: Path, *, playlists: bool = False) -> None:
    """Refuse what is not a regular file with content, or a list of others, unless it may be.

    Raises ActivityError (`InvalidParameter.ResourceNotFound`, `.ResourceContentBad`,
    `.ResourceNotSupported`).
    """
    if path.is_dir():
        raise content_bad("it is a directory")
    if not path.exists():
        raise ActivityError(
            Code.RESOURCE_NOT_FOUND,
            'The resource operated "InputFile" cannot be found.',
            remedy="Check the object key.",
        )
    if not path.is_file():  # a pipe or a device would be waited for
        raise content_bad("it is not a regular file")
    if path.stat().st_size == 0:
        raise content_bad("the file is empty")
    if not playlists and _head(path).startswith(b"#EXTM3U"):
        raise _list_of_files("hls")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16).removeprefix(codecs.BOM_UTF8)


def _list_of_files(kind: str, detail: str = "") -> ActivityError:
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is a list of other files ({kind}), '
        "which cannot be used here.",
        remedy="Give the media file itself. An HLS playlist can only be the input of a run, under "
        'a name that ends with ".m3u8".',
        detail=detail,
    )


def _failure(path: Path, lines: Sequence[str]) -> ActivityError:
    text = "\n".join(lines)
    refused = _REFUSED.search(text)
    if refused and any(name in _PLAYLISTS for name in refused[1].split(",")):
        return _list_of_files(refused[1], text)
    if refused and (refused[1] == "image2" or refused[1].endswith("_pipe")):
        kind = refused[1].removesuffix("_pipe")
        return still_picture("" if kind == "image2" else kind.upper(), text)
    # ffprobe believes the extension when it cannot tell; a real mp4 begins with a known box
    if "moov atom not found" in text and _head(path)[4:8] in _FIRST_BOXES:
        return content_bad("moov atom not found, the file is cut off", text)
    if refused or "Invalid data found" in text or "moov atom" in text:
        return content_bad("not a media file", text)
    reason = lines[-1].partition(": ")[2].rstrip(".") if lines else ""
    return content_bad(reason or "ffprobe cannot read it", text)
