"""Properties of a media file (specification, mediainfo, 2) as people read them."""

from collections.abc import Iterator, Mapping
from typing import Any

from workflow_engine.cli.common import size_text

Values = Mapping[str, Any]


def lines(name: str, properties: Values) -> Iterator[str]:
    """Yield a line for the file, one for each stream, and what of the file is not listed."""
    container = properties["Format"]
    yield _line(
        "File",
        name,
        container.get("FormatLongName"),
        _seconds(container),
        size_text(int(properties["FileSize"])) if "FileSize" in properties else "",
        _rate(container),
    )
    streams = properties["Streams"]
    shown = 0
    for word, kind in (("Video", _video), ("Audio", _audio), ("Subtitle", _text)):
        for stream in streams[f"{word}StreamList"]:
            yield _line(f"{word} {stream['Index']}", *kind(stream))
            shown += 1
    others = int(container.get("NumStreams") or shown) - shown
    if others > 0:
        yield _line("Others", f"{others}: covers, data, or more streams than are listed")
    if int(container.get("NumPrograms") or 0) > 1:
        yield _line("Programs", container["NumPrograms"])


def _video(stream: Values) -> Iterator[str | None]:
    yield _codec(stream)
    if "Width" in stream:
        sar = stream.get("Sar", "1:1")
        shape = "" if sar in ("1:1", "0:1") else f" (pixels {sar})"
        yield f"{stream['Width']}x{stream['Height']}{shape}"
    yield f"turned by {stream['Rotate']}" if "Rotate" in stream else ""
    yield f"{float(stream['AvgFPS']):g} fps" if "AvgFPS" in stream else ""
    yield from _common(stream)
    yield _colour(stream)
    if cost := stream.get("NetworkCost"):
        peak = float(cost["CostBandwidth"])
        yield f"peak {peak:.0f} kbit/s, {float(cost['PreloadTime']):g} s to load ahead"


def _audio(stream: Values) -> Iterator[str | None]:
    yield _codec(stream)
    yield f"{stream['Samplerate']} Hz" if "Samplerate" in stream else ""
    yield stream.get("ChannelLayout") or f"{stream.get('Channels', '?')} channels"
    yield from _common(stream)
    yield _language(stream)


def _text(stream: Values) -> Iterator[str | None]:
    yield _codec(stream)
    yield _language(stream)


def _common(stream: Values) -> Iterator[str | None]:
    yield _seconds(stream)
    yield f"{stream['NumFrames']} frames" if "NumFrames" in stream else ""
    yield _rate(stream)


def _codec(stream: Values) -> str:
    profile = stream.get("Profile", "")
    return f"{stream.get('CodecName', 'unknown codec')} {profile}".rstrip()


def _colour(stream: Values) -> str:
    names = ("PixFmt", "ColorRange", "ColorPrimaries", "ColorTransfer")
    return " ".join(dict.fromkeys(stream[name] for name in names if name in stream))


def _language(stream: Values) -> str:
    return "" if stream["Lang"] == "und" else str(stream["Lang"])


def _seconds(values: Values) -> str:
    return f"{float(values['Duration']):.3f} s" if "Duration" in values else ""


def _rate(values: Values) -> str:
    return f"{float(values['Bitrate']):.0f} kbit/s" if "Bitrate" in values else ""


def _line(word: str, *facts: str | None) -> str:
    return f"{word:<11} {', '.join(fact for fact in facts if fact)}"
