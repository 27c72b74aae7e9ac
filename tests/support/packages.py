"""Topologies with a package, to be changed by tests."""

from collections.abc import Mapping
from typing import Any

from tests.support.topologies import report, start

#: a preset of 640 pixels width
TEMPLATE = "S00000001-200010"
#: pixels; what tests encode is tiny
WIDTH = 160


def stream(*, width: int = WIDTH, sound: bool = False, **parameters: Any) -> dict[str, Any]:
    """A Transcode of a package: fast, tiny, without sound unless `sound` says so."""
    output: dict[str, Any] = {"TemplateId": TEMPLATE}
    output["Video"] = {"Width": width, "Height": "", "Preset": "veryfast"}
    if not sound:
        output["Audio"] = {"Remove": "true"}
    return {"Type": "Transcode", "Parameters": {"Outputs": [output], **parameters}}


def sound(**parameters: Any) -> dict[str, Any]:
    """A Transcode of a package that is sound."""
    output = {"TemplateId": TEMPLATE}
    return {"Type": "Transcode", "Parameters": {"Outputs": [output], **parameters}}


def hls(*, output: Mapping[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """Two pictures and a group of sound: `high`, `low` and `english`."""
    items = [
        {"RefActivityName": name, "ExtXStreamInfo": {"BandWidth": "900000", "Audio": "sound"}}
        for name in ("high", "low")
    ]
    return {
        "Activities": {
            "start": start(),
            "package": {
                "Type": "PackageConfig",
                "Parameters": {
                    "Output": {
                        "Bucket": "out",
                        "Location": "local",
                        "MasterPlayListName": "{FileName}/master.m3u8",
                        **(output or {}),
                    },
                    "Protocol": "hls",
                    **config,
                },
            },
            "voices": {"Type": "AudioGroup", "Parameters": {"GroupId": "sound"}},
            "english": sound(
                ExtXMedia={"Name": "English", "Language": "en", "URI": "audio/english.m3u8"}
            ),
            "high": stream(MultiBitrateVideoStream={"URI": "high/video.m3u8"}),
            "low": stream(width=128, MultiBitrateVideoStream={"URI": "low/video.m3u8"}),
            "master": {
                "Type": "GenerateMasterPlayList",
                "Parameters": {"MasterPlayList": {"MultiBitrateVideoStreams": items}},
            },
            "report": report(),
        },
        "Dependencies": {
            "start": ["package"],
            "package": ["voices", "high", "low"],
            "voices": ["english"],
            **{name: ["master"] for name in ("english", "high", "low")},
            "master": ["report"],
            "report": [],
        },
    }


def dash(**config: Any) -> dict[str, Any]:
    """Two pictures and sound of one language: `high`, `low` and `english`."""
    value = hls(output={"MasterPlayListName": "{FileName}/all.mpd"}, **config)
    activities, edges = value["Activities"], value["Dependencies"]
    activities["package"]["Parameters"]["Protocol"] = "dash"
    activities["pictures"] = {
        "Type": "VideoGroup",
        "Parameters": {"AdaptationSet": {"Group": "pictures"}},
    }
    activities["voices"]["Parameters"] = {"AdaptationSet": {"Group": "voices", "Lang": "en"}}
    for name in ("english", "high", "low"):
        parameters = activities[name]["Parameters"]
        for field in ("ExtXMedia", "MultiBitrateVideoStream"):
            parameters.pop(field, None)
        parameters["Representation"] = {"Id": name, "URI": f"{name}/stream.mpd"}
    activities["master"]["Parameters"] = {}
    edges["package"] = ["voices", "pictures"]
    edges["pictures"] = ["high", "low"]
    return value


def without_sound(value: dict[str, Any]) -> dict[str, Any]:
    """Take the group of sound out of `hls` or `dash`."""
    activities, edges = value["Activities"], value["Dependencies"]
    for name in ("voices", "english"):
        del activities[name], edges[name]
    edges["package"].remove("voices")
    if "MasterPlayList" in activities["master"]["Parameters"]:
        for item in items(value):
            del item["ExtXStreamInfo"]["Audio"]
    return value


def parameters(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The parameters of an activity, to be changed."""
    return value["Activities"][name]["Parameters"]


def items(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of the master list of `hls`, to be changed."""
    return parameters(value, "master")["MasterPlayList"]["MultiBitrateVideoStreams"]
