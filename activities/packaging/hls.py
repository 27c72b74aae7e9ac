"""The master playlist of an HLS package, written from what is measured. Pure.

Specification: topology, 5.4; RFC 8216, 4.3.4, with VIDEO-RANGE and CHANNELS of its successor
(draft-pantos-hls-rfc8216bis), and the image playlists of Roku.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.packaging.streams import Member, SegmentFormat, Stream, StreamKind, bit_rates
from activities.packaging.trick import key_frame_uri

#: versions of the protocol: EXT-X-MEDIA is of 4; 6 has EXT-X-MAP in lists of whole segments
_VERSION, _VERSION_OF_FMP4 = 4, 6
_TYPES = {StreamKind.AUDIO: "AUDIO", StreamKind.SUBTITLES: "SUBTITLES"}


@dataclass(frozen=True, kw_only=True)
class MasterPlaylist:
    """The text of a master playlist, and what its author should know of it, in sentences."""

    text: str
    warnings: Sequence[str]


def master_playlist(members: Sequence[Member]) -> MasterPlaylist:
    """Return the list over the streams of a package, at least one of them a picture.

    Each kind keeps the order of `members`; players begin with the first picture. A picture is
    listed once, with the groups that its Member names.
    """
    pictures = _of(members, StreamKind.VIDEO)
    media = [*_of(members, StreamKind.AUDIO), *_of(members, StreamKind.SUBTITLES)]
    fmp4 = any(one.stream.segment_format is SegmentFormat.FMP4 for one in members)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION_OF_FMP4 if fmp4 else _VERSION}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        *(_media(one) for one in media),
    ]
    warnings: list[str] = []
    for picture in pictures:
        variant = _Variant.of(picture, media)
        lines += [variant.tag(), picture.stream.uri]
        warnings += variant.warnings()
    lines += [_key_frames(one.stream) for one in pictures if one.stream.key_frames]
    lines += [_images(one.stream) for one in _of(members, StreamKind.IMAGES)]
    return MasterPlaylist(text="\n".join(lines) + "\n", warnings=warnings)


def _of(members: Sequence[Member], kind: StreamKind) -> list[Member]:
    return [one for one in members if one.stream.kind is kind]


def _media(member: Member) -> str:
    """Return the EXT-X-MEDIA of sound or subtitles."""
    kind = member.stream.kind
    channels = member.stream.channels
    return _tag(
        "EXT-X-MEDIA",
        ("TYPE", _TYPES[kind]),
        ("GROUP-ID", _quoted(member.group)),
        ("NAME", _quoted(member.name)),
        ("LANGUAGE", _quoted(member.language)),
        ("DEFAULT", "YES" if member.default else "NO"),
        # what is the default is selected by itself as well
        ("AUTOSELECT", "YES" if member.autoselect or member.default else "NO"),
        ("FORCED", "NO" if kind is StreamKind.SUBTITLES else ""),
        ("CHANNELS", _quoted(str(channels)) if channels and kind is StreamKind.AUDIO else ""),
        ("URI", _quoted(member.stream.uri)),
    )


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """A picture with the sound and the subtitles that it is played with."""

    picture: Member
    sounds: Sequence[Stream]
    subtitles: Sequence[Stream]

    @classmethod
    def of(cls, picture: Member, media: Sequence[Member]) -> "_Variant":
        def group(kind: StreamKind, name: str) -> list[Stream]:
            both = (kind, name)
            return [one.stream for one in media if (one.stream.kind, one.group) == both]

        return cls(
            picture=picture,
            sounds=group(StreamKind.AUDIO, picture.audio),
            subtitles=group(StreamKind.SUBTITLES, picture.subtitles),
        )

    @property
    def peak(self) -> int:
        """Bits per second of the picture with the largest of each group."""
        groups = (self.sounds, self.subtitles)
        return self.picture.stream.peak_bps + sum(
            max((one.peak_bps for one in group), default=0) for group in groups
        )

    @property
    def average(self) -> int:
        groups = (self.sounds, self.subtitles)
        return self.picture.stream.average_bps + sum(
            max((one.average_bps for one in group), default=0) for group in groups
        )

    @property
    def codecs(self) -> str:
        every = (self.picture.stream, *self.sounds)
        if not all(one.codecs for one in every):
            return ""  # half of them would be wrong
        return ",".join(dict.fromkeys(codec for one in every for codec in one.codecs))

    def tag(self) -> str:
        """Return the EXT-X-STREAM-INF."""
        stream = self.picture.stream
        rate = f"{float(stream.frame_rate):.3f}" if stream.frame_rate else ""
        return _tag(
            "EXT-X-STREAM-INF",
            ("BANDWIDTH", str(self.peak)),
            ("AVERAGE-BANDWIDTH", str(self.average)),
            ("CODECS", _quoted(self.codecs)),
            ("RESOLUTION", _resolution(stream)),
            ("FRAME-RATE", rate),
            ("VIDEO-RANGE", str(stream.video_range)),
            # a group without members must not be named
            ("AUDIO", _quoted(self.picture.audio) if self.sounds else ""),
            ("SUBTITLES", _quoted(self.picture.subtitles) if self.subtitles else ""),
            ("CLOSED-CAPTIONS", "NONE"),
        )

    def warnings(self) -> Iterator[str]:
        limit = self.picture.limit_bps
        if limit is not None and self.peak > limit:
            yield (
                f"{self.picture.stream.uri} needs {self.peak} bit/s at its peak, more than its "
                f"BandWidth of {limit}; the master playlist tells what it needs."
            )


def _key_frames(stream: Stream) -> str:
    """Return the EXT-X-I-FRAME-STREAM-INF of a picture."""
    scale = stream.timescale
    peak, average = bit_rates((one.ticks / scale, one.bytes) for one in stream.key_frames)
    return _tag(
        "EXT-X-I-FRAME-STREAM-INF",
        ("BANDWIDTH", str(peak)),
        ("AVERAGE-BANDWIDTH", str(average)),
        ("CODECS", _quoted(stream.codecs[0] if stream.codecs else "")),
        ("RESOLUTION", _resolution(stream)),
        ("VIDEO-RANGE", str(stream.video_range)),
        ("URI", _quoted(key_frame_uri(stream))),
    )


def _images(stream: Stream) -> str:
    """Return Roku's EXT-X-IMAGE-STREAM-INF; RESOLUTION is that of one picture of a sheet."""
    return _tag(
        "EXT-X-IMAGE-STREAM-INF",
        ("BANDWIDTH", str(stream.peak_bps)),
        ("RESOLUTION", _resolution(stream)),
        ("CODECS", _quoted("jpeg")),
        ("URI", _quoted(stream.uri)),
    )


def _resolution(stream: Stream) -> str:
    """Return the size at which a picture is shown: pixels that are not square widen it."""
    if stream.width is None or stream.height is None:
        return ""
    return f"{round(stream.width * stream.sar)}x{stream.height}"


def _tag(name: str, *attributes: tuple[str, str]) -> str:
    """Return a tag with those of its attributes that have a value."""
    return f"#{name}:" + ",".join(f"{key}={value}" for key, value in attributes if value)


def _quoted(text: str) -> str:
    """Return a quoted string; quotes and line ends cannot stand in one (RFC 8216, 4.2)."""
    plain = "".join(" " if char in "\r\n" else "'" if char == '"' else char for char in text)
    return f'"{plain}"' if plain else ""
