"""A finished stream of a package: all that the lists over streams need to know of it. Pure.

`measure.py` makes these records of files; they travel as JSON in the result of the stream's step,
so that `hls.py`, `dash.py` and `trick.py` write their lists without reading a segment. What the
topology says of a stream (group, language, name) is joined to it in a `Member`.
Specification: topology, 5.4.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from workflow_engine.records import Json

#: the place of the number in a template of names, as DASH has it (ISO 23009-1, 5.3.9.4.4)
_NUMBER = re.compile(r"\$Number(?:%0(\d+)d)?\$")


class StreamKind(StrEnum):
    """What a stream is for."""

    #: pictures, maybe with sound of their own
    VIDEO = "video"
    #: sound alone
    AUDIO = "audio"
    #: WebVTT
    SUBTITLES = "subtitles"
    #: sheets of small pictures, for the time line of players
    IMAGES = "images"


class SegmentFormat(StrEnum):
    """What the segments of a stream are; the values are the extensions of their names."""

    #: MPEG transport stream
    TS = "ts"
    #: fragments of an mp4, after an initialization segment
    FMP4 = "m4s"
    #: WebVTT: in segments for HLS, as one file for DASH
    VTT = "vtt"
    #: JPEG
    JPEG = "jpg"


class VideoRange(StrEnum):
    """The dynamic range of a picture, by the words of HLS (RFC 8216bis, 4.4.6.2)."""

    SDR = "SDR"
    HLG = "HLG"
    PQ = "PQ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment: how long it is, in ticks of the stream's timescale, and its size in bytes."""

    ticks: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyFrame:
    """A key frame: the bytes of a segment (from 0) that it can be decoded from alone.

    `ticks` is how long it is shown in a list of key frames: until the next one.
    """

    segment: int
    offset: int
    bytes: int
    ticks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiles:
    """The layout of a sheet of pictures, and the seconds that each of them stands for."""

    columns: int
    rows: int
    seconds: Fraction


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of segments that lie beside their playlist.

    `uri` is the playlist, relative to the directory of the master playlist. Segments are called
    after it, `<stem>-00001.<format>`, and so is the initialization segment, `<stem>-init.mp4`;
    `media` is a template for others ("sheet-$Number$.jpg", relative to the playlist), whose first
    number is `first`.

    `codecs` are those of RFC 6381. `peak_bps` and `average_bps` are measured over whole segments
    (RFC 8216, 4.3.4.2). `width` and `height` are in pixels, of IMAGES those of one picture; `sar`
    is the shape of a pixel. Times are in ticks of `timescale` (1/s) on the stream's own clock:
    `start` is that of the first picture or sample, `zero` that of the moment 0 of the film, before
    which encoders put what decoders drop (MPEG-TS does not tell: it is `start` there). `key_id`,
    of 32 hexadecimal digits, is that of the key with which fragments are encrypted, by the scheme
    `cbcs`.
    """

    kind: StreamKind
    uri: str
    segment_format: SegmentFormat
    timescale: int
    segments: tuple[Segment, ...]
    peak_bps: int
    average_bps: int
    codecs: tuple[str, ...] = ()
    start: int = 0
    zero: int = 0
    media: str = ""
    first: int = 1
    width: int | None = None
    height: int | None = None
    sar: Fraction = Fraction(1)
    frame_rate: Fraction | None = None
    video_range: VideoRange = VideoRange.SDR
    channels: int | None = None
    sample_rate: int | None = None
    key_frames: tuple[KeyFrame, ...] = ()
    tiles: Tiles | None = None
    key_id: str = ""

    @property
    def stem(self) -> str:
        """What the names of the stream's files begin with, without a directory."""
        return posixpath.basename(self.uri).rpartition(".")[0]

    @property
    def template(self) -> str:
        """The names of the segments as a template of DASH, relative to the playlist."""
        return self.media or f"{self.stem}-$Number%05d$.{self.segment_format}"

    @property
    def init(self) -> str | None:
        """The name of the initialization segment, relative to the playlist."""
        return f"{self.stem}-init.mp4" if self.segment_format is SegmentFormat.FMP4 else None

    @property
    def seconds(self) -> Fraction:
        """How long all segments are together."""
        return Fraction(sum(segment.ticks for segment in self.segments), self.timescale)

    @property
    def longest(self) -> Fraction:
        """The seconds of the longest segment."""
        return Fraction(max(segment.ticks for segment in self.segments), self.timescale)

    def name(self, segment: int) -> str:
        """Return the name of a segment, counted from 0, relative to the playlist."""
        number = self.first + segment

        def filled(place: re.Match[str]) -> str:
            return f"{number:0{place[1] or 1}d}"

        return _NUMBER.sub(filled, self.template).replace("$$", "$")

    def beside(self, name: str) -> str:
        """Return a name that is relative to the playlist as one relative to the master."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.uri), name))

    def to_json(self) -> dict[str, Json]:
        """Return the record as JSON; fractions are strings, `4/3`."""
        optional: dict[str, Json] = {
            "Media": self.media or None,
            "KeyId": self.key_id or None,
            "Width": self.width,
            "Height": self.height,
            "FrameRate": str(self.frame_rate) if self.frame_rate else None,
            "Channels": self.channels,
            "SampleRate": self.sample_rate,
            "KeyFrames": [[k.segment, k.offset, k.bytes, k.ticks] for k in self.key_frames] or None,
            "Tiles": [self.tiles.columns, self.tiles.rows, str(self.tiles.seconds)]
            if self.tiles
            else None,
        }
        return {
            "Kind": str(self.kind),
            "URI": self.uri,
            "Format": str(self.segment_format),
            "Timescale": self.timescale,
            "Segments": [[segment.ticks, segment.bytes] for segment in self.segments],
            "Peak": self.peak_bps,
            "Average": self.average_bps,
            "Codecs": list(self.codecs),
            "Start": self.start,
            "Zero": self.zero,
            "First": self.first,
            "SAR": str(self.sar),
            "VideoRange": str(self.video_range),
            **{name: value for name, value in optional.items() if value is not None},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> "Stream":
        """Read what `to_json` has written."""
        tiles, rate = record.get("Tiles"), record.get("FrameRate")
        return cls(
            kind=StreamKind(record["Kind"]),
            uri=record["URI"],
            segment_format=SegmentFormat(record["Format"]),
            timescale=record["Timescale"],
            segments=tuple(Segment(ticks=ticks, bytes=size) for ticks, size in record["Segments"]),
            peak_bps=record["Peak"],
            average_bps=record["Average"],
            codecs=tuple(record["Codecs"]),
            start=record["Start"],
            zero=record["Zero"],
            media=record.get("Media", ""),
            key_id=record.get("KeyId", ""),
            first=record["First"],
            width=record.get("Width"),
            height=record.get("Height"),
            sar=Fraction(record["SAR"]),
            frame_rate=Fraction(rate) if rate else None,
            video_range=VideoRange(record["VideoRange"]),
            channels=record.get("Channels"),
            sample_rate=record.get("SampleRate"),
            key_frames=tuple(
                KeyFrame(segment=segment, offset=offset, bytes=size, ticks=ticks)
                for segment, offset, size, ticks in record.get("KeyFrames", ())
            ),
            tiles=Tiles(columns=tiles[0], rows=tiles[1], seconds=Fraction(tiles[2]))
            if tiles
            else None,
        )


@dataclass(frozen=True, kw_only=True)
class Member:
    """A stream and what the topology says of it.

    HLS: `group` is the GroupId that the stream belongs to (sound and subtitles), `name` what
    players show, `language` a tag of RFC 5646; `audio` and `subtitles` are the groups that a
    picture is played with, `limit_bps` the BandWidth that it may have with them.
    DASH: `group` is the Group of the AdaptationSet, `id` the Id of the Representation. Sound and
    subtitles with different names or languages are in different AdaptationSets.
    """

    stream: Stream
    group: str = ""
    id: str = ""
    name: str = ""
    language: str = ""
    default: bool = False
    autoselect: bool = True
    audio: str = ""
    subtitles: str = ""
    limit_bps: int | None = None


def bit_rates(sizes: Iterable[tuple[float, int]]) -> tuple[int, int]:
    """Return the peak and the average bit rate of segments, each given by its seconds and bytes.

    The peak is that of any run of segments that lasts 0.5 to 1.5 target durations, where there is
    one (RFC 8216, 4.1); both in bit/s, rounded up.
    """
    rows = list(sizes)
    whole = sum(seconds for seconds, _ in rows)
    average = sum(size for _, size in rows) * 8 / whole
    target = max(1.0, float(round(max(seconds for seconds, _ in rows))))
    peak = average
    for begin in range(len(rows)):
        seconds, size = 0.0, 0
        for length, more in rows[begin:]:
            seconds, size = seconds + length, size + more
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target:
                peak = max(peak, size * 8 / seconds)
    return -int(-peak // 1), -int(-average // 1)
