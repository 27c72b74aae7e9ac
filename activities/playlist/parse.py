"""A playlist's text, read into segments; what is refused is refused with its line and a remedy.

Pure. Format: RFC 8216; what of it is taken: specification, transcode, 21. Tags that change nothing
for a list of which all is there (dates, versions, hints) are passed over.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from workflow_engine.errors import ActivityError, Code

#: bytes of a list
MAX_BYTES = 5 << 20
#: segments of a list
MAX_SEGMENTS = 10_000
#: bytes of an AES-128 key, and of its initialisation vector
KEY_BYTES = 16

#: variants that a message names
_SHOWN = 5
_HEAD = b"#EXTM3U"
_MASTER = ("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-MEDIA")
#: tag: what it says of the list
_REFUSED = {
    "#EXT-X-PART": "parts of segments of a low-latency stream",
    "#EXT-X-PRELOAD-HINT": "segments that do not exist yet",
    "#EXT-X-DEFINE": "variables",
    "#EXT-X-SKIP": "segments of an earlier state of the list",
    "#EXT-X-I-FRAMES-ONLY": "key frames only, not all of the film",
    "#EXT-X-GAP": "segments that are missing",
}
# possessive: a line may have millions of blanks, and none is looked at twice
_ATTRIBUTE = re.compile(r'\s*+([A-Z0-9-]++)\s*+=\s*+("[^"]*+"\s*+|[^",]*+)(?:,|$)')
_RANGE = re.compile(r"(\d{1,18})(?:@(\d{1,18}))?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMPLETE = "Give a finished list of media segments, or the film as one file."


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of an object: `length` of them from `start` on."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Key:
    """How bytes are encrypted, AES-128 in CBC mode: the object with the key, and the vector."""

    name: str
    vector: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an object that a list names: whole or a range, plain or encrypted.

    `name` is relative to the list's folder and decoded, `line` that of the list.
    """

    name: str
    line: int
    range: Range | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the film, with what its decoder must be given first (fMP4).

    `fresh` means that time stamps begin again with it.
    """

    piece: Piece
    header: Piece | None
    fresh: bool


@dataclass(frozen=True, kw_only=True)
class Playlist:
    """A list of media segments; `finished` means that it ends with EXT-X-ENDLIST."""

    segments: tuple[Segment, ...]
    finished: bool

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of all objects that the list needs, each once: keys, headers, segments."""
        return tuple(dict.fromkeys(self._names()))

    def _names(self) -> Iterator[str]:
        for segment in self.segments:
            for piece in (segment.header, segment.piece):
                if piece is not None:
                    if piece.key is not None:
                        yield piece.key.name
                    yield piece.name


