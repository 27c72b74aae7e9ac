"""Object keys of outputs: extension rule, placeholders, segments, playlist entries.

Specification: topology, 11. In the work directory files have neutral names (`0.mp4`); the names
of this module exist only as object keys and inside playlists.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from activities.transcode.parameters import Output
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.placeholders import AFTER_ENCODING, Names, check_key, decode_object

#: what an OutputObject may hold
ALLOWED = frozenset({"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId"}) | AFTER_ENCODING

_PLAYLIST = ".m3u8"
#: as `segment_key` makes them: counted from 1, filled with zeros to five digits
_SEGMENT = re.compile(r"(.*)-(?!00000)(?:\d{5}|[1-9]\d{5,})\.ts", re.DOTALL)
_SEQUENCE = "#EXT-X-MEDIA-SEQUENCE:"
_SLASHES = re.compile("/+")


def object_key(output: Output, container: str, names: Names) -> str:
    """Return the key of an output with its extension; {DestMd5} and {DestAvgBitrate} stay.

    Raises ActivityError (`InvalidParameter.ObjectKeyInvalid`) for a key that cannot be stored.
    """
    key = _with_extension(names.fill(output.output_object), container)
    try:
        check_key(key)
    except InvalidInputError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from None
    return key


def unfilled_key(output: Output, container: str) -> str:
    """Return the key of an output with its extension, every placeholder as it stands."""
    key = _SLASHES.sub("/", decode_object(output.output_object)).removeprefix("/")
    return _with_extension(key, container)


def _with_extension(key: str, container: str) -> str:
    named = container == "m3u8" and key.endswith(_PLAYLIST)
    return key if named else f"{key}.{container}"


def clashes(keys: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield each two outputs that write one object, by their places in `keys`, and its key.

    The segments of a playlist count too, however many there will be.
    """
    seen: dict[str, int] = {}
    for index, key in enumerate(keys):
        first = seen.setdefault(key, index)
        if first != index:
            yield first, index, key
    for index, key in enumerate(keys):
        segment = _SEGMENT.fullmatch(key)
        owner = seen.get(segment[1] + _PLAYLIST) if segment else None
        if owner is not None:
            yield min(owner, index), max(owner, index), key


def require_distinct(keys: Sequence[str]) -> None:
    """Raise ActivityError when two outputs would write one object."""
    for _, _, key in clashes(keys):
        raise ActivityError(
            Code.INVALID,
            f'Two outputs of the activity write "{key}".',
            remedy="Give each output a name of its own.",
        )


def finish_key(key: str, *, md5s: Sequence[str], bitrate_kbps: float) -> str:
    """Fill what only the finished files tell: {DestMd5}, {DestAvgBitrate} in whole kbit/s.

    `md5s` are those of the file, or of all segments: the MD5 of a playlist would be no name, as
    another clip of equal length can have the same playlist text.
    """
    if len(md5s) == 1:
        md5 = md5s[0]
    else:
        joined = b"".join(bytes.fromhex(one) for one in md5s)
        md5 = hashlib.md5(joined, usedforsecurity=False).hexdigest()
    return key.replace("{DestMd5}", md5).replace("{DestAvgBitrate}", str(round(bitrate_kbps)))


def segment_key(playlist_key: str, number: int) -> str:
    """Return the key of a segment: the playlist's stem and `-00001.ts`, counted from 1."""
    return f"{playlist_key.removesuffix(_PLAYLIST)}-{number:05}.ts"


def playlist_stem(playlist_key: str) -> str:
    """Return the part of a playlist's key that its segments' names inside it begin with."""
    return playlist_key.rpartition("/")[2].removesuffix(_PLAYLIST)


def named_playlist(text: str, playlist_key: str) -> str:
    """Return a playlist of neutral names with the segments' final names, marked as complete.

    Characters that would end or change a relative URI (`%`, `#`, `?`, `:`, backslash) are
    percent-encoded; everything else stays readable, since players and ffmpeg take it as it is.
    """
    name = playlist_key.rpartition("/")[2]
    number, lines = 0, list[str]()
    # a tag of old that ffmpeg's segment muxer writes; its hls muxer writes this one
    for line in text.replace("#EXT-X-ALLOW-CACHE:YES", "#EXT-X-PLAYLIST-TYPE:VOD").splitlines():
        if line.startswith(_SEQUENCE):
            # the hls muxer counts as the names do, the segment muxer from 0
            line = f"{_SEQUENCE}1"
        if is_uri(line):
            number += 1
            line = _uri(segment_key(name, number))
        lines.append(line)
    return "\n".join(lines) + "\n"


def is_uri(line: str) -> bool:
    """Whether a line of a playlist names a segment."""
    return bool(line) and not line.startswith("#")


def _uri(name: str) -> str:
    return "".join(quote(char, safe="") if char in "%#?:\\" else char for char in name)
