"""Raw sound: samples without a container, which do not say themselves what they are.

Specification: transcode, 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workflow_engine.records import Json

#: formats of samples, by the names of ffmpeg's demuxers
RAW_FORMATS = (
    *("alaw", "mulaw", "s8", "u8", "f32be", "f32le", "f64be", "f64le"),
    *("s16be", "s16le", "s24be", "s24le", "s32be", "s32le"),
    *("u16be", "u16le", "u24be", "u24le", "u32be", "u32le"),
)


@dataclass(frozen=True, kw_only=True)
class RawSound:
    """What raw sound consists of: a format out of `RAW_FORMATS`, channels, and Hz."""

    format: str
    channels: int
    samplerate: int

    @property
    def options(self) -> Mapping[str, str]:
        """How ffmpeg and ffprobe open it."""
        layout = f"{self.channels}c"
        return {"f": self.format, "sample_rate": str(self.samplerate), "ch_layout": layout}

    def to_json(self) -> dict[str, Json]:
        """Return the values as JSON."""
        return {"format": self.format, "channels": self.channels, "samplerate": self.samplerate}
