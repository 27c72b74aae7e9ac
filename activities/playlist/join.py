"""One media file out of the segments of a playlist.

Segments are written one behind the other, decrypted on the way. Where time stamps begin again,
ffmpeg puts the parts together, from a list of our own; their streams must be alike.
"""

import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.playlist.parse import KEY_BYTES, Key, Piece, Playlist, Segment, refused
from activities.playlist.segments import (
    HEAD_BYTES,
    DamagedError,
    Kind,
    UnsupportedError,
    blocks,
    kind_of,
)
from activities.probe import MediaInfo
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import InterruptedRunError

#: bytes that are read at once, whole blocks of the cipher
_BLOCK = 1 << 20
#: times the size of all files that a joined one may have: slates and headers come again and again
_MAX_GROWTH = 4
_ALIKE = "Give a list of which all segments come from one encoder with one setting."
#: of ffmpeg
_DEMUXERS = {Kind.TS: "mpegts", Kind.MP4: "mov", Kind.AAC: "aac", Kind.MP3: "mp3"}


def join(playlist: Playlist, files: Mapping[str, Path], context: ActivityContext) -> Path:
    """Make one file in `context.work` of a list's objects, and return it.

    `files` has a local file for each name of `Playlist.objects`. Raises ActivityError
    (`InvalidParameter.ResourceContentBad` for a damaged segment,
    `.ResourceNotSupported` for other containers, parts that are not alike, and files that are
    named over and over), InterruptedRunError and OSError.
    """
    parts: list[Path] = []
    kinds: set[Kind] = set()
    writer = _Writer(files, context)
    for number, segments in enumerate(_parts(playlist.segments)):
        part = context.work / f"part-{number}"
        kinds.add(writer.write(segments, part))
        parts.append(part)
    if len(kinds) > 1:
        raise refused("its parts come in different containers", _ALIKE)
    return parts[0] if len(parts) == 1 else _concatenated(parts, kinds.pop(), context)


def _parts(segments: Iterable[Segment]) -> Iterator[Sequence[Segment]]:
    """Yield the segments whose time stamps run on, and that have one header."""
    number, header = 0, None
    numbered: list[tuple[int, Segment]] = []
    for segment in segments:
        if segment.fresh or (numbered and segment.header != header):
            number += 1
        header = segment.header
        numbered.append((number, segment))
    for _, group in groupby(numbered, key=lambda pair: pair[0]):
        yield [segment for _, segment in group]


class _Writer:
    """Writes the segments of one part after the other."""

    def __init__(self, files: Mapping[str, Path], context: ActivityContext) -> None:
        self._files = files
        self._cancel = context.cancel
        self._work = context.work
        self._kind: Kind | None = None
        self._left = _MAX_GROWTH * sum(file.stat().st_size for file in files.values())

    def write(self, segments: Sequence[Segment], target: Path) -> Kind:
        """Write those of a part to `target`, and return what they are."""
        with target.open("wb") as out:
            header = segments[0].header
            if header is not None:
                self._append(header, out, header=True)
                if self._kind is not Kind.MP4:
                    raise refused("#EXT-X-MAP names what is not an mp4", _ALIKE, header.line)
            for segment in segments:
                if self._cancel.is_set():
                    raise InterruptedRunError()
                self._append(segment.piece, out, header=False)
                if self._kind is Kind.MP4 and header is None:
                    raise refused(
                        f'the segment "{segment.piece.name}" is an mp4, and there is no #EXT-X-MAP',
                        "Name the header of the segments.",
                        segment.piece.line,
                    )
        kind, self._kind = self._kind, None  # the next part may be of another
        assert kind is not None
        return kind

    def _append(self, piece: Piece, out: BinaryIO, *, header: bool) -> None:
        what = f'the segment "{piece.name}" of the playlist'
        try:
            with self._opened(piece) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                kind = kind_of(file.read(HEAD_BYTES))
                if self._kind not in (None, kind):
                    raise UnsupportedError("is of another container than those before it")
                self._kind = kind
                for block in blocks(kind, file, size, header=header):
                    self._left -= len(block)
                    if self._left < 0:
                        raise refused(
                            "it names the same files over and over: joined they have more than "
                            f"{_MAX_GROWTH} times their bytes",
                            "Name each segment once.",
                            piece.line,
                        )
                    out.write(block)
        except UnsupportedError as error:
            raise refused(f'the segment "{piece.name}" {error}', _ALIKE, piece.line) from None
        except DamagedError as error:
            raise ffmpeg.content_bad(f"{what} (line {piece.line}) {error}") from None

    @contextmanager
    def _opened(self, piece: Piece) -> Generator[BinaryIO]:
        """Open a piece as a file of its own, plain."""
        with self._files[piece.name].open("rb") as stored:
            if piece.range is None and piece.key is None:
                yield stored
                return
            content = _content(piece, stored)
            if piece.key is not None:
                content = _decrypted(content, self._secret(piece.key), piece.key.vector)
            with tempfile.TemporaryFile(dir=self._work) as plain:
                for block in content:
                    plain.write(block)
                yield plain

    def _secret(self, key: Key) -> bytes:
        with self._files[key.name].open("rb") as file:
            secret = file.read(KEY_BYTES + 1)
        if len(secret) != KEY_BYTES:
            raise ffmpeg.content_bad(
                f'the key "{key.name}" of the playlist does not have {KEY_BYTES} bytes'
            )
        return secret


