"""What ffprobe finds in a segment, or in bytes of it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffprobe_path


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A packet: seconds at which it is shown and how long, and whether it is a key frame."""

    shown: float
    seconds: float
    key: bool


@dataclass(frozen=True, kw_only=True)
class Part:
    """One stream of a segment; `codec` by RFC 6381."""

    kind: str
    codec: str
    packets: Sequence[Packet]
    width: int | None
    height: int | None
    sar: Fraction
    rate: Fraction | None
    sampling: int | None
    channels: int | None

    @property
    def begin(self) -> float:
        """When the first packet is shown."""
        return min(packet.shown for packet in self.packets)

    @property
    def end(self) -> float:
        """When the last packet has been shown."""
        return max(packet.shown + packet.seconds for packet in self.packets)

    @property
    def packet_seconds(self) -> float:
        """How long the longest packet lasts: times agree within it."""
        return max(packet.seconds for packet in self.packets)


#: what was found, by the files' identities: copies of a package are links, and probed once
_FOUND: dict[object, Sequence[Part]] = {}


def parts(
    segment: Path, init: Path | None = None, span: tuple[int, int] | None = None
) -> Sequence[Part]:
    """Return the streams of a segment, pictures first; `span` is the bytes from and to."""
    states = [path.stat() for path in (segment, init) if path]
    key = (*((state.st_ino, state.st_mtime_ns) for state in states), span)
    if key not in _FOUND:
        _FOUND[key] = _parts(segment, init, span)
    return _FOUND[key]


def _parts(segment: Path, init: Path | None, span: tuple[int, int] | None) -> Sequence[Part]:
    content = segment.read_bytes()[slice(*span)] if span else segment.read_bytes()
    told = _probed((init.read_bytes() if init else b"") + content)
    by_stream: dict[int, list[Packet]] = {}
    for packet in told["packets"]:
        by_stream.setdefault(packet["stream_index"], []).append(
            Packet(
                shown=float(packet.get("pts_time", "nan")),
                seconds=float(packet.get("duration_time", 0)),
                key="K" in packet["flags"],
            )
        )
    found = [
        Part(
            kind=stream["codec_type"],
            codec=stream.get("mime_codec_string", ""),
            packets=by_stream[stream["index"]],
            width=stream.get("width"),
            height=stream.get("height"),
            sar=_ratio(stream.get("sample_aspect_ratio")) or Fraction(1),
            rate=_ratio(stream.get("r_frame_rate")),
            sampling=int(stream["sample_rate"]) if "sample_rate" in stream else None,
            channels=stream.get("channels"),
        )
        for stream in told["streams"]
        if stream["index"] in by_stream
    ]
    return sorted(found, key=lambda part: part.kind, reverse=True)


def _probed(content: bytes) -> dict[str, Any]:
    shown = "stream:packet=stream_index,pts_time,duration_time,flags"
    done = subprocess.run(
        [str(ffprobe_path()), "-v", "error", "-of", "json", "-show_entries", shown, "pipe:0"],
        input=content,
        capture_output=True,
        timeout=60,
    )
    told: dict[str, Any] = json.loads(done.stdout or b"{}")
    return {"streams": told.get("streams", []), "packets": told.get("packets", [])}


def _ratio(text: str | None) -> Fraction | None:
    numerator, _, denominator = (text or "").replace(":", "/").partition("/")
    usable = numerator.isdigit() and denominator.isdigit() and int(denominator) and int(numerator)
    return Fraction(int(numerator), int(denominator)) if usable else None
