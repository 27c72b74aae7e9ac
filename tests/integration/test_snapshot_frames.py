"""Pictures show the right frame: on clips whose frames tell their own number."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests import media
from tests.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult
from workflow_engine.errors import ActivityError, Code


def numbered(media_dir: Path, container: str, **options: Any) -> Path:
    # avi has no times of display: with frames in another order they cannot be told
    extra = ("-bf", "0") if container == "avi" else ()
    return media.numbered(media_dir, container=container, extra=extra, **options)


def take(tmp_path: Path, source: Path, **config: Any) -> ActivityResult:
    target = {"Bucket": "out-bucket", "Object": "s/{FileName}-{Count}-{SnapshotTime}.jpg"}
    parameters = SnapshotParameters.model_validate(
        {"SnapshotConfig": {"OutputFile": target, **config}}
    )
    start = MediaInfo.of(source).to_json()
    step = Snapshot().plan(parameters, make_plan_context(source, media=start))
    assert not isinstance(step, str)
    return Snapshot().run(step, make_context(tmp_path, source))


def shown(result: ActivityResult) -> list[int]:
    return [media.frame_number(picture.path) for picture in result.outputs]


CONTAINERS = [
    *(("mp4", 25, 12), ("mkv", 25, 12), ("ts", 25, 12), ("avi", 25, 12)),
    *(("mp4", "30000/1001", 30), ("mp4", 25, 250), ("flv", 25, 12)),
]


@pytest.mark.parametrize(("container", "fps", "gop"), CONTAINERS)
def test_normal_shows_the_frame_at_that_time(
    tmp_path: Path, media_dir: Path, container: str, fps: Any, gop: int
) -> None:
    source = numbered(media_dir, container, fps=fps, gop=gop)
    rate = Fraction(fps)
    # at the start, on a frame, between two frames, a millisecond before the next one
    for number, wanted in enumerate([0, 1, 23, 40]):
        for at, shift in enumerate([Fraction(0), Fraction(1, 2)]):
            time = -(-(wanted + shift) * 1000 // rate)
            result = take(tmp_path / f"{number}-{at}", source, Time=int(time), FrameType="normal")
            assert shown(result) == [wanted], (time, result.commands)


def test_normal_shows_a_frame_until_the_next_begins(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir)
    for time, wanted in [(39, 0), (40, 1), (79, 1), (1999, 49)]:
        result = take(tmp_path / str(time), source, Time=time, FrameType="normal")
        assert shown(result) == [wanted]


def test_normal_finds_the_frame_that_stands_long(tmp_path: Path, media_dir: Path) -> None:
    # frames 0 1 2 ... 49 at 0, 0.08, 0.16 ... s, but none between 0.4 and 1.6 s
    source = media.make(
        media_dir / "gap.mp4",
        *("-i", str(media.numbered(media_dir))),
        *("-vf", "select='lt(n,10)+gte(n,40)'", "-fps_mode", "vfr", "-crf", "4", "-g", "5"),
    )
    result = take(tmp_path, source, Time=1500, FrameType="normal")
    assert shown(result) == [9]


@pytest.mark.parametrize("container", ["mp4", "ts"])
@pytest.mark.parametrize("time", [0, 100])
def test_sequences_show_the_frame_at_each_time(
    tmp_path: Path, media_dir: Path, container: str, time: int
) -> None:
    source = numbered(media_dir, container)
    result = take(tmp_path, source, Time=time, Interval="0.3", Num=5, FrameType="normal")
    assert len(result.commands) == 1, "dense pictures come from one scan"
    assert shown(result) == [(time + 300 * k) // 40 for k in range(5)]
    assert result.data == {"Count": 5, "Times": [time + 300 * k for k in range(5)]}


def test_sparse_sequences_seek_and_show_the_same(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir, 40, size="64x36", gop=50)
    result = take(tmp_path, source, Time=1020, Interval=5.5, FrameType="normal")
    assert result.data["Times"] == [1020 + 5500 * k for k in range(8)]
    assert len(result.commands) == 2, "a few pictures of one process"
    assert shown(result) == [t // 40 % media.PERIOD for t in result.data["Times"]]


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi", "flv"])
def test_intra_shows_the_nearest_key_frame(tmp_path: Path, media_dir: Path, container: str) -> None:
    # key frames at 0, 12, 24, 36, 48, which is 0, 480, 960, 1440, 1920 ms
    source = numbered(media_dir, container)
    for time, wanted in [(0, 0), (230, 0), (250, 12), (960, 24), (1190, 24), (1210, 36)]:
        result = take(tmp_path / str(time), source, Time=time)
        assert shown(result) == [wanted], time


def test_intra_sequences_keep_equal_pictures(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir)
    result = take(tmp_path, source, Time=0, Interval="0.2", Num=6)
    assert shown(result) == [0, 0, 12, 12, 24, 24]
    assert len({picture.path for picture in result.outputs}) == 6
    assert [picture.ref.object for picture in result.outputs][:2] == [
        "s/numbered-2s-25-12-160x90-00001-0.jpg",
        "s/numbered-2s-25-12-160x90-00002-200.jpg",
    ]


def test_intra_finds_a_nearer_key_frame_far_behind(tmp_path: Path, media_dir: Path) -> None:
    # key frames at 0 and 36 s: 20 s is nearer to the second one
    source = media.make(
        media_dir / "rare-keys.mp4",
        *("-f", "lavfi", "-i", "color=black:size=64x36:rate=2:duration=36"),
        *("-f", "lavfi", "-i", "color=white:size=64x36:rate=2:duration=2"),
        *("-filter_complex", "concat", "-g", "999", "-force_key_frames", "36"),
    )
    late = take(tmp_path / "late", source, Time=20000)
    early = take(tmp_path / "early", source, Time=16000)
    assert shown(late)[0] > 40 and shown(early) == [0]


def test_evenly_spread_pictures(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir)
    result = take(tmp_path, source, Time=0, Interval=0, Num=4, FrameType="normal")
    assert result.data["Times"] == [0, 500, 1000, 1500]
    assert shown(result) == [0, 12, 25, 37]


def test_pictures_beyond_the_end_are_dropped(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir)
    result = take(tmp_path, source, Time=1000, Interval=0.4, Num=20, FrameType="normal")
    assert result.data == {"Count": 3, "Times": [1000, 1400, 1800]}


def test_a_video_shorter_than_it_says_gives_what_there_is(tmp_path: Path, media_dir: Path) -> None:
    source = media.numbered(media_dir)
    start = MediaInfo.of(source).to_json()
    for part in (start["Probe"]["format"], start["Probe"]["streams"][0]):
        part["duration"] = "9.0"
    target = {"Bucket": "out-bucket", "Object": "{Count}.jpg"}
    config = {"OutputFile": target, "Time": 0, "Interval": 1, "FrameType": "normal"}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": config})
    step = Snapshot().plan(parameters, make_plan_context(source, media=start))
    result = Snapshot().run(step, make_context(tmp_path, source))
    assert result.data == {"Count": 2, "Times": [0, 1000]}
    assert "last 7 pictures" in result.warnings[0]


def test_a_time_beyond_the_end_fails(tmp_path: Path, media_dir: Path) -> None:
    with pytest.raises(ActivityError) as caught:
        take(tmp_path, media.numbered(media_dir), Time=2000)
    assert caught.value.code == Code.OUT_OF_RANGE


def test_a_video_that_hides_its_length_is_measured(tmp_path: Path, media_dir: Path) -> None:
    live = media.make(
        media_dir / "live.mkv",
        *("-i", str(media.numbered(media_dir)), "-c", "copy", "-live", "1"),
    )
    assert MediaInfo.of(live).duration is None
    result = take(tmp_path, live, Time=0, Interval=0.5, FrameType="normal")
    assert shown(result) == [0, 12, 25, 37]
