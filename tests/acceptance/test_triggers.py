"""Through the front door: a file that lands becomes one execution with finished outputs."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import EXAMPLES
from tests.service import Service, wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(
        tmp_path_factory.mktemp("landing"),
        MEDIAFLOW_BUCKETS__UPLOADS__EVENTS="watch",
        MEDIAFLOW_BUCKETS__UPLOADS__SETTLE_SECONDS="0.5",
    )
    shutil.copy(EXAMPLES / "minimal.json", service.home / "workflows")
    loop = (EXAMPLES / "minimal.json").read_text().replace("incoming/", "loop/")
    loop = loop.replace('"renditions"', '"uploads"').replace("{RunId}/", "loop/out/{FileName}-")
    (service.home / "workflows/loop.json").write_text(loop)
    try:
        yield service.start()
    finally:
        service.close()


def runs(service: Service, **chosen: str) -> list[dict[str, Any]]:
    answer = service.legacy()("ListMediaWorkflowExecutions", **chosen)
    return answer["MediaWorkflowExecutionList"]["MediaWorkflowExecution"]


def test_a_clip_that_lands_is_run_once_and_found_by_workflow_and_input(
    service: Service, clip: Path
):
    (service.bucket("uploads") / "incoming").mkdir()
    shutil.copy(clip, service.bucket("uploads") / "incoming/landed.mp4")
    url = "http://uploads.local.aliyuncs.com/incoming/landed.mp4"

    def done() -> Any:
        found = runs(service, InputFileURL=url)
        return found if found and found[0]["State"] != "Running" else None

    (run,) = wait_for(done, 90)
    assert (run["State"], run["Name"]) == ("Completed", "minimal")
    by_workflow = runs(service, MediaWorkflowId=run["MediaWorkflowId"])
    assert [one["RunId"] for one in by_workflow] == [run["RunId"]]
    assert len(list((service.bucket("renditions") / run["RunId"]).glob("*.mp4"))) == 1


def test_outputs_in_the_watched_bucket_start_nothing(service: Service, clip: Path):
    (service.bucket("uploads") / "loop").mkdir()
    shutil.copy(clip, service.bucket("uploads") / "loop/clip.mp4")

    def done() -> Any:
        found = runs(service, MediaWorkflowName="loop")
        return found if found and found[0]["State"] == "Completed" else None

    wait_for(done, 90)
    assert (service.bucket("uploads") / "loop/out").is_dir()
    # a listing by hand sees the outputs, too, and starts nothing for them
    replayed = service.json("trigger", "replay", "uploads", "loop/")
    assert (replayed["Listed"], replayed["Queued"]) == (3, 0)
    status = service.json("trigger", "status")
    (bucket,) = [one for one in status["Buckets"] if one["Bucket"] == "uploads"]
    assert bucket["Problem"] == ""
    assert len(runs(service, MediaWorkflowName="loop")) == 1
