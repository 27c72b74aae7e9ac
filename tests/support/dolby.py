"""Files that say that they are Dolby Vision: its configuration record put into an mp4."""

import struct
from pathlib import Path

#: boxes that hold the entry of the picture, from the outside in
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1")


def dolby_vision(source: Path, profile: int, base: int) -> Path:
    """A copy of an mp4 with H.265 and its index behind the frames, of this profile.

    `base` is the compatibility id of its base layer: 0 none, 1 HDR10, 2 SDR, 4 HLG.
    """
    content = bytearray(source.read_bytes())
    # version, then bits: profile 7, level 6, RPU, enhancement and base layer; base layer's id 4
    bits = profile << 9 | 5 << 3 | 0b101
    record = struct.pack(">BBHB", 1, 0, bits, base << 4) + bytes(19)
    name = b"dvvC" if profile > 7 else b"dvcC"
    box = struct.pack(">I", len(record) + 8) + name + record
    at = content.index(b"moov") - 4
    assert content.index(b"mdat") < at, "offsets of frames would be wrong"
    for kind in _PATH:
        at = content.index(kind, at) - 4
        (size,) = struct.unpack_from(">I", content, at)
        struct.pack_into(">I", content, at, size + len(box))
    content[at + size : at + size] = box
    path = source.with_name(f"dolby-{profile}-{base}-{source.name}")
    path.write_bytes(content)
    return path
