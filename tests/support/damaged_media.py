"""Damaged media files by number: the same number is always the same file.

Case n is one of `KINDS`, a small clip in some container, hurt by one of `DAMAGES`. All pairs come
before any of them comes again with other random numbers, so that every stretch of numbers has a
mixture.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import media

#: a moving picture and a tone of a second
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
_TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=1")
#: nothing in a file that differs from one run to the next
_SAME = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-threads", "1")
_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-pix_fmt", "yuv420p")
_FILM = (*_PICTURE, *_TONE)

#: by the name of the file: what ffmpeg makes it of
KINDS: dict[str, Sequence[str]] = {
    "plain.mp4": (*_FILM, *_H264, "-c:a", "aac"),
    "faststart.mp4": (*_FILM, *_H264, "-c:a", "aac", "-movflags", "+faststart"),
    "fragments.mp4": (*_FILM, *_H264, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"),
    "silent.mp4": (*_PICTURE, "-c:v", "mpeg4", "-g", "10"),
    "hevc.mp4": (*_FILM, "-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "aac"),
    "prores.mov": (*_FILM, "-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "film.mkv": (*_FILM, *_H264, "-c:a", "flac"),
    # large enough for Analysis to measure it
    "large.mkv": (*_FILM, "-vf", "scale=640:480", *_H264, "-c:a", "aac"),
    "film.webm": (*_FILM, "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"),
    "film.ts": (*_FILM, *_H264, "-c:a", "aac"),
    "film.mpg": (*_FILM, "-c:v", "mpeg2video", "-g", "10", "-c:a", "mp2"),
    "film.flv": (*_FILM, *_H264, "-c:a", "aac"),
    "film.avi": (*_FILM, "-c:v", "mpeg4", "-g", "10", "-c:a", "libmp3lame"),
    "mjpeg.avi": (*_FILM, "-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "film.wmv": (*_FILM, "-c:v", "wmv2", "-c:a", "wmav2"),
    "song.mp3": (*_TONE, "-c:a", "libmp3lame"),
    "song.wav": _TONE,
    "floats.wav": (*_TONE, "-c:a", "pcm_f32le"),
    "song.ogg": (*_TONE, "-c:a", "libvorbis"),
    "song.m4a": (*_TONE, "-c:a", "aac"),
    "song.flac": (*_TONE, "-c:a", "flac"),
    "song.aac": (*_TONE, "-c:a", "aac"),
    "bare.h264": (*_PICTURE, *_H264),
    "film.gif": (*_PICTURE, "-r", "10"),
    "film.y4m": (*_PICTURE, "-frames:v", "3"),
    "still.jpg": (*_PICTURE, "-frames:v", "1"),
}

Damage = Callable[[bytes, random.Random], bytes]


def flips(count: int, begin: float = 0, end: float = 1) -> Damage:
    """Flip so many single bits between two shares of the file."""

    def damage(content: bytes, chance: random.Random) -> bytes:
        hurt = bytearray(content)
        for _ in range(count):
            at = int(len(hurt) * chance.uniform(begin, end) * 0.999)
            hurt[at] ^= 1 << chance.randrange(8)
        return bytes(hurt)

    return damage


def dense_flips(content: bytes, chance: random.Random) -> bytes:
    """Flip one bit in each hundred bytes."""
    return flips(len(content) // 100)(content, chance)


def without_tail(content: bytes, chance: random.Random) -> bytes:
    """Keep the first part."""
    return content[: int(len(content) * chance.uniform(0.05, 0.98))]


def without_head(content: bytes, chance: random.Random) -> bytes:
    """Keep the last part."""
    return content[int(len(content) * chance.uniform(0.02, 0.9)) :]


def without_middle(content: bytes, chance: random.Random) -> bytes:
    """Cut a stretch out."""
    begin, end = sorted(int(len(content) * chance.uniform(0.05, 0.95)) for _ in range(2))
    return content[:begin] + content[end:]


def zeroed(content: bytes, chance: random.Random) -> bytes:
    """Put zeros over a stretch, as a disk that lost a block."""
    size = int(len(content) * chance.uniform(0.02, 0.3))
    begin = chance.randrange(len(content) - size)
    return content[:begin] + bytes(size) + content[begin + size :]


def shuffled(content: bytes, chance: random.Random) -> bytes:
    """Put the blocks behind the first in another order, as a download that mixed its parts."""
    size = max(64, len(content) // 16)
    first, *blocks = (content[n : n + size] for n in range(0, len(content), size))
    chance.shuffle(blocks)
    return b"".join((first, *blocks))


def wrong_sizes(content: bytes, chance: random.Random) -> bytes:
    """Write random numbers where the head has lengths, of boxes, elements, chunks or headers."""
    hurt = bytearray(content)
    for _ in range(3):
        at = 4 * chance.randrange(min(len(hurt), 800) // 4)
        hurt[at : at + 4] = chance.choice((0, 1, 7, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4)
    return bytes(hurt)


def wrong_index(content: bytes, chance: random.Random) -> bytes:
    """Write random numbers into the tables of an mp4 or mov; elsewhere, into the last part."""
    hurt = bytearray(content)
    names = (b"stsz", b"stco", b"stsc", b"stts", b"ctts", b"stsd", b"mdhd", b"tkhd", b"trun")
    places = [at for name in names if (at := content.find(name)) > 0]
    for _ in range(4):
        at = chance.choice(places) + 4 * chance.randrange(1, 8) if places else len(hurt) - 200
        at += 0 if places else chance.randrange(190)
        hurt[at : at + 4] = chance.randbytes(4)
    return bytes(hurt)


def noise_behind_head(content: bytes, chance: random.Random) -> bytes:
    """Keep the first bytes, by which a file is recognised, and put noise behind them."""
    return content[: chance.choice((12, 32, 64, 512))] + chance.randbytes(20_000)


def twice(content: bytes, chance: random.Random) -> bytes:
    """Put another part of the file behind its end."""
    return content + content[chance.choice((0, len(content) // 3)) :]


def tiny(content: bytes, chance: random.Random) -> bytes:
    """Keep hardly anything."""
    return content[: chance.choice((0, 1, 2, 8, 100))]


DAMAGES: dict[str, Damage] = {
    "few flips": flips(3),
    "without tail": without_tail,
    "flips in the head": flips(6, 0, 0.03),
    "zeroed": zeroed,
    "wrong sizes": wrong_sizes,
    "dense flips": dense_flips,
    "without head": without_head,
    "wrong index": wrong_index,
    "many flips": flips(40),
    "shuffled": shuffled,
    "flips in the tail": flips(6, 0.97, 1),
    "without middle": without_middle,
    "noise behind head": noise_behind_head,
    "twice": twice,
    "tiny": tiny,
}

#: cases until pairs come again
PAIRS = len(KINDS) * len(DAMAGES)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One damaged file, and what was done to which."""

    path: Path
    kind: str
    damage: str


def whole(directory: Path, kind: str) -> Path:
    """Make the file of a kind before it is hurt."""
    return media.make(directory / kind, *KINDS[kind], *_SAME)


def case(directory: Path, number: int) -> Case:
    """Make case `number`, in `directory`."""
    kind = list(KINDS)[number % len(KINDS)]
    # the next kind gets the next damage, and each pair comes once in PAIRS cases
    turn = number // len(KINDS) + number % len(KINDS)
    name = list(DAMAGES)[turn % len(DAMAGES)]
    content = whole(directory / "whole", kind).read_bytes()
    path = directory / f"{number}-{kind}"
    path.write_bytes(DAMAGES[name](content, random.Random(number)))
    return Case(path=path, kind=kind, damage=name)
