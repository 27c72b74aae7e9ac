"""What an answer says of the server's files: buckets and keys, never where they lie."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest

from tests.support.api_clients import serving
from tests.support.places import EXAMPLES
from workflow_engine.api.app import create_app
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.settings import Settings

MINIMAL = (EXAMPLES / "minimal.json").read_text()
CLIP = "http://uploads.local.aliyuncs.com/incoming/clip.mp4"


class Api:
    """The API of an engine whose folders have names that XML and JSON write differently."""

    def __init__(self, home: Path) -> None:
        self.root = home / "a & b \N{LATIN SMALL LETTER E WITH ACUTE}"
        buckets = {name: {"path": self.root / name} for name in ("uploads", "renditions")}
        (self.root / "uploads/incoming").mkdir(parents=True)
        settings = Settings.model_validate(
            {"buckets": buckets, "store": {"url": f"sqlite:///{home}/store/db"}}
        )
        self.engine = Engine(settings)
        broken = f'The folder "{self.root}/uploads" cannot be read.'
        self.app = create_app(
            self.engine, status=lambda: (True, {"files": broken}), gauges=lambda: []
        )
        self.address = ""

    def __call__(self, action: str, form: str = "JSON", **parameters: str) -> httpx.Response:
        query = {"Action": action, "Version": "2014-06-18", "Format": form, **parameters}
        return httpx.get(f"http://{self.address}/?{urlencode(query)}")

    def message(self, action: str, **parameters: str) -> str:
        """The message of an error, the same in both forms."""
        told = self(action, **parameters)
        assert told.status_code >= 400
        written = ElementTree.fromstring(self(action, "XML", **parameters).content)
        assert written.findtext("Message") == told.json()["Message"]
        return told.json()["Message"]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    api = Api(tmp_path)
    with closing(api.engine), serving(api.app) as api.address:
        yield api


def add_workflow(api: Api) -> str:
    return api("AddMediaWorkflow", Name="w", Topology=MINIMAL).json()["MediaWorkflow"][
        "MediaWorkflowId"
    ]


def make_unreadable(api: Api) -> None:
    clip = api.root / "uploads/incoming/clip.mp4"
    clip.unlink(missing_ok=True)
    clip.symlink_to(clip)


def test_errors(api: Api):
    workflow = add_workflow(api)
    missing = api.message("AddMedia", FileURL=CLIP, MediaWorkflowId=workflow)
    assert "incoming/clip.mp4" in missing and str(api.root) not in missing
    make_unreadable(api)
    unreadable = api.message("AddMedia", FileURL=CLIP, MediaWorkflowId=workflow)
    assert '"uploads/incoming/clip.mp4"' in unreadable


def test_records_of_executions_and_jobs(api: Api, monkeypatch: pytest.MonkeyPatch):
    clip = api.root / "uploads/incoming/clip.mp4"
    clip.write_bytes(b"no media")
    workflow = add_workflow(api)
    source = {"Bucket": "uploads", "Location": "local", "Object": "incoming/clip.mp4"}
    output = {"OutputObject": "x", "TemplateId": "S00000001-200010"}
    run_ids = [
        api("AddMedia", FileURL=CLIP, MediaWorkflowId=workflow).json()["Media"]["RunIdList"][
            "RunId"
        ][0],
        api(
            "SubmitJobs",
            Input=json.dumps(source),
            Outputs=json.dumps([output]),
            OutputBucket="renditions",
            PipelineId=DEFAULT_PIPELINE_ID,
        ).json()["JobResultList"]["JobResult"][0]["Job"]["JobId"],
    ]
    make_unreadable(api)  # Start fails, and says where it has looked
    while claim := api.engine.store.queue.claim_next(owner="test", lease_seconds=60):
        api.engine.runs.run_claimed(claim, executor=InlineExecutor())
    stored = [api.engine.history.get(run_id) for run_id in run_ids]
    assert any(str(api.root) in one.message for record in stored for one in record.activities)
    asked = [
        ("QueryMediaWorkflowExecutionList", {"RunIds": run_ids[0]}),
        ("QueryJobList", {"JobIds": run_ids[1]}),
    ]
    for action, ids in asked:
        for form in ("JSON", "XML"):
            body = api(action, form, **ids).text
            assert "uploads/incoming/clip.mp4" in body
            assert "/uploads/incoming" not in body


def test_readiness(api: Api):
    told: Any = httpx.get(f"http://{api.address}/readyz").json()
    assert told["files"] == 'The folder "uploads" cannot be read.'


def test_a_bucket_that_is_not_configured_is_refused_at_once(api: Api):
    for workflow in ({}, {"MediaWorkflowId": add_workflow(api)}):
        told = api("AddMedia", FileURL=CLIP.replace("uploads", "elsewhere"), **workflow)
        assert (told.status_code, told.json()["Code"]) == (404, "InvalidParameter.ResourceNotFound")
        assert 'The bucket "elsewhere" is not configured. (/FileURL)' in told.json()["Message"]
    assert api("QueryMediaList", MediaIds="0" * 32).json()["MediaList"] == {"Media": []}
