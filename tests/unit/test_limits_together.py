"""Every combination of container, codecs, sample rate and channels, and what else excludes what."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.limits.judging import Told, field, told
from tests.support.limits.outputs import ENCRYPTION, HLS, MARK, MP4, PART, REGION, TEXT, Limit
from tests.support.limits.rules import INVALID, NULL, RANGE, UNSUPPORTED
from tests.unit.test_limits_elsewhere import faults
from tests.unit.test_transcode_check import problems

COPY, MP3 = "S00000001-200000", "S00000001-300020"
BOTH, SOUND = ("H.264", "H.265"), ("AAC", "MP3")
#: what a container holds: pictures, sound beside them, sound alone
HOLDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "flv": (("H.264",), SOUND, SOUND),
    "mp4": (BOTH, SOUND, ("AAC",)),
    "ts": (BOTH, SOUND, SOUND),
    "m3u8": (BOTH, SOUND, SOUND),
    "mpd": (BOTH, SOUND, ("AAC",)),
    "mp3": ((), (), ("MP3",)),
    "ogg": ((), (), ("VORBIS", "FLAC")),
    "flac": ((), (), ("FLAC",)),
    "m4a": ((), (), ("AAC",)),
    "gif": (("GIF",), (), ()),
    "webp": (("WEBP",), (), ()),
}
PICTURES, SOUNDS = ("H.264", "H.265", "GIF", "WEBP", ""), ("AAC", "MP3", "VORBIS", "FLAC", "")
RATES = (22050, 32000, 44100, 48000, 96000)


def sections(container: str, picture: str, sound: str, **audio: Any) -> dict[str, Any]:
    """An output or a template; "" is no such stream."""
    return {
        "Container": {"Format": container},
        "Video": {"Codec": picture} if picture else {"Remove": "true"},
        "Audio": {"Codec": sound, **audio} if sound else {"Remove": "true"},
    }


def expected(container: str, picture: str, sound: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a combination, in the order in which it is told."""
    pictures, beside, alone = HOLDS[container]
    no_sound = not (beside or alone)
    if not picture and (not sound or no_sound):
        yield INVALID, ""
    if picture and not pictures:
        yield UNSUPPORTED, "/Container/Format"
    elif picture and picture not in pictures:
        yield UNSUPPORTED, "/Video/Codec"
    if sound and no_sound:
        yield UNSUPPORTED, "/Audio"
    elif sound and sound not in (beside if picture and pictures else alone):
        yield UNSUPPORTED, "/Audio/Codec"


def judged(outputs: list[dict[str, Any]]) -> list[Told]:
    """What is told of outputs, pointers below them."""
    room = [{"OutputObject": "a", "TemplateId": MP4, **output} for output in outputs]
    found = told(field(""), room)
    return [[(code, at.removeprefix("/Outputs/0")) for code, at in one] for one in found]


@pytest.mark.parametrize("container", HOLDS)
def test_containers_and_codecs(container: str):
    combinations = list(product(PICTURES, SOUNDS))
    found = judged([sections(container, *codecs) for codecs in combinations])
    for codecs, one in zip(combinations, found, strict=True):
        wrong = list(expected(container, *codecs))
        assert one == wrong, codecs
        assert faults("Template", sections(container, *codecs)) == wrong, codecs


HELD = [
    (container, picture, sound)
    for container, (pictures, beside, alone) in HOLDS.items()
    for picture, sounds in ((pictures[0] if pictures else "", beside), ("", alone))
    for sound in sounds
]


def wrong_rate(container: str, sound: str, rate: int) -> bool:
    # the last: no bit rate of the encoder suits it
    return (
        (sound == "MP3" and container == "flv" and rate not in (22050, 44100))
        or (sound == "MP3" and rate == 96000)
        or (sound == "VORBIS" and rate == 96000)
    )


def wrong_channels(container: str, sound: str, channels: int) -> str:
    limits = {"MP3": (1, 2), "AAC": (1, 2, 4, 5, 6, 8)}
    if channels not in limits.get(sound, range(1, 9)):
        return RANGE
    # AAC in transport streams has a header without room for 7.1
    return UNSUPPORTED if container in ("ts", "m3u8") and channels == 8 else ""


@pytest.mark.parametrize(("container", "picture", "sound"), HELD)
def test_sample_rates_and_channels(container: str, picture: str, sound: str):
    combinations = list(product(RATES, range(1, 9)))
    audio = [{"Samplerate": f"{rate}", "Channels": n} for rate, n in combinations]
    found = judged([sections(container, picture, sound, **one) for one in audio])
    for (rate, channels), one in zip(combinations, found, strict=True):
        wrong: Told = []
        if wrong_rate(container, sound, rate):
            wrong.append((UNSUPPORTED, "/Audio/Samplerate"))
        if code := wrong_channels(container, sound, channels):
            wrong.append((code, "/Audio/Channels"))
        assert sorted(one) == sorted(wrong), (rate, channels)


