"""Traces as a receiver of OpenTelemetry sees them: spans of runs, activities and processes."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import media
from tests.support.bench import Bench
from tests.support.topologies import report, snapshot, start, topology
from tests.support.webhook_server import Answer, WebhookServer
from workflow_engine import Engine, InlineExecutor, load_settings
from workflow_engine.telemetry import bound, span
from workflow_engine.telemetry.tracing import configured, sending_traces

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch):
    for name in (ENDPOINT, "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    for extra in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        pytest.importorskip(extra, reason="the extra otel is not installed")
    with WebhookServer() as server:
        monkeypatch.setenv(ENDPOINT, server.url.removesuffix("/hook"))
        yield server


def test_a_run_is_a_trace_with_its_run_id(
    collector: WebhookServer, tmp_path: Path, media_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    from tests.support.otlp import spans_of

    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "studio")
    file = tmp_path / "wf.json"
    work = {"start": start(), "cover": snapshot(), "report": report()}
    file.write_text(json.dumps(topology(work)))
    clip = media.clip(media_dir, seconds=1, size="160x90", audio=False)
    engine = Engine(load_settings(None), output_dir=tmp_path / "out")
    with sending_traces():
        workflow = engine.load(file)
        record = engine.run(
            workflow, engine.open_input(workflow, str(clip)), executor=InlineExecutor()
        )
    engine.close()

    spans = spans_of(collector.requests)
    assert {one.trace_id for one in spans} == {record.run_id}
    assert {one.service for one in spans} == {"studio"}
    (run,) = [one for one in spans if not one.parent_id]
    assert (run.name, run.attributes["mediaflow.object"]) == (
        "execution wf",
        f"uploads/incoming/{clip.name}",
    )
    activities = {one.name: one for one in spans if one.parent_id == run.span_id}
    named = ("activity start", "activity cover", "activity report")
    assert set(named) <= activities.keys()
    cover = activities["activity cover"]
    assert cover.attributes["mediaflow.type"] == "Snapshot"
    assert cover.attributes["mediaflow.state"] == "Success"
    processes = [one for one in spans if one.parent_id == cover.span_id]
    assert {one.name for one in processes} == {"ffmpeg", "ffprobe"}
    assert {one.attributes["process.exit.code"] for one in processes} == {0}
    assert all(0 < one.seconds <= cover.seconds for one in processes)
    assert not any(one.failed for one in spans if one is run or one in activities.values())


def test_failures_are_errors_with_their_code(collector: WebhookServer, bench: Bench):
    from tests.support.otlp import spans_of

    with sending_traces():
        bench.run({"a": {"Fail": "InvalidParameter.NoAudioStream"}, "b": {}})
    seen = {one.name: one for one in spans_of(collector.requests)}
    for name in ("activity a", next(name for name in seen if name.startswith("execution"))):
        assert seen[name].failed
        assert seen[name].attributes["mediaflow.code"] == "InvalidParameter.NoAudioStream"
        assert seen[name].attributes["error.type"] == "InvalidParameter.NoAudioStream"
    assert not seen["activity b"].failed


def test_a_collector_that_fails_is_said_once_and_fails_no_run(
    collector: WebhookServer, bench: Bench, caplog: pytest.LogCaptureFixture
):
    collector.answer = lambda number: Answer(status=400)
    with sending_traces():
        record = bench.run({"a": {}})
    assert str(record.state) == "Completed" and collector.requests
    (line,) = [one.getMessage() for one in caplog.records if "traces" in one.getMessage()]
    assert ENDPOINT in line


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, ""),
        ({ENDPOINT: "http://127.0.0.1:9"}, ENDPOINT),
        ({ENDPOINT: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, ""),
        ({ENDPOINT: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "OTEL_TRACES_EXPORTER"),
    ],
)
def test_the_standard_variables_ask_for_traces(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert configured() == named


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 'Use "http/protobuf"'),
        ("OTEL_TRACES_EXPORTER", "zipkin", 'Use "otlp"'),
    ],
)
def test_what_is_not_supported_is_a_warning(
    name: str,
    value: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING), sending_traces(), span("x", {}):
        pass
    (line,) = [one.getMessage() for one in caplog.records]
    assert name in line and f'"{value}"' in line and told in line


def test_without_the_extra_a_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING), sending_traces(), bound("1" * 32), span("x", {}):
        pass
    (line,) = [one.getMessage() for one in caplog.records]
    assert ENDPOINT in line and "make setup EXTRAS=otel" in line


def test_nothing_of_it_is_imported_unless_asked_for():
    program = (
        "import sys\n"
        "from workflow_engine.telemetry import span\n"
        "from workflow_engine.telemetry.tracing import sending_traces\n"
        "with sending_traces(), span('x', {}): pass\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
