"""ffprobe's JSON as the Properties of the API: strings only, missing values left out.

Specification: mediainfo, 2 (fields and units) and 5 (contradictions).
"""

from collections.abc import Callable, Mapping, Sequence

from activities.probe.rates import MAX_FPS
from activities.probe.streams import is_picture, kilobits, own_duration, rotation
from activities.probe.values import duration, number, ratio, section, sections, whole
from workflow_engine.records import Json

#: entries of each stream list
MAX_STREAMS = 4

#: how a playlist is called, whatever its segments come in
_HLS = {"format_name": "hls", "format_long_name": "Apple HTTP Live Streaming"}

#: share by which the rate of a tag may be off
_PLAUSIBLE = 0.1
#: of streams whose packets may hold a field each, and how near to twice the frames those are
_FIELDS, _HALVED = ("tt", "bb", "tb", "bt"), 0.1

Values = dict[str, Json]


def properties(probe: Mapping[str, Json]) -> Values:
    """Return the `Properties` object of an ffprobe description."""
    container = section(probe.get("format"))
    if listed := section(probe.get("playlist")):
        container = {**container, **listed, **_HLS}
    counts = section(probe.get("packets"))
    if duration(container.get("duration")) is None:
        # live recorders, and streams without any container
        container = {**container, "duration": max(_lengths(counts), default=None)}
    streams = [
        {**stream, "counted": section(counts.get(str(stream.get("index"))))}
        for stream in sections(probe.get("streams"))
    ]
    video = [s for s in streams if s.get("codec_type") == "video" and not is_picture(s)]
    audio = [s for s in streams if s.get("codec_type") == "audio"]
    subtitles = [s for s in streams if s.get("codec_type") == "subtitle"]
    first = next((s for s in video if whole(s.get("width"))), section(None))
    return _given(
        {
            "Width": first.get("width"),
            "Height": first.get("height"),
            "Duration": _seconds(container.get("duration")),
            "Fps": _rate(first, "r_frame_rate", "avg_frame_rate"),
            "Bitrate": _container_rate(container),
            "FileFormat": container.get("format_long_name"),
            "FileSize": container.get("size"),
            "Format": _format(container),
            "Streams": {
                "VideoStreamList": _listed(video, _video, container),
                "AudioStreamList": _listed(audio, _audio, container),
                "SubtitleStreamList": _listed(subtitles, _common, container),
            },
        }
    )


def _listed(
    streams: Sequence[Mapping[str, Json]],
    form: Callable[[Mapping[str, Json], Mapping[str, Json]], Values],
    container: Mapping[str, Json],
) -> list[Values]:
    return [_given(form(stream, container)) for stream in streams[:MAX_STREAMS]]


def _given(values: Values) -> Values:
    """Drop what is missing, make strings of the scalars."""
    kept = {k: v for k, v in values.items() if v not in (None, "", "N/A", "unknown")}
    return {k: v if isinstance(v, dict | list) else str(v) for k, v in kept.items()}


def _format(container: Mapping[str, Json]) -> Values:
    return _given(
        {
            "NumStreams": container.get("nb_streams"),
            "NumPrograms": container.get("nb_programs"),
            "FormatName": str(container.get("format_name", "")).partition(",")[0],
            "FormatLongName": container.get("format_long_name"),
            "StartTime": _seconds(container.get("start_time")),
            "Duration": _seconds(container.get("duration")),
            "Size": container.get("size"),
            "Bitrate": _container_rate(container),
        }
    )


def _common(stream: Mapping[str, Json], container: Mapping[str, Json]) -> Values:
    return {
        "Index": stream.get("index"),
        "CodecName": stream.get("codec_name"),
        "CodecLongName": stream.get("codec_long_name"),
        "CodecTimeBase": _codec_time_base(stream),
        "CodecTagString": stream.get("codec_tag_string"),
        "CodecTag": stream.get("codec_tag"),
        "Timebase": stream.get("time_base"),
        "StartTime": _seconds(stream.get("start_time")),
        "Duration": _seconds(own_duration(stream)) or _seconds(container.get("duration")),
        "Lang": section(stream.get("tags")).get("language") or "und",
    }


def _video(stream: Mapping[str, Json], container: Mapping[str, Json]) -> Values:
    tags = section(stream.get("tags"))
    return {
        **_common(stream, container),
        "Profile": stream.get("profile"),
        "Width": stream.get("width"),
        "Height": stream.get("height"),
        "HasBFrames": stream.get("has_b_frames"),
        "Sar": stream.get("sample_aspect_ratio"),
        "Dar": stream.get("display_aspect_ratio"),
        "PixFmt": stream.get("pix_fmt"),
        "Level": _level(stream.get("level")),
        "Fps": _rate(stream, "r_frame_rate", "avg_frame_rate"),
        "AvgFPS": _rate(stream, "avg_frame_rate", "r_frame_rate"),
        "Bitrate": _rate_of(_stream_rate(stream)),
        "NumFrames": _frames(stream) or stream.get("nb_frames"),
        "NetworkCost": _network_cost(stream),
        "Rotate": tags.get("rotate") or rotation(stream) or None,
        "ColorRange": stream.get("color_range"),
        "ColorTransfer": stream.get("color_transfer"),
        "ColorPrimaries": stream.get("color_primaries"),
        "DolbyVision": _dolby_vision(stream),
    }


