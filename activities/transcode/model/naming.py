"""Object keys of outputs: extension rule, placeholders, the files of an index.

Specification: topology, 11. In the work directory files have neutral names (`0.mp4`); the names
of this module exist only as object keys and inside playlists and manifests.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence

from activities.transcode.model.output import TranscodeOutput
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.topology.placeholders import AFTER_ENCODING, Names, check_key, decode_object

#: what an OutputObject may hold
ALLOWED = frozenset({"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId"}) | AFTER_ENCODING

#: a number as the names of segments have it: from 1, filled with zeros to five digits
_NUMBER = r"(?!00000)(?:\d{5}|[1-9]\d{5,})"
#: extensions of indexes, and the form of the names of their files
_PARTS = {
    ".m3u8": re.compile(rf"(.*)-{_NUMBER}\.ts", re.DOTALL),
    ".mpd": re.compile(rf"(.*)-\d-(?:init|{_NUMBER})\.m4s", re.DOTALL),
}
_SLASHES = re.compile("/+")


def object_key(output: TranscodeOutput, container: str, names: Names, *, append: bool) -> str:
    """Return the key of an output; {DestMd5} and {DestAvgBitrate} stay.

    Without `append` it gets no extension; a playlist always has its own. Raises ActivityError
    (`InvalidParameter.ObjectKeyInvalid`) for a key that cannot be stored.
    """
    key = with_extension(names.fill(output.output_object), container, append=append)
    try:
        check_key(key)
    except InvalidInputError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from None
    return key


def unfilled_key(output: TranscodeOutput, container: str, *, append: bool) -> str:
    """Return the key of an output as `object_key` does, every placeholder as it stands."""
    key = _SLASHES.sub("/", decode_object(output.output_object)).removeprefix("/")
    return with_extension(key, container, append=append)


def with_extension(key: str, container: str, *, append: bool) -> str:
    """Return a key, or the template of one, with its extension; see `object_key`."""
    extension = f".{container}"
    if extension in _PARTS:
        # the names of what it refers to are made of its own
        return key if key.endswith(extension) else key + extension
    return f"{key}.{container}" if append else key


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
        for extension, pattern in _PARTS.items():
            part = pattern.fullmatch(key)
            owner = seen.get(part[1] + extension) if part else None
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


def part_key(index_key: str, suffix: str) -> str:
    """Return the key of what a playlist or manifest names: its stem and a suffix."""
    return posixpath.splitext(index_key)[0] + suffix


def index_stem(index_key: str) -> str:
    """Return the part of an index's key that the names inside it begin with."""
    return part_key(index_key, "").rpartition("/")[2]
