"""Reuse with real activities: outputs of several names, segments and pictures."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.topologies import report, snapshot, start, topology, transcode
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityRecord
from workflow_engine.settings import load_settings


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Engine(load_settings(None), output_dir=tmp_path / "outputs")
    yield made
    made.close()


def run(engine: Engine, work: dict[str, Any], clip: Path) -> ActivityRecord:
    path = Path("flow.json")
    path.write_text(json.dumps(topology({"start": start(), "work": work, "report": report()})))
    workflow = engine.load(path)
    source = engine.open_input(workflow, str(clip))
    record = engine.run(workflow, source, executor=InlineExecutor()).activity("work")
    assert str(record.state) == "Success", record.message
    for output in record.outputs:
        content = Path(output.place).read_bytes()
        assert hashlib.md5(content).hexdigest() == output.digests.md5
    return record


def sounds(first: str, second: str) -> dict[str, Any]:
    work = transcode(first, "S00000001-300010")
    work["Parameters"]["Outputs"].append({"OutputObject": second, "TemplateId": "S00000001-300040"})
    return work


def sizes(record: ActivityRecord) -> dict[str, int]:
    return {output.ref.object: output.digests.size for output in record.outputs}


def test_names_exchanged_inside_an_activity(engine: Engine, audio_clip: Path):
    first = sizes(run(engine, sounds("a", "b"), audio_clip))
    swapped = run(engine, sounds("b", "a"), audio_clip)
    assert swapped.reused
    assert sizes(swapped) == {"b.mp3": first["a.mp3"], "a.mp3": first["b.mp3"]}
    shifted = run(engine, sounds("a", "c"), audio_clip)
    assert shifted.reused
    assert sizes(shifted) == {"a.mp3": first["a.mp3"], "c.mp3": first["b.mp3"]}


def test_a_sequence_of_pictures_under_another_name(engine: Engine, clip: Path):
    config = {"Interval": "1", "Num": "3", "FrameType": "normal"}
    run(engine, snapshot("a-{Count}.jpg", **config), clip)
    again = run(engine, snapshot("other/{SnapshotTime}-{Count}.jpg", **config), clip)
    assert again.reused
    assert [o.ref.object for o in again.outputs] == [
        "other/0-00001.jpg",
        "other/1000-00002.jpg",
        "other/2000-00003.jpg",
    ]


def test_hls_in_another_folder_is_copied_with_its_segments(engine: Engine, clip: Path):
    run(engine, transcode("one/list", "S00000001-100000"), clip)
    again = run(engine, transcode("two/list", "S00000001-100000"), clip)
    assert again.reused
    assert [o.ref.object for o in again.outputs] == ["two/list-00001.ts", "two/list.m3u8"]


def test_hls_under_another_name_is_made_anew(engine: Engine, clip: Path):
    run(engine, transcode("one/list", "S00000001-100000"), clip)
    other = run(engine, transcode("one/other", "S00000001-100000"), clip)
    assert not other.reused
    assert "other-00001.ts" in Path(other.outputs[-1].place).read_text()


def test_what_is_no_parameter_of_the_bytes_does_not_count(engine: Engine, audio_clip: Path):
    run(engine, transcode("a", "S00000001-300010", UserData="x", Priority="3"), audio_clip)
    assert run(engine, transcode("a", "S00000001-300010", UserData="y"), audio_clip).reused


def test_what_is_measured_of_the_source_is_measured_by_plan_and_run(engine: Engine, clip: Path):
    work = transcode(
        "a",
        "S00000001-200010",
        Video={"Crop": "border", "Width": "160", "Preset": "veryfast"},
        Audio={"Volume": {"Method": "linear", "Level": "-30"}},
    )
    made = run(engine, work, clip)
    source = engine.open_input(engine.load(Path("flow.json")), str(clip))
    plan = engine.plan(engine.load(Path("flow.json")), source)
    (planned,) = [one for one in plan.activities if one.node.name == "work"]
    assert "work" in plan.reused and len(planned.side_inputs) == 2
    assert "volume=volume=" in " ".join(made.result.commands[0])
    assert run(engine, work, clip).reused


def test_dash_in_another_folder_is_copied_with_its_segments(engine: Engine, clip: Path):
    dash = {"Container": {"Format": "mpd"}}
    run(engine, transcode("one/x", "S00000001-200000", **dash), clip)
    again = run(engine, transcode("two/x", "S00000001-200000", **dash), clip)
    assert again.reused
    names = [o.ref.object for o in again.outputs]
    assert names[0] == "two/x-0-init.m4s" and names[-1] == "two/x.mpd"
