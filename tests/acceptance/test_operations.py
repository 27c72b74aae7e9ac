"""What an operator hears of a running service: its log as JSON, mails, chats, traces, metrics."""

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support import media
from tests.support.service import SECRET, Service
from tests.support.smtp_server import SmtpServer
from tests.support.topologies import report, snapshot, start, text, topology
from tests.support.waiting import wait_for
from tests.support.webhook_server import WebhookServer

DOCS = Path(__file__).parents[2] / "docs"
TOKEN = "tok3n-of-the-chat"
#: no Prefect server: none of this needs one
CONFIGURATION = """
[log]
format = "json"
level = "debug"
[prefect]
api_url = "http://127.0.0.1:9/api"
[notify.mail]
url = "{mail}"
on = "end"
[notify.chat]
url_env = "CHAT_URL"
"""
NAME = "b\u202ed <i>@everyone.mp4"


@dataclass
class Operated:
    service: Service
    smtp: SmtpServer
    chat: WebhookServer
    metrics: list[Metric]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.service.log.splitlines()]

    def said(self, begins: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"].startswith(begins)]


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory, media_dir: Path) -> Iterator[Operated]:
    """A service that has run a workflow on two files, one of them broken, and was stopped."""
    home = tmp_path_factory.mktemp("operated")
    with ExitStack() as stack:
        smtp, chat = stack.enter_context(SmtpServer()), stack.enter_context(WebhookServer())
        where = chat.url.removeprefix("http://").removesuffix("/hook")
        service = Service(
            home,
            CONFIGURATION.format(mail=smtp.url()),
            CHAT_URL=f"json://user:pa55word@{where}/{TOKEN}",
            MEDIAFLOW_BUCKETS__uploads__EVENTS="watch",
            MEDIAFLOW_BUCKETS__uploads__SETTLE_SECONDS="0.2",
            MEDIAFLOW_SERVICE__PUBLIC_URL="https://media.example.org/",
        )
        stack.callback(service.close)
        work = {"start": start(), "cover": snapshot(), "report": report()}
        work["cover"]["Parameters"]["SnapshotConfig"]["OutputFile"]["Bucket"] = "renditions"
        (home / "workflows/covers.json").write_text(text(topology(work)))
        (home / "workflows/broken.json").write_text("{")
        service.start()
        clip = media.clip(media_dir, seconds=1, size="160x90", audio=False)
        incoming = service.bucket("uploads") / "incoming"
        incoming.mkdir()
        (incoming / "clip.mp4").write_bytes(clip.read_bytes())
        (incoming / NAME).write_bytes(clip.read_bytes()[:2000])
        (incoming / "notes.txt").write_text("nothing")
        seen = Operated(service, smtp, chat, [])
        smtp.wait_for(2)
        chat.wait_for(1)
        with urllib.request.urlopen(f"{service.api}/metrics", timeout=10) as answer:
            seen.metrics += text_string_to_metric_families(answer.read().decode())
        wait_for(lambda: seen.said('object "incoming/notes.txt"'))
        assert service.stop() == 0
        yield seen


def test_every_line_is_json_and_says_which_run_it_is_about(operated: Operated):
    (taken,) = [line for line in operated.said("took") if line["object"].endswith("/clip.mp4")]
    ((run_id, workflow),) = taken["runs"].items()
    assert workflow == "covers"
    begins, ended = (
        next(line for line in operated.said(word) if line.get("run_id") == run_id)
        for word in ("run begins", "run ended")
    )
    assert begins["object"] == ended["object"] == "uploads/incoming/clip.mp4"
    assert (ended["level"], ended["state"], ended["failed"]) == ("INFO", "Completed", {})
    assert ended["outputs"] >= 2 and ended["bytes"] > 1000 and 0 < ended["seconds"] < 60
    # what the wrapper of ffmpeg logs within an activity
    commands = [line for line in operated.said("running") if line["run_id"] == run_id]
    assert "cover" in {line["activity"] for line in commands}


def test_a_failed_run_is_a_warning_with_its_code(operated: Operated):
    (ended,) = [line for line in operated.said("run ended") if line["state"] == "Fail"]
    assert ended["level"] == "WARNING"
    assert ended["object"] == f"uploads/incoming/{NAME}"
    assert ended["code"] == "InvalidParameter.ResourceContentBad"
    assert ended["failed"] == {"start": "InvalidParameter.ResourceContentBad"}


def test_what_the_service_does_is_said_once(operated: Operated):
    messages = [line["message"] for line in operated.lines]
    for begins in (
        "Configuration ",
        'workflow "covers" loaded',
        str(operated.service.home / "workflows/broken.json") + ":1:2: ",
        "listening to the buckets uploads (watch)",
        'object "incoming/notes.txt"',
        "no longer listening to the buckets uploads (watch)",
        "mediaflow has stopped",
    ):
        assert sum(message.startswith(begins) for message in messages) == 1, begins


