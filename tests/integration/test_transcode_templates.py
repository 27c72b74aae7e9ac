"""Custom templates and names without extensions, on real media."""

import pytest

from activities.probe import MediaInfo
from tests.support.context import RUN_ID
from tests.support.transcodes import HLS, MP4, key_times, output, run, stream

CUSTOM = "c" * 32
SECTIONS = {
    "Name": "small",
    "Container": {"Format": "m3u8"},
    "Video": {"Width": "320", "Bitrate": "200", "Preset": "veryfast", "Fps": "10"},
    "Audio": {"Bitrate": "48", "Channels": "1"},
    "MuxConfig": {"Segment": {"Duration": "2"}},
}


@pytest.mark.proves("TemplateId custom", by="ffprobe")
def test_a_custom_template_and_an_output_that_overrides_it(tmp_path, clip):
    custom = {"TemplateId": CUSTOM}
    templates = {CUSTOM: SECTIONS}.get
    override = {"Container": {"Format": "mp4"}, "Video": {"Width": "160"}}
    made = run(tmp_path, clip, custom, custom | override, templates=templates)
    segments = made.segments(0)
    assert [one.ref.object for one in segments] == [
        f"{RUN_ID}/0-{clip.stem}-{number:05}.ts" for number in (1, 2)
    ]
    picture, sound = stream(segments[0].path), stream(segments[0].path, "a")
    assert (picture["width"], picture["avg_frame_rate"]) == (320, "10/1")
    assert sound["channels"] == 1
    assert (stream(made[1])["width"], stream(made[1])["avg_frame_rate"]) == (160, "10/1")
    assert made.produced(1).ref.object == f"{RUN_ID}/1-{clip.stem}.mp4"


def test_a_template_without_video_makes_sound_only(tmp_path, clip):
    made = run(tmp_path, clip, {"TemplateId": CUSTOM}, templates={CUSTOM: {"Audio": {}}}.get)
    info = MediaInfo.of(made[0])
    assert not info.videos and len(info.audios) == 1
    assert made.produced(0).ref.object.endswith(".mp4")


def test_names_without_extensions(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        output(MP4, OutputObject="jobs/movie"),
        output(HLS, OutputObject="jobs/list", MuxConfig={"Segment": {"Duration": "2"}}),
        output(MP4, OutputObject="jobs/{DestMd5}"),
        AppendExtension="false",
    )
    assert made.produced(0).ref.object == "jobs/movie"
    assert made.produced(1).ref.object == "jobs/list.m3u8"
    assert [one.ref.object for one in made.segments(1)] == [
        "jobs/list-00001.ts",
        "jobs/list-00002.ts",
    ]
    names = made[1].read_text().splitlines()
    assert [name for name in names if name.endswith(".ts")] == ["list-00001.ts", "list-00002.ts"]
    md5 = made.produced(2).ref.object.removeprefix("jobs/")
    assert len(md5) == 32 and "." not in md5
    assert key_times(made[0])[0] == 0