#: fields of Video, and the codecs that do not have them
PARAMETERS = {
    "Profile": ("high", "H.265 GIF WEBP"),
    "Bitrate": ("800", "GIF WEBP"),
    "Crf": ("23", "GIF WEBP"),
    "Width": ("640", ""),
    "Height": ("360", ""),
    "Fps": ("25", ""),
    "Gop": ("250", "GIF WEBP"),
    "Preset": ("medium", "H.265 GIF WEBP"),
    "ScanMode": ("progressive", ""),
    "Bufsize": ("6000", "GIF WEBP"),
    "Maxrate": ("800", "GIF WEBP"),
    "PixFmt": ("yuv420p", "GIF"),
    "Hdr": ("ToSdr", ""),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_codecs_and_their_parameters(name: str):
    value, without = PARAMETERS[name]
    containers = {"H.264": "mp4", "H.265": "mp4", "GIF": "gif", "WEBP": "webp"}
    for codec, container in containers.items():
        video = {"Container": {"Format": container}, "Video": {"Codec": codec, name: value}}
        wrong = [(UNSUPPORTED, f"/Video/{name}")] if codec in without.split() else []
        assert judged([video]) == [wrong], codec
        assert faults("Template", video) == wrong, codec


GIF = {"Container": {"Format": "gif"}, "Video": {"Codec": "GIF"}}
KEEP = {"Hdr": "Keep", "Codec": "H.265", "PixFmt": "yuv420p10le"}
SILENT = {"Audio": {"Remove": "true"}}
TARGETS = {"IntegratedLoudnessTarget": "-20", "TruePeak": "-2", "LoudnessRangeTarget": "7"}


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        # HDR has 10 bits, and a white of its own
        ({"Video": KEEP}, []),
        ({"Video": KEEP | {"Codec": "AV1"}}, []),
        ({"Video": KEEP | {"Codec": "H.264"}}, [(UNSUPPORTED, "/Video/Hdr")]),
        ({"Video": KEEP | {"PixFmt": "yuv420p"}}, [(UNSUPPORTED, "/Video/Hdr")]),
        ({"Video": KEEP, "MergeList": [PART]}, [(UNSUPPORTED, "/MergeList")]),
        (
            {"Video": KEEP, "TailSlateList": [{"TailUrl": "oss://a/b"}]},
            [(UNSUPPORTED, "/TailSlateList")],
        ),
        (
            {"Video": KEEP, "DeWatermark": {"0": [{"l": 1, "t": 1, "w": 9, "h": 9}]}},
            [(UNSUPPORTED, "/DeWatermark")],
        ),
        # parts come from one place
        ({"MergeList": [PART], "MergeConfigUrl": "oss://a/b"}, [(INVALID, "/MergeConfigUrl")]),
        # HLS alone has keys and tags
        ({"Encryption": ENCRYPTION}, [(UNSUPPORTED, "/Encryption")]),
        ({"Encryption": ENCRYPTION, "TemplateId": HLS}, []),
        (
            {"M3U8NonStandardSupport": {"TS": {}}, "Container": {"Format": "mpd"}},
            [(UNSUPPORTED, "/M3U8NonStandardSupport")],
        ),
        # segments, loops and delays belong to containers
        (
            {"MuxConfig": {"Segment": {"Duration": 4}, "Gif": {"Loop": 1}, "Webp": {"Loop": 1}}},
            [(UNSUPPORTED, f"/MuxConfig/{name}") for name in ("Segment", "Gif", "Webp")],
        ),
        # targets belong to one method, the level to the others
        *(
            (
                {"Audio": {"Volume": {"Method": method, **TARGETS}}},
                [(UNSUPPORTED, f"/Audio/Volume/{name}") for name in TARGETS],
            )
            for method in ("linear", "auto")
        ),
        (
            {"Audio": {"Volume": {"Method": "dynamic", "Level": "-20"}}},
            [(UNSUPPORTED, "/Audio/Volume/Level")],
        ),
        # two passes and a constant rate need a rate
        *(
            (
                {"Video": {"Crf": "20"}, "TransConfig": {"TransMode": mode}},
                [(UNSUPPORTED, "/TransConfig/TransMode")],
            )
            for mode in ("twopass", "CBR")
        ),
        ({"Video": {"Bitrate": "900", "Maxrate": "899"}}, [(RANGE, "/Video/Maxrate")]),
        ({"Video": {"Codec": "AV1", "Crf": "30.5"}}, [(UNSUPPORTED, "/Video/Crf")]),
        # watermarks have what their type needs
        ({"WaterMarks": [MARK, {}]}, [(NULL, "/WaterMarks/1/InputFile")]),
        ({"WaterMarks": [{"Type": "Text"}]}, [(NULL, "/WaterMarks/0/TextWaterMark")]),
        # what changes a picture needs one, and what chooses a sound, too
        *(
            ({"TemplateId": MP3, name: value}, [(UNSUPPORTED, f"/{name}")])
            for name, value in {
                "WaterMarks": [TEXT],
                "Rotate": "90",
                "DeWatermark": {"0": [REGION]},
                "VideoStreamMap": "0",
                "OpeningList": [{"OpenUrl": "oss://a/b"}],
                "TailSlateList": [{"TailUrl": "oss://a/b"}],
                "SubtitleConfig": {"ExtSubtitleList": [{"Input": MARK["InputFile"]}]},
            }.items()
        ),
        *(
            ({**silent, name: value}, [(UNSUPPORTED, f"/{name}")])
            for silent in (SILENT, GIF)
            for name, value in {"AudioStreamMap": "0:a:0", "Amix": [{"AmixURL": "input"}]}.items()
        ),
        # nothing of that is asked for
        ({"TemplateId": MP3, "Rotate": "0", "WaterMarks": []}, []),
        # packets cannot be changed
        *(
            ({"TemplateId": COPY, name: value}, [(UNSUPPORTED, f"/{name}")])
            for name, value in {
                "WaterMarks": [MARK],
                "Clip": {"TimeSpan": {"Seek": "1"}},
                "Rotate": "90",
                "MergeList": [PART],
                "MergeConfigUrl": "oss://a/b",
                "Amix": [{"AmixURL": "input"}],
                "DeWatermark": {"0": [REGION]},
                "SubtitleConfig": {"ExtSubtitleList": [{"Input": MARK["InputFile"]}]},
            }.items()
        ),
        ({"TemplateId": COPY, "Rotate": "0", "WaterMarks": []}, []),
        ({"TemplateId": COPY, "Video": {"Fps": "25"}}, [(UNSUPPORTED, "/Video/Fps")]),
        ({"TemplateId": COPY, "Audio": {"Channels": "1"}}, [(UNSUPPORTED, "/Audio/Channels")]),
        # colours that are not made of the picture are not dithered
        (
            {**GIF, "MuxConfig": {"Gif": {"DitherMode": "bayer", "IsCustomPalette": "false"}}},
            [(UNSUPPORTED, "/MuxConfig/Gif/DitherMode")],
        ),
    ],
)
def test_what_excludes_what(output: dict[str, Any], wrong: Told):
    assert judged([output]) == [wrong]


