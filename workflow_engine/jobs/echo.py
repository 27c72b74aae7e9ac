"""What answers repeat of a request: strings where clients expect strings, lists as lists.

The forms below are those of response_shapes; keys that no answer has are left out. A request may
hold JSON in strings at any depth and numbers in either form.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from workflow_engine.records import Json
from workflow_engine.topology.encoded import decode_json

#: a string, a boolean, a list of one form, or an object
Form = str | bool | list[Any] | dict[str, Any]

_S = "string"
_B = True


def _strings(*names: str) -> dict[str, Form]:
    return dict.fromkeys(names, _S)


_FILE = _strings("Bucket", "Location", "Object")
_INSERTED = _strings("Start", "Width", "Height")

_OUTPUT: dict[str, Form] = {
    **_strings("TemplateId", "Rotate", "UserData", "AudioStreamMap", "VideoStreamMap"),
    **_strings("MergeConfigUrl", "WaterMarkConfigUrl", "DeWatermark", "ExtendData"),
    "Container": _strings("Format"),
    "Video": {
        **_strings("Codec", "Profile", "Bitrate", "Crf", "Width", "Height", "Fps", "MaxFps"),
        **_strings("Gop", "Preset", "ScanMode", "Bufsize", "Maxrate", "PixFmt", "Crop", "Pad"),
        **_strings("Degrain", "Qscale", "ResoPriority"),
        "BitrateBnd": _strings("Max", "Min"),
    },
    "Audio": {
        **_strings("Codec", "Profile", "Samplerate", "Bitrate", "Channels", "Qscale"),
        "Volume": _strings("Level", "Method"),
    },
    "MuxConfig": {
        "Segment": _strings("Duration"),
        "Gif": _strings("Loop", "FinalDelay", "DitherMode", "IsCustomPalette"),
        "Webp": _strings("Loop"),
    },
    "TransConfig": {
        **_strings("TransMode", "AdjDarMethod", "IsCheckReso", "IsCheckResoFail"),
        **_strings("IsCheckVideoBitrate", "IsCheckVideoBitrateFail"),
        **_strings("IsCheckAudioBitrate", "IsCheckAudioBitrateFail"),
    },
    "Clip": {"TimeSpan": _strings("Seek", "Duration")},
    "WaterMarkList": [
        {
            **_strings("WaterMarkTemplateId", "Type", "Width", "Height", "Dx", "Dy", "ReferPos"),
            "InputFile": _FILE,
        }
    ],
    "MergeList": [_strings("MergeURL", "Start", "Duration", "RoleArn")],
    "OpeningList": [{**_INSERTED, **_strings("openUrl")}],
    "TailSlateList": [
        {**_INSERTED, **_strings("TailUrl", "BlendDuration", "BgColor"), "IsMergeAudio": _B}
    ],
    "AmixList": [_strings("AmixURL", "Map", "MixDurMode", "Start", "Duration")],
    "M3U8NonStandardSupport": {"TS": {"Md5Support": _B, "SizeSupport": _B}},
    "Encryption": _strings("Id", "Type", "Key", "KeyType", "KeyUri", "SkipCnt"),
    "SubtitleConfig": {
        "ExtSubtitleList": [{**_strings("CharEnc", "FontName"), "Input": _FILE}],
        "SubtitleList": [_strings("Map")],
    },
    "SuperReso": _strings("IsHalfSample"),
    "DigiWaterMark": {**_strings("Type", "Alpha"), "InputFile": _FILE},
    # an extension of ours
    "Quality": _strings("Metric", "Minimum", "Statistic", "Subsample", "OnLow"),
}

_SNAPSHOT: dict[str, Form] = {
    **_strings("Time", "Interval", "Num", "Width", "Height", "FrameType"),
    "OutputFile": _FILE,
    "TileOutputFile": _FILE,
    "TileOut": {
        **_strings("Lines", "Columns", "CellWidth", "CellHeight", "CellSelStep", "Margin"),
        **_strings("Padding", "Color", "IsKeepCellPic"),
    },
}

_ANALYSIS: dict[str, Form] = {
    "QualityControl": _strings("RateQuality", "MethodStreaming"),
    "PropertiesControl": {
        **_strings("Deinterlace"),
        "Crop": _strings("Mode", "Width", "Height", "Top", "Left"),
    },
    # an extension of ours, which a job behind the analysis asks for again
    "Ladder": {
        **_strings("TargetVmaf", "MinBitrate", "MaxBitrate", "MinTopSize", "MaxRungs", "MinStep"),
        "AllowedSizes": [_S],
        "ForcedSizes": [_S],
    },
}

#: keys that are called otherwise in answers than in requests
_RENAMED = {"WaterMarks": "WaterMarkList", "Amix": "AmixList", "OpenUrl": "openUrl"}


def output_echo(output: Json) -> dict[str, Json]:
    """Return the Output of a transcode job, without the name that it writes."""
    return _object(output, _OUTPUT)


def snapshot_echo(config: Json) -> dict[str, Json]:
    """Return the SnapshotConfig of a snapshot job."""
    return _object(config, _SNAPSHOT)


def analysis_echo(config: Json) -> dict[str, Json]:
    """Return the AnalysisConfig of an analysis job."""
    return _object(config, _ANALYSIS)


def members(value: Json) -> dict[str, Json]:
    """Return the members of a JSON object, encoded or not; none for anything else."""
    decoded = _decoded(value)
    return cast("dict[str, Json]", decoded) if isinstance(decoded, dict) else {}


def items(value: Json) -> list[Json]:
    """Return the items of a JSON array, encoded or not; none for anything else."""
    decoded = _decoded(value)
    return cast("list[Json]", decoded) if isinstance(decoded, list) else []


def _decoded(value: Json) -> Json:
    try:
        return decode_json(value)
    except (ValueError, RecursionError):
        return None


def _object(value: Json, forms: Mapping[str, Form]) -> dict[str, Json]:
    named = {_RENAMED.get(key, key): member for key, member in members(value).items()}
    given = {key: named[key] for key in forms if named.get(key) not in (None, "")}
    return {key: _formed(member, forms[key]) for key, member in given.items()}


def _formed(value: Json, form: Form) -> Json:
    if isinstance(form, dict):
        return _object(value, form)
    if isinstance(form, list):
        return [_formed(item, form[0]) for item in items(value)]
    if form is _B:
        return str(value).lower() == "true"
    return _text(value)


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
