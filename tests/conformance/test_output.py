"""Names, sizes, templates and the check rules of an output, measured on the files."""

import hashlib

import pytest

from activities.probe import MediaInfo
from tests.support import media
from tests.support.context import RUN_ID
from tests.support.transcodes import (
    HLS,
    MP3,
    MP4_COPY,
    hashes,
    kbps,
    output,
    packets,
    plan,
    run,
    stream,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "160"}


@pytest.mark.proves("OutputObject {DestMd5}", by="MD5 of the file")
@pytest.mark.proves("OutputObject {DestAvgBitrate}", by="size and duration of the file")
def test_names_made_of_the_file(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        output(MP3, OutputObject="a-{DestMd5}-{DestAvgBitrate}"),
        output(HLS, OutputObject="b-{DestMd5}-{DestAvgBitrate}", Video=TINY),
    )
    content = made[0].read_bytes()
    rate = round(len(content) * 8 / 1000 / MediaInfo.of(made[0]).duration)
    assert made.produced(0).ref.object == f"a-{hashlib.md5(content).hexdigest()}-{rate}.mp3"
    (segment,) = made.segments(1)
    md5 = hashlib.md5(segment.path.read_bytes()).hexdigest()
    assert made.produced(1).ref.object.startswith(f"b-{md5}-")
    assert segment.ref.object.startswith(f"b-{md5}-")


@pytest.mark.proves("VideoStreamMap", by="packets, packet hashes")
def test_the_second_picture_of_the_source(tmp_path, media_dir):
    two = media.make(
        media_dir / "two-pictures.mp4",
        *("-f", "lavfi", "-i", "color=black:size=160x90:rate=25:duration=2"),
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=2"),
        *("-map", "0", "-map", "1", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
    )
    made = run(
        tmp_path,
        two,
        *(output(Video=TINY, **given) for given in ({}, {"VideoStreamMap": "0:v:1"})),
        output(MP4_COPY, VideoStreamMap="1"),
    )
    assert [len(packets(made[n])) for n in range(3)] == [50, 20, 20]
    assert hashes(made[2], "v") == hashes(two, "v")[1:]
    with pytest.raises(ActivityError) as caught:
        plan(two, output(Video=TINY, VideoStreamMap="0:a:2"))
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED and "0:a:2" in caught.value.message
    assert caught.value.pointer == "/Outputs/0/VideoStreamMap"


@pytest.mark.proves("Video.Height", by="ffprobe")
def test_height_alone_keeps_the_ratio(tmp_path, clip):
    custom = "c" * 32
    wanted = output(custom, Video={"Height": "180"})
    found = stream(run(tmp_path, clip, wanted, templates={custom: {"Video": {}}}.get)[0])
    assert (found["width"], found["height"], found["display_aspect_ratio"]) == (320, 180, "16:9")


@pytest.mark.proves("Audio.Profile", by="ffprobe")
def test_the_profile_of_aac(tmp_path, clip):
    made = run(tmp_path, clip, output(Video=TINY, Audio={"Profile": "aac_low"}))
    assert stream(made[0], "a")["profile"] == "LC"


@pytest.mark.proves("TransConfig.IsCheckVideoBitrate", by="packets")
@pytest.mark.proves("TransConfig.IsCheckVideoBitrateFail", by="error code")
def test_bit_rates_above_the_source_s(tmp_path, media_dir):
    grain = media.make(
        media_dir / "grain-300k.mp4",
        *("-i", str(media.noisy(media_dir, 3, "320x180")), "-b:v", "300k", "-preset", "veryfast"),
    )
    much = {"Bitrate": "3000", "Width": "320"}
    made = run(
        tmp_path,
        grain,
        output(Video=much, TransConfig={"IsCheckVideoBitrate": "true"}),
        output(Video=much),
    )
    assert kbps(made[0]) < 600 < 1000 < kbps(made[1])
    with pytest.raises(ActivityError) as caught:
        plan(grain, output(Video=much, TransConfig={"IsCheckVideoBitrateFail": "true"}))
    assert caught.value.code == Code.OUT_OF_RANGE
    assert caught.value.pointer == "/Outputs/0/Video/Bitrate"


@pytest.mark.proves("TransConfig.IsCheckAudioBitrate", by="packets")
@pytest.mark.proves("TransConfig.IsCheckAudioBitrateFail", by="error code")
def test_bit_rates_of_sound_above_the_source_s(tmp_path, media_dir):
    source = media.make(
        media_dir / "noise-32k.m4a",
        *("-f", "lavfi", "-i", "anoisesrc=duration=3:sample_rate=44100:seed=1"),
        *("-c:a", "aac", "-b:a", "32k"),
    )
    sound = {"Video": {"Remove": "true"}, "Audio": {"Bitrate": "192"}}
    made = run(
        tmp_path,
        source,
        output(**sound, TransConfig={"IsCheckAudioBitrate": "true"}),
        output(**sound),
    )
    assert kbps(made[0], "a") < 50 and kbps(made[1], "a") > 100
    with pytest.raises(ActivityError) as caught:
        plan(source, output(**sound, TransConfig={"IsCheckAudioBitrateFail": "true"}))
    assert caught.value.code == Code.OUT_OF_RANGE


@pytest.mark.proves("TransConfig.TransMode onepass", by="packets")
def test_one_pass_is_one_command(tmp_path, clip):
    made = run(tmp_path, clip, output(Video=TINY, TransConfig={"TransMode": "onepass"}))
    assert len(made.result.commands) == 1 and len(packets(made[0])) == 100
    assert made.produced(0).ref.object == f"{RUN_ID}/0-{clip.stem}.mp4"
