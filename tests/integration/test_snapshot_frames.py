"""Pictures show the right frame: on clips whose frames tell their own number."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import key_times
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
    assert result.data == {
        "Count": 5,
        "Times": [time + 300 * k for k in range(5)],
        "MediaCover": False,
    }


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
    assert result.data == {"Count": 3, "Times": [1000, 1400, 1800], "MediaCover": False}


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
    assert result.data == {"Count": 2, "Times": [0, 1000], "MediaCover": False}
    assert result.warnings == ("The video ends early, at 2000 ms: 7 of 9 pictures do not exist.",)


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


@pytest.mark.parametrize("late", [0.02, 0.1, 0.5, 2])
@pytest.mark.parametrize("container", ["ts", "mkv", "mp4", "flv"])
def test_times_count_from_where_the_first_stream_begins(
    tmp_path: Path, media_dir: Path, container: str, late: float
) -> None:
    # the first frame also stands for the time before it; times are far from any frame's edge
    video = media.numbered(media_dir, fps=50, size="64x36")
    source = media.with_sound(video, container, late=late, sound=3)
    streams = {s["codec_type"]: s for s in MediaInfo.of(source).probe["streams"]}
    # sound begins a little before its samples in some containers
    begin = float(streams["video"]["start_time"]) - MediaInfo.of(source).start_time
    assert begin == pytest.approx(late, abs=0.03)

    first = take(tmp_path / "first", source, Time=0)
    assert shown(first) == [0]
    each = take(tmp_path / "each", source, Interval="0.695", Time=0, Num=3, FrameType="normal")
    keys = take(tmp_path / "keys", source, Interval="0.695", Time=0, Num=3)
    times = each.data["Times"]
    frames = [max(0, int((time / 1000 - begin) * 50)) for time in times]
    assert shown(each) == [frame % media.PERIOD for frame in frames]
    nearest = [max(0, round((time / 1000 - begin) * 50 / 12) * 12) for time in times]
    assert shown(keys) == [frame % media.PERIOD for frame in nearest]


@pytest.mark.parametrize("frame_type", ["normal", "intra"])
def test_a_late_video_is_the_same_in_every_container(
    tmp_path: Path, media_dir: Path, frame_type: str
) -> None:
    # sound from 0 to 5 s, video from 2 to 4 s
    video = media.numbered(media_dir, gop=25, size="64x36")
    for container in ("ts", "mkv", "mp4"):
        source = media.with_sound(video, container, late=2, sound=5)
        folder = tmp_path / container
        result = take(folder, source, Time=10, Interval=0.9, FrameType=frame_type)
        expected = [0, 0, 0, 17, 40] if frame_type == "normal" else [0, 0, 0, 25, 25]
        assert result.data["Times"] == [10, 910, 1810, 2710, 3610], container
        assert [abs(a - b) <= 1 for a, b in zip(shown(result), expected, strict=True)] == [True] * 5


def test_a_transport_stream_that_begins_at_0(tmp_path: Path, media_dir: Path) -> None:
    video = media.numbered(media_dir, gop=25, size="64x36")
    extra = ("-muxdelay", "0", "-muxpreload", "0")
    source = media.with_sound(video, "ts", late=1, sound=3.5, extra=extra)
    assert MediaInfo.of(source).start_time == 0
    result = take(tmp_path, source, Time=10, Interval=0.7, FrameType="normal")
    assert [frame // 2 for frame in shown(result)] == [0, 0, 4, 13, 22]


@pytest.mark.parametrize("container", ["mkv", "ts", "flv", "mp4"])
def test_where_only_sound_is_left_there_is_no_picture(
    tmp_path: Path, media_dir: Path, container: str
) -> None:
    source = media.with_sound(media.numbered(media_dir, size="64x36"), container, sound=6)
    ends: set[str] = set()
    for number, frame_type in enumerate(("normal", "intra")):
        with pytest.raises(ActivityError) as caught:
            take(tmp_path / f"{number}", source, Time=4000, FrameType=frame_type)
        assert caught.value.code == Code.OUT_OF_RANGE
        ends.add(caught.value.message)
        result = take(
            tmp_path / f"all-{number}", source, Interval="0.9", FrameType=frame_type, Time=0
        )
        assert result.data == {"Count": 3, "Times": [0, 900, 1800], "MediaCover": False}
    (message,) = ends
    end = int(message.removesuffix(" ms.").rpartition(" ")[2])
    assert "4000 ms is not before the end of the video" in message and 2000 <= end < 2080


def test_evenly_spread_pictures_end_with_the_video(tmp_path: Path, media_dir: Path) -> None:
    source = media.with_sound(media.numbered(media_dir, size="64x36"), "mp4", sound=6)
    result = take(tmp_path, source, Time=0, Interval=0, Num=4, FrameType="normal")
    assert result.data["Times"] == [0, 500, 1000, 1500]
    assert shown(result) == [0, 12, 25, 37]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_video_alone_that_begins_late_counts_from_its_first_frame(
    tmp_path: Path, media_dir: Path, container: str
) -> None:
    source = media.make(
        media_dir / f"begins-late.{container}",
        *("-itsoffset", "0.5", "-i", str(media.numbered(media_dir)), "-c", "copy"),
    )
    assert MediaInfo.of(source).start_time == 0.5
    for number, (frame_type, frames) in enumerate(
        [("normal", [0, 12, 25, 37]), ("intra", [0, 12, 24, 36])]
    ):
        result = take(tmp_path / f"{number}", source, Time=0, Interval=0.5, FrameType=frame_type)
        assert shown(result) == frames
    with pytest.raises(ActivityError) as caught:
        take(tmp_path / "end", source, Time=2000)
    assert caught.value.code == Code.OUT_OF_RANGE


def test_a_cut_that_hides_the_only_key_frame(tmp_path: Path, media_dir: Path) -> None:
    # an edit list begins at frame 33; the key frame before it is decoded, but not shown
    source = media.make(
        media_dir / "edited.mp4",
        *("-ss", "1.3", "-i", str(media.numbered(media_dir, gop=250)), "-c", "copy"),
    )
    for number, frame_type in enumerate(("normal", "intra")):
        single = take(tmp_path / f"{number}", source, Time=0, FrameType=frame_type)
        assert shown(single) == [33]
        result = take(tmp_path / f"s{number}", source, Time=0, Interval=0.3, FrameType=frame_type)
        assert shown(result) == [33, 40, 48]


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "gif"])
def test_a_video_of_one_frame(tmp_path: Path, media_dir: Path, container: str) -> None:
    source = media.make(
        media_dir / f"one-frame.{container}",
        *("-i", str(media.numbered(media_dir)), "-frames:v", "1"),
    )
    for number, frame_type in enumerate(("normal", "intra")):
        spread = {"Time": 0, "Interval": 0, "Num": 2, "FrameType": frame_type}
        assert shown(take(tmp_path / f"{number}", source, **spread)) == [0, 0]


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_a_last_frame_that_is_shown_late(tmp_path: Path, media_dir: Path, container: str) -> None:
    # frames 0..9 from 0 s, 40..48 from 1.6 s, 49 at 4.96 s, stored before frames shown earlier
    source = media.make(
        media_dir / f"late-frame.{container}",
        *("-i", str(media.numbered(media_dir)), "-fps_mode", "vfr", "-c:v", "libx264"),
        *("-vf", "select='lt(n,10)+gte(n,40)',setpts='PTS+if(gte(N,19),3/TB,0)'"),
        *("-crf", "4", "-g", "5"),
    )
    result = take(tmp_path, source, Time=500, Num=5, Interval=1, FrameType="normal")
    assert shown(result) == [9, 9, 48, 48, 48]
    assert result.data["Times"] == [500, 1500, 2500, 3500, 4500]


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_pictures_of_intra_refresh_are_whole_and_in_time(
    tmp_path: Path, media_dir: Path, container: str
) -> None:
    # no picture stands for itself: each second, another one has been built up in columns
    source = media.numbered(
        *(media_dir, 5, "192x108", 25, 25, container), extra=("-x264-params", "intra-refresh=1")
    )
    times = {"Time": 1500, "Interval": 0.9}
    result = take(tmp_path / "normal", source, FrameType="normal", **times)
    frames = [time * 25 // 1000 % media.PERIOD for time in result.data["Times"]]
    assert shown(result) == frames and len(frames) == 4
    lone = take(tmp_path / "lone", source, Time=2400, FrameType="normal")
    assert shown(lone) == [60 % media.PERIOD]
    keys = key_times(source)
    assert len(keys) == 5
    result = take(tmp_path / "intra", source, FrameType="intra", **times)
    nearest = [min(keys, key=lambda key: abs(key - t / 1000)) for t in result.data["Times"]]
    assert shown(result) == [round(25 * key) % media.PERIOD for key in nearest]


@pytest.mark.parametrize("frame_type", ["normal", "intra"])
def test_without_an_index_decoding_begins_at_the_key_frame(
    tmp_path: Path, media_dir: Path, frame_type: str
) -> None:
    source = media.numbered(media_dir, 16, "64x36", 25, 25, "ts")
    result = take(tmp_path, source, Time=15300, FrameType=frame_type)
    assert shown(result) == [(382 if frame_type == "normal" else 375) % media.PERIOD]
    (command,) = result.commands
    assert 13 < float(command[command.index("-ss") + 1]) <= 15