@pytest.mark.parametrize(
    ("template", "output", "place"),
    [
        ({"DitherMode": "bayer"}, {}, None),
        ({"DitherMode": "bayer"}, {"IsCustomPalette": "false"}, "/MuxConfig/Gif/IsCustomPalette"),
        ({"IsCustomPalette": "false"}, {"DitherMode": "bayer"}, "/MuxConfig/Gif/DitherMode"),
        ({"IsCustomPalette": "false", "DitherMode": "bayer"}, {}, "/TemplateId"),
    ],
)
def test_what_a_template_and_its_output_exclude(template: Any, output: Any, place: str | None):
    custom = {"f" * 32: {**GIF, "MuxConfig": {"Gif": template}}}
    given = {"OutputObject": "a", "TemplateId": "f" * 32, "MuxConfig": {"Gif": output}}
    found = [(one.code, one.pointer) for one in problems([given], templates=custom.get)]
    assert found == ([(UNSUPPORTED, f"/Outputs/0{place}")] if place else [])


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "MultiBitrateVideoStream": {"URI": "a/b.m3u8"},
        "ExtXMedia": {"Name": "a", "URI": "a/b.m3u8"},
        "WebVTTSubtitleURL": "http://a.oss-x.aliyuncs.com/b.vtt",
        "Representation": {"Id": "a", "URI": "a/b.mpd"},
        "InputConfig": {"Format": "vtt", "InputFile": {"URL": "http://a.oss-x.aliyuncs.com/b.vtt"}},
    }.items(),
)
def test_streams_of_packages_outside_of_packages(name: str, value: Any):
    limit = Limit("Transcode", f"/{name}", room=field("").room)
    assert told(limit, [value]) == [[(UNSUPPORTED, f"/{name}")]]
