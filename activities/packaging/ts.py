"""Read what ffmpeg has put into MPEG-TS: codecs, and where key frames lie. ISO/IEC 13818-1.

Packets are found by slices of every 188th byte, since a loop over all of them would take longer
than the encode of a small picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from activities.packaging import codecs

_PACKET = 188
#: packets before a key frame that belong to it: tables of programs and streams
_TABLES = (0x00, 0x11)
#: types of streams in a table (H.222.0, table 2-34, and ATSC A/53)
_H264, _HEVC, _AAC = 0x1B, 0x24, 0x0F
_PICTURES = frozenset({0x01, 0x02, 0x10, _H264, _HEVC})
_NAMES = {0x03: "mp4a.40.34", 0x04: "mp4a.40.34", 0x81: "ac-3", 0x87: "ec-3"}
#: how much of a stream is looked through for what describes it
_LOOK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class TsStream:
    """A stream of a segment: its packets' id, and its codec by RFC 6381, empty if unknown."""

    pid: int
    picture: bool
    codec: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A frame as a segment has it: its bytes, and when it is shown, in ticks of 1/90000 s."""

    offset: int
    end: int
    shown: int
    key: bool


def streams(segment: bytes) -> Sequence[TsStream]:
    """Return the streams of a segment. Raises ValueError for what is not MPEG-TS."""
    if not segment or segment[0] != 0x47 or len(segment) % _PACKET:
        raise ValueError("it is not MPEG-TS")
    tables = _table(segment, 0)
    if len(tables) < 12:
        raise ValueError("it has no table of programs")
    table = _table(segment, int.from_bytes(tables[10:12], "big") & 0x1FFF)
    found: list[TsStream] = []
    at = 12 + (int.from_bytes(table[10:12], "big") & 0xFFF)
    end = 3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - 4  # its check sum
    while at + 5 <= end:
        kind, pid = table[at], int.from_bytes(table[at + 1 : at + 3], "big") & 0x1FFF
        length = int.from_bytes(table[at + 3 : at + 5], "big") & 0xFFF
        described = table[at + 5 : at + 5 + length]
        name = _codec(kind, _payload(segment, pid), described)
        found.append(TsStream(pid=pid, picture=kind in _PICTURES, codec=name))
        at += 5 + length
    return found


def units(segment: bytes, pid: int) -> Iterator[Unit]:
    """Yield the frames of a stream; the tables right before a key frame belong to it.

    The bytes of a frame end where the next one begins, packets of other streams among them.
    """
    starts = list(_starts(segment, pid))
    ends = [begin for begin, _ in starts[1:]] + [len(segment)]
    for (offset, key), end in zip(starts, ends, strict=True):
        shown = _shown(_content(segment[offset : offset + _PACKET]))
        begin = offset
        while key and begin and _pid(segment, begin - _PACKET) in (*_TABLES, *_maps(segment)):
            begin -= _PACKET
        yield Unit(offset=begin, end=end, shown=shown, key=key)


def _starts(segment: bytes, pid: int) -> Iterator[tuple[int, bool]]:
    """Yield where frames begin, and whether they are marked as key frames."""
    high = segment[1::_PACKET]
    wanted = bytes([0x40 | pid >> 8])
    packet = high.find(wanted)
    while packet >= 0:
        at = packet * _PACKET
        if segment[at + 2] == pid & 0xFF:
            adapted = segment[at + 3] & 0x20 and segment[at + 4]
            yield at, bool(adapted and segment[at + 5] & 0x40)
        packet = high.find(wanted, packet + 1)


def _maps(segment: bytes) -> tuple[int, ...]:
    tables = _table(segment, 0)
    return (int.from_bytes(tables[10:12], "big") & 0x1FFF,) if len(tables) >= 12 else ()


def _pid(segment: bytes, at: int) -> int:
    return int.from_bytes(segment[at + 1 : at + 3], "big") & 0x1FFF


def _content(packet: bytes) -> bytes:
    """Return the payload of a packet."""
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _table(segment: bytes, pid: int) -> bytes:
    """Return the first table of a packet id, from its id on; empty where there is none."""
    for at, _ in _starts(segment, pid):
        content = _content(segment[at : at + _PACKET])
        return content[1 + content[0] :]
    return b""


def _payload(segment: bytes, pid: int) -> bytes:
    """Return the beginning of an elementary stream."""
    parts: list[bytes] = []
    for at in range(0, len(segment), _PACKET):
        if _pid(segment, at) == pid:
            content = _content(segment[at : at + _PACKET])
            if segment[at + 1] & 0x40:
                content = content[9 + content[8] :]
            parts.append(content)
            if len(parts) * _PACKET > _LOOK:
                break
    return b"".join(parts)


def _shown(pes: bytes) -> int:
    """Return the time stamp of a packetized frame."""
    if len(pes) < 14 or not pes[7] & 0x80:
        raise ValueError("a frame has no time")
    stamp = pes[9:14]
    return (
        (stamp[0] >> 1 & 7) << 30
        | (int.from_bytes(stamp[1:3], "big") >> 1) << 15
        | int.from_bytes(stamp[3:5], "big") >> 1
    )


def _codec(kind: int, content: bytes, described: bytes) -> str:
    if kind == _H264:
        unit = _parameters(content, lambda first: first & 0x1F == 7)
        return codecs.avc("avc1", unit[1:4]) if len(unit) >= 4 else ""
    if kind == _HEVC:
        unit = codecs.unescaped(_parameters(content, lambda first: first >> 1 & 0x3F == 33))
        return codecs.hevc("hvc1", unit[3:15]) if len(unit) >= 15 else ""
    if kind == _AAC and content[:1] == b"\xff":
        return f"mp4a.40.{(content[2] >> 6) + 1}"
    if kind == 0x06:
        return _private(described)
    return _NAMES.get(kind, "")


def _parameters(content: bytes, wanted: Callable[[int], bool]) -> bytes:
    """Return the first unit whose first byte is wanted: a set of parameters."""
    at = content.find(b"\0\0\1")
    while at >= 0:
        end = content.find(b"\0\0\1", at + 3)
        if wanted(content[at + 3]):
            return content[at + 3 : end if end >= 0 else len(content)]
        at = end
    return b""


def _private(described: bytes) -> str:
    """Return the codec of private data by its descriptors (ETSI EN 300 468, and Opus)."""
    names: Mapping[int, str] = {0x6A: "ac-3", 0x7A: "ec-3"}
    at = 0
    while at + 2 <= len(described):
        tag, length = described[at], described[at + 1]
        if tag in names:
            return names[tag]
        if tag == 0x05 and described[at + 2 : at + 6] == b"Opus":
            return "opus"
        at += 2 + length
    return ""
