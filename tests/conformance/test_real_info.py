"""Media info of files as people have them, held against packets that ffprobe lists one by one."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from activities.ffmpeg import ffprobe_path
from activities.probe.properties import properties
from activities.start import Start
from tests.support import media
from tests.support.command_line import CommandLine
from tests.support.context import make_context
from workflow_engine.activity import ActivityResult, Step
from workflow_engine.api.shapes import flattened
from workflow_engine.records import Json

LAVFI = ("-f", "lavfi", "-i")
#: a short film in which most bytes come in one second
BURST = ("-vf", "format=yuv420p,drawbox=enable='lt(t,1)+gte(t,2)':color=black:t=fill")


def start(tmp_path: Path, source: Path, **limits: int) -> ActivityResult:
    context = make_context(tmp_path / source.name, source)
    for name, value in limits.items():
        object.__setattr__(context, name, value)
    return Start().run(Step(), context)


def info(tmp_path: Path, source: Path) -> dict[str, Any]:
    return dict(start(tmp_path, source).data["Properties"])


def packets(path: Path, stream: str) -> list[tuple[float, float, int]]:
    """Return decoding time, length and bytes of each packet of a stream."""
    asked = ("-select_streams", stream, "-show_entries", "packet=dts_time,duration_time,size")
    command = (str(ffprobe_path()), "-v", "error", *asked, "-of", "json", str(path))
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [
        (float(one.get("dts_time", "nan")), float(one.get("duration_time", 0)), int(one["size"]))
        for one in answer["packets"]
    ]


def agrees(told: dict[str, Any], path: Path, stream: str) -> None:
    """Hold what is told of a stream against its packets; lengths differ by a frame at most."""
    listed = packets(path, stream)
    seconds = sum(length for _, length, _ in listed)
    rate = sum(size for *_, size in listed) * 8 / 1000 / seconds
    assert told["NumFrames"] == str(len(listed)), (path.name, stream)
    assert float(told["Bitrate"]) == pytest.approx(rate, rel=0.05), (path.name, stream)


def streams(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return told["Streams"][f"{kind}StreamList"]


@pytest.fixture
def film(media_dir: Path) -> Path:
    return media.clip(
        media_dir, 4, "320x180", gop=25, extra=(*BURST, "-bf", "2"), name="burst-second"
    )


@pytest.mark.proves("info: counted figures", by="packets listed one by one")
@pytest.mark.parametrize("container", ["ts", "mkv", "flv", "avi", "mpg", "frag.mp4", "mp4", "mov"])
def test_every_container_tells_rates_and_frames(tmp_path: Path, film: Path, container: str):
    how = {
        "frag.mp4": ("-c", "copy", "-movflags", "frag_keyframe+empty_moov"),
        "mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
        "avi": ("-c:v", "mpeg4", "-c:a", "mp2"),
    }.get(container, ("-c", "copy"))
    source = media.make(film.with_name(f"info.{container}"), "-i", str(film), *how)
    told = info(tmp_path, source)
    (video,), (audio,) = streams(told, "Video"), streams(told, "Audio")
    agrees(video, source, "v")
    agrees(audio, source, "a")
    assert {*told, *told["Format"]} >= {"Bitrate", "Duration", "Size", "NumStreams", "Fps"}
    assert set(video["NetworkCost"]) == {"PreloadTime", "CostBandwidth", "AvgBitrate"}


@pytest.mark.proves("info: counted figures", by="packets listed one by one")
@pytest.mark.parametrize("name", ["tone.mp3", "tone.wav", "tone.flac", "tone.opus", "moving.gif"])
def test_sound_and_pictures_alone(tmp_path: Path, media_dir: Path, name: str):
    content = ("testsrc=s=64x64:r=10:d=3",) if name.endswith("gif") else ("sine=d=3",)
    source = media.make(media_dir / f"info-{name}", *LAVFI, *content)
    told = info(tmp_path, source)
    for kind, stream in (("Video", "v"), ("Audio", "a")):
        for one in streams(told, kind):
            agrees(one, source, stream)
    assert streams(told, "Video") or streams(told, "Audio")


@pytest.mark.proves("info: NetworkCost", by="a leaky bucket filled packet by packet")
@pytest.mark.parametrize("container", ["mp4", "ts", "webm"])
def test_what_a_film_asks_of_a_network(tmp_path: Path, film: Path, container: str):
    how = ("-c:v", "libvpx", "-b:v", "300k") if container == "webm" else ("-c", "copy")
    source = media.make(film.with_name(f"cost.{container}"), "-i", str(film), *how)
    listed = packets(source, "v")
    first = listed[0][0]
    seconds = listed[-1][0] + listed[-1][1] - first
    average = sum(size for *_, size in listed) / seconds
    windows: Counter[int] = Counter()
    for begin, _, size in listed:
        windows[int(begin - first)] += size
    backlog = waiting = last = 0.0
    for begin, _, size in listed:
        waiting, last = waiting - average * (begin - first - last) + size, begin - first
        backlog = max(backlog, waiting)
    (video,) = streams(info(tmp_path, source), "Video")
    cost = {name: float(value) for name, value in video["NetworkCost"].items()}
    assert cost["AvgBitrate"] == pytest.approx(average * 8 / 1000, rel=0.02)
    assert cost["CostBandwidth"] == pytest.approx(max(windows.values()) * 8 / 1000, rel=0.02)
    assert cost["PreloadTime"] == pytest.approx(backlog / average, rel=0.1)
    assert cost["CostBandwidth"] > 1.2 * cost["AvgBitrate"]  # it is a burst


def test_an_index_tells_what_the_packets_do(tmp_path: Path, film: Path):
    """mp4 is not read a second time: its index gives what a pass through Matroska does."""
    copied = media.make(film.with_name("again.mkv"), "-i", str(film), "-c", "copy")
    (indexed,), (read,) = (streams(info(tmp_path, one), "Video") for one in (film, copied))
    assert indexed["NumFrames"] == read["NumFrames"]
    for name, value in indexed["NetworkCost"].items():
        assert float(value) == pytest.approx(float(read["NetworkCost"][name]), rel=0.02), name


@pytest.mark.proves("info: a rate that a tag invents", by="packets listed one by one")
def test_tags_are_believed_where_they_are_plausible(tmp_path: Path, film: Path):
    lie = ("-c", "copy", "-metadata:s:v", "BPS=99000000", "-metadata:s:a", "BPS=7")
    source = media.make(film.with_name("lies.mkv"), "-i", str(film), *lie)
    told = info(tmp_path, source)
    agrees(streams(told, "Video")[0], source, "v")
    agrees(streams(told, "Audio")[0], source, "a")


@pytest.mark.proves("info: several programs and languages", by="how the file was made")
def test_a_broadcast_with_two_programs(tmp_path: Path, media_dir: Path):
    small = media.clip(media_dir, 2, "320x180")
    other = media.clip(media_dir, 2, "640x360")
    source = media.make(
        media_dir / "programs.ts",
        *("-i", str(small), "-i", str(other), "-map", "0", "-map", "1", "-c", "copy"),
        *("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra"),
        *("-program", "title=one:st=0:st=1", "-program", "title=two:st=2:st=3"),
    )
    told = info(tmp_path, source)
    assert (told["Format"]["NumPrograms"], told["Format"]["NumStreams"]) == ("2", "4")
    assert [one["Width"] for one in streams(told, "Video")] == ["320", "640"]
    assert sorted(one["Lang"] for one in streams(told, "Audio")) == ["deu", "fra"]
    assert all("NetworkCost" in one for one in streams(told, "Video"))


@pytest.mark.proves("info: attached pictures", by="how the file was made")
def test_a_cover_is_not_a_film(tmp_path: Path, media_dir: Path):
    told = info(tmp_path, media.with_cover(media_dir))
    assert (streams(told, "Video"), "Width" in told) == ([], False)
    assert (len(streams(told, "Audio")), told["Format"]["NumStreams"]) == (1, "2")


@pytest.mark.proves("info: rotation and colour", by="how the file was made")
def test_rotation_and_colours(tmp_path: Path, media_dir: Path):
    assert streams(info(tmp_path, media.rotated(media_dir, 270)), "Video")[0]["Rotate"] == "270"
    colour = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=tv"
    source = media.make(
        media_dir / "info-pq.mp4",
        *(*LAVFI, "testsrc2=s=320x180:r=25:d=1", "-pix_fmt", "yuv420p10le"),
        *("-c:v", "libx265", "-x265-params", f"log-level=none:{colour}"),
    )
    (video,) = streams(info(tmp_path, source), "Video")
    assert [video[f"Color{name}"] for name in ("Range", "Primaries", "Transfer")] == [
        *("tv", "bt2020", "smpte2084")
    ]


@pytest.mark.proves("info: files above the limit", by="what is left out, and the warning")
def test_large_files_are_not_read_through(tmp_path: Path, film: Path):
    source = media.make(film.with_name("large.mkv"), "-i", str(film), "-c", "copy")
    found = start(tmp_path, source, count_limit=source.stat().st_size - 1)
    (video,) = streams(dict(found.data["Properties"]), "Video")
    assert {"NumFrames", "NetworkCost"} & video.keys() == set()
    (warning,) = found.warnings
    assert str(source.stat().st_size) in warning and "[runner] count_limit" in warning
    whole = start(tmp_path / "whole", source, count_limit=source.stat().st_size)
    assert "NumFrames" in streams(dict(whole.data["Properties"]), "Video")[0]
    assert whole.warnings == ()


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        (("25/1", "60000/1"), ("25.0", "25.0")),  # as of DV
        (("1000/1", "30000/1001"), ("29.97003", "29.97003")),
        (("90000/1", "0/0"), ("50.0", "50.0")),
        (("30/1", "24/1"), ("30.0", "24.0")),
    ],
)
def test_time_bases_are_not_rates(rates: tuple[str, str], told: tuple[str, str]):
    stream: Json = {
        "index": 0,
        "codec_type": "video",
        "r_frame_rate": rates[0],
        "avg_frame_rate": rates[1],
    }
    counts: Json = {"0": {"Packets": 100, "Bytes": 1000, "Seconds": 2.0}}
    (video,) = streams(properties({"streams": [stream], "packets": counts}), "Video")
    assert (video["Fps"], video["AvgFPS"]) == told


@pytest.mark.parametrize(("order", "frames"), [("tt", "50"), ("progressive", "100")])
def test_packets_that_hold_a_field_each(order: str, frames: str):
    """As ffprobe describes 1080i out of cameras that write both fields of a frame apart."""
    stream: Json = {
        "index": 0,
        "codec_type": "video",
        "codec_name": "h264",
        "field_order": order,
        "avg_frame_rate": "25/1",
    }
    counts: Json = {"0": {"Packets": 100, "Bytes": 1000, "Seconds": 2.0}}
    (told,) = streams(properties({"streams": [stream], "packets": counts}), "Video")
    assert told["NumFrames"] == frames


@pytest.mark.proves("info: mediaflow media info", by="what Start finds, and the lines")
def test_the_command_tells_what_start_does(mediaflow: CommandLine, film: Path, tmp_path: Path):
    source = media.make(film.with_name("told.ts"), "-i", str(film), "-c", "copy")
    told = mediaflow("media", "info", str(source), "--json").json
    assert told["State"] == "Success"
    assert told["Properties"] == flattened(info(tmp_path, source))
    text = mediaflow("media", "info", str(source))
    assert text.code == 0
    assert "Video 0     h264" in text.out and "100 frames" in text.out
    (bad := tmp_path / "bad.mp4").write_bytes(b"no media")
    refused = mediaflow("media", "info", str(bad), "--json")
    assert (refused.code, refused.json["Error"]["Code"]) == (
        1,
        "InvalidParameter.ResourceContentBad",
    )
