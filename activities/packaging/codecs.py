"""The names of codecs in lists (RFC 6381), from what configures their decoders. Pure.

Sources: RFC 6381, 3; ISO/IEC 14496-15, annex E (`avc1`, `hvc1`); the bindings of AV1, VP9, Opus
and FLAC to ISO-BMFF.
"""

import struct

#: kinds of MPEG-4 audio by their object type; 0x40 says the kind itself
_MPEG4_AUDIO = 0x40


def avc(entry: str, profile_level: bytes) -> str:
    """Return the name of H.264: profile, constraints and level, three bytes of SPS or `avcC`."""
    return f"{entry}.{profile_level.hex()}"


def hevc(entry: str, ptl: bytes) -> str:
    """Return the name of H.265 by the 12 bytes that profile, tier and level take up."""
    space = ("", "A", "B", "C")[ptl[0] >> 6]
    tier = "H" if ptl[0] & 0x20 else "L"
    compatible = int(f"{int.from_bytes(ptl[1:5], 'big'):032b}"[::-1], 2)
    constraints = ptl[5:11].rstrip(b"\0")
    parts = [
        entry,
        f"{space}{ptl[0] & 0x1F}",
        f"{compatible:X}",
        f"{tier}{ptl[11]}",
        *(f"{byte:X}" for byte in constraints),
    ]
    return ".".join(parts)


def vp9(record: bytes) -> str:
    """Return the name of VP9 by its `vpcC`, colours only where they are not the usual ones."""
    profile, level, packed = record[4], record[5], record[6]
    name = f"vp09.{profile:02}.{level:02}.{packed >> 4:02}"
    chroma, full, colours = packed >> 1 & 7, packed & 1, record[7:10]
    usual = chroma in (0, 1) and not full and all(one in (1, 2) for one in colours)
    return name if usual else name + "".join(f".{one:02}" for one in (chroma, *colours, full))


def av1(record: bytes, colours: bytes) -> str:
    """Return the name of AV1 by its `av1C` and its `colr`, colours only where they are told.

    What players take for granted without them is BT.709.
    """
    profile, level = record[1] >> 5, record[1] & 0x1F
    tier = "H" if record[2] & 0x80 else "M"
    high, twelve = record[2] & 0x40, record[2] & 0x20
    depth = 12 if twelve else 10 if high else 8
    name = f"av01.{profile}.{level:02}{tier}.{depth:02}"
    if colours[:4] != b"nclx":
        return name
    monochrome, chroma = record[2] >> 4 & 1, f"{record[2] >> 2 & 3:02b}{record[2] & 3}"
    numbers = struct.unpack_from(">3H", colours, 4)
    told = ".".join(f"{one:02}" for one in numbers)
    return f"{name}.{monochrome}.{chroma}.{told}.{colours[10] >> 7}"


def mp4a(esds: bytes) -> str:
    """Return the name of sound by its `esds`: `mp4a.40.2` for AAC, `mp4a.6B` for MP3."""
    # version and flags, then descriptors: ES (3), in it DecoderConfig (4), in it Specific (5)
    _, at = _descriptor(esds, 4)
    flags = esds[at + 2]
    at += 3 + (2 if flags & 0x80 else 0)
    at += 1 + esds[at] if flags & 0x40 else 0
    at += 2 if flags & 0x20 else 0
    _, at = _descriptor(esds, at)
    kind = esds[at]
    if kind != _MPEG4_AUDIO:
        return f"mp4a.{kind:02X}"
    _, at = _descriptor(esds, at + 13)
    object_type = esds[at] >> 3
    if object_type == 31:  # the number stands in the next six bits
        object_type = 32 + ((esds[at] & 7) << 3 | esds[at + 1] >> 5)
    return f"mp4a.40.{object_type}"


def _descriptor(data: bytes, at: int) -> tuple[int, int]:
    """Return the length of the descriptor at a place, and where its content begins."""
    length, at = 0, at + 1
    for _ in range(4):
        byte, at = data[at], at + 1
        length = length << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return length, at


def unescaped(nal: bytes) -> bytes:
    """Return a unit of H.264 or H.265 without the bytes that keep start codes out of it."""
    return nal.replace(b"\0\0\3", b"\0\0")
