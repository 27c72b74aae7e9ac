"""Quality in whole runs: siblings that share a decode, the report, a second run."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from activities.quality.told import quality_rows
from tests.support.topologies import report, start, text, topology, transcode
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityState, ExecutionRecord
from workflow_engine.settings import load_settings

MP4, HLS = "S00000001-200010", "S00000001-100010"


def ssim(name: str, crf: int, template: str = MP4, **quality):
    video = {"Width": "160", "Crf": str(crf), "Preset": "veryfast"}
    return transcode(name, template, Video=video, Quality={"Metric": "ssim"} | quality)


@pytest.fixture
def run(tmp_path: Path, clip: Path):
    def start_run(**activities) -> ExecutionRecord:
        flow = tmp_path / "flow.json"
        flow.write_text(text(topology({"start": start(), **activities, "report": report()})))
        settings = load_settings().kept_in(tmp_path / "data")
        with closing(Engine(settings, output_dir=tmp_path / "out")) as engine:
            workflow = engine.load(flow)
            source = engine.open_input(workflow, str(clip))
            return engine.run(workflow, source, executor=InlineExecutor())

    return start_run


def test_a_low_output_fails_alone_and_publishes_nothing(tmp_path, run):
    made = run(
        good=ssim("good", 20, HLS, Minimum="0.5", OnLow="fail"),
        bad=ssim("bad", 48, Minimum="0.9999", OnLow="fail"),
    )
    good, bad = made.activity("good"), made.activity("bad")
    assert (bad.state, bad.code) == (ActivityState.FAIL, "QualityTooLow")
    assert bad.message.startswith("The mean ssim of mp4 160x90 h264 crf 48")
    assert good.state is ActivityState.SUCCESS
    # one process for both encodes, and the failure of one makes the other no second time
    encode, compare = good.result.commands
    assert {"0.m3u8", "0.mp4"} <= {Path(word).name for word in encode}
    assert "ssim=" in " ".join(compare)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("out/**/*.*")}
    assert {"out/good.m3u8", "out/good-00001.ts", "out/good.m3u8.worst.jpg"} <= names
    assert not [name for name in names if name.startswith("out/bad")]
    # the report tells it, and where its picture lies
    (told,) = json.loads(Path(made.report).read_text())["Activities"][1]["Quality"]
    assert told["Value"] == good.result.data["Outputs"][0]["Quality"]["Mean"]  # type: ignore[index]
    assert told["Moment"]["Object"] == "good.m3u8.worst.jpg"
    (note,) = made.activity("good").to_wire()["Notes"]  # type: ignore[misc]
    assert "m3u8 160x90 h264 crf 20" in str(note) and "ssim" in str(note)


def test_a_finished_measurement_is_not_repeated(tmp_path, run):
    first = run(ld=ssim("first", 40, Minimum="0.9999"))
    again = run(ld=ssim("again", 40, Minimum="0.9999"))
    assert not first.activity("ld").reused and again.activity("ld").reused
    assert again.activity("ld").result.notes == first.activity("ld").result.notes
    assert (tmp_path / "out/out/again.mp4.worst.jpg").is_file()
    (row,) = quality_rows(again.activity("ld").result)
    assert row["Output"] == "mp4 160x90 h264 crf 40 + aac 64k" and row["Metric"] == "ssim"