def test_the_log_holds_no_secrets(operated: Operated):
    checked = operated.service("doctor", "--json").stdout
    found = {one["Name"]: one for one in json.loads(checked)["Checks"]}
    assert found["notify mail"]["Detail"].startswith("E-Mail, on end")
    for secret in (SECRET, TOKEN, "pa55word"):
        assert secret not in operated.service.log
        assert secret not in checked


def test_every_end_is_mailed_once(operated: Operated):
    mails = {mail.subject: mail for mail in operated.smtp.mails}
    assert len(operated.smtp.mails) == 2
    done = mails["mediaflow: Completed: covers on uploads/incoming/clip.mp4"]
    assert (done.sender, done.receivers) == ("mediaflow@example.com", ["ops@example.org"])
    (failed,) = [mail for subject, mail in mails.items() if "Failed" in subject]
    lines = failed.text.splitlines()
    (run_id,) = [line.removeprefix("RunId: ") for line in lines if line.startswith("RunId: ")]
    assert "Workflow: covers" in lines
    assert "Object: uploads/incoming/b\\u202ed <i>@\u2060everyone.mp4" in lines
    assert "State: Fail, 1 failed" in lines
    (reason,) = [line for line in lines if line.startswith("start: ")]
    assert reason.startswith("start: InvalidParameter.ResourceContentBad: The resource")
    assert reason.endswith("Upload a complete media file.")
    assert f"Page: https://media.example.org/executions/{run_id}" in lines
    assert f"To try again: mediaflow execution resume {run_id}" in lines
    assert any(line.startswith("Report: ") for line in lines)


def test_only_the_failure_goes_to_the_chat(operated: Operated):
    (told,) = operated.chat.requests
    assert told.path == f"/{TOKEN}"
    assert told.json["title"].startswith("mediaflow: Failed: covers on uploads/incoming/")
    assert "InvalidParameter.ResourceContentBad" in told.json["message"]


def test_what_is_not_sent_waits_over_a_kill_and_comes_once(operated: Operated):
    service, smtp = operated.service, operated.smtp
    smtp.refuse = True
    told = len(smtp.mails)
    service.start()
    broken = service.bucket("uploads") / "incoming/second.mp4"
    broken.write_bytes(b"\0" * 1000)
    wait_for(lambda: operated.said("Notifications wait"))
    service.kill()
    smtp.refuse = False
    service.start()
    smtp.wait_for(told + 1, 60)
    assert service.stop() == 0
    assert len(smtp.mails) == told + 1
    assert "second.mp4" in smtp.mails[-1].subject


def test_the_metrics_count_what_ran(operated: Operated):
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in operated.metrics
        for sample in family.samples
    }
    outcomes = ("completed", "failed")
    assert [found["mediaflow_executions_ended_total", one] for one in outcomes] == [1, 1]
    assert found["mediaflow_activities_ended_total", "Snapshot", "Success"] == 1
    assert found["mediaflow_activities_ended_total", "Skipped", "Snapshot"] == 1
    assert found["mediaflow_activity_seconds_count", "Snapshot"] == 1
    assert found["mediaflow_execution_seconds_count",] == 2
    assert found["mediaflow_output_bytes_total",] > 1000
    waiting = ("executions_running", "executions_waiting", "messages_waiting")
    assert [found[f"mediaflow_{name}",] for name in waiting] == [0, 0, 0]
    assert found["mediaflow_arrivals_waiting", "uploads"] == 0
    assert found["mediaflow_notifications_waiting", "mail"] == 0


def test_the_page_lists_every_metric_and_no_other(operated: Operated):
    page = (DOCS / "telemetry.md").read_text()
    listed: dict[str, str] = {}
    for names, kind in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (\w+) \|", page, re.M):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), kind)
    real = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in operated.metrics
        if not family.name.endswith("_created")
    }
    assert listed == real


def test_the_dashboard_asks_for_metrics_that_exist(operated: Operated):
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    queries = [query["expr"] for panel in board["panels"] for query in panel["targets"]]
    asked = {
        name for query in queries for name in re.findall(r"\b(?:mediaflow|process)_\w+", query)
    }
    known = {sample.name for family in operated.metrics for sample in family.samples}
    # without calls and predictions these have no values yet
    known |= {"mediaflow_prediction_median_error", "mediaflow_api_requests_total"}
    known |= {"mediaflow_api_request_seconds_bucket"}
    assert asked <= known and len(asked) > 15
    labels = {
        (sample.name, label)
        for family in operated.metrics
        for sample in family.samples
        for label in sample.labels
    }
    for query in queries:
        (name, *_), *by = (
            re.findall(r"mediaflow_\w+", query) or [""],
            *re.findall(r"by \(([\w, ]+)\)", query),
        )
        if name in {one for one, _ in labels}:
            for label in ", ".join(by).split(", ") if by else ():
                assert (name, label) in labels, query
