"""Read what ffmpeg has put into fragmented mp4: its tracks, and the fragments of a segment.

No sample is read, only the boxes around them. ISO/IEC 14496-12.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from activities.packaging import codecs

#: bytes of a sample entry before its own boxes: of pictures and of sound
_VISUAL, _AUDIO = 78, 28
#: names by the box that configures the decoder, with what its sample entry is called
_CODECS: Mapping[bytes, Callable[[str, bytes], str]] = {
    b"avcC": lambda entry, box: codecs.avc(entry, box[1:4]),
    b"hvcC": lambda entry, box: codecs.hevc(entry, box[1:13]),
    b"vpcC": lambda _, box: codecs.vp9(box),
    b"esds": lambda _, box: codecs.mp4a(box),
    b"dac3": lambda _, __: "ac-3",
    b"dec3": lambda _, __: "ec-3",
    b"dOps": lambda _, __: "opus",
    b"dfLa": lambda _, __: "flac",
}
#: flags of tfhd and trun: which fields there are
_BASE, _DESCRIPTION, _DURATION, _SIZE, _FLAGS = 0x1, 0x2, 0x8, 0x10, 0x20
_OFFSET, _FIRST_FLAGS, _DURATIONS, _SIZES, _SAMPLE_FLAGS, _SHIFTS = 1, 4, 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A track: `codec` is its name by RFC 6381, `timescale` in 1/s.

    `zero` is the time on the track's clock, in ticks, at which its edit list lets the film begin.
    `defaults` are the duration and the size of samples that do not say their own. `key_id`, in
    hexadecimal digits, is that of the key that its samples are encrypted with (ISO/IEC 23001-7).
    """

    number: int
    picture: bool
    codec: str
    timescale: int
    zero: int
    defaults: tuple[int, int]
    key_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """The samples of one track in one fragment. Times are in ticks of the track.

    `begin` is when the first is decoded, `shown` when the first is shown, `ticks` how long all
    last. The fragment begins with byte `offset` of its file, and `first_end` is the byte behind its
    first sample.
    """

    begin: int
    shown: int
    ticks: int
    offset: int
    first_end: int


def tracks(init: bytes) -> Sequence[Track]:
    """Return the tracks that an initialization segment describes.

    Raises ValueError where it is not one.
    """
    try:
        return list(_tracks(init))
    except (IndexError, KeyError, struct.error):
        raise ValueError("it is not an initialization segment") from None


def _tracks(init: bytes) -> Iterator[Track]:
    moov = _child(init, b"moov")
    movie_scale = _scale(_child(moov, b"mvhd"))
    extends: dict[int, tuple[int, int]] = {}
    for kind, box in _boxes(_child(moov, b"mvex")):
        if kind == b"trex":
            number, _, duration, size = struct.unpack_from(">4I", box, 4)
            extends[number] = (duration, size)
    for kind, trak in _boxes(moov):
        if kind != b"trak":
            continue
        head, mdia = _child(trak, b"tkhd"), _child(trak, b"mdia")
        number = int.from_bytes(head[20:24] if head[0] else head[12:16], "big")
        handler = _child(mdia, b"hdlr")[8:12]
        table = _child(_child(_child(mdia, b"minf"), b"stbl"), b"stsd")
        scale = _scale(_child(mdia, b"mdhd"))
        codec, key_id = _codec(table)
        yield Track(
            number=number,
            picture=handler == b"vide",
            codec=codec,
            key_id=key_id,
            timescale=scale,
            zero=_zero(trak, movie_scale, scale),
            defaults=extends.get(number, (0, 0)),
        )


def _scale(head: bytes) -> int:
    return int.from_bytes(head[20:24] if head[0] else head[12:16], "big")


def _codec(table: bytes) -> tuple[str, str]:
    """Return the codec of the first sample entry, and the id of its key; empty: not known, none."""
    kind, entry = next(_boxes(table[8:]))
    for skipped in (_VISUAL, _AUDIO):
        boxes = dict(_boxes(entry[skipped:]))
        key_id = ""
        if protection := boxes.get(b"sinf"):
            # what the entry is called without encryption, and the default of the track
            kind = _child(protection, b"frma")
            key_id = _child(_child(protection, b"schi"), b"tenc")[8:24].hex()
        if record := boxes.get(b"av1C"):
            return codecs.av1(record, boxes.get(b"colr", b"")), key_id
        for name, box in boxes.items():
            if name in _CODECS:
                return _CODECS[name](kind.decode("latin-1"), box), key_id
    return "", ""


