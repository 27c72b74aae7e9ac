"""The jobs of activities: what the actions on jobs answer for the JobIds of workflow runs."""

import json
from pathlib import Path
from typing import Any

from tests.integration.test_jobs import (
    MP3,
    call,
    engine,
    output,
    transcode_job,
    upload,
)
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import executions
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord, ObjectRef
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID

__all__ = ["engine"]

QUERY = next(a for a in actions_of(executions) if a.name == "QueryMediaWorkflowExecutionList")


def topology(**activities: tuple[str, dict[str, Any]]) -> str:
    """Return Start and some activities behind it, side by side, with a Report behind them."""
    start = {"InputFile": {"Bucket": "in-bucket"}, "PipelineId": DEFAULT_PIPELINE_ID}
    works = {
        "start": ("Start", start),
        **activities,
        "report": ("Report", {}),
    }
    return json.dumps(
        {
            "Activities": {n: {"Type": t, "Parameters": p} for n, (t, p) in works.items()},
            "Dependencies": {
                "start": list(activities) or ["report"],
                **{name: ["report"] for name in activities},
                "report": [],
            },
        }
    )


def transcode(*outputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Transcode", {
        "OutputBucket": "out-bucket",
        "OutputLocation": "here",
        "Outputs": json.dumps(outputs),
    }


def snapshot(**config: Any) -> tuple[str, dict[str, Any]]:
    file = {"Bucket": "out-bucket", "Location": "here", "Object": "{RunId}%2F{Count}.jpg"}
    return "Snapshot", {"SnapshotConfig": {"OutputFile": file, **config}}


def queued(engine: Engine, text: str, source: dict[str, str]) -> str:
    workflow = engine.workflows.add("wf" + str(len(text)) + source["Object"], text)
    ref = ObjectRef(bucket="in-bucket", object=source["Object"].replace("%20", " "))
    return engine.submit(workflow, ref).run_id


def run_of(engine: Engine, run_id: str) -> ExecutionRecord:
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None and claim.run_id == run_id
    return engine.runs.run_claimed(claim, executor=InlineExecutor())


def activities(engine: Engine, run_id: str) -> dict[str, dict[str, Any]]:
    """Return what the API tells of the activities of a run, by name."""
    answer = dict(QUERY.call(engine, QUERY.request.model_validate({"RunIds": run_id})))
    (run,) = answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]
    return {one["Name"]: one for one in run["ActivityList"]["Activity"]}


def job(engine: Engine, family: str, job_id: str) -> dict[str, Any]:
    name, ids, items, item = {
        "media info": ("QueryMediaInfoJobList", "MediaInfoJobIds", "MediaInfoJobList", "Job"),
        "snapshot": ("QuerySnapshotJobList", "SnapshotJobIds", "SnapshotJobList", "Job"),
        "analysis": ("QueryAnalysisJobList", "AnalysisJobIds", "AnalysisJobList", "Job"),
    }[family]
    answer = call(engine, name, **{ids: job_id})
    (found,) = answer[items][items.removesuffix("List")]
    assert item
    return found


def test_a_transcode_of_a_run_is_a_job(engine: Engine, audio_clip: Path):
    source = upload(audio_clip, "vod/my tone.m4a")
    asked = output("{RunId}%2F{FileName}", UserData="mine")
    run_id = queued(engine, topology(sound=transcode(asked)), source)
    run_of(engine, run_id)
    told = activities(engine, run_id)["sound"]
    found = transcode_job(engine, told["JobId"])
    assert (found["State"], found["Percent"]) == ("TranscodeSuccess", 100)
    assert found["PipelineId"] == DEFAULT_PIPELINE_ID
    assert (found["CreationTime"], found["FinishTime"]) == (told["StartTime"], told["EndTime"])
    assert found["Input"]["Object"] == "vod/my tone.m4a"
    made = found["Output"]
    assert made["OutputFile"] == {
        "Bucket": "out-bucket",
        "Location": "here",
        "Object": f"{run_id}/my tone.mp3",
    }
    assert (made["TemplateId"], made["UserData"]) == (MP3, "mine")
    assert made["Properties"]["Format"]["FormatName"] == "mp3"
    assert Path("out", run_id, "my tone.mp3").stat().st_size == int(made["Properties"]["FileSize"])
    assert "Code" not in found
