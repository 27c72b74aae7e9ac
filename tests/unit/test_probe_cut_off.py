"""Files tell by their own headers that they were cut off."""

import struct
from pathlib import Path

import pytest

from activities.probe import missing_bytes
from activities.probe.completeness import counts_its_frames


def box(kind: bytes, content: bytes = b"", length: int | None = None) -> bytes:
    size = 8 + len(content) if length is None else length
    return size.to_bytes(4, "big") + kind + content


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (box(b"ftyp", b"isom") + box(b"mdat", b"x" * 50) + box(b"moov", b"y"), 0),
        (box(b"ftyp", b"isom") + box(b"mdat", b"x" * 50, length=100), 42),
        (box(b"ftyp", b"isom") + b"\0\0\0\1mdat" + (80).to_bytes(8, "big") + b"x" * 4, 60),
        (box(b"ftyp", b"isom") + box(b"mdat", b"x" * 50, length=0), 0),
        (box(b"ftyp", b"isom") + box(b"moov", b"y") + box(b"free", b"", length=999), 0),
        (box(b"ftyp", b"isom") + box(b"mdat") + b"\0\0", 0),
        (b"RIFF\xff\xff\0\0AVI ", 0),
        (b"", 0),
    ],
)
def test_boxes_tell_how_much_is_missing(tmp_path: Path, content: bytes, missing: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert missing_bytes(file) == missing


@pytest.mark.parametrize(
    ("size", "missing"), [(b"\x84", 0), (b"\x8a", 6), (b"\x40\x14", 16), (b"\xff", 0), (b"", 0)]
)
def test_matroska_segments_tell_it_too(tmp_path: Path, size: bytes, missing: int) -> None:
    file = tmp_path / "file"
    head = b"\x1a\x45\xdf\xa3\x83abc" + b"\x18\x53\x80\x67" + size
    file.write_bytes(head + (b"data" if size else b""))
    assert missing_bytes(file) == missing


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return kind + size.to_bytes(4, "little") + content


def riff(*chunks: bytes, kind: bytes = b"WAVE") -> bytes:
    return chunk(b"RIFF", kind + b"".join(chunks))


FMT = chunk(b"fmt ", bytes(16))


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (riff(FMT, chunk(b"data", bytes(100))), 0),
        (riff(FMT, chunk(b"data", bytes(100), 140)), 40),
        (riff(chunk(b"odd ", bytes(3)) + b"\0", chunk(b"data", bytes(100), 140)), 40),
        # recorders that could not go back
        (riff(FMT, chunk(b"data", bytes(100), 0xFFFFFFFF)), 0),
        (riff(FMT, chunk(b"data", bytes(100), 0)), 0),
        # what lies behind the sound does not count
        (riff(FMT, chunk(b"data", bytes(100)), chunk(b"LIST", b"INFO", 400)), 0),
        (riff(chunk(b"LIST", b"movi" + bytes(96)), kind=b"AVI "), 0),
        (riff(chunk(b"LIST", b"movi" + bytes(96), 150), kind=b"AVI "), 50),
        # the second part of a long avi
        (
            riff(chunk(b"LIST", b"movi" + bytes(96)), kind=b"AVI ")
            + riff(chunk(b"LIST", b"movi" + bytes(96), 150), kind=b"AVIX"),
            50,
        ),
        (b"RIFF", 0),
    ],
)
def test_chunks_of_wav_and_avi(tmp_path: Path, content: bytes, missing: int) -> None:
    file = tmp_path / "a.avi"
    file.write_bytes(content)
    assert missing_bytes(file) == missing


@pytest.mark.parametrize(
    ("declared", "missing"), [(1000.0, 0), (1500.0, 500), (0.0, 0), (float("nan"), 0)]
)
def test_flv_names_its_size(tmp_path: Path, declared: float, missing: int) -> None:
    file = tmp_path / "a.flv"
    head = b"FLV\x01\x05" + bytes(20) + b"\x00\x08filesize\x00" + struct.pack(">d", declared)
    file.write_bytes(head.ljust(1000, b"\0"))
    assert missing_bytes(file) == missing


def mp3(frames: int | None, declared: int | None, size: int, id3: int = 0) -> bytes:
    """An mp3 of `size` bytes behind a tag of `id3` bytes: MPEG-1 layer III, stereo."""
    numbers = [number for number in (frames, declared) if number is not None]
    flags = (frames is not None) + 2 * (declared is not None)
    told = b"Xing" + b"".join(n.to_bytes(4, "big") for n in (flags, *numbers))
    tag = b"ID3\x04\0\0" + bytes([0, 0, id3 >> 7, id3 & 0x7F]) + bytes(id3) if id3 else b""
    return tag + (b"\xff\xfb\x90\x00" + bytes(32) + told).ljust(size, b"\0")


@pytest.mark.parametrize(
    ("content", "missing", "counts"),
    [
        (mp3(100, 5000, 5000), 0, True),
        (mp3(100, 5000, 5000, id3=300), 0, True),
        (mp3(100, 5000, 4000, id3=300), 1000, True),
        # a tagger's carelessness is no cut
        (mp3(100, 5000, 4990), 0, True),
        (mp3(None, 5000, 4000), 1000, False),
        (mp3(100, None, 4000), 0, True),
        # several songs in one file, counted as the first
        (mp3(100, 5000, 200_000), 0, False),
        (b"\xff\xfb\x90\x00" + bytes(2000), 0, False),
        (b"ID3", 0, False),
        (b"text that is no mp3" * 20, 0, False),
    ],
)
def test_mp3_with_a_count(tmp_path: Path, content: bytes, missing: int, counts: bool) -> None:
    file = tmp_path / "a.mp3"
    file.write_bytes(content)
    assert missing_bytes(file) == missing
    assert counts_its_frames(file) == counts