def _zero(trak: bytes, movie_scale: int, scale: int) -> int:
    """Return which tick of the track is the beginning of the film, by its edit list."""
    edits = next((box for kind, box in _boxes(trak) if kind == b"edts"), None)
    if edits is None:
        return 0
    table = _child(edits, b"elst")
    form, late = (">Qq4x", 0) if table[0] else (">Ii4x", 0)
    for number in range(int.from_bytes(table[4:8], "big")):
        duration, begin = struct.unpack_from(form, table, 8 + number * struct.calcsize(form))
        if begin >= 0:
            return begin - late
        late += round(duration * scale / movie_scale)  # nothing is shown for so long
    return -late


def fragments(path: Path, track: Track) -> Sequence[Fragment]:
    """Return the fragments of a track in a segment. Raises ValueError for a damaged segment."""
    found: list[Fragment] = []
    with path.open("rb") as file:
        try:
            for at, kind, length in _outer_boxes(file, path.stat().st_size):
                if kind == b"moof":
                    file.seek(at)
                    found += _fragments(file.read(length), at, track)
        except (IndexError, KeyError, struct.error):
            raise ValueError("it is not made of fragments") from None
    if not found:
        raise ValueError("it has no fragment")
    return found


def _outer_boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes, int]]:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8 or at + length > size:
            raise ValueError("it is cut off")
        yield at, head[4:8], length
        at += length


def _fragments(moof: bytes, at: int, track: Track) -> Iterator[Fragment]:
    for kind, traf in _boxes(moof[8:]):
        if kind != b"traf":
            continue
        head = _child(traf, b"tfhd")
        if int.from_bytes(head[4:8], "big") != track.number:
            continue
        time = _child(traf, b"tfdt")
        begin = int.from_bytes(time[4:12] if time[0] else time[4:8], "big")
        base, duration, size = _defaults(head, at, track)
        runs = [box for name, box in _boxes(traf) if name == b"trun"]
        shown, ticks, first_end = begin, 0, at
        for number, run in enumerate(runs):
            offset, samples = _run(run, duration, size)
            for sample, (lasts, length, shift) in enumerate(samples):
                if number == sample == 0:
                    shown, first_end = begin + shift, base + offset + length
                shown = min(shown, begin + ticks + shift)
                ticks += lasts
        yield Fragment(begin=begin, shown=shown, ticks=ticks, offset=at, first_end=first_end)


def _defaults(head: bytes, at: int, track: Track) -> tuple[int, int, int]:
    """Return where data is counted from, and the duration and the size of samples."""
    flags, place = int.from_bytes(head[1:4], "big"), 8
    base, (duration, size) = at, track.defaults
    if flags & _BASE:
        base, place = int.from_bytes(head[place : place + 8], "big"), place + 8
    if flags & _DESCRIPTION:
        place += 4
    if flags & _DURATION:
        duration, place = int.from_bytes(head[place : place + 4], "big"), place + 4
    if flags & _SIZE:
        size = int.from_bytes(head[place : place + 4], "big")
    return base, duration, size


def _run(run: bytes, duration: int, size: int) -> tuple[int, Iterator[tuple[int, int, int]]]:
    """Return the offset of the data of a run, and of its samples duration, size and shift."""
    flags, count = int.from_bytes(run[1:4], "big"), int.from_bytes(run[4:8], "big")
    place, offset = 8, 0
    if flags & _OFFSET:
        offset, place = struct.unpack_from(">i", run, place)[0], place + 4
    if flags & _FIRST_FLAGS:
        place += 4
    fields = [flag for flag in (_DURATIONS, _SIZES, _SAMPLE_FLAGS, _SHIFTS) if flags & flag]

    def samples() -> Iterator[tuple[int, int, int]]:
        at = place
        for _ in range(count):
            values: dict[int, int] = {}
            for flag in fields:
                values[flag] = struct.unpack_from(">i" if flag == _SHIFTS else ">I", run, at)[0]
                at += 4
            yield values.get(_DURATIONS, duration), values.get(_SIZES, size), values.get(_SHIFTS, 0)

    return offset, samples()


def _child(box: bytes, wanted: bytes) -> bytes:
    """Return the content of a box in a box. Raises KeyError."""
    for kind, content in _boxes(box):
        if kind == wanted:
            return content
    raise KeyError(wanted)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes that content consists of."""
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length
