"""What is in a media file: ffprobe's answer, typed.

`MediaInfo.of` probes a file; `pictures` tells still ones from those that move, `animation` reads
what ffprobe does not, `streams` reads single streams, `properties` gives the wire form
of specification, mediainfo, 2, `completeness` tells whether the file was cut off, `ends` when
each stream ends, `fields` whether frames hold two fields, `shapes` when pixels change theirs,
`raw` describes sound that does not say what it is, and `sizes` refuses pictures without a size.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from activities import ffmpeg
from activities.probe.animation import read_animation
from activities.probe.choice import best_audio, best_video
from activities.probe.completeness import counts_its_frames, missing_bytes
from activities.probe.counting import counted
from activities.probe.ends import WITHOUT_ENDS, stream_ends
from activities.probe.fields import measured_fields
from activities.probe.pictures import opening, still_kind
from activities.probe.properties import properties
from activities.probe.raw import RAW_FORMATS, RawSound
from activities.probe.shapes import pixel_shapes
from activities.probe.sizes import LONGER_LOOK, require_size
from activities.probe.streams import (
    AudioStream,
    SubtitleStream,
    VideoStream,
    audio_stream,
    is_picture,
    kilobits,
    subtitle_stream,
    video_stream,
)
from activities.probe.values import duration, number, section, sections, whole
from workflow_engine.records import Json

__all__ = [
    "RAW_FORMATS",
    "AudioStream",
    "MediaInfo",
    "RawSound",
    "SubtitleStream",
    "VideoStream",
    "missing_bytes",
]

#: streams that are kept: a file may claim a thousand
_MAX_STREAMS = 64
#: characters of one tag: a file may carry a book
_MAX_TAG = 256

#: demuxers that guess the duration from the bit rate, or have none
_GUESSED_DURATION = frozenset(
    {"aac", "ac3", "amr", "eac3", "h264", "hevc", "m4v", "mjpeg", "mp3", "mpegvideo"}
)

_FORMAT_KEYS = (
    *("nb_streams", "nb_programs", "format_name", "format_long_name", "start_time"),
    *("duration", "size", "bit_rate"),
)
_STREAM_KEYS = (
    *("index", "id", "codec_name", "codec_long_name", "profile", "codec_type", "codec_tag_string"),
    *("codec_tag", "mime_codec_string", "width", "height", "has_b_frames"),
    *("sample_aspect_ratio", "display_aspect_ratio", "pix_fmt", "level", "field_order"),
    *("color_range", "color_space", "color_transfer", "color_primaries", "r_frame_rate"),
    *("avg_frame_rate", "time_base", "start_time", "duration", "bit_rate", "nb_frames"),
    *("sample_fmt", "sample_rate", "channels", "channel_layout"),
)
_TAGS = ("language", "rotate", "BPS", "BPS-eng", "DURATION")
_SIDE_DATA = ("rotation", "dv_profile", "dv_level", "dv_bl_signal_compatibility_id")
_DISPOSITIONS = ("default", "attached_pic", "timed_thumbnails")


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """A probed media file. `duration` is in seconds, `size` in bytes; None means unknown.

    `guessed` means that the duration comes from the bit rate of the first frames. `opened` are the
    options of ffmpeg that the file is opened with.
    `probe` is the part of ffprobe's JSON that everything else is read from.
    """

    probe: Mapping[str, Json] = field(repr=False)
    format_name: str
    duration: float | None
    guessed: bool
    start_time: float
    size: int
    bitrate_kbps: float | None
    videos: tuple[VideoStream, ...]
    audios: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    opened: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        raw: RawSound | None = None,
        ends: bool = False,
        playlists: bool = False,
        timeout: float = 60,
        cancel: threading.Event | None = None,
    ) -> "MediaInfo":
        """Probe a local file; `playlists` allows HLS lists that mediaflow wrote itself.

        `raw` says what the sound of a file without any description is. With `ends`, streams get
        a duration and an order of fields of their own also where that takes reading packets or
        decoding some seconds.

        Raises ActivityError when it cannot be used: unreadable, a list of other files, no audio
        and no video, pictures without a size, or of no length (specification, mediainfo, 3); with
        `ends`, also for a still picture.
        """
        ffmpeg.require_file(path, playlists=playlists)
        if ends and not raw and (kind := still_kind(path)):
            raise ffmpeg.still_picture(kind)
        animation = None if raw else read_animation(path)

        def look(opened: Mapping[str, str] | None) -> MediaInfo:
            answer = (
                animation.probe(path.stat().st_size)
                if animation
                else ffmpeg.probe_json(
                    path, opened=opened, playlists=playlists, timeout=timeout, cancel=cancel
                )
            )
            probe = _trimmed(answer)
            if opened:
                probe["opened"] = dict(opened)
            if not raw and counts_its_frames(path):
                probe["counted"] = True
            return cls.parse(probe)

        media = look(raw.options if raw else opening(path))
        if media.videos and not any(one.sized for one in media.videos) and not media.still:
            longer = look(LONGER_LOOK)
            media = longer if any(one.sized for one in longer.videos) else media
            require_size(path, media.videos, heard=bool(media.audios), cancel=cancel)
        if ends and media.lacks_ends and not raw:
            media = media._with_ends(path, cancel)
        if not media.videos and not media.audios:
            raise ffmpeg.content_bad("it has neither a video nor an audio stream")
        if ends and media.duration == 0:
            raise ffmpeg.content_bad("its duration is 0")
        return media._measured(path, cancel) if ends and not media.still else media

    def _with_ends(self, path: Path, cancel: threading.Event | None) -> "MediaInfo":
        indexes = [stream.index for stream in (*self.videos, *self.audios)]
        whole_file = self.start_time + self.duration if self.duration else None
        pictures = {one.index: one for one in self.videos if one.reordered_lengths}
        end_of = stream_ends(path, indexes, whole_file, bare=pictures, cancel=cancel)
        if end_of is None:
            return self
        if not end_of:
            raise ffmpeg.content_bad("its duration is 0")
        ends: dict[str, Json] = {}
        for index, end in end_of.items():
            seconds = end - self.start_time
            if index in pictures:
                seconds = _last_picture_ends(pictures[index], seconds)
            ends[str(index)] = round(seconds, 6)
        return self.parse({**self.probe, "ends": ends})

    def _measured(self, path: Path, cancel: threading.Event | None) -> "MediaInfo":
        fields: dict[str, Json] = {}
        shapes: dict[str, Json] = {}
        for stream in self.videos:
            found = measured_fields(
                path, stream, self.duration, opened=dict(self.opened), cancel=cancel
            )
            if found:
                fields[str(stream.index)] = asdict(found)
            changed = pixel_shapes(
                path,
                stream,
                start_time=self.start_time,
                duration=self.duration,
                format_name=self.format_name,
                cancel=cancel,
            )
            if changed:
                shapes[str(stream.index)] = [list(one) for one in changed]
        measured = {
            **({"fields": fields} if fields else {}),
            **({"shapes": shapes} if shapes else {}),
        }
        return self.parse({**self.probe, **measured}) if measured else self

    @classmethod
    def parse(cls, probe: Mapping[str, Json]) -> "MediaInfo":
        """Read ffprobe's JSON."""
        container = section(probe.get("format"))
        streams = sections(probe.get("streams"))
        ends = section(probe.get("ends"))
        origin = number(container.get("start_time")) or 0.0
        if ends or container.get("format_name") in WITHOUT_ENDS:
            # what ffprobe gives to every stream is the duration of the file
            streams = [
                {**s, "start_time": origin, "duration": ends.get(str(s.get("index")))}
                for s in streams
            ]
        audio = [s for s in streams if s.get("codec_type") == "audio"]
        video = [s for s in streams if s.get("codec_type") == "video"]
        subtitles = [s for s in streams if s.get("codec_type") == "subtitle"]
        spare = _spare_kilobits(container, audio, video)
        length = duration(container.get("duration"))
        fields, shapes = section(probe.get("fields")), section(probe.get("shapes"))
        return cls(
            probe=probe,
            format_name=str(container.get("format_name", "")),
            duration=_last(ends, length),
            guessed=container.get("format_name") in _GUESSED_DURATION and not probe.get("counted"),
            start_time=origin,
            size=whole(container.get("size")),
            bitrate_kbps=kilobits(container),
            # the position counts attached pictures too, as ffmpeg's 0:v:n does
            videos=tuple(
                video_stream(
                    s,
                    position,
                    origin,
                    spare,
                    section(fields.get(str(s.get("index")))),
                    shapes.get(str(s.get("index"))),
                )
                for position, s in enumerate(video)
                if not is_picture(s)
            ),
            audios=tuple(audio_stream(s, position, origin) for position, s in enumerate(audio)),
            subtitles=tuple(subtitle_stream(s, n) for n, s in enumerate(subtitles)),
            opened=tuple((k, str(v)) for k, v in section(probe.get("opened")).items()),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "MediaInfo":
        """Read what `to_json` wrote: the `data` of Start's result."""
        return cls.parse(section(data.get("Probe")))

    def to_json(self) -> dict[str, Json]:
        """Return the wire form under `Properties`, and under `Probe` what `from_json` needs."""
        return {"Properties": self.properties(), "Probe": dict(self.probe)}

    def counted(
        self,
        path: Path,
        *,
        playlists: bool = False,
        cancel: threading.Event | None = None,
    ) -> "MediaInfo":
        """Return this info with what the packets of its file tell: numbers, rates, network costs.

        Without that where the file cannot be read to its end.
        """
        if not self.seekable:
            return self
        counts = counted(self.probe, path, playlists=playlists, cancel=cancel)
        return self if counts is None else self.parse({**self.probe, "packets": counts})

    def listed(self, size: int) -> "MediaInfo":
        """Return this info of joined segments as that of the playlist of `size` bytes.

        Its rates stay those of the segments.
        """
        return replace(self, probe={**self.probe, "playlist": {"size": str(size)}})

    def properties(self) -> dict[str, Json]:
        """Return the Properties of specification, mediainfo, 2: strings, missing ones left out."""
        return properties(self.probe)

    @property
    def lacks_ends(self) -> bool:
        """Whether its packets must be read to know when its streams end, or the file itself."""
        if not self.duration:
            return not self.still and not self.guessed
        if any(one.reordered_lengths for one in self.videos):
            return True
        streams = (*self.videos, *self.audios)
        unknown = any(one.duration is None for one in streams)
        return (unknown or self.format_name in WITHOUT_ENDS) and len(streams) > 1

    @property
    def still(self) -> bool:
        """Whether it is a picture and no film; ffprobe cannot tell the size of all of them."""
        return self.format_name.endswith("_pipe")

    @property
    def seekable(self) -> bool:
        """Whether it can be opened at a time, and its packets be listed; else its length is exact.

        All but animated WebP, of which ffprobe knows nothing.
        """
        return self.format_name != "webp"

    @property
    def video(self) -> VideoStream | None:
        """The picture of the film: see `choice.py`."""
        return best_video(self.videos, broadcast=self.format_name == "mpegts")

    @property
    def default_audio(self) -> AudioStream | None:
        """The sound of the film: see `choice.py`."""
        return best_audio(self.audios, self.video)


def _decodable(stream: Mapping[str, Json]) -> bool:
    codec, tag = stream.get("codec_name"), stream.get("codec_tag_string")
    # an encrypted track of mp4 is called like what is in it
    return tag not in ("enca", "encv") and isinstance(codec, str) and ffmpeg.decodes(codec)


def _last_picture_ends(stream: VideoStream, begin: float) -> float:
    """Return when a picture ends that begins at a second of the file, and is the last one."""
    declared = stream.end or 0.0
    return declared if declared > begin else begin + float(1 / stream.fps)


def _last(ends: Mapping[str, Json], length: float | None) -> float | None:
    """Return the length of a file: what it tells itself, or, before 0 and None, its last end."""
    known = (end for end in map(duration, ends.values()) if end is not None)
    return length or max(known, default=length)


def _spare_kilobits(
    container: Mapping[str, Json],
    audio: Sequence[Mapping[str, Json]],
    video: Sequence[Mapping[str, Json]],
) -> float | None:
    """Return what the container leaves for a video stream without a rate of its own, kbit/s."""
    total = kilobits(container)
    length = duration(container.get("duration"))
    if total is None and length:
        total = whole(container.get("size")) * 8 / length / 1000
    if not total:
        return None
    others = sum(kilobits(s) or 0 for s in (*audio, *video))
    return max(total - others, 0) or None


def _trimmed(answer: Mapping[str, Json]) -> dict[str, Json]:
    """Keep what is used: file names, and tags of any length, must not reach the store."""
    container = section(answer.get("format"))
    streams = sections(answer.get("streams"))[:_MAX_STREAMS]
    programs = {
        number(stream.get("index")): program.get("program_id")
        for program in sections(answer.get("programs"))
        for stream in sections(program.get("streams"))
    }
    return {
        "format": {k: container[k] for k in _FORMAT_KEYS if k in container},
        "streams": [
            _trimmed_stream(stream, programs.get(number(stream.get("index")))) for stream in streams
        ],
    }


def _trimmed_stream(stream: Mapping[str, Json], program: Json) -> dict[str, Json]:
    kept = {k: stream[k] for k in _STREAM_KEYS if k in stream}
    if program is not None:
        kept["program"] = program
    if stream.get("codec_type") in ("audio", "video") and not _decodable(stream):
        kept["undecodable"] = True
    tags, disposition = section(stream.get("tags")), section(stream.get("disposition"))
    kept["tags"] = {k: str(tags[k])[:_MAX_TAG] for k in _TAGS if k in tags}
    kept["disposition"] = {k: 1 for k in _DISPOSITIONS if disposition.get(k)}
    told = [
        {k: item[k] for k in _SIDE_DATA if k in item}
        for item in sections(stream.get("side_data_list"))
    ]
    kept["side_data_list"] = [item for item in told if item]
    return kept
