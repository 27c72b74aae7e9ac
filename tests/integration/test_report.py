import json
from dataclasses import replace

import pytest

from activities.report import Report
from tests.support.context import make_context, make_plan_context
from tests.unit.test_report import BAD, HD, START, execution
from workflow_engine.records import ActivityRecord, ActivityState

RUNNING = ActivityRecord(name="under-test", type="Report", state=ActivityState.RUNNING)


def run(tmp_path, clip, parameters, *records):
    activity = Report()
    read = activity.parameters.model_validate(parameters)
    step = activity.plan(read, make_plan_context(clip))
    assert step.outputs == ()
    context = make_context(tmp_path, clip)
    return activity.run(step, replace(context, execution=lambda: execution(*records)))


def test_the_report_is_written_for_people_and_programs(tmp_path, clip):
    result = run(tmp_path, clip, {"PublishType": "Auto"}, START, HD, RUNNING)
    (produced,) = result.outputs
    assert produced.last and produced.path.name == "report.json"
    assert produced.ref.bucket == "out-bucket"
    text = produced.path.read_text(encoding="utf-8")
    assert "été" in text and text.count("\n") > 50 and text.endswith("}\n")
    told = json.loads(text)
    # the report is still running while it is written: it does not tell of itself
    assert [activity["Name"] for activity in told["Activities"]] == ["start", "hd"]
    assert told["Input"]["SHA256"]
    assert result.data == {"PublishType": "Auto", "Published": True}
    assert (told["PublishType"], told["Published"]) == ("Auto", True)


@pytest.mark.parametrize(
    ("publish_type", "records", "published"),
    [
        ("Manual", (START, HD), False),
        ("TranscodeCompletedAuto", (START, HD, BAD), True),
        ("TranscodeCompletedAuto", (START, BAD), False),
    ],
)
def test_publish_type_decides_what_is_published(tmp_path, clip, publish_type, records, published):
    result = run(tmp_path, clip, {"PublishType": publish_type}, *records, RUNNING)
    assert result.data["Published"] is published


def test_names_that_are_not_text_do_not_stop_the_report(tmp_path, clip):
    odd = replace(BAD, message="bad name \udcff")
    result = run(tmp_path, clip, {}, START, odd, RUNNING)
    told = json.loads(result.outputs[0].path.read_text(encoding="utf-8"))
    assert told["Activities"][1]["Message"].startswith("bad name")
