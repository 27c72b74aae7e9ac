"""The limits of the other activities, of packages and of requests; see `outputs.py`."""

from typing import Any

from tests.support.limits.outputs import HLS, LOGO, Limit
from tests.support.limits.rules import (
    FORMAT,
    INVALID,
    OTHER,
    UNSUPPORTED,
    Rule,
    flag,
    number,
    text,
    word,
)
from tests.support.topologies import report, start

_CROP = "/AnalysisConfig/PropertiesControl/Crop"
_CROPPED = {"AnalysisConfig": {"PropertiesControl": {"Crop": {"Mode": "Auto"}}}}
_SHOTS = {"SnapshotConfig": {"OutputFile": {**LOGO, "Object": "{Count}.jpg"}, "Time": "0"}}
_EVEN = {"SnapshotConfig": {**_SHOTS["SnapshotConfig"], "Num": "2"}}
_TILES, _PREVIEW = "/SnapshotConfig/TileOut", "/SnapshotConfig/Preview"
_TILED = {
    "SnapshotConfig": {
        **_SHOTS["SnapshotConfig"],
        **{"TileOut": {}, "TileOutputFile": {**LOGO, "Object": "t-{TileCount}.jpg"}},
    }
}
_FILM = {
    "SnapshotConfig": {
        **{"OutputFile": {**LOGO, "Object": "p.webp"}, "Time": "0", "Preview": {}},
    }
}
_START = start()["Parameters"]
_RAW = {
    "Container": {"Format": "s16le"},
    "Audio": {"Channels": "2", "Samplerate": "8000"},
}
_RAW_START = {**_START, "InputFile": {**_START["InputFile"], **_RAW}}
_PIXELS = number(8, 4096, whole=True)

