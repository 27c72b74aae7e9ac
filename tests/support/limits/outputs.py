"""The limits of the MPS documents, field by field, and what an activity needs to have the field.

Facts in our own words, not read from the product: where documents differ, the reading of the
specification. `rules.py` makes values of them.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.limits.rules import (
    FORMAT,
    NO_RULE,
    RANGE,
    Rule,
    arabic,
    clock,
    extent,
    flag,
    items,
    number,
    one_of,
    pattern,
    text,
    word,
)

MP4, HLS = "S00000001-200020", "S00000001-100020"
LOGO = {"Bucket": "side", "Location": "local", "Object": "logo.png"}
MARK, SUBTITLE = {"InputFile": LOGO}, {"Input": LOGO}
PART = {"MergeURL": "oss://side/part.mp4"}


@dataclass(frozen=True)
class Limit:
    """A field, at a JSON pointer below the parameters of an activity, and its rule.

    `kind` is the type of the activity, or its name in `PACKAGE`. `room` are the parameters without
    the field, which may not be left out where it is `needed`.
    """

    kind: str
    at: str
    rule: Rule = NO_RULE
    room: Mapping[str, Any] = field(default_factory=dict)
    needed: bool = False

    def __str__(self) -> str:
        return f"{self.kind}{self.at}"


def _output(at: str, rule: Rule, needed: bool = False, **room: Any) -> Limit:
    output = {"OutputObject": "{FileName}", "TemplateId": MP4, **room}
    parameters = {"OutputBucket": "out", "Outputs": [output]}
    return Limit("Transcode", f"/Outputs/0{at}", rule, parameters, needed)


def _encoded(letters: str) -> str:
    return base64.b64encode(letters.encode()).decode()


_GIF = {"Container": {"Format": "gif"}, "Video": {"Codec": "GIF"}}
_WEBP = {"Container": {"Format": "webp"}, "Video": {"Codec": "WEBP"}}
_DYNAMIC = {"Audio": {"Volume": {"Method": "dynamic"}}}
_NO_BOX = ("640:360", "640:360:0", "640:360:0:0:0", "640x360x0x0", "-640:360:0:0", "6.4:360:0:0")
_NO_BOX += (arabic("640:360:0:0"), "Border", "border ", "640:360:0:0 ", ":::")
_EMPTY_BOX = ("0:360:0:0", "640:0:0:0", "8193:360:0:0", "640:999999:0:0")
_COLOUR = word("White", "Black", "DarkSlateGray", "Red", any_case=True, aliases=("Grey",))
_AAC_LATER = ("aac_he", "aac_he_v2", "aac_ld", "aac_eld")

#: fields that templates have, too
SECTIONS = [
    _output(
        "/Container/Format",
        word("mp4", "flv", "ts", "m3u8", "mpd", any_case=True, aliases=("hls", "dash")),
    ),
    _output("/Video/Codec", word("H.264", "H.265", any_case=True)),
    _output("/Video/Profile", word("baseline", "main", "high")),
    _output("/Video/Bitrate", number(10, 50000)),
    _output("/Video/Crf", number(0, 51)),
    _output("/Video/Width", number(128, 4096, whole=True)),
    _output("/Video/Height", number(128, 4096, whole=True)),
    _output("/Video/Fps", number(0, 60, open_low=True)),
    _output(
        "/Video/Gop",
        pattern(
            *("1", "100000", 250, "0.001s", "10s", "2.5s", "120s"),
            bad=("10 s", "s", "-1", "-1s", "+1", "1.5", "10S", "10ms", ".5s", "5.s", arabic("90")),
            outside=("0", "100001", "10000000000", "0s", "0.0s", "9" * 30),
        ),
    ),
    _output("/Video/Preset", word("veryfast", "fast", "medium", "slow", "slower")),
    _output("/Video/ScanMode", word("interlaced", "progressive", "auto")),
    _output("/Video/FieldOrder", word("tff", "bff", "Auto")),
    _output("/Video/Bufsize", number(1000, 128000, whole=True)),
    _output("/Video/Maxrate", number(10, 50000), Video={"Bitrate": "10"}),
    _output("/Video/PixFmt", word("yuv420p", "yuvj420p", "yuv422p", "yuv444p")),
    _output("/Video/Hdr", word("Auto", "ToSdr")),
    _output("/Video/Remove", flag()),
    _output("/Video/LongShortMode", flag()),
    _output(
        "/Video/Crop",
        pattern("border", "640:360:0:0", "2:2:99:1", bad=_NO_BOX, outside=_EMPTY_BOX),
    ),
    _output(
        "/Video/Pad",
        pattern(
            *("640:360:0:0", "640:360:639:359"),
            bad=("border", *_NO_BOX),
            outside=(*_EMPTY_BOX, "640:360:640:0", "640:360:0:360"),
        ),
    ),
    _output("/Audio/Codec", word("AAC", "MP3", any_case=True)),
    _output("/Audio/Profile", word("aac_low", later=_AAC_LATER)),
    _output("/Audio/Samplerate", one_of(22050, 32000, 44100, 48000, 96000)),
    _output("/Audio/Bitrate", number(8, 1000)),
    _output("/Audio/Channels", one_of(1, 2, 4, 5, 6, 8)),
    _output("/Audio/Remove", flag()),
    _output("/Audio/Volume/Method", word("auto", "dynamic", "linear")),
    _output("/Audio/Volume/IntegratedLoudnessTarget", number(-70, -5), **_DYNAMIC),
    _output("/Audio/Volume/TruePeak", number(-9, 0), **_DYNAMIC),
    _output("/Audio/Volume/LoudnessRangeTarget", number(1, 20), **_DYNAMIC),
    _output("/Audio/Volume/Level", number(-70, 0)),
    _output("/MuxConfig/Segment/Duration", number(1, 60, whole=True), TemplateId=HLS),
    _output(
        "/MuxConfig/Segment/ForceSegTime",
        pattern(
            *("23,55,60", "0.001", 7, "100000", ",".join(map(str, range(1, 11)))),
            bad=("1;2", "1,,2", ",1", "1,", "1, 2", "1.0001", "-1", "1e1", "0:01", arabic("2")),
            outside=("0", "0.000", "5,0", "9" * 30, ",".join(map(str, range(1, 12)))),
        ),
        TemplateId=HLS,
    ),
    _output("/MuxConfig/Gif/Loop", number(0, 65535, whole=True), **_GIF),
    _output("/MuxConfig/Gif/FinalDelay", number(0, 65535, whole=True), **_GIF),
    _output("/MuxConfig/Gif/DitherMode", word("sierra", "bayer"), **_GIF),
    _output("/MuxConfig/Gif/IsCustomPalette", flag(), **_GIF),
    _output("/MuxConfig/Webp/Loop", number(0, 65535, whole=True), **_WEBP),
    _output("/TransConfig/TransMode", word("onepass", "twopass", "CBR")),
    _output("/TransConfig/AdjDarMethod", word("rescale", "crop", "pad", "none")),
    *(
        _output(f"/TransConfig/IsCheck{what}{fail}", flag())
        for what in ("Reso", "VideoBitrate", "AudioBitrate")
        for fail in ("", "Fail")
    ),
]

#: how a watermark lies on the picture, which its templates have, too
PLACEMENT = [
    _output(f"/WaterMarks/0/{name}", rule, WaterMarks=[MARK])
    for name, rule in {
        "Width": extent(8, 4096),
        "Height": extent(8, 4096),
        "Dx": extent(-4096, 4096),
        "Dy": extent(-4096, 4096),
        "ReferPos": word("TopRight", "TopLeft", "BottomRight", "BottomLeft"),
        "Timeline/Start": number(0),
        "Timeline/Duration": number(0, open_low=True),
    }.items()
]

TEXT = {"Type": "Text", "TextWaterMark": {"Content": _encoded("测试")}}
_TEXT_FIELDS = {
    "Content": text(1024, form=_encoded),
    "FontName": text(128),
    "FontSize": number(4, 120, open_low=True, open_high=True, whole=True),
    "FontColor": _COLOUR,
    "FontAlpha": number(0, 1, open_low=True),
    "Top": number(0, 4096, whole=True),
    "Left": number(0, 4096, whole=True),
    # the documents leave 0 out, and have it as the default
    "BorderWidth": number(0, 4096, whole=True),
    "BorderColor": _COLOUR,
}


def _fields(name: str, item: Mapping[str, Any], rules: Mapping[str, Rule]) -> Iterator[Limit]:
    """Fields of the one item of a list."""
    for one, rule in rules.items():
        yield _output(f"/{name}/0/{one}", rule, **{name: [item]})


_SIDE = pattern(
    *("1", "4095", 640, "-1", -1, "full"),
    bad=("640.5", "FULL", "full ", arabic("640"), "640px"),
    outside=("0", "4096", "-2", "99999", "9" * 20, 0, 4096, -2),
)
_SLATE = {"Width": _SIDE, "Height": _SIDE}
#: the documents let a length of 0 through, of which no output could be made
_LENGTH = clock(none=False)
_TRACK = pattern(
    *("0:a:0", "0:a:9", "0:a:255"),
    bad=("0:v:0", "0", "0:a", "0:a:-1", arabic("0:a:1"), "1:a:0"),
    outside=("0:a:256", "0:a:99999"),
)
_KEY = Rule(
    good=(_encoded("encryptionkey128"), _encoded("encryptionkey128").rstrip("=")),
    bad={
        FORMAT: ("%%%", "0" * 21),
        RANGE: ("0" * 16, *map(_encoded, ("0" * 15, "0" * 17, "é" * 16))),
    },
)
ENCRYPTION = {
    "Type": "hls-aes-128",
    "KeyType": "Base64",
    "Key": _encoded("encryptionkey128"),
    "KeyUri": _encoded("http://example.com/key"),
}
REGION = {"l": "10", "t": "10", "w": "10", "h": "10"}

#: fields that only outputs have
OUTPUTS = [
    _output("/Priority", number(1, 10, whole=True)),
    _output("/UserData", text(1024)),
    _output("/Rotate", number(0, 360, open_high=True)),
    _output("/AudioStreamMap", _TRACK),
    _output(
        "/VideoStreamMap",
        pattern(
            *("0:v:0", "0:a:9", "0", 255),
            bad=("0:s:0", "1:v:0", "0:v", "-1", "0:v:-1", arabic("0:v:1")),
            outside=("256", "0:v:99999"),
        ),
    ),
    _output("/Clip/TimeSpan/Seek", clock()),
    _output("/Clip/TimeSpan/Duration", _LENGTH),
    _output("/Clip/TimeSpan/End", clock()),
    _output("/Clip/ConfigToClipFirstPart", flag(), Clip={"TimeSpan": {"Seek": "1"}}),
    _output("/WaterMarks", items(MARK, 4, least=0)),
    _output("/WaterMarks/0/Type", word("Image", "Text"), WaterMarks=[{**MARK, **TEXT}]),
    *(
        _output(f"/WaterMarks/0/TextWaterMark/{name}", rule, name == "Content", WaterMarks=[TEXT])
        for name, rule in _TEXT_FIELDS.items()
    ),
    _output("/MergeList", items(PART, 4)),
    *_fields("MergeList", PART, {"Start": clock(), "Duration": _LENGTH}),
    *_fields("OpeningList", {"OpenUrl": "oss://side/a.mp4"}, {**_SLATE, "Start": clock()}),
    *_fields(
        "TailSlateList",
        {"TailUrl": "oss://side/a.mp4"},
        {**_SLATE, "BlendDuration": clock(), "IsMergeAudio": flag(), "BgColor": _COLOUR},
    ),
    *_fields(
        "Amix",
        {"AmixURL": "input"},
        {
            "MixDurMode": word("first", "longest", aliases=("long",)),
            "Map": _TRACK,
            "Start": clock(),
            "Duration": _LENGTH,
        },
    ),
    *(
        _output(f"/Encryption/{name}", rule, True, TemplateId=HLS, Encryption=ENCRYPTION)
        for name, rule in {
            "Type": word("hls-aes-128"),
            "KeyType": word("Base64", later=("KMS",)),
            "Key": _KEY,
        }.items()
    ),
    *(
        _output(f"/M3U8NonStandardSupport/TS/{name}Support", flag(), TemplateId=HLS)
        for name in ("Md5", "Size")
    ),
    _output("/SubtitleConfig/ExtSubtitleList", items(SUBTITLE, 4, least=0)),
    *(
        _output(
            f"/SubtitleConfig/ExtSubtitleList/0/{name}",
            rule,
            SubtitleConfig={"ExtSubtitleList": [SUBTITLE]},
        )
        for name, rule in {
            "CharEnc": word("UTF-8", "GBK", "BIG5", "auto", any_case=True),
            "FontName": text(128),
        }.items()
    ),
    *(
        _output(
            f"/DeWatermark/1000/1/{side}",
            number(0, 8192, open_low=side in "wh"),
            True,
            DeWatermark={"1000": [REGION, REGION]},
        )
        for side in "ltwh"
    ),
]

#: what this version does not do, refused by name
REFUSED = ("/DigiWaterMark", "/SuperReso", "/WaterMarkConfigUrl")

#: what the documents have in answers only, ignored with a warning
ECHOED = (
    *("/Video/MaxFps", "/Video/Degrain", "/Video/Qscale", "/Video/ResoPriority", "/Audio/Qscale"),
    *("/Video/BitrateBnd", "/SubtitleConfig/SubtitleList"),
)
