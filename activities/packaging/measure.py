"""Measure a finished stream: what its lists have to say of it, without decoding.

One pass over the boxes or packets of its segments, one segment in memory at a time. Specification:
topology, 5.4; RFC 8216, 4.3.4.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from activities.packaging import mp4, ts
from activities.packaging.streams import (
    KeyFrame,
    Segment,
    SegmentFormat,
    Stream,
    StreamKind,
    Tiles,
    VideoRange,
    bit_rates,
)
from activities.probe import MediaInfo
from workflow_engine.errors import ActivityError, Code

#: ticks per second of MPEG-TS, and of lists that have no clock of their own
_CLOCK = 90_000
_INIT = re.compile(r'#EXT-X-MAP:.*?URI="([^"]*)"')


def stream_of(playlist: Path, media: MediaInfo, *, kind: StreamKind, uri: str) -> Stream:
    """Return the record of the pictures or the sound that ffmpeg's hls muxer has just written.

    `playlist` is in the work directory, its segments beside it; `media` is what it was probed to
    be, and `uri` what it is published as, relative to the master playlist. The segments of an
    stream that is encrypted whole are not looked into: it has codecs only if ffprobe names them.
    No encrypted stream has key frames here, since no list of them tells the key.

    Raises ActivityError (`InternalError`) for segments that are not what ffmpeg writes.
    """
    listed = _Listed.of(playlist)
    try:
        clock = _clock(listed, kind)
    except ValueError as error:
        raise ActivityError(
            Code.INTERNAL,
            f'The segments of "{uri}" cannot be read: {error}.',
            remedy="Run it again.",
        ) from error
    video = media.video if kind is StreamKind.VIDEO else None
    audio = media.audios[0] if media.audios else None
    sizes = [path.stat().st_size for path in listed.segments]
    lengths = [ticks / clock.timescale for ticks in clock.ticks]
    peak, average = bit_rates(list(zip(lengths, sizes, strict=True)))
    return Stream(
        kind=kind,
        uri=uri,
        segment_format=SegmentFormat.FMP4 if listed.init else SegmentFormat.TS,
        timescale=clock.timescale,
        segments=tuple(
            Segment(ticks=length, bytes=size)
            for length, size in zip(clock.ticks, sizes, strict=True)
        ),
        peak_bps=peak,
        average_bps=average,
        codecs=clock.codecs or _probed_codecs(media),
        start=clock.start,
        zero=clock.zero,
        width=video.width if video else None,
        height=video.height if video else None,
        sar=video.sar if video else Fraction(1),
        frame_rate=video.fps if video else None,
        video_range=VideoRange(video.colour.hdr or "SDR") if video else VideoRange.SDR,
        channels=audio.channels if audio else None,
        sample_rate=audio.sample_rate if audio else None,
        key_frames=clock.key_frames,
        key_id=clock.key_id,
    )


def subtitles_of(segments: Sequence[tuple[float, int]], *, uri: str) -> Stream:
    """Return the record of subtitles by the seconds and the bytes of their segments of WebVTT."""
    peak, average = bit_rates(segments)
    return Stream(
        kind=StreamKind.SUBTITLES,
        uri=uri,
        segment_format=SegmentFormat.VTT,
        timescale=_CLOCK,
        segments=tuple(
            Segment(ticks=round(seconds * _CLOCK), bytes=size) for seconds, size in segments
        ),
        peak_bps=peak,
        average_bps=average,
    )


def images_of(
    sizes: Sequence[int],
    *,
    uri: str,
    media: str,
    first: int,
    picture: tuple[int, int],
    tiles: Tiles,
    seconds: Fraction,
) -> Stream:
    """Return the record of an image track by the bytes of its sheets.

    `media` is the template of their names, counted from `first`, `picture` the size of one
    picture, `seconds` how long the film is.
    """
    each = tiles.columns * tiles.rows * tiles.seconds
    begins = [number * each for number in range(len(sizes))]
    lengths = [min(each, max(seconds - begin, tiles.seconds)) for begin in begins]
    ticks = [round(length * _CLOCK) for length in lengths]
    rows = list(zip(ticks, sizes, strict=True))
    peak, average = bit_rates((length / _CLOCK, size) for length, size in rows)
    return Stream(
        kind=StreamKind.IMAGES,
        uri=uri,
        segment_format=SegmentFormat.JPEG,
        timescale=_CLOCK,
        segments=tuple(Segment(ticks=length, bytes=size) for length, size in rows),
        peak_bps=peak,
        average_bps=average,
        media=media,
        first=first,
        width=picture[0],
        height=picture[1],
        tiles=tiles,
    )


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """What a playlist lists: files, and the seconds that it tells of them."""

    segments: Sequence[Path]
    seconds: Sequence[float]
    init: Path | None
    encrypted: bool

    @classmethod
    def of(cls, playlist: Path) -> "_Listed":
        text = playlist.read_text(encoding="utf-8")
        names = [line for line in text.splitlines() if line and line[0] != "#"]
        init = _INIT.search(text)
        return cls(
            segments=[playlist.with_name(name) for name in names],
            seconds=[float(told) for told in re.findall(r"#EXTINF:([\d.]+)", text)],
            init=playlist.with_name(init[1]) if init else None,
            encrypted="#EXT-X-KEY:METHOD=AES-128" in text,
        )


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """The times of a stream, in ticks of its timescale, and what its segments say of codecs."""

    timescale: int
    ticks: Sequence[int]
    start: int = 0
    zero: int = 0
    codecs: tuple[str, ...] = ()
    key_frames: tuple[KeyFrame, ...] = ()
    key_id: str = ""


def _clock(listed: _Listed, kind: StreamKind) -> _Clock:
    if listed.encrypted:
        return _Clock(timescale=_CLOCK, ticks=[round(one * _CLOCK) for one in listed.seconds])
    if listed.init:
        return _clock_of_mp4(listed.init, listed.segments, kind)
    return _clock_of_ts(listed, kind)


def _clock_of_mp4(init: Path, segments: Sequence[Path], kind: StreamKind) -> _Clock:
    tracks = mp4.tracks(init.read_bytes())
    picture = kind is StreamKind.VIDEO
    track = next((one for one in tracks if one.picture is picture), None)
    if track is None:
        raise ValueError(f"there is no {kind} in it")
    parts = [mp4.fragments(path, track) for path in segments]
    ticks = [sum(one.ticks for one in part) for part in parts]
    key_frames = [
        KeyFrame(segment=number, offset=0, bytes=part[0].first_end, ticks=length)
        for number, (part, length) in enumerate(zip(parts, ticks, strict=True))
    ]
    # the picture first, whatever the order of the tracks
    names = sorted(tracks, key=lambda one: not one.picture)
    return _Clock(
        timescale=track.timescale,
        ticks=ticks,
        start=parts[0][0].shown,
        zero=track.zero,
        codecs=tuple(one.codec for one in names) if all(one.codec for one in names) else (),
        key_frames=tuple(key_frames) if picture and not track.key_id else (),
        key_id=track.key_id,
    )


def _clock_of_ts(listed: _Listed, kind: StreamKind) -> _Clock:
    picture = kind is StreamKind.VIDEO
    ticks = [round(one * _CLOCK) for one in listed.seconds]
    first = listed.segments[0].read_bytes()
    streams = sorted(ts.streams(first), key=lambda one: not one.picture)
    stream = next((one for one in streams if one.picture is picture), None)
    if stream is None:
        raise ValueError(f"there is no {kind} in it")
    start = next(ts.units(first, stream.pid)).shown
    return _Clock(
        timescale=_CLOCK,
        ticks=ticks,
        start=start,
        zero=start,
        codecs=tuple(one.codec for one in streams) if all(one.codec for one in streams) else (),
        key_frames=tuple(_key_frames(listed, stream.pid, start + sum(ticks))) if picture else (),
    )


def _key_frames(listed: _Listed, pid: int, end: int) -> Iterator[KeyFrame]:
    """Yield the key frames of a picture that ends with tick `end`."""
    units = [
        (number, unit)
        for number, path in enumerate(listed.segments)
        for unit in ts.units(path.read_bytes(), pid)
        if unit.key
    ]
    ends = [unit.shown for _, unit in units[1:]] + [end]
    for (number, unit), until in zip(units, ends, strict=True):
        yield KeyFrame(
            segment=number,
            offset=unit.offset,
            bytes=unit.end - unit.offset,
            ticks=until - unit.shown,
        )


def _probed_codecs(media: MediaInfo) -> tuple[str, ...]:
    """Return the codecs as ffprobe names them, none where it does not name them all."""
    pictures = [one.index for one in media.videos[:1]]
    indexes = [*pictures, *(one.index for one in media.audios[:1])]
    streams: list[dict[str, object]] = list(media.probe.get("streams", ()))
    names = {one.get("index"): str(one.get("mime_codec_string") or "") for one in streams}
    found = tuple(names.get(index, "") for index in indexes)
    return found if all(found) else ()