def _content(piece: Piece, file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a piece as they are stored."""
    size = file.seek(0, os.SEEK_END)
    start, left = (piece.range.start, piece.range.length) if piece.range else (0, size)
    if start + left > size:
        raise DamagedError(f"is cut off: it has {size} bytes, and {start + left} are needed")
    file.seek(start)
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        left -= len(block)
        yield block


def _decrypted(content: Iterable[bytes], secret: bytes, vector: bytes) -> Iterator[bytes]:
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).decryptor()
    padding = PKCS7(8 * KEY_BYTES).unpadder()
    try:
        for block in content:
            yield padding.update(decryptor.update(block))
        yield padding.update(decryptor.finalize())
        yield padding.finalize()
    except ValueError:
        raise DamagedError(
            "cannot be decrypted: the key is another one, or it is cut off"
        ) from None


def _concatenated(parts: Sequence[Path], kind: Kind, context: ActivityContext) -> Path:
    """Put parts behind each other, with time stamps that run on."""
    _require_alike(parts, context)
    names = context.work / "parts.ffconcat"
    names.write_text("ffconcat version 1.0\n" + "".join(f"file {part.name}\n" for part in parts))
    target = context.work / "joined"
    joined = graph.open_parts(names.name, _DEMUXERS[kind])
    options = {"c": "copy", "f": kind.value}
    command = graph.argv(graph.output(target.name, [joined["v?"], joined["a?"]], options))
    ffmpeg.run(command, context=context, duration=None)
    for part in parts:
        part.unlink()
    return target


def _require_alike(parts: Sequence[Path], context: ActivityContext) -> None:
    """Refuse parts whose streams differ: they would need to be encoded to become one."""
    first: list[str] = []
    for number, part in enumerate(parts):
        streams = _streams(MediaInfo.of(part, cancel=context.cancel))
        first = first or streams
        if streams != first:
            raise refused(
                f"part {number + 1}, behind an #EXT-X-DISCONTINUITY or an #EXT-X-MAP, has other "
                f"streams ({', '.join(streams)}) than part 1 ({', '.join(first)})",
                _ALIKE,
            )


def _streams(media: MediaInfo) -> list[str]:
    """Describe streams in the order of the file, with the numbers by which ffmpeg joins them."""
    pictures = {one.index: f"{one.codec} {one.width}x{one.height}" for one in media.videos}
    sounds = {one.index: f"{one.codec} {one.sample_rate} Hz {one.channels}" for one in media.audios}
    return [f"{index}: {text}" for index, text in sorted((pictures | sounds).items())]
