"""Playlists for scrubbing: of key frames, and of sheets of small pictures. Pure.

RFC 8216, 4.3.3.6 (EXT-X-I-FRAMES-ONLY); image playlists as Roku defines them
(EXT-X-IMAGES-ONLY, EXT-X-TILES).
"""

import posixpath
from collections.abc import Iterable

from activities.packaging.streams import Stream

#: byte ranges are of version 4; lists of key frames may have an EXT-X-MAP since version 5
_VERSION, _VERSION_WITH_MAP = 4, 5


def key_frame_uri(stream: Stream) -> str:
    """Return the URI of a stream's list of key frames, relative to the master playlist."""
    return key_frame_list(stream.uri)


def key_frame_list(uri: str) -> str:
    """Return the URI of the list of key frames beside a playlist."""
    return posixpath.splitext(uri)[0] + "-iframes.m3u8"


def key_frame_playlist(stream: Stream) -> str:
    """Return the list of the key frames of a picture; it lies beside the stream's playlist."""
    scale = stream.timescale
    longest = max(one.ticks for one in stream.key_frames) / scale
    lines = [
        f"#EXT-X-VERSION:{_VERSION_WITH_MAP if stream.init else _VERSION}",
        f"#EXT-X-TARGETDURATION:{_target(longest)}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-I-FRAMES-ONLY",
    ]
    if stream.init:
        lines.append(f'#EXT-X-MAP:URI="{stream.init}"')
    for one in stream.key_frames:
        lines += [
            f"#EXTINF:{one.ticks / scale:.6f},",
            f"#EXT-X-BYTERANGE:{one.bytes}@{one.offset}",
            stream.name(one.segment),
        ]
    return _list(lines)


def image_playlist(stream: Stream) -> str:
    """Return the list of the sheets of an image track."""
    tiles = stream.tiles
    assert tiles is not None
    lines = [
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{_target(float(stream.longest))}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    for number, segment in enumerate(stream.segments):
        lines += [
            f"#EXTINF:{segment.ticks / stream.timescale:.6f},",
            f"#EXT-X-TILES:RESOLUTION={stream.width}x{stream.height},"
            f"LAYOUT={tiles.columns}x{tiles.rows},DURATION={float(tiles.seconds):.6f}",
            stream.name(number),
        ]
    return _list(lines)


def _target(longest: float) -> int:
    """Return the target duration: no segment is longer when rounded (RFC 8216, 4.3.3.1)."""
    return max(1, int(longest + 0.5))


def _list(lines: Iterable[str]) -> str:
    return "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST"]) + "\n"
