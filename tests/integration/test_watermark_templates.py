"""Watermarks, their templates and subtitles through the engine: files in buckets, real media."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.support import media
from tests.support.transcodes import box_of, frames
from workflow_engine.engine import Engine
from workflow_engine.errors import TopologyError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.settings import load_settings

RED = (254, 0, 0)
LOGO = {"Bucket": "side", "Location": "local", "Object": "logo.png"}
SRT = "1\n00:00:00,000 --> 00:00:09,000\n■■\n"


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Engine(load_settings(None), output_dir=tmp_path / "outputs")
    yield made
    made.close()


@pytest.fixture
def side(tmp_path):
    folder = tmp_path / "outputs" / "side" / "vod"
    folder.mkdir(parents=True)
    media.make(
        folder.parent / "logo.png",
        *("-f", "lavfi", "-i", "color=red:s=40x20,format=rgba", "-frames:v", "1"),
    )
    (folder / "wall.srt").write_text(SRT)
    return folder.parent


def topology(path: Path, *outputs) -> Path:
    """A Start, one Transcode for each output, and a Report."""
    fast = {"Width": "320", "Crf": "10", "Preset": "veryfast"}
    works = {
        f"t{n}": {
            "Type": "Transcode",
            "Parameters": {
                "OutputBucket": "out",
                "Outputs": [
                    {"OutputObject": str(n), "TemplateId": "S00000001-200010", "Video": fast} | one
                ],
            },
        }
        for n, one in enumerate(outputs)
    }
    start = {"InputFile": {"Bucket": "in", "ObjectPrefix": "vod/"}, "PipelineId": "0" * 32}
    value = {
        "Activities": {
            "start": {"Type": "Start", "Parameters": start},
            **works,
            "report": {"Type": "Report"},
        },
        "Dependencies": {
            "start": list(works),
            **{name: ["report"] for name in works},
            "report": [],
        },
    }
    file = path / "flow.json"
    file.write_text(json.dumps(value))
    return file


def marked(**fields):
    return {"WaterMarks": [{"InputFile": LOGO} | fields]}


def test_marks_of_several_activities(tmp_path, engine, side):
    wall = media.make(
        tmp_path / "wall.mp4",
        *("-f", "lavfi", "-i", "color=gray:size=320x180:rate=25:duration=0.4"),
        *("-f", "lavfi", "-i", "sine=duration=0.4", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )
    template = engine.watermark_templates.add("logo", {"Width": "80", "ReferPos": "BottomLeft"})
    subtitles = {"Input": LOGO | {"Object": "{ObjectPrefix}{FileName}.srt"}}
    file = topology(
        tmp_path,
        marked(WaterMarkTemplateId=template.id),
        marked(Height="0.5", ReferPos="TopLeft"),
        {"SubtitleConfig": {"ExtSubtitleList": [subtitles]}},
    )
    workflow = engine.load(file)
    source = engine.open_input(workflow, str(wall))
    record = engine.run(workflow, source, executor=InlineExecutor())
    assert {one.name: one.message for one in record.activities if one.message} == {}
    assert len({one.result.commands for one in record.activities if one.type == "Transcode"}) == 1
    told = json.loads(Path(record.report).read_text())["Activities"]
    read = {one["Name"]: [side["Object"] for side in one["SideInputs"]] for one in told}
    assert read == {"start": [], "t0": ["logo.png"], "t1": ["logo.png"], "t2": ["vod/wall.srt"]}
    digest = hashlib.sha256((side / "logo.png").read_bytes()).hexdigest()
    assert told[1]["SideInputs"] == [
        LOGO | {"Size": (side / "logo.png").stat().st_size, "SHA256": digest}
    ]
    first, second, third = (
        frames(tmp_path / "outputs" / "out" / f"{n}.mp4", (320, 180)) for n in range(3)
    )
    assert box_of(first[0], 320, RED) == (0, 140, 80, 40)
    assert box_of(second[0], 320, RED) == (0, 0, 180, 90)
    assert box_of(third[5], 320, (254, 254, 254))[1] > 140

    engine.watermark_templates.delete(template.id)
    with pytest.raises(TopologyError) as caught:
        engine.load(file)
    (problem,) = caught.value.problems
    place = "/Activities/t0/Parameters/Outputs/0/WaterMarks/0/WaterMarkTemplateId"
    assert (problem.code, problem.pointer) == ("InvalidParameter.TemplateNotFound", place)


def test_a_watermark_template_is_no_transcode_template(tmp_path, engine, side):
    watermark = engine.watermark_templates.add("logo", {"Width": "80"})
    transcode = engine.templates.add("small", {"Video": {"Width": "320"}})
    for output in ({"TemplateId": watermark.id}, marked(WaterMarkTemplateId=transcode.id)):
        with pytest.raises(TopologyError) as caught:
            engine.load(topology(tmp_path, output))
        assert [one.code for one in caught.value.problems] == ["InvalidParameter.TemplateNotFound"]
