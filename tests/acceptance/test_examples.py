"""Every example topology on a real clip, checked with ffprobe."""

import contextlib
import hashlib
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from activities.ffmpeg import ffprobe_path
from tests.support.command_line import CommandLine
from tests.support.package_runs import film
from tests.support.places import EXAMPLES
from workflow_engine.records import Figure
from workflow_engine.store import Store


def probed(output: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    command = [ffprobe_path(), "-v", "error", "-of", "json", "-show_format", "-show_streams"]
    done = subprocess.run([*command, output["Path"]], check=True, capture_output=True)
    found = json.loads(done.stdout)
    return found["format"], {s["codec_type"]: s for s in found["streams"]}


def picture_kbps(output: dict[str, Any]) -> float:
    """The rate of the video over its packets."""
    command = [ffprobe_path(), "-v", "error", "-select_streams", "v", "-of", "csv=p=0"]
    entries = ["-show_entries", "packet=size,duration_time"]
    found = subprocess.run([*command, *entries, output["Path"]], check=True, capture_output=True)
    rows = [row.split(",") for row in found.stdout.decode().splitlines()]
    seconds, size = (sum(float(row[n].strip()) for row in rows) for n in (0, 1))
    return size / 125 / seconds


def outputs(record: dict[str, Any], activity: str) -> list[dict[str, Any]]:
    (found,) = (a for a in record["ActivityList"] if a["Name"] == activity)
    assert found["State"] == "Success", found
    return found["Outputs"]


def run(mediaflow: CommandLine, name: str, clip: Path, *options: str) -> dict[str, Any]:
    ended = mediaflow.run(name, clip, "--json", "--executor", "inline", *options)
    assert ended.code == 0, ended.err + ended.out
    record = ended.json
    assert record["State"] == "Completed" and record["Name"] == name
    for activity in record["ActivityList"]:
        for output in activity["Outputs"]:
            content = Path(output["Path"]).read_bytes()
            assert len(content) == output["Size"]
            assert hashlib.md5(content).hexdigest() == output["ETag"]
    return record


def test_minimal(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "minimal", bunny)
    (output,) = outputs(record, "sd")
    assert output["Object"] == f"{record['RunId']}/bigbuckbunny.mp4"
    assert Path(output["Path"]) == mediaflow.cwd / "mediaflow-out/renditions" / output["Object"]
    form, streams = probed(output)
    assert (streams["video"]["codec_name"], streams["video"]["width"]) == ("h264", 848)
    assert streams["video"]["height"] in (476, 478)
    assert float(form["duration"]) == pytest.approx(5.3, abs=0.1)
    assert int(streams["video"]["bit_rate"]) == pytest.approx(800_000, rel=0.25)
    assert (streams["audio"]["codec_name"], streams["audio"]["sample_rate"]) == ("aac", "44100")


def test_ladder_offers_what_suits_the_source(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "ladder", bunny)
    states = {a["Name"]: a["State"] for a in record["ActivityList"]}
    assert states.pop("fhd") == "Skipped"
    assert set(states.values()) == {"Success"}
    heights = {
        name: probed(outputs(record, name)[0])[1]["video"]["height"] for name in ("hd", "sd", "ld")
    }
    assert heights == {"hd": 720, "sd": 576, "ld": 360}
    report, _page = outputs(record, "report")
    told = json.loads(Path(report["Path"]).read_text())["Activities"]
    (rungs,) = (activity["Rungs"] for activity in told if "Rungs" in activity)
    assert [rung["State"] for rung in rungs] == ["Dropped", *["Offered"] * 3]
    # what was foretold of each of them, beside what came out
    for name in ("hd", "sd", "ld"):
        (found,) = next(activity["Predictions"] for activity in told if activity["Name"] == name)
        assert found["Measured"] == pytest.approx(picture_kbps(outputs(record, name)[0]), rel=0.01)
        error = 100 * (found["Predicted"] / found["Measured"] - 1)
        assert found["Error"] == pytest.approx(error, abs=0.01)
    with contextlib.closing(Store.open(f"sqlite:///{mediaflow.data}/mediaflow.db")) as store:
        (kept,) = store.predictions.of_activity(record["RunId"], "ld")
        assert kept.measured == found["Measured"]
        assert set(store.predictions.median_errors()) == {Figure.BITRATE}


def test_snapshots(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "snapshots", bunny)
    names = [Path(o["Object"]).name for o in outputs(record, "storyboard")]
    assert names == [f"story-{n:05}.jpg" for n in range(1, 7)]
    _, streams = probed(outputs(record, "cover")[0])
    assert (streams["video"]["width"], streams["video"]["height"]) == (1280, 720)


def test_audio(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "audio", bunny)
    for name, codec, rate in (("mp3", "mp3", 128_000), ("aac", "aac", 96_000)):
        form, streams = probed(outputs(record, name)[0])
        assert list(streams) == ["audio"] and streams["audio"]["codec_name"] == codec
        assert int(streams["audio"]["bit_rate"]) == pytest.approx(rate, rel=0.15)
        assert float(form["duration"]) == pytest.approx(5.3, abs=0.1)


def test_remux_hls_keeps_the_streams(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "remux-hls", bunny)
    *segments, playlist = outputs(record, "hls")
    assert Path(playlist["Object"]).name == "stream.m3u8"
    assert Path(segments[0]["Object"]).name == "stream-00001.ts"
    _, streams = probed(playlist)
    assert (streams["video"]["width"], streams["audio"]["channels"]) == (1280, 6)
    text = Path(playlist["Path"]).read_text()
    assert "#EXT-X-ENDLIST" in text and "stream-00001.ts" in text


@pytest.mark.long
def test_h265(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "h265", bunny)
    _, streams = probed(outputs(record, "h265")[0])
    video = streams["video"]
    assert (video["codec_name"], video["codec_tag_string"]) == ("hevc", "hvc1")
    assert (video["width"], video["height"]) == (640, 360)
    assert Fraction(video["avg_frame_rate"]) == 25


def test_console_export(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "console-export", bunny)
    playlist = outputs(record, "Act-Transcode")[-1]
    assert playlist["Object"] == "cloud/incoming/bigbuckbunny.m3u8"
    assert outputs(record, "Act-Shot")[0]["Object"] == "cloud/incoming/bigbuckbunny.jpg"


def test_every_example_has_its_test():
    here = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.json"):
        assert f'"{path.stem}"' in here, path


def test_the_report_tells_all(mediaflow: CommandLine, bunny: Path):
    record = run(mediaflow, "minimal", bunny)
    report = json.loads(Path(record["Report"]).read_text())
    text = json.dumps(report)
    assert record["RunId"] in text
    content = Path(outputs(record, "sd")[0]["Path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() in text
    assert hashlib.sha256(bunny.read_bytes()).hexdigest() in text
    assert "libx264" in text and "ffmpeg" in text


@pytest.mark.long
@pytest.mark.parametrize("name", ["hls", "dash", "cmaf", "hls-encrypted"])
def test_packages(mediaflow: CommandLine, media_dir: Path, name: str):
    ended = mediaflow.run(name, film(media_dir), "--json", "--executor", "inline")
    record = ended.json
    states = {one["Name"]: one["State"] for one in record["ActivityList"]}
    # no subtitles lie beside this film
    failed = [one for one, state in states.items() if state != "Success"]
    assert failed == (["words"] if "words" in states else []), record
    lists = [Path(one["Path"]).name for one in outputs(record, "master")]
    assert lists == {
        "dash": ["manifest.mpd"],
        "cmaf": ["master.m3u8", "manifest.mpd"],
    }.get(name, ["master.m3u8"])
    text = Path(outputs(record, "master")[0]["Path"]).read_text()
    assert all(f"{one}/" in text for one in ("hd", "sd", "ld"))
