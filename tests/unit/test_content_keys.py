"""Content keys of a table of steps: an old finished step is still found.

A key that changes here makes every finished step of that shape run again. That is right only when
other bytes come out; raise the `version` of the type then, and write the new keys down.
"""

import hashlib
import json
from typing import Any

import pytest

from activities import ffmpeg
from activities.subtitles.document import STYLE, Event, SubtitleDocument
from tests.support.topologies import snapshot, start, text, topology, transcode
from tests.support.transcode_plans import media
from workflow_engine.activity import Activity, SideInput, SideInputFacts, StepResult, load_registry
from workflow_engine.planning.graph import load
from workflow_engine.planning.plan import Input, plan_all
from workflow_engine.records import Digests, ObjectRef
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

MP4, HLS, COPY, MP3 = (
    *("S00000001-200030", "S00000001-100030", "S00000001-200000"),
    "S00000001-300020",
)
SMART = "S00000000-200040"
LOGO = {"Bucket": "out", "Location": "local", "Object": "logo.png"}
SUBTITLES = {
    "ExtSubtitleList": [
        {"Input": LOGO | {"Object": "a.srt"}},
        {"Input": LOGO | {"Object": "b.srt"}, "CharEnc": "GBK", "FontName": "WenQuanYi Zen Hei"},
    ]
}
TEXT = {"Content": "aGk=", "FontName": "WenQuanYi Zen Hei"}

#: what a step does, and the beginning of its key
TABLE: dict[str, tuple[dict[str, Any], str]] = {
    "mp4": (transcode(), "755d4d0027f44f34"),
    "hls": (transcode(template=HLS), "cf53c0965c361a41"),
    "copy": (transcode(template=COPY), "557d52099fa38306"),
    "mp3": (transcode(template=MP3), "f9569b5feef0c6e2"),
    "smart": (transcode(template=SMART), "1699961a34c21a29"),
    "border": (transcode(template=MP4, Video={"Crop": "border"}), "4eb9a72624420d6d"),
    "border of a clip": (
        transcode(
            template=MP4,
            Video={"Crop": "border"},
            Clip={"TimeSpan": {"Seek": "1.5", "Duration": "20"}},
        ),
        "efd7affeb08778f5",
    ),
    "volume": (transcode(template=MP4, Audio={"Volume": {"Method": "linear"}}), "52ad6af8944cc05b"),
    "volume of a clip": (
        transcode(
            template=MP3,
            Audio={"Volume": {"Method": "auto"}},
            Clip={"TimeSpan": {"Seek": "1.5"}},
        ),
        "234054d3736d169a",
    ),
    "watermark": (transcode(WaterMarks=[{"Type": "Image", "InputFile": LOGO}]), "3014c5bb01b814a9"),
    "text": (transcode(WaterMarks=[{"Type": "Text", "TextWaterMark": TEXT}]), "566b04d00939c7cf"),
    "subtitles": (transcode(SubtitleConfig=SUBTITLES), "25f2ab9a11098903"),
    "merge": (transcode(MergeList=[{"MergeURL": "oss://out/part.mp4"}]), "ad625be6bf568084"),
    "merge list": (transcode(MergeConfigUrl="oss://out/parts.json"), "691a57e6de513b22"),
    "mix": (transcode(Amix=[{"AmixURL": "oss://out/song.mp3"}]), "a8c971c42951e90c"),
    "opening": (transcode(OpeningList=[{"openUrl": "oss://out/opening.mp4"}]), "fb281ccfde1f5152"),
    "tail": (transcode(TailSlateList=[{"TailUrl": "oss://out/tail.mp4"}]), "f2ff879355f12ea6"),
    "picture": (snapshot(), "77c4baa92fd1102f"),
    "pictures": (
        snapshot("{Count}.jpg", Interval="2", Num="3", FrameType="normal"),
        "534f71caa2dbcc83",
    ),
}
ANALYSIS = "283d1d0173af491e"
START = "950545ea8801ccb4"
RAW_START = "705988e9e9d405ee"

#: by `SideInput.kind`: what is found out about every such object
FACTS: dict[str, Any] = {
    "media": media(),
    "border": {"box": [1920, 800, 0, 140]},
    "loudness": {"integrated": -30.0, "true_peak": -9.0, "mean": -33.0},
    "watermark": {"stream": 0, "width": 100, "height": 50, "moving": False},
    "subtitles": SubtitleDocument(
        width=384,
        height=288,
        styles=(STYLE,),
        events=(Event(start=0, end=2000, text="hi"),),
        plain=True,
    ).to_json(),
    "merge-list": {"MergeList": [{"MergeURL": "oss://out/part.mp4"}]},
}


def digests(of: str) -> Digests:
    return Digests(size=1, sha256=hashlib.sha256(of.encode()).hexdigest(), md5="0" * 32)


def look(activity: Activity[WireModel], wanted: SideInput) -> SideInputFacts:
    facts = FACTS[wanted.kind]
    return SideInputFacts(name="side-1f.png", digests=digests(wanted.ref.object), facts=facts)


@pytest.fixture
def same_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ffmpeg": "7.0", "ffprobe": "7.1"}
    monkeypatch.setattr(ffmpeg, "versions", lambda: versions)


def keys(first: dict[str, Any], work: dict[str, Any]) -> dict[str, str]:
    """The beginning of the key of each step of Start, Analysis and `work`, in a row."""
    activities = {"start": first, "analysis": {"Type": "Analysis", "Parameters": {}}, "work": work}
    edges = {"start": ["analysis"], "analysis": ["work"], "work": []}
    graph = load(text(topology(activities, edges)), load_registry())
    given = Input(
        ref=ObjectRef(bucket="uploads", object="incoming/in.mov", location="local"),
        digests=digests("the input"),
        names=Names.of("incoming/in.mov", run_id="0" * 32),
    )
    probed = StepResult(data=media())
    plan = plan_all(graph, given, probed, lambda planned: None, side_inputs=look)
    assert not [(one.error, one.skip) for one in plan.activities if one.step is None]
    return {one.node.name: one.key[:16] for one in plan.activities}


@pytest.mark.parametrize(("work", "key"), TABLE.values(), ids=TABLE)
def test_keys_of_steps_stay(same_tools: None, work: dict[str, Any], key: str):
    assert keys(start(), work) == {"start": START, "analysis": ANALYSIS, "work": key}


def test_the_key_of_a_start_with_raw_sound_stays(same_tools: None):
    bound = {"Bucket": "uploads", "Location": "local", "ObjectPrefix": "incoming/"}
    raw = {"Container": {"Format": "s16le"}, "Audio": {"Channels": "2", "Samplerate": "48000"}}
    found = keys(start(InputFile=json.dumps(bound | raw)), transcode())
    assert found["start"] == RAW_START