def is_list(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a playlist."""
    return head.removeprefix(codecs.BOM_UTF8).startswith(_HEAD)


def refused(reason: str, remedy: str, line: int = 0) -> ActivityError:
    """Return the error of a list that is not taken; `reason` is a clause without a full stop."""
    at = f"line {line}: " if line else ""
    return ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The resource operated "InputFile" is a playlist that cannot be used: {at}{reason}.',
        remedy=remedy,
    )


def parse(content: bytes) -> Playlist:
    """Read a list of media segments.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`) with line and reason.
    """
    if len(content) > MAX_BYTES:
        raise refused(
            f"it is longer than {MAX_BYTES >> 20} MiB", "Give the film as one file, or in parts."
        )
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refused("it is not UTF-8", "Write the list in UTF-8.", line) from None
    lines = [line.strip(" \t\r") for line in text.split("\n")]
    if lines[0] != _HEAD.decode():
        raise refused(f"it does not begin with {_HEAD.decode()}", _COMPLETE, 1)
    _require_media_list(lines)
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        if _CONTROL.search(line):
            raise refused("it holds control characters", "Write the list as plain text.", number)
        reader.read(number, line)
    return reader.result()


def _require_media_list(lines: list[str]) -> None:
    """Refuse a list of lists, naming those that it chooses from."""
    at = next((n for n, line in enumerate(lines, 1) if _tag(line) in _MASTER), 0)
    if not at:
        return
    variants = [line for line in lines if line and not line.startswith("#")]
    shown = ", ".join(f'"{name[:80]}"' for name in variants[:_SHOWN])
    more = f" and {len(variants) - _SHOWN} more" if len(variants) > _SHOWN else ""
    raise refused(
        "it is a master list, which names other lists" + (f": {shown}{more}" if shown else ""),
        "Give one of those lists.",
        at,
    )


def _tag(line: str) -> str:
    return line.partition(":")[0]


@dataclass
class _Reader:
    """What has been read so far, and what holds for the next segment."""

    segments: list[Segment] = field(default_factory=list[Segment])
    finished: bool = False
    targeted: bool = False
    sequence: int = 0
    key: tuple[str, bytes | None] | None = None
    header: Piece | None = None
    announced: bool = False
    fresh: bool = False
    range: tuple[int, int | None] | None = None
    ends: dict[str, int] = field(default_factory=dict[str, int])

    def read(self, number: int, line: str) -> None:
        """Read one line."""
        if not line:
            return
        if not line.startswith("#"):
            self._segment(number, line)
            return
        tag, _, value = line.partition(":")
        if tag in _REFUSED:
            raise refused(f"{tag} tells of {_REFUSED[tag]}", _COMPLETE, number)
        match tag:
            case "#EXTINF":
                self._duration(number, value)
            case "#EXT-X-BYTERANGE":
                self.range = _byte_range(value, number)
            case "#EXT-X-DISCONTINUITY":
                self.fresh = True
            case "#EXT-X-KEY":
                self._key(number, value)
            case "#EXT-X-MAP":
                self._map(number, value)
            case "#EXT-X-MEDIA-SEQUENCE":
                self._sequence(number, value)
            case "#EXT-X-TARGETDURATION":
                self.targeted = True
            case "#EXT-X-ENDLIST":
                self.finished = True
            case _:
                pass

    def result(self) -> Playlist:
        """Return the list. Players of films and music write lists too, of whole files."""
        if not self.targeted:
            raise refused(
                "it has no #EXT-X-TARGETDURATION, so what it names are whole files, not segments",
                "Give those files, or a list of media segments with that tag.",
            )
        if not self.segments and self.finished:
            raise refused("it names no segments", _COMPLETE)
        return Playlist(segments=tuple(self.segments), finished=self.finished)

    def _segment(self, number: int, line: str) -> None:
        name = _name(line, number)
        if not self.announced:
            raise refused(
                f'there is no #EXTINF before "{line[:80]}"',
                "Give a list of media segments with their lengths.",
                number,
            )
        if len(self.segments) == MAX_SEGMENTS:
            raise refused(
                f"it names more than {MAX_SEGMENTS} segments",
                "Give the film as one file, or in parts.",
                number,
            )
        piece = Piece(name, number, self._range_of(name, number), self._key_of_segment())
        self.segments.append(Segment(piece, self.header, self.fresh))
        self.announced = self.fresh = False
        self.range = None

    def _range_of(self, name: str, number: int) -> Range | None:
        if self.range is None:
            return None
        length, start = self.range
        if start is None:
            start = self.ends.get(name)
        if start is None:
            raise refused(
                f'#EXT-X-BYTERANGE has no offset, and no range of "{name}" stands before it',
                "Write LENGTH@OFFSET.",
                number,
            )
        self.ends = {name: start + length}
        return Range(start, length)

    def _key_of_segment(self) -> Key | None:
        if self.key is None:
            return None
        name, vector = self.key
        counted = self.sequence + len(self.segments)
        return Key(name, counted.to_bytes(KEY_BYTES, "big") if vector is None else vector)

    def _duration(self, number: int, value: str) -> None:
        if not re.fullmatch(r"\d{1,9}(\.\d*)?|\.\d+", value.partition(",")[0].strip()):
            raise refused(
                f'#EXTINF has no length: "{value[:40]}"', "Write #EXTINF:SECONDS,", number
            )
        self.announced = True

    def _sequence(self, number: int, value: str) -> None:
        if not re.fullmatch(r"\d{1,19}", value):
            raise refused(f'the number "{value[:40]}" is not one', "Write digits.", number)
        self.sequence = int(value)

    def _key(self, number: int, value: str) -> None:
        attributes = _attributes(value, number)
        method = attributes.get("METHOD", "")
        if method == "NONE":
            self.key = None
            return
        if method != "AES-128":
            raise refused(
                f'the encryption METHOD "{method[:40]}" is not supported',
                "Give segments that are not encrypted, or with AES-128.",
                number,
            )
        if attributes.get("KEYFORMAT", "identity") != "identity":
            raise refused(
                f'the KEYFORMAT "{attributes["KEYFORMAT"][:40]}" is not supported',
                "Put the key of 16 bytes beside the list.",
                number,
            )
        if "URI" not in attributes:
            raise refused("#EXT-X-KEY has no URI", "Put the key beside the list.", number)
        vector = attributes.get("IV")
        if vector is not None and not re.fullmatch(r"0[xX][0-9a-fA-F]{32}", vector):
            raise refused(f'the IV "{vector[:40]}" is not one', "Write 0x and 32 digits.", number)
        name = _name(attributes["URI"], number)
        self.key = (name, None if vector is None else bytes.fromhex(vector[2:]))

    def _map(self, number: int, value: str) -> None:
        attributes = _attributes(value, number)
        if "URI" not in attributes:
            raise refused("#EXT-X-MAP has no URI", "Name the file with the header.", number)
        name = _name(attributes["URI"], number)
        span = None
        if "BYTERANGE" in attributes:
            length, start = _byte_range(attributes["BYTERANGE"], number)
            span = Range(start or 0, length)
        key = None
        if self.key is not None:
            if self.key[1] is None:
                raise refused(
                    "the header is encrypted, and #EXT-X-KEY has no IV", "Write the IV.", number
                )
            key = Key(self.key[0], self.key[1])
        self.header = Piece(name, number, span, key)


def _byte_range(value: str, number: int) -> tuple[int, int | None]:
    match = _RANGE.fullmatch(value.strip())
    if match is None or not int(match[1]):
        raise refused(f'the range "{value[:40]}" is not one', "Write LENGTH@OFFSET.", number)
    return int(match[1]), None if match[2] is None else int(match[2])


def _attributes(value: str, number: int) -> Mapping[str, str]:
    """Read `NAME=value,NAME="value"`."""
    attributes: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _ATTRIBUTE.match(value, at)
        if match is None or match.end() == at:
            raise refused("the attributes cannot be read", 'Write NAME="value".', number)
        attributes[match[1]] = match[2].strip().strip('"')
        at = match.end()
    return attributes


def _name(address: str, number: int) -> str:
    """Return the object name, relative to the list's folder, that an address stands for."""

    def bad(reason: str) -> ActivityError:
        return refused(
            f'the address "{address[:120]}" {reason}',
            "Put all files into the folder of the list, or below it, and name them relative to it.",
            number,
        )

    if _SCHEME.match(address):
        raise bad("is an absolute one")
    if address.startswith(("/", "\\")):
        raise bad("does not begin in the folder of the list")
    if "?" in address or "#" in address:
        raise bad("has a query or a fragment")
    try:
        name = unquote(address, errors="strict")
    except UnicodeDecodeError:
        raise bad("is not UTF-8") from None
    if "\t" in name or _CONTROL.search(name):
        raise bad("holds control characters")
    steps = name.split("/")
    if ".." in steps or "\\" in name:
        raise bad("leads out of the folder of the list")
    if "" in steps:
        raise bad("has an empty part")
    kept = [step for step in steps if step != "."]
    if not kept:
        raise bad("names no file")
    return "/".join(kept)
