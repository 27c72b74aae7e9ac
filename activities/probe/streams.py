"""The streams of a media file, typed, from ffprobe's JSON (spec: mediainfo, 2).

What `values.py` reads may be missing; each stream then has None or a sane default. The frame rate
is that of `rates.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from activities.ffmpeg import MAX_PIXELS
from activities.probe.colour import Colour, ColourTags, colour_of
from activities.probe.rates import constant_rate, varies
from activities.probe.values import duration, number, ratio, section, sections, whole
from workflow_engine.records import Json

#: codecs of single pictures, of which some make films as well
PICTURE_CODECS = frozenset({"bmp", "jpegls", "mjpeg", "png", "tiff", "webp"})
#: frames of film, of those that telecine makes of them
_FILM = Fraction(4, 5)
#: seconds; a stream that begins later has its end in an mkv's tag, or its length: who knows
_LATE = 0.5


def own_duration(stream: Mapping[str, Json]) -> float | None:
    """Return the seconds of one stream: its own, or those of the tag that mkv and webm carry.

    The shorter ones count: of a single picture ffprobe tells the length of the whole file.
    """
    known = (duration(stream.get("duration")), _tagged_end(stream))
    return min((seconds for seconds in known if seconds is not None), default=None)


def _tagged_end(stream: Mapping[str, Json]) -> float | None:
    """Return the end of a stream by its tag, in seconds.

    ffmpeg writes the stream's end into the tag, other tools its length, so that the tag of a
    stream that begins late tells nothing.
    """
    tagged = section(stream.get("tags")).get("DURATION")
    parts = re.fullmatch(r"(\d{1,5}):(\d{2}):(\d{2}(?:\.\d{1,9})?)", str(tagged))
    if parts is None or (number(stream.get("start_time")) or 0.0) > _LATE:
        return None
    return duration(int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3]))


def begins(stream: Mapping[str, Json], origin: float) -> float:
    """Return the seconds by which a stream begins after the file does, at `origin`.

    0 where its duration is counted from the beginning of the file anyway.
    """
    start = number(stream.get("start_time"))
    return 0.0 if start is None or _tagged_end(stream) is not None else max(0.0, start - origin)


def kilobits(stream: Mapping[str, Json]) -> float | None:
    """Return a stream's own bit rate in kbit/s (1000), from the stream or its BPS tag."""
    tags = section(stream.get("tags"))
    for value in (stream.get("bit_rate"), tags.get("BPS"), tags.get("BPS-eng")):
        bits = number(value)
        if bits is not None and bits > 0:
            return bits / 1000
    return None


def rotation(stream: Mapping[str, Json]) -> int:
    """Return the clockwise degrees in [0, 360) by which a picture is to be shown turned."""
    tagged = number(section(stream.get("tags")).get("rotate"))
    if tagged is not None:
        return round(tagged) % 360
    for item in sections(stream.get("side_data_list")):
        turned = number(item.get("rotation"))
        if turned is not None:
            return round(360 - turned) % 360
    return 0


@dataclass(frozen=True, kw_only=True)
class VideoStream:
    """A video stream. `width` and `height` are coded pixels, before rotation and SAR.

    `index` counts all streams of the file, `position` the video streams (`0:v:position`).
    `bitrate_kbps` is the best that is known: the stream's own, else the container's without its
    audio, else file size by duration. `duration` is in seconds, None when unknown; it
    `begins` so many seconds after the file.
    `has_b_frames` is how many frames the decoder holds back to put them in order. `program` is that
    of a broadcast. `single` means that it is one picture, as a cover is; `varying` that its
    pictures come at varying times; `changes` from which second of the file on pixels have another
    shape than `sar`.

    `field_order` is ffprobe's: tt and bt show the top field first. `measured` means that it was
    seen in the pictures, and that their headers may tell another. With `pulldown` five frames hold
    four of film; `fps` is the film's.
    """

    index: int
    position: int
    codec: str
    width: int
    height: int
    sar: Fraction
    rotation: int
    fps: Fraction
    bitrate_kbps: float | None
    duration: float | None
    begins: float
    decodable: bool
    program: int | None
    single: bool
    varying: bool
    changes: tuple[tuple[float, Fraction], ...]
    pix_fmt: str
    field_order: str
    measured: bool
    pulldown: bool
    tags: ColourTags
    has_b_frames: int

    @property
    def end(self) -> float | None:
        """The second of the file at which it ends, None when unknown."""
        return None if self.duration is None else self.begins + self.duration

    @property
    def colour(self) -> Colour:
        """What the samples mean."""
        return colour_of(self.tags, self.width, self.height, self.codec)[0]

    @property
    def contradiction(self) -> str:
        """What the colour tags say that cannot be, empty when they are sound."""
        return colour_of(self.tags, self.width, self.height, self.codec)[1]

    @property
    def reordered_lengths(self) -> bool:
        """Whether the last packet may have the length of another picture, which may be seconds."""
        return self.varying and self.has_b_frames > 0

    @property
    def sized(self) -> bool:
        """Whether the picture has a size, and one that ffmpeg is allowed to decode."""
        return self.width > 0 and self.height > 0 and self.width * self.height <= MAX_PIXELS

    @property
    def interlaced(self) -> bool:
        """Whether frames hold two fields."""
        return self.field_order in ("tt", "bb", "tb", "bt")

    @property
    def coded_fps(self) -> Fraction:
        """Frames per second as they are coded, of telecined film too."""
        return self.fps / _FILM if self.pulldown else self.fps

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after rotation, before SAR."""
        turned = self.rotation % 180 == 90
        return (self.height, self.width) if turned else (self.width, self.height)

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown, in square pixels: height kept, width by SAR, rotated."""
        width = max(1, round(self.width * self.sar))
        turned = self.rotation % 180 == 90
        return (self.height, width) if turned else (width, self.height)


