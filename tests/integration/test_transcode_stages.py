"""Stages with further inputs and files on real media, and Clip by frame numbers."""

import pytest

from activities.probe import MediaInfo
from activities.transcode.command.filters import Chain, CommandInput, filter_of
from activities.transcode.features import registry as stages
from tests.support import media
from tests.support.transcodes import (
    HLS,
    MP3,
    decoded,
    frame_numbers,
    hashes,
    near,
    output,
    packets,
    pixel,
    run,
    similarity,
    video,
)
from workflow_engine.activity import SideInput
from workflow_engine.records import ObjectRef

TINY = {"Width": "160"}


def test_a_stage_lays_another_input_over_the_picture(tmp_path, media_dir, monkeypatch):
    source = media.clip(media_dir, 1, "320x180", picture="smptebars")
    logo = media.make(
        media_dir / "red.png", "-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1"
    )
    wanted = SideInput(ref=ObjectRef(bucket="side", object="logo.png"), kind="picture")

    def lay(scene):
        chain = Chain(input=CommandInput(file=scene.request.side_inputs[wanted].name))
        yield filter_of("overlay", chain, x=scene.size[0] - 20, y=4)

    monkeypatch.setattr(stages, "PICTURE_STAGES", (lay,))
    monkeypatch.setattr(stages, "READERS", (lambda request: [wanted],))
    monkeypatch.setattr(stages, "HANDLERS", {"picture": lambda kind, context: {}})
    made = run(
        tmp_path, source, video(Width="320"), video(Width="160"), objects={"side/logo.png": logo}
    )
    for n, width in enumerate((320, 160)):
        assert near(pixel(made[n], width - 12, 12), (254, 0, 0))
        assert not near(pixel(made[n], width - 40, 12), (254, 0, 0))
        assert len(packets(made[n])) == 25


@pytest.mark.proves(
    "Clip.TimeSpan.Seek", "Clip.TimeSpan.Duration", "Clip.TimeSpan.End", by="frame numbers"
)
@pytest.mark.parametrize(
    ("span", "first", "count"),
    [
        ({"Seek": "0.52", "Duration": "1"}, 13, 25),
        ({"Seek": "00:00:01.2"}, 30, 20),
        ({"Seek": "0.2", "End": "1"}, 5, 20),
        ({"End": "1.2"}, 0, 20),
    ],
)
def test_clip_to_the_frame(tmp_path, media_dir, span, first, count):
    source = media.numbered(media_dir, 2)
    cut = {"Clip": {"TimeSpan": span}}
    made = run(tmp_path, source, output(Video=TINY, **cut))
    assert frame_numbers(made[0]) == list(range(first, first + count))


def test_clip_of_sound_and_segments(tmp_path, media_dir):
    source = media.clip(media_dir, 4, "160x90")
    cut = {"Clip": {"TimeSpan": {"Seek": "1.5", "Duration": "2"}}}
    made = run(
        tmp_path,
        source,
        output(MP3, **cut),
        output(HLS, Video=TINY, MuxConfig={"Segment": {"Duration": "1"}}, **cut),
        output(Video=TINY),
    )
    assert MediaInfo.of(made[0]).duration == pytest.approx(2, abs=0.06)
    assert [len(packets(one.path)) for one in made.segments(1)] == [25, 25]
    assert len(packets(made[2])) == 100


def test_rungs_of_a_ladder_are_as_good_as_single_outputs(tmp_path, media_dir, bunny):
    source = media.make(media_dir / "bunny-2s.mp4", "-i", str(bunny), "-t", "2", "-c", "copy")
    rungs = [
        video(Width=width, Crf="23", Preset="veryfast") for width in ("1024", "640", "426", "426")
    ]
    ladder = run(tmp_path / "ladder", source, *rungs)
    for n, rung in enumerate(rungs[:3]):
        alone = run(tmp_path / str(n), source, rung)
        assert len(packets(ladder[n])) == len(packets(alone[0])) == len(packets(source))
        both = [similarity(made, source) for made in (ladder[n], alone[0])]
        assert both[0] == pytest.approx(both[1], abs=0.005)
    assert decoded(ladder[2], "-f", "rawvideo") == decoded(ladder[3], "-f", "rawvideo")


def test_a_rung_of_ten_bits_is_not_made_of_one_of_eight(tmp_path, media_dir):
    deep = media.make(
        media_dir / "deep.mkv",
        *("-f", "lavfi", "-i", "gradients=size=640x360:rate=25:duration=1:speed=0.02"),
        *("-pix_fmt", "yuv420p10le", "-c:v", "ffv1"),
    )
    wide = video(Width="320", Preset="veryfast")
    fine = video(Codec="H.265", Width="160", PixFmt="yuv420p10le", Crf="4")
    made = run(tmp_path / "both", deep, wide, fine, video(Width="160", Preset="veryfast"))
    assert len(made.step.commands) == 1
    alone = run(tmp_path / "alone", deep, fine)
    assert hashes(made[1], "v") == hashes(alone[0], "v")
