"""Engines, stores, services and servers of the integration tests."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from tests.support.bench import Bench
from tests.support.catalog_calls import ACTIONS, Call, client_model
from tests.support.event_service import Cloud, Service
from tests.support.ingest_home import Home
from tests.support.sqs_server import sqs_server
from tests.support.stores import POSTGRES
from tests.support.workflow_folder import Folder
from triggers import sqs
from workflow_engine.cli import app
from workflow_engine.engine import Engine
from workflow_engine.settings import load_settings
from workflow_engine.store import Store


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture(params=["sqlite", "postgres"] if POSTGRES else ["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/mediaflow.db"
        return
    schema = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    own = sa.make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
    yield own.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


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


@pytest.fixture
def call(engine: Engine) -> Call:
    """Calls an action with the parameters as they stand in a query."""

    def called(name: str, **parameters: str) -> dict[str, Any]:
        action = ACTIONS[name]
        answer = dict(action.call(engine, action.request.model_validate(parameters)))
        assert client_model(name).from_map(answer).to_map() == answer
        return answer

    return called


@pytest.fixture
def mediaflow(engine: Engine) -> Callable[..., Any]:
    """Runs a command in this process; returns the JSON that it printed."""

    def run(*arguments: str | Path) -> Any:
        ended = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    return run


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Make services; they end with the test."""
    made: list[Service] = []

    def new(buckets: str) -> Service:
        made.append(Service(tmp_path, buckets))
        return made[-1]

    yield new
    for service in made:
        service.stop()
        service.engine.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with sqs_server() as endpoint:
        yield endpoint


@pytest.fixture
def cloud(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Cloud]:
    monkeypatch.setattr(sqs, "WAIT_SECONDS", 1)  # the server cannot be stopped while it waits
    made = Cloud(endpoint, monkeypatch)
    for url in made.sqs.list_queues().get("QueueUrls", []):
        made.sqs.delete_queue(QueueUrl=url)
    for bucket in made.s3.list_buckets()["Buckets"]:
        for found in made.s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            made.s3.delete_object(Bucket=bucket["Name"], Key=found["Key"])
        made.s3.delete_bucket(Bucket=bucket["Name"])
    yield made


@pytest.fixture
def home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    made = Home(tmp_path, url)
    yield made
    made.engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    store = Store.open(f"sqlite:///{tmp_path}/mediaflow.db")
    yield Folder(tmp_path / "workflows", store)
    store.close()
