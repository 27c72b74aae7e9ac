"""Pipelines and templates as clients and the command line reach them."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import pipelines, templates, watermark_templates
from workflow_engine.cli import app
from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import ExecutionRecord, ObjectRef, new_id, utc_now
from workflow_engine.settings import load_settings

PRESET = "S00000001-200030"
UNKNOWN = "0" * 32
ACTIONS = {
    action.name: action
    for module in (pipelines, templates, watermark_templates)
    for action in actions_of(module)
}
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mediaflow.toml").write_text(
        '[queues.done]\nfile = "messages.jsonl"\n[topics.news]\nfile = "messages.jsonl"\n'
    )
    made = Engine(load_settings(None))
    yield made
    made.close()


def client_model(action: str) -> Any:
    """The client library's model of an action's answer."""
    name = "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower() + "_response_body"
    module = importlib.import_module(f"alibabacloud_mts20140618.models.{name}")
    return getattr(module, f"{action}ResponseBody")()


@pytest.fixture
def call(engine: Engine) -> Call:
    """Calls an action with the parameters as they stand in a query."""

    def called(name: str, **parameters: str) -> dict[str, Any]:
        action = ACTIONS[name]
        answer = dict(action.call(engine, action.request.model_validate(parameters)))
        assert client_model(name).from_map(answer).to_map() == answer
        return answer

    return called


def execution(**values: Any) -> ExecutionRecord:
    return ExecutionRecord(
        run_id=new_id(),
        workflow_id="",
        workflow="job",
        topology=json.dumps(values.pop("topology", {})),
        input=ObjectRef(bucket="in", object="clip.mp4"),
        media_id=new_id(),
        created=utc_now(),
        **values,
    )


def refused(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        function(*arguments, **options)
    return caught.value.code, caught.value.pointer


@pytest.fixture
def mediaflow(engine: Engine) -> Callable[..., Any]:
    """Runs a command in this process; returns the JSON that it printed."""

    def run(*arguments: str | Path) -> Any:
        ended = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    return run
