"""What Transcode publishes: copies, shared runs, names told late, and how files are checked."""

import hashlib
import threading
from dataclasses import replace

import pytest

from activities.probe import MediaInfo
from activities.transcode import Transcode
from activities.transcode.command.rendition import Picture
from activities.transcode.result import finished
from activities.transcode.result.files import Files
from activities.transcode.result.shapes import shapes
from activities.transcode.result.verify import verify
from tests.support import media
from tests.support.context import make_context
from tests.support.transcodes import (
    FLV_COPY,
    HLS,
    HLS_COPY,
    MP3,
    MP4_COPY,
    hashes,
    output,
    packets,
    plan,
    run,
    video,
)
from workflow_engine.activity import StepResult
from workflow_engine.errors import ActivityError, Code, InterruptedRunError
from workflow_engine.records import Digests, Output


@pytest.mark.proves("TemplateId remux", by="packet hashes")
def test_a_copy_keeps_every_packet(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        output(MP4_COPY),
        output(FLV_COPY),
        output(HLS_COPY),
        output(MP4_COPY, Audio={"Remove": "true"}),
    )
    assert hashes(made[0]) == hashes(clip) == hashes(made[1])
    assert sum(len(packets(segment.path)) for segment in made.segments(2)) == 100
    assert not MediaInfo.of(made[3]).audios


def test_late_placeholders(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        output(OutputObject="{DestMd5}-{DestAvgBitrate}"),
        output(HLS, OutputObject="hls/{DestMd5}"),
    )
    content = made[0].read_bytes()
    rate = round(len(content) * 8 / 1000 / 4)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert made.produced(0).ref.object == f"{md5}-{rate}.mp4"
    (segment,) = made.segments(1)
    playlist = made.produced(1)
    name = segment.ref.object.removeprefix("hls/")
    assert name == playlist.ref.object.removeprefix("hls/").removesuffix(".m3u8") + "-00001.ts"
    assert name in playlist.path.read_text() and "{" not in name
    # what is reused later gets the names that an encode would have given
    outputs = tuple(
        Output(ref=p.ref, place=str(p.path), digests=Digests.of(p.path))
        for p in made.result.outputs
    )
    finished = StepResult(data=made.result.data, outputs=outputs)
    assert Transcode().renamed(made.step, finished) == [p.ref for p in outputs]


def test_a_shared_run_gives_what_single_runs_give(tmp_path, clip):
    activity = Transcode()
    steps = [plan(clip, video(Width=w)) for w in ("320", "160")]
    steps.append(plan(clip, output(MP3)))
    assert len({step.share for step in steps}) == 1
    shares: list[list[float]] = [[], [], []]
    members = [
        (step, make_context(tmp_path / f"m{n}", clip, progress=shares[n].append))
        for n, step in enumerate(steps)
    ]
    results = activity.run_shared(members)
    assert len({result.commands for result in results}) == 1
    for n, (step, context) in enumerate(members):
        (produced,) = results[n].outputs
        assert produced.path.parent == context.work
        single = activity.run(step, make_context(tmp_path / f"s{n}", clip)).outputs[0]
        assert produced.ref == single.ref
        kind = "a" if n == 2 else "v"
        assert len(packets(produced.path, kind)) == len(packets(single.path, kind))
        assert shares[n][-1] == 1


def test_a_source_that_breaks_off_fails(tmp_path, clip):
    cut = media.truncated(media.faststart(clip), 0.6)
    with pytest.raises(ActivityError) as caught:
        run(tmp_path, cut, output())
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_an_output_is_held_against_its_plan(tmp_path, clip):
    made = run(tmp_path, clip, video(Width="160"))
    (job,) = made.step.resolved
    planned = job.rendition
    verify(made[0], planned)

    def formatted(pix_fmt: str) -> Picture:
        encoding = replace(planned.picture.encoding, pix_fmt=pix_fmt)
        return replace(planned.picture, encoding=encoding)

    cases = [
        (replace(planned, duration=8.0), Code.RESOURCE_CONTENT_BAD, "ends after 4.0"),
        (replace(planned, limit=4.5), Code.RESOURCE_CONTENT_BAD, "longer than"),
        (
            replace(planned, picture=replace(planned.picture, size=(160, 92))),
            Code.INTERNAL,
            "160x90",
        ),
        (replace(planned, picture=replace(planned.picture, codec="hevc")), Code.INTERNAL, "h264"),
        (replace(planned, sound=replace(planned.sound, codec="mp3")), Code.INTERNAL, "aac"),
        (replace(planned, picture=formatted("yuv422p")), Code.INTERNAL, "yuv420p"),
        (replace(planned, picture=formatted("yuvj420p")), Code.INTERNAL, "yuv420p"),
    ]
    for wrong, code, told in cases:
        with pytest.raises(ActivityError) as caught:
            verify(made[0], wrong)
        assert caught.value.code == code and told in caught.value.message
    guessed = replace(planned, duration=8.0, exact=False)
    assert verify(made[0], guessed).duration == 4


def test_concealed_damage_is_a_warning(tmp_path, clip):
    made = run(tmp_path, media.damaged(clip, holes=1, size=200), video(Width="160"))
    assert made.result.warnings and Code.SOURCE_DAMAGED in made.result.warnings[0]
    assert not run(tmp_path / "whole", clip, video(Width="160")).result.warnings


def test_an_ffmpeg_without_the_encoder_is_told_before_it_runs(tmp_path, clip, monkeypatch):
    step = plan(clip, video(Codec="H.265"))
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\necho ' V....D libx264 H.264'\n")
    poor.chmod(0o755)
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", str(poor))
    with pytest.raises(ActivityError) as caught:
        Transcode().run(step, make_context(tmp_path, clip))
    assert caught.value.code == Code.INSTALLATION and "libx265" in caught.value.message


def test_a_gap_in_the_sound_stays_a_gap_where_no_time_stamps_are(tmp_path, media_dir):
    gap = media.make(
        media_dir / "gap.mkv",
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=3"),
        *("-af", "aselect='not(between(t,1,2))'", "-c:a", "aac"),
    )
    made = run(tmp_path, gap, output(MP3))
    assert MediaInfo.of(made[0]).duration == pytest.approx(3, abs=0.1)


def test_pictures_of_a_variable_rate_are_shown_when_the_source_shows_them(tmp_path, media_dir):
    uneven = media.clip(
        media_dir,
        4,
        "160x90",
        audio=False,
        name="uneven",
        # every frame of the first second, then each fifth
        extra=("-vf", "select='lt(t,1)+not(mod(n,5))'", "-fps_mode", "vfr"),
    )
    made = run(tmp_path, uneven, video(Width="160"), output(HLS, Video={"Width": "160"}))
    # by the clock of the source, 25 a second
    assert len(packets(uneven)) == 40
    # (how long the last one is shown the file does not tell)
    assert 96 <= len(packets(made[0])) <= 100
    assert 96 <= sum(len(packets(segment.path)) for segment in made.segments(1)) <= 100
    assert MediaInfo.of(made[0]).duration == pytest.approx(4, abs=0.17)


def test_a_cancelled_run_does_not_look_through_its_files(tmp_path, clip, monkeypatch):
    cancel = threading.Event()

    def cancelled(path, rendition):
        cancel.set()
        return verify(path, rendition)

    monkeypatch.setattr(finished, "verify", cancelled)
    with pytest.raises(InterruptedRunError):
        Transcode().run(plan(clip, output(MP4_COPY)), make_context(tmp_path, clip, cancel=cancel))
    with pytest.raises(InterruptedRunError):
        shapes(Files(content=[clip], index=None), MediaInfo.of(clip), cancel)