#: parameters of the other activities
OTHERS = [
    Limit("Start", "/MessageType", word("Queue", "Topic"), _START),
    Limit("Start", "/InputFile/ObjectPrefix", text(1023), _START),
    Limit(
        "Start",
        "/InputFile/Container/Format",
        word(
            *("alaw", "mulaw", "s8", "u8", "f32be", "f32le", "f64be", "f64le", "s16be", "s16le"),
            *("s24be", "s24le", "s32be", "s32le", "u16be", "u16le", "u24be", "u24le"),
            *("u32be", "u32le"),
        ),
        _RAW_START,
        True,
    ),
    Limit("Start", "/InputFile/Audio/Channels", number(1, 8, whole=True), _RAW_START, True),
    Limit(
        "Start",
        "/InputFile/Audio/Samplerate",
        number(0, 320000, open_low=True, whole=True),
        _RAW_START,
        True,
    ),
    Limit("Snapshot", "/SnapshotConfig/Time", number(0, whole=True), _SHOTS, True),
    Limit("Snapshot", "/SnapshotConfig/Interval", number(0), _EVEN),
    Limit("Snapshot", "/SnapshotConfig/Num", number(1, whole=True), _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/Width", _PIXELS, _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/Height", _PIXELS, _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/FrameType", word("normal", "intra"), _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/Format", word("vtt"), _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/BlackLevel", number(30, 100, whole=True), _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/PixelBlackThreshold", number(0, 255, whole=True), _SHOTS),
    Limit("Snapshot", "/SnapshotConfig/Best", flag(), _SHOTS),
    Limit("Snapshot", f"{_TILES}/Lines", number(1, 10_000, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/Columns", number(1, 10_000, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/CellWidth", number(1, 65_500, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/CellHeight", number(1, 65_500, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/Margin", number(0, 1024, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/Padding", number(0, 1024, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/CellSelStep", number(1, whole=True), _TILED),
    Limit("Snapshot", f"{_TILES}/IsKeepCellPic", flag(), _TILED),
    Limit("Snapshot", f"{_PREVIEW}/Parts", number(1, 20, whole=True), _FILM),
    Limit("Snapshot", f"{_PREVIEW}/Seconds", number(0, 10, open_low=True), _FILM),
    Limit("Snapshot", f"{_PREVIEW}/Fps", number(1, 30, whole=True), _FILM),
    Limit(
        "Snapshot", "/MediaCover", flag(), {"SnapshotConfig": {**_EVEN["SnapshotConfig"], "Num": 1}}
    ),
    Limit("Analysis", "/KeepOnlyHighestDefinition", flag()),
    Limit(
        "Analysis",
        "/AnalysisConfig/QualityControl/RateQuality",
        number(0, 51, open_low=True, open_high=True, whole=True),
    ),
    Limit("Analysis", "/AnalysisConfig/QualityControl/MethodStreaming", word("network", "local")),
    Limit(
        "Analysis",
        "/AnalysisConfig/PropertiesControl/Deinterlace",
        word("Auto", "Force", "None"),
    ),
    Limit("Analysis", f"{_CROP}/Mode", word("Auto", "None")),  # Force needs a box
    Limit("Analysis", f"{_CROP}/Width", _PIXELS, _CROPPED),
    Limit("Analysis", f"{_CROP}/Height", _PIXELS, _CROPPED),
    # the documents' 8 would rule out the edge itself
    Limit("Analysis", f"{_CROP}/Top", number(0, 4096, whole=True), _CROPPED),
    Limit("Analysis", f"{_CROP}/Left", number(0, 4096, whole=True), _CROPPED),
    *(
        Limit("Analysis", f"/AnalysisConfig/Ladder/{name}", rule)
        for name, rule in {
            "TargetVmaf": number(0, 100, open_low=True),
            "MinBitrate": number(10, 50000),
            "MaxBitrate": number(10, 50000),
            "MinTopSize": number(128, 4096, whole=True),
            "MaxRungs": number(1, 4, whole=True),
            "MinStep": number(1, 10),
        }.items()
    ),
    Limit("Report", "/PublishType", word("Auto", "Manual", "TranscodeCompletedAuto")),
]

_STREAM = {"Outputs": [{"OutputObject": "{FileName}", "TemplateId": HLS}]}


def _url(letters: str) -> str:
    """The URL of an object, of as many bytes as some letters."""
    region = "r" * max(1, len(letters.encode()) - len("http://b..aliyuncs.com/k"))
    return f"http://b.{region}.aliyuncs.com/k"


_SUBTITLES = {"Format": "vtt", "InputFile": {"URL": "oss://side/a.vtt"}}
_BAD_URIS = (
    "A/b.m3u8",
    "/a.m3u8",
    "a b.m3u8",
    "a_b.m3u8",
    "é.m3u8",
    "a/b.m3u8 ",
    ".m3u8",
    "1.m3u8",
)
_URI = Rule(good=("a/b.m3u8", "a1-2/x.m3u8"), bad={FORMAT: (*OTHER, *_BAD_URIS)})

#: a package: activities by name, and what follows whom
PACKAGE = {
    "Activities": {
        "start": start(),
        "package": {
            "Type": "PackageConfig",
            "Parameters": {
                "Output": {"Bucket": "out", "Location": "local", "MasterPlayListName": "a/b.m3u8"},
                "Protocol": "hls",
            },
        },
        "audio": {"Type": "AudioGroup", "Parameters": {"GroupId": "sound"}},
        "words": {"Type": "SubtitleGroup", "Parameters": {"GroupId": "words"}},
        "track": {
            "Type": "Transcode",
            "Parameters": {**_STREAM, "ExtXMedia": {"Name": "a", "URI": "a/t.m3u8"}},
        },
        "lines": {
            "Type": "Transcode",
            "Parameters": {
                **_STREAM,
                "ExtXMedia": {"Name": "a", "URI": "a/l.m3u8"},
                "WebVTTSubtitleURL": "oss://side/a.vtt",
            },
        },
        "video": {
            "Type": "Transcode",
            "Parameters": {**_STREAM, "MultiBitrateVideoStream": {"URI": "a/v.m3u8"}},
        },
        "master": {
            "Type": "GenerateMasterPlayList",
            "Parameters": {
                "MasterPlayList": {
                    "MultiBitrateVideoStreams": [
                        {"RefActivityName": "video", "ExtXStreamInfo": {"BandWidth": "111110"}}
                    ]
                }
            },
        },
        "dash": {
            "Type": "PackageConfig",
            "Parameters": {
                "Output": {"Bucket": "out", "Location": "local", "MasterPlayListName": "c/d.mpd"},
                "Protocol": "dash",
            },
        },
        "titles": {
            "Type": "SubtitleGroup",
            "Parameters": {"AdaptationSet": {"Group": "titles"}},
        },
        "title": {
            "Type": "Transcode",
            "Parameters": {"Representation": {"Id": "t", "URI": "t.mpd"}},
        },
        "manifest": {"Type": "GenerateMasterPlayList", "Parameters": {}},
        "report": report(),
    },
    "Dependencies": {
        "start": ["package", "dash"],
        "dash": ["titles"],
        "titles": ["title"],
        "title": ["manifest"],
        "manifest": ["report"],
        "package": ["audio", "words", "video"],
        "audio": ["track"],
        "words": ["lines"],
        **{name: ["master"] for name in ("track", "lines", "video")},
        "master": ["report"],
        "report": [],
    },
}


def _packaged(name: str, at: str, rule: Rule, needed: bool = True, **room: Any) -> Limit:
    return Limit(name, at, rule, {**PACKAGE["Activities"][name]["Parameters"], **room}, needed)


_OTHERS = word("hls").bad[INVALID]
_PROTOCOL = Rule(good=("hls",), bad={UNSUPPORTED: (*_OTHERS, "cmaf", "smooth")})
#: parameters of packages
PACKAGES = [
    _packaged("package", "/Protocol", _PROTOCOL),
    _packaged("audio", "/GroupId", text(32)),
    _packaged("words", "/GroupId", text(32)),
    _packaged("track", "/ExtXMedia/Name", text(64)),
    _packaged("track", "/ExtXMedia/URI", _URI),
    _packaged("video", "/MultiBitrateVideoStream/URI", _URI),
    _packaged("lines", "/WebVTTSubtitleURL", text(3200, form=_url), False),
    _packaged("title", "/InputConfig/Format", word("stl", "ttml", "vtt"), InputConfig=_SUBTITLES),
]

_PAGE = number(1, 100, whole=True)
#: parameters of requests, by action
REQUESTS = {
    ("AddMediaWorkflow", "TriggerMode"): word("OssAutoTrigger", "NotInAuto"),
    ("SubmitAnalysisJob", "Priority"): number(1, 10, whole=True),
    ("SearchTemplate", "PageNumber"): number(1, 1_000_000, whole=True),
    ("SearchTemplate", "PageSize"): _PAGE,
    ("SearchPipeline", "PageSize"): _PAGE,
    ("ListJob", "MaximumPageSize"): _PAGE,
    ("ListMediaWorkflowExecutions", "MaximumPageSize"): _PAGE,
    ("ListAllMediaBucket", "MaximumPageSize"): _PAGE,
    ("QuerySnapshotJobList", "MaximumPageSize"): number(1, 300, whole=True),
}
