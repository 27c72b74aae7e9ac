"""HLS playlists as ffmpeg's muxers write them: final names, and further tags for each segment.

Specification: transcode, 12; topology, 11.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from activities.transcode.model.naming import part_key

_SEQUENCE = "#EXT-X-MEDIA-SEQUENCE:"
_NO_TARGET = "#EXT-X-TARGETDURATION:0"
#: the initialization segment of fragments of an mp4
_MAP = re.compile(r'#EXT-X-MAP:URI="([^"]*)"')


def playlist_files(text: str) -> list[str]:
    """Return the names of the files that a playlist of neutral names refers to, in order."""
    lines = text.splitlines()
    return [*_MAP.findall(text), *(line for line in lines if is_uri(line))]


def named_playlist(text: str, playlist_key: str, tags: Sequence[Sequence[str]] = ()) -> str:
    """Return a playlist of neutral names with the segments' final names, marked as complete.

    Characters that would end or change a relative URI (`%`, `#`, `?`, `:`, backslash) are
    percent-encoded; everything else stays readable, since players and ffmpeg take it as it is.
    `tags` are further lines for each segment, right before its name.
    """
    name = playlist_key.rpartition("/")[2]
    number, lines = 0, list[str]()
    # a tag of old that ffmpeg's segment muxer writes; its hls muxer writes this one
    for line in text.replace("#EXT-X-ALLOW-CACHE:YES", "#EXT-X-PLAYLIST-TYPE:VOD").splitlines():
        if line.startswith(_SEQUENCE):
            # the hls muxer counts as the names do, the segment muxer from 0
            line = f"{_SEQUENCE}1"
        if line == _NO_TARGET:  # of less than half a second; players take none for a fault
            line = "#EXT-X-TARGETDURATION:1"
        if is_uri(line):
            lines += tags[number] if tags else ()
            number += 1
            line = _uri(segment_key(name, number, PurePath(line).suffix))
        elif map_ := _MAP.match(line):
            suffix = map_[1].rpartition("-")[2]
            line = f'#EXT-X-MAP:URI="{_uri(part_key(name, f"-{suffix}"))}"'
        lines.append(line)
    return "\n".join(lines) + "\n"


def with_longer_first(text: str, seconds: float) -> str:
    """Return a playlist whose first segment is longer by so many seconds."""
    length = re.search(r"^#EXTINF:([\d.]+)", text, re.M)
    target = re.search(r"^#EXT-X-TARGETDURATION:(\d+)", text, re.M)
    if length is None or target is None:
        return text
    whole = float(length[1]) + seconds
    text = text.replace(length[0], f"#EXTINF:{whole:.6f}", 1)
    most = max(int(target[1]), math.floor(whole + 0.5))
    return text.replace(target[0], f"#EXT-X-TARGETDURATION:{most}", 1)


def is_uri(line: str) -> bool:
    """Whether a line of a playlist names a segment."""
    return bool(line) and not line.startswith("#")


def _uri(name: str) -> str:
    return "".join(quote(char, safe="") if char in "%#?:\\" else char for char in name)


def segment_key(playlist_key: str, number: int, extension: str = ".ts") -> str:
    """Return the key of a segment: the playlist's stem and `-00001.ts`, counted from 1."""
    return part_key(playlist_key, f"-{number:05}{extension}")


def segment_tags(path: Path, *, md5: bool, size: bool) -> Iterator[str]:
    """Yield the lines of a playlist that tell the digest and the bytes of a segment."""
    if md5:
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        yield f"#EXT-X-TS-MD5:{digest}"
    if size:
        yield f"#EXT-X-TS-SIZE:{path.stat().st_size}"
