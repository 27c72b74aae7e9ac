"""What is in a file, as IMS tells it (specification, mediainfo, 4).

`media_info_property` takes the Properties that a probe left. The keys of pictures and of sound have
two styles, which clients rely on.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import cast

from workflow_engine.records import Json, ObjectRef

_FILE = {
    "FileSize": "FileSize",
    "Duration": "Duration",
    "Bitrate": "Bitrate",
    "Width": "Width",
    "Height": "Height",
}
_VIDEO = {
    "Index": "Index",
    "Codec_name": "CodecName",
    "Codec_long_name": "CodecLongName",
    "Profile": "Profile",
    "Codec_time_base": "CodecTimeBase",
    "Codec_tag_string": "CodecTagString",
    "Codec_tag": "CodecTag",
    "Width": "Width",
    "Height": "Height",
    "Has_b_frames": "HasBFrames",
    "Sar": "Sar",
    "Dar": "Dar",
    "PixFmt": "PixFmt",
    "Level": "Level",
    "Fps": "Fps",
    "Avg_fps": "AvgFPS",
    "Time_base": "Timebase",
    "Start_time": "StartTime",
    "Duration": "Duration",
    "Bit_rate": "Bitrate",
    "NumFrames": "NumFrames",
    "Lang": "Lang",
    "Rotate": "Rotate",
}
_AUDIO = {
    "Index": "Index",
    "CodecName": "CodecName",
    "CodecLongName": "CodecLongName",
    "CodecTimeBase": "CodecTimeBase",
    "CodecTagString": "CodecTagString",
    "CodecTag": "CodecTag",
    "SampleFmt": "SampleFmt",
    "SampleRate": "Samplerate",
    "Channels": "Channels",
    "ChannelLayout": "ChannelLayout",
    "Timebase": "Timebase",
    "StartTime": "StartTime",
    "Duration": "Duration",
    "Bitrate": "Bitrate",
    "Lang": "Lang",
}

Values = dict[str, Json]


def media_info_property(
    properties: Mapping[str, Json],
    *,
    file: ObjectRef,
    url: str,
    media_id: str,
    made: bool = False,
) -> Values:
    """Return a MediaInfoProperty of strings; what is not known is left out.

    `made` files are outputs.
    """
    streams = _section(properties.get("Streams"))
    container = _section(properties.get("Format"))
    basic: Values = {
        "MediaId": media_id,
        "FileName": PurePosixPath(file.object).name,
        "FileStatus": "Normal",
        "FileType": "transcode_file" if made else "source_file",
        "FileUrl": url,
        "Region": file.location,
        "FormatName": container.get("FormatName"),
        **_renamed(_FILE, properties),
    }
    return {
        "FileBasicInfo": {name: value for name, value in basic.items() if value},
        "VideoStreamInfoList": _streams(_VIDEO, streams.get("VideoStreamList")),
        "AudioStreamInfoList": _streams(_AUDIO, streams.get("AudioStreamList")),
    }


#: values that are numbers in an OutFileMeta
_NUMBERS = frozenset(
    {
        *("Avg_fps", "Bit_rate", "Bitrate", "Channels", "Duration", "FileSize", "Fps"),
        *("Has_b_frames", "Height", "Index", "Level", "NumFrames", "Rotate", "SampleRate"),
        *("StartTime", "Start_time", "Width"),
    }
)


def with_numbers(values: Values) -> Values:
    """Return a MediaInfoProperty as OutFileMeta has it: numbers where values are numbers."""
    return {name: _numbered(name, value) for name, value in values.items()}


def _numbered(name: str, value: Json) -> Json:
    if isinstance(value, dict):
        return with_numbers(cast("Values", value))
    if isinstance(value, list):
        return [with_numbers(one) for one in cast("list[Values]", value)]
    if name not in _NUMBERS:
        return value
    with suppress(ValueError):
        number = float(cast("str", value))
        return int(number) if number.is_integer() else number
    return value  # such as a frame rate that is a fraction


def _streams(names: Mapping[str, str], streams: Json) -> list[Values]:
    found = cast("Sequence[Mapping[str, Json]]", streams or ())
    return [_renamed(names, stream) for stream in found]


def _renamed(names: Mapping[str, str], values: Mapping[str, Json]) -> Values:
    return {name: values[known] for name, known in names.items() if known in values}


def _section(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value or {})
