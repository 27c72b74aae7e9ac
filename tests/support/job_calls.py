"""Jobs by the actions of the API, on an engine of this process."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import (
    analysis_jobs,
    media_info_jobs,
    snapshot_jobs,
    transcode_jobs,
)
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID

MODULES = (transcode_jobs, snapshot_jobs, analysis_jobs, media_info_jobs)
ACTIONS = {action.name: action for module in MODULES for action in actions_of(module)}
UNKNOWN = "0" * 32
MP3 = "S00000001-300010"
REMUX_HLS = "S00000001-100000"
INTELLIGENT_LD, INTELLIGENT_FHD = "S00000000-200020", "S00000000-200050"

SETTINGS = """
[buckets.in-bucket]
path = "in"
[buckets.out-bucket]
path = "out"
[queues.jobs]
file = "messages.jsonl"
"""


def written(path: Path, more: str = "") -> Path:
    (path / "in").mkdir(exist_ok=True)
    (path / "out").mkdir(exist_ok=True)
    file = path / "mediaflow.toml"
    file.write_text(SETTINGS + more)
    return file


def call(engine: Engine, name: str, **parameters: Any) -> dict[str, Any]:
    """Call an action as a client does: every value a string."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in parameters.items()
    }
    action = ACTIONS[name]
    return dict(action.call(engine, action.request.model_validate(texts)))


def refused(engine: Engine, name: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call(engine, name, **parameters)
    return caught.value.code, caught.value.pointer


def given(key: str) -> dict[str, str]:
    return {"Bucket": "in-bucket", "Location": "local", "Object": key}


def upload(file: Path, key: str = "vod/my clip.mp4") -> dict[str, str]:
    place = Path("in") / key
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)
    return given(key.replace(" ", "%20"))


def output(name: str, template: str = MP3, **more: Any) -> dict[str, Any]:
    return {"OutputObject": name, "TemplateId": template, **more}


def submit(engine: Engine, source: Mapping[str, str], *outputs: Any, **more: str) -> list[Any]:
    asked = {"OutputBucket": "out-bucket", "PipelineId": DEFAULT_PIPELINE_ID, **more}
    answer = call(engine, "SubmitJobs", Input=source, Outputs=list(outputs), **asked)
    return answer["JobResultList"]["JobResult"]


def run_next(engine: Engine) -> ExecutionRecord:
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    return engine.runs.run_claimed(claim, executor=InlineExecutor())


def run_all(engine: Engine) -> None:
    while claim := engine.store.queue.claim_next(owner="test", lease_seconds=60):
        engine.runs.run_claimed(claim, executor=InlineExecutor())


def transcode_job(engine: Engine, job_id: str) -> dict[str, Any]:
    (job,) = call(engine, "QueryJobList", JobIds=job_id)["JobList"]["Job"]
    return job