@dataclass(frozen=True, kw_only=True)
class AudioStream:
    """An audio stream; `index` counts all streams, `position` the audio ones (`0:a:position`)."""

    index: int
    position: int
    codec: str
    sample_rate: int
    channels: int
    bitrate_kbps: float | None
    duration: float | None
    begins: float
    decodable: bool
    program: int | None
    default: bool
    language: str
    sample_fmt: str

    @property
    def end(self) -> float | None:
        """The second of the file at which it ends, None when unknown."""
        return None if self.duration is None else self.begins + self.duration


@dataclass(frozen=True, kw_only=True)
class SubtitleStream:
    """A subtitle stream; `position` counts the subtitle streams (`0:s:position`)."""

    index: int
    position: int
    codec: str
    default: bool
    language: str


def _text(stream: Mapping[str, Json], key: str) -> str:
    """Return a word, empty for one that says nothing, or that no sentence can quote."""
    value = stream.get(key)
    return value if isinstance(value, str) and value.isprintable() and value != "unknown" else ""


def _language(stream: Mapping[str, Json]) -> str:
    return _text(section(stream.get("tags")), "language") or "und"


def _changes(shapes: Json) -> tuple[tuple[float, Fraction], ...]:
    listed = cast("list[Json]", shapes) if isinstance(shapes, list) else []
    pairs = [cast("list[Json]", one) for one in listed if isinstance(one, list)]
    read = [(number(pair[0]), ratio(pair[1])) for pair in pairs if len(pair) == 2]
    return tuple((time, sar) for time, sar in read if time is not None and sar is not None)


def is_picture(stream: Mapping[str, Json]) -> bool:
    """Whether a video stream is only an attached picture: cover art or a thumbnail."""
    disposition = section(stream.get("disposition"))
    return bool(disposition.get("attached_pic") or disposition.get("timed_thumbnails"))


def _program(stream: Mapping[str, Json]) -> int | None:
    return whole(stream["program"]) if "program" in stream else None


def _is_single(stream: Mapping[str, Json]) -> bool:
    frames, end = whole(stream.get("nb_frames")), own_duration(stream)
    if frames or stream.get("codec_name") not in PICTURE_CODECS:
        return frames == 1
    # some containers count no frames: a picture that nothing says more of is no film
    start = number(stream.get("start_time")) or 0.0
    return end is None or (end - start) * constant_rate(stream) < 2


def _colour_tags(stream: Mapping[str, Json]) -> ColourTags:
    dolby = next((s for s in sections(stream.get("side_data_list")) if "dv_profile" in s), None)
    return ColourTags(
        pix_fmt=_text(stream, "pix_fmt"),
        matrix=_text(stream, "color_space"),
        transfer=_text(stream, "color_transfer"),
        primaries=_text(stream, "color_primaries"),
        range=_text(stream, "color_range"),
        dolby_vision=whole(dolby.get("dv_profile")) if dolby else None,
        base=whole(dolby.get("dv_bl_signal_compatibility_id")) if dolby else None,
    )


def video_stream(
    stream: Mapping[str, Json],
    position: int,
    origin: float,
    bitrate_kbps: float | None,
    fields: Mapping[str, Json],
    shapes: Json,
) -> VideoStream:
    """Build a video stream of a file that begins at `origin`.

    `bitrate_kbps` stands in when the stream has none of its own; `fields` is what was measured of
    its fields, if anything, and `shapes` when its pixels change their shape.
    """
    pulldown = bool(fields.get("pulldown"))
    return VideoStream(
        index=whole(stream.get("index")),
        position=position,
        codec=_text(stream, "codec_name"),
        width=whole(stream.get("width")),
        height=whole(stream.get("height")),
        sar=ratio(stream.get("sample_aspect_ratio")) or Fraction(1),
        rotation=rotation(stream),
        fps=constant_rate(stream) * (_FILM if pulldown else 1),
        bitrate_kbps=kilobits(stream) or bitrate_kbps,
        duration=own_duration(stream),
        begins=begins(stream, origin),
        decodable=not stream.get("undecodable"),
        program=_program(stream),
        single=_is_single(stream),
        varying=varies(stream),
        changes=_changes(shapes),
        pix_fmt=_text(stream, "pix_fmt"),
        field_order=_text(fields, "order") or _text(stream, "field_order"),
        measured=bool(fields),
        pulldown=pulldown,
        tags=_colour_tags(stream),
        has_b_frames=whole(stream.get("has_b_frames")),
    )


def audio_stream(stream: Mapping[str, Json], position: int, origin: float) -> AudioStream:
    """Build an audio stream of a file that begins at `origin`."""
    return AudioStream(
        index=whole(stream.get("index")),
        position=position,
        codec=_text(stream, "codec_name"),
        sample_rate=whole(stream.get("sample_rate")),
        channels=whole(stream.get("channels")),
        bitrate_kbps=kilobits(stream),
        duration=own_duration(stream),
        begins=begins(stream, origin),
        decodable=not stream.get("undecodable"),
        program=_program(stream),
        default=bool(section(stream.get("disposition")).get("default")),
        language=_language(stream),
        sample_fmt=_text(stream, "sample_fmt"),
    )


def subtitle_stream(stream: Mapping[str, Json], position: int) -> SubtitleStream:
    """Build a subtitle stream."""
    return SubtitleStream(
        index=whole(stream.get("index")),
        position=position,
        codec=_text(stream, "codec_name"),
        default=bool(section(stream.get("disposition")).get("default")),
        language=_language(stream),
    )