def _audio(stream: Mapping[str, Json], container: Mapping[str, Json]) -> Values:
    return {
        **_common(stream, container),
        "SampleFmt": stream.get("sample_fmt"),
        "Samplerate": stream.get("sample_rate"),
        "Channels": stream.get("channels"),
        "ChannelLayout": stream.get("channel_layout"),
        "Bitrate": _rate_of(_stream_rate(stream)),
        "NumFrames": stream.get("nb_frames") or _frames(stream),
    }


def _lengths(counts: Mapping[str, Json]) -> list[float]:
    """Return the seconds that streams have by their packets, as far as those tell any."""
    lengths = (number(section(count).get("Seconds")) for count in counts.values())
    return [length for length in lengths if length]


def _stream_rate(stream: Mapping[str, Json]) -> float | None:
    """Return the kbit/s of a stream: those it says, else counted ones; tags may say anything."""
    counted, said = number(section(stream.get("counted")).get("Rate")), kilobits(stream)
    if counted is None or (said and abs(said / counted - 1) <= _PLAUSIBLE):
        return said
    return said if number(stream.get("bit_rate")) else counted


def _frames(stream: Mapping[str, Json]) -> int | None:
    """Return the frames of a stream by its packets, of which some hold a field each."""
    counted = section(stream.get("counted"))
    packets, seconds = whole(counted.get("Packets")), number(counted.get("Seconds"))
    rate = ratio(stream.get("avg_frame_rate"))
    if stream.get("field_order") in _FIELDS and rate and seconds:
        doubled = 2 * rate * seconds
        if abs(packets / doubled - 1) < _HALVED:
            return (packets + 1) // 2
    return packets or None


def _dolby_vision(stream: Mapping[str, Json]) -> Values | None:
    """Return profile and level of Dolby Vision, as the client libraries know them."""
    for item in sections(stream.get("side_data_list")):
        if "dv_profile" in item:
            return _given({"Profile": item["dv_profile"], "Level": item.get("dv_level")})
    return None


def _network_cost(stream: Mapping[str, Json]) -> Values | None:
    """Return what playing a stream asks of a network (specification, mediainfo, 2)."""
    counted = section(stream.get("counted"))
    rate, peak, preload = (number(counted.get(name)) for name in ("Rate", "Peak", "Preload"))
    if rate is None or peak is None or preload is None:
        return None
    return {
        "PreloadTime": f"{preload:.3f}",
        "CostBandwidth": f"{peak:.3f}",
        "AvgBitrate": f"{rate:.3f}",
    }


def _codec_time_base(stream: Mapping[str, Json]) -> str | None:
    """Derive what ffprobe no longer prints, in the form of the specification's samples."""
    kind = stream.get("codec_type")
    if kind == "video":
        rate = ratio(stream.get("r_frame_rate"))
        return f"{rate.denominator}/{2 * rate.numerator}" if rate else None
    if kind == "audio":
        return f"1/{stream['sample_rate']}" if number(stream.get("sample_rate")) else None
    return "0/1"


def _seconds(value: Json) -> str | None:
    seconds = number(value)
    return None if seconds is None else f"{seconds:.6f}"


def _level(value: Json) -> str | None:
    """Return a codec's level; ffprobe writes -99 and the like where there is none."""
    level = number(value)
    return None if level is None or level < 0 else str(value)


def _rate_of(kbps: float | None) -> str | None:
    return None if kbps is None else f"{kbps:.3f}"


def _container_rate(container: Mapping[str, Json]) -> str | None:
    rate, seconds = number(container.get("bit_rate")), duration(container.get("duration"))
    if rate is None and seconds:
        rate = whole(container.get("size")) * 8 / seconds
    return _rate_of(rate / 1000) if rate else None


def _rate(stream: Mapping[str, Json], *keys: str) -> str | None:
    """Print a frame rate as a decimal, `25.0` or `23.976024`: of the first key that has one.

    Time bases look like rates, and are none; where there is nothing else, frames are counted.
    """
    rates = (ratio(stream.get(key)) for key in keys)
    rate = next((float(rate) for rate in rates if rate is not None and rate < MAX_FPS), None)
    seconds = number(section(stream.get("counted")).get("Seconds"))
    if rate is None and seconds and (frames := _frames(stream)):
        rate = frames / seconds
    return None if rate is None else str(round(rate, 6))
