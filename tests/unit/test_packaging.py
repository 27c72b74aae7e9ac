"""The parameters of packaging activities, and the rules over all of a package."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from activities import packaging
from activities.transcode.model.output import TranscodeParameters
from tests.support.packages import dash, hls, items, parameters, sound, stream, without_sound
from workflow_engine.activity import load_registry
from workflow_engine.errors import Code, Severity, TopologyError
from workflow_engine.planning.graph import load

Value = dict[str, Any]
Change = Callable[[Value], Any]

NULL, RANGE, FORMAT = Code.NULL_VALUE, Code.OUT_OF_RANGE, Code.FORMAT
INVALID, UNSUPPORTED, NOT_FOUND = Code.INVALID, Code.NOT_SUPPORTED, Code.RESOURCE_NOT_FOUND


def told(value: Value) -> list[tuple[str, str]]:
    """Code and pointer of each error of a topology."""
    try:
        load(json.dumps(value), load_registry())
    except TopologyError as error:
        errors = [p for p in error.problems if p.severity is Severity.ERROR]
        assert all(p.message.endswith(".") and p.remedy for p in errors)
        return [(p.code, p.pointer) for p in errors]
    return []


def warned(value: Value) -> list[tuple[str, str]]:
    """Pointer and message of each warning of a valid topology."""
    found = load(json.dumps(value), load_registry()).warnings
    return [(problem.pointer, problem.message) for problem in found]


def at(name: str, *path: str | int) -> str:
    return "".join(f"/{part}" for part in ("Activities", name, "Parameters", *path))


def test_the_samples_of_the_specification_are_read():
    read = TranscodeParameters.model_validate(
        {
            "MultiBitrateVideoStream": '{"URI":"c/d/video1.m3u8"}',
            "ExtXMedia": '{"Name":"english","Language":"en-US","URI":"c/d/audio-1.m3u8"}',
            "Representation": '{"Id":"480p","URI":"videoSD/xx.mpd"}',
            "InputConfig": '{"Format":"vtt","InputFile":{"URL":"http://a.oss-x.aliyuncs.com/b.vtt"}}',
            "WebVTTSubtitleURL": "http://a.oss-x.aliyuncs.com/b.vtt",
        }
    )
    assert not read.model_extra
    assert read.packaged
    assert read.ext_x_media and read.ext_x_media.language == "en-US"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("MultiBitrateVideoStream", {"URI": "c/d/video1.mpd"}, FORMAT),
        ("MultiBitrateVideoStream", {"URI": "C/video1.m3u8"}, FORMAT),
        ("MultiBitrateVideoStream", {"URI": "c/../video1.m3u8"}, FORMAT),
        ("ExtXMedia", {"Name": "x" * 65, "URI": "a/b.m3u8"}, RANGE),
        ("ExtXMedia", {"Name": "x", "URI": "a/b.m3u8", "Language": "en_US"}, FORMAT),
        ("Representation", {"Id": "480p", "URI": "1/xx.mpd"}, FORMAT),
        ("InputConfig", {"Format": "srt", "InputFile": {"URL": "oss://x/y"}}, INVALID),
    ],
)
def test_stream_fields_have_their_limits(field: str, value: Value, code: Code):
    with pytest.raises(ValidationError) as caught:
        TranscodeParameters.model_validate({field: value})
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_both_spellings_of_the_stream_info_mean_the_same_and_stand_alone():
    model = packaging.GenerateMasterPlayList.parameters
    for name in ("ExtXStreamInf", "ExtXStreamInfo"):
        item = {"RefActivityName": "v", name: '{"BandWidth":"5"}'}
        read = model.model_validate({"MasterPlayList": {"MultiBitrateVideoStreams": [item]}})
        assert read.master_play_list.multi_bitrate_video_streams[0].ext_x_stream_info.band_width
    value = hls()
    items(value)[0]["ExtXStreamInf"] = {"BandWidth": "1"}
    assert [code for code, _ in told(value)] == [INVALID]


@pytest.mark.parametrize("value", [hls(), dash(), hls(SegmentFormat="fmp4", SegmentSeconds=4)])
def test_packages_in_their_shape_are_valid_without_a_word(value: Value):
    assert (told(value), warned(value)) == ([], [])


def test_everything_may_stand_in_strings():
    value = hls()
    for name in value["Activities"]:
        own = value["Activities"][name]
        own["Parameters"] = {
            key: json.dumps(one) if isinstance(one, dict | list) else one
            for key, one in own.get("Parameters", {}).items()
        }
    assert told(value) == []


def edges(**changed: list[str]) -> Change:
    return lambda value: value["Dependencies"].update(changed)


def set_in(name: str, **given: Any) -> Change:
    return lambda value: parameters(value, name).update(given)


def without(name: str, *fields: str) -> Change:
    return lambda value: [parameters(value, name).pop(field) for field in fields]


def add(name: str, before: str, activity: Value, *behind: str) -> Change:
    def change(value: Value) -> None:
        value["Activities"][name] = activity
        value["Dependencies"][before] = [*value["Dependencies"][before], name]
        value["Dependencies"][name] = list(behind)

    return change


def both(*changes: Change) -> Change:
    return lambda value: [change(value) for change in changes]


PACKAGE = {
    "Type": "PackageConfig",
    "Parameters": {
        "Output": {"Bucket": "out", "Location": "local", "MasterPlayListName": "other/m.m3u8"},
        "Protocol": "hls",
    },
}
GROUP = {"Type": "AudioGroup", "Parameters": {"GroupId": "more"}}
MASTER = {"Type": "GenerateMasterPlayList", "Parameters": {}}

#: the twelve mistakes that the specification names (topology, 5.3)
MISTAKES = {
    "a group before PackageConfig": (
        both(edges(start=["voices", "package"], package=["high", "low"]), lambda _: None),
        (INVALID, "/Activities/voices"),
    ),
    "VideoGroup in hls": (
        both(
            add("pictures", "package", {"Type": "VideoGroup", "Parameters": {}}, "more"),
            add("more", "package", stream(MultiBitrateVideoStream={"URI": "m/v.m3u8"}), "master"),
        ),
        (UNSUPPORTED, "/Activities/pictures/Type"),
    ),
    "dash with fields of hls": (
        set_in("package", Protocol="dash"),
        (UNSUPPORTED, at("high", "MultiBitrateVideoStream")),
    ),
    "AudioGroup without GroupId": (without("voices", "GroupId"), (NULL, at("voices", "GroupId"))),
    "GroupId above 32 bytes": (
        set_in("voices", GroupId="é" * 17),
        (RANGE, at("voices", "GroupId")),
    ),
    "no MasterPlayList": (
        without("master", "MasterPlayList"),
        (NULL, at("master", "MasterPlayList")),
    ),
    "unknown RefActivityName": (
        lambda value: items(value)[0].update(RefActivityName="hihg"),
        (NOT_FOUND, at("master", "MasterPlayList", "MultiBitrateVideoStreams", 0)),
    ),
    "unknown group in ExtXStreamInfo": (
        lambda value: items(value)[1]["ExtXStreamInfo"].update(Audio="soun"),
        (
            NOT_FOUND,
            at(
                "master", "MasterPlayList", "MultiBitrateVideoStreams", 1, "ExtXStreamInfo", "Audio"
            ),
        ),
    ),
    "URI with a capital letter": (
        set_in("high", MultiBitrateVideoStream={"URI": "High/video.m3u8"}),
        (FORMAT, at("high", "MultiBitrateVideoStream", "URI")),
    ),
    "Protocol cmaf": (
        set_in("package", Protocol="cmaf"),
        (UNSUPPORTED, at("package", "Protocol")),
    ),
    "video Transcode without MultiBitrateVideoStream": (
        without("low", "MultiBitrateVideoStream"),
        (INVALID, "/Activities/low"),
    ),
    "two PackageConfigs before one stream": (
        add("second", "start", PACKAGE, "high"),
        (INVALID, "/Activities/high"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_of_the_twelve_mistakes_is_refused(mistake: str):
    change, expected = MISTAKES[mistake]
    value = hls()
    change(value)
    assert expected in told(value)


def test_mistakes_are_told_all_at_once():
    value = hls()
    # the others hide what these are about, or exclude them
    together = [
        *("AudioGroup without GroupId", "unknown RefActivityName", "VideoGroup in hls"),
        *("URI with a capital letter", "video Transcode without MultiBitrateVideoStream"),
    ]
    for mistake in together:
        MISTAKES[mistake][0](value)
    found = told(value)
    assert [one for one in together if MISTAKES[one][1] not in found] == []
    # and nothing is told of what only could not be read
    assert (NOT_FOUND, "/Activities/high") not in found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_in("package", Output={"Bucket": "out"}), (NULL, at("package", "Output", "Location"))),
        (
            lambda v: parameters(v, "package")["Output"].update(MasterPlayListName="a/m.mpd"),
            (FORMAT, at("package", "Output", "MasterPlayListName")),
        ),
        (
            lambda v: parameters(v, "package")["Output"].update(MasterPlayListName="a/../m.m3u8"),
            (FORMAT, at("package", "Output", "MasterPlayListName")),
        ),
        (
            lambda v: parameters(v, "package")["Output"].update(MasterPlayListName="/m.m3u8"),
            (FORMAT, at("package", "Output", "MasterPlayListName")),
        ),
        (
            lambda v: parameters(v, "package")["Output"].update(ManifestName="c/m.m3u8"),
            (FORMAT, at("package", "Output", "ManifestName")),
        ),
        (
            lambda v: parameters(v, "package")["Output"].update(ManifestName="elsewhere/m.mpd"),
            (FORMAT, at("package", "Output", "ManifestName")),
        ),
        (
            set_in("english", ExtXMedia={"Name": "English", "URI": "high/video-iframes.m3u8"}),
            (INVALID, at("english", "ExtXMedia", "URI")),
        ),
        (edges(high=["report"]), (INVALID, "/Activities/package")),
        (add("more", "high", MASTER, "report"), (INVALID, "/Activities/package")),
        (add("more", "package", GROUP, "master"), (INVALID, "/Activities/more")),
        (add("more", "voices", GROUP, "english"), (INVALID, "/Activities/more")),
        (
            add("alone", "start", stream(ExtXMedia={"Name": "a", "URI": "a/b.m3u8"}), "report"),
            (UNSUPPORTED, at("alone", "ExtXMedia")),
        ),
        (without("high", "Outputs"), (RANGE, at("high", "Outputs"))),
        (
            lambda v: parameters(v, "high").update(Outputs=parameters(v, "high")["Outputs"] * 2),
            (RANGE, at("high", "Outputs")),
        ),
        (
            set_in("low", MultiBitrateVideoStream={"URI": "high/./video.m3u8"}),
            (INVALID, at("low", "MultiBitrateVideoStream", "URI")),
        ),
        (
            set_in("english", ExtXMedia={"Name": "English", "URI": "high/video.aac"}),
            (INVALID, at("high", "MultiBitrateVideoStream", "URI")),
        ),
        (
            set_in("low", MultiBitrateVideoStream={"URI": "master.m3u8"}),
            (INVALID, at("low", "MultiBitrateVideoStream", "URI")),
        ),
        (
            set_in("voices", AdaptationSet={"Group": "a"}),
            (UNSUPPORTED, at("voices", "AdaptationSet")),
        ),
        (
            set_in("english", MultiBitrateVideoStream={"URI": "a/b.m3u8"}),
            (UNSUPPORTED, at("english", "MultiBitrateVideoStream")),
        ),
        (
            set_in("high", MultiBitrateVideoStream={"URI": "a/b.m3u8", "RefActivityName": "x"}),
            (UNSUPPORTED, at("high", "MultiBitrateVideoStream", "RefActivityName")),
        ),
        (
            lambda v: items(v)[0].update(URI="a/b.m3u8"),
            (UNSUPPORTED, at("master", "MasterPlayList", "MultiBitrateVideoStreams", 0, "URI")),
        ),
        (
            lambda v: items(v)[1].update(RefActivityName="high"),
            (INVALID, at("master", "MasterPlayList", "MultiBitrateVideoStreams", 1)),
        ),
        (
            add(
                "german",
                "voices",
                sound(ExtXMedia={"Name": "English", "URI": "audio/german.m3u8"}),
                "master",
            ),
            (INVALID, at("german", "ExtXMedia", "Name")),
        ),
        (
            lambda v: parameters(v, "high")["Outputs"][0].update(
                MuxConfig={"Segment": {"ForceSegTime": "2,4"}}
            ),
            (UNSUPPORTED, at("high", "Outputs", 0, "MuxConfig", "Segment")),
        ),
        (
            lambda v: parameters(v, "english")["Outputs"][0].update(Audio={"Remove": "true"}),
            (UNSUPPORTED, at("english", "Outputs", 0, "TemplateId")),
        ),
    ],
)
def test_the_other_rules_of_hls(change: Change, expected: tuple[str, str]):
    value = hls()
    change(value)
    assert expected in told(value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            edges(package=["voices", "pictures", "high"], pictures=["low"]),
            (INVALID, "/Activities/high"),
        ),
        (set_in("voices", GroupId="a"), (UNSUPPORTED, at("voices", "GroupId"))),
        (without("voices", "AdaptationSet"), (NULL, at("voices", "AdaptationSet"))),
        (
            set_in("pictures", AdaptationSet={"Group": "voices"}),
            (INVALID, at("pictures", "AdaptationSet", "Group")),
        ),
        (
            set_in("pictures", AdaptationSet={"Group": "p", "Lang": "en"}),
            (UNSUPPORTED, at("pictures", "AdaptationSet", "Lang")),
        ),
        (
            set_in("high", Representation={"Id": "low", "URI": "a/b.mpd"}),
            (INVALID, at("low", "Representation", "Id")),
        ),
        (
            set_in("master", MasterPlayList={"MultiBitrateVideoStreams": []}),
            (UNSUPPORTED, at("master", "MasterPlayList")),
        ),
        (
            set_in("high", WebVTTSubtitleURL="http://a.oss-x.aliyuncs.com/b.vtt"),
            (UNSUPPORTED, at("high", "WebVTTSubtitleURL")),
        ),
        (without("high", "Representation"), (NULL, at("high", "Representation"))),
        (set_in("package", SegmentFormat="ts"), (UNSUPPORTED, at("package", "SegmentFormat"))),
        (edges(package=["master"]), (INVALID, "/Activities/package")),
    ],
)
def test_the_other_rules_of_dash(change: Change, expected: tuple[str, str]):
    value = dash()
    change(value)
    assert expected in told(value)


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        (set_in("high", OutputBucket="elsewhere"), at("high", "OutputBucket"), "no effect"),
        (
            set_in("english", ExtXMedia={"Name": "English", "URI": "audio/english.aac"}),
            at("english", "ExtXMedia", "URI"),
            'does not end with ".m3u8"',
        ),
        (lambda v: items(v).pop(), "/Activities/low", "names the video stream"),
        (
            lambda v: parameters(v, "low")["Outputs"][0].update(
                Clip={"TimeSpan": {"Seek": "1", "Duration": "2"}}
            ),
            at("low", "Outputs", 0, "Clip"),
            "has another Clip than",
        ),
        (
            lambda v: [item["ExtXStreamInfo"].pop("Audio") for item in items(v)],
            "/Activities/voices",
            "names the AudioGroup",
        ),
        (
            lambda v: parameters(v, "high")["Outputs"][0].pop("Audio"),
            at("high", "Outputs", 0, "TemplateId"),
            "The sound of",
        ),
        (
            lambda v: [
                parameters(v, name)["Outputs"][0].update(
                    MuxConfig={"Segment": {"Duration": seconds}}
                )
                for name, seconds in (("high", 4), ("low", 6))
            ],
            "/Activities/package",
            "all get 10",
        ),
        (
            both(
                add("group", "package", {"Type": "SubtitleGroup", "Parameters": {"GroupId": "s"}}),
                add(
                    "words",
                    "group",
                    {
                        "Type": "Transcode",
                        "Parameters": {"ExtXMedia": {"Name": "e", "URI": "s/e.m3u8"}},
                    },
                    "master",
                ),
            ),
            "/Activities/words",
            "WebVTTSubtitleURL",
        ),
    ],
)
def test_what_is_only_odd_is_a_warning(change: Change, pointer: str, words: str):
    value = hls()
    change(value)
    assert any(at == pointer and words in message for at, message in warned(value))


def audible(value: Value) -> Value:
    """A package without a group of sound, with sound in the picture `high`."""
    del parameters(without_sound(value), "high")["Outputs"][0]["Audio"]
    return value


def test_sound_within_a_picture_has_a_place_in_hls_alone():
    place = "/Activities/high/Parameters/Outputs/0/TemplateId"
    assert told(audible(hls(SegmentFormat="fmp4"))) == []
    both = hls(output={"ManifestName": "{FileName}/all.mpd"})
    assert told(audible(both)) == [(UNSUPPORTED, place)]
    ((pointer, message),) = warned(audible(dash()))
    assert pointer == place and 'The sound of "high" is left out' in message
    assert warned(without_sound(dash())) == []


@pytest.mark.parametrize(
    ("form", "scheme", "wrong"),
    [
        ("ts", "cbcs", "english high low"),
        ("fmp4", "hls-aes-128", "english high low"),
        ("fmp4", "cbcs", ""),
        ("ts", "hls-aes-128", ""),
    ],
)
def test_what_is_encrypted_how_depends_on_the_segments(form: str, scheme: str, wrong: str):
    value = hls(SegmentFormat=form)
    for name in ("english", "high", "low"):
        parameters(value, name)["Outputs"][0]["Encryption"] = encryption(scheme)
    places = [f"/Activities/{name}/Parameters/Outputs/0" for name in wrong.split()]
    assert told(value) == [(UNSUPPORTED, f"{place}/Encryption/Type") for place in places]


def test_cbcs_needs_sound_apart_and_only_its_keys_have_ids():
    output = "/Activities/high/Parameters/Outputs/0"
    within = audible(hls(SegmentFormat="fmp4"))
    parameters(within, "high")["Outputs"][0]["Encryption"] = encryption("cbcs")
    assert told(within) == [(UNSUPPORTED, f"{output}/Encryption/Type")]
    named = hls()
    parameters(named, "high")["Outputs"][0]["Encryption"] = encryption(
        "hls-aes-128", KeyId="00" * 16
    )
    assert told(named) == [(UNSUPPORTED, f"{output}/Encryption")]
    short = hls(SegmentFormat="fmp4")
    parameters(short, "high")["Outputs"][0]["Encryption"] = encryption("cbcs", KeyId="00" * 15)
    assert told(short) == [(FORMAT, f"{output}/Encryption/KeyId")]


def encryption(scheme: str, **more: str) -> dict[str, str]:
    key = {"KeyType": "Base64", "Key": "MDEyMzQ1Njc4OTAxMjM0NQ==", "KeyUri": "aHR0cHM6Ly9hLmIvYw=="}
    return {"Type": scheme, **key, **more}
