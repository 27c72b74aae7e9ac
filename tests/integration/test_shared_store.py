"""Services that share a store: who lives, who was told something else, and what is removed."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.queued import Queue
from tests.support.stores import execution
from tests.support.waiting import wait_for
from workflow_engine.records import ExecutionState, utc_now
from workflow_engine.records.catalog import ServiceRecord
from workflow_engine.service import retention
from workflow_engine.service.configuration import SharedStore, differences
from workflow_engine.service.retention import Retention
from workflow_engine.settings import RetentionSettings, load_settings
from workflow_engine.store import Store
from workflow_engine.store.services import SILENCE

RECORD = ServiceRecord(
    id="host:1:x",
    started=utc_now(),
    configuration="/a/mediaflow.toml",
    data_dir="/data",
    workflows_dir="/a/workflows",
    buckets={"in": "/in"},
)


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Queue(tmp_path)
    yield made
    made.engine.close()


class TestServices:
    def test_those_that_live(self, store: Store):
        other = replace(RECORD, id="host:2:y", started=RECORD.started + timedelta(seconds=1))
        for record in (other, RECORD, RECORD):
            store.services.here(record)
        assert store.services.living() == [RECORD, other]
        store.services.gone(other.id)
        assert store.services.living() == [RECORD]

    def test_one_that_was_killed_is_forgotten(self, store: Store, url: str):
        store.services.here(RECORD)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            then = utc_now() - timedelta(seconds=SILENCE + 1)
            statement = sa.text("UPDATE services SET seen = :then")
            connection.execute(statement.bindparams(sa.bindparam("then", then, sa.DateTime())))
        assert store.services.living() == []
        store.services.here(replace(RECORD, id="next"))
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM services")) == 1
        engine.dispose()


class TestSharedStore:
    def test_the_same_configuration_is_no_news(
        self, queue: Queue, caplog: pytest.LogCaptureFixture
    ):
        both = [SharedStore(queue.engine) for _ in range(2)]
        for one in both:
            one.start()
        assert len(queue.store.services.living()) == 2
        assert [one.status() for one in both] == ["", ""]
        assert caplog.records == []
        for one in both:
            one.stop()
        assert queue.store.services.living() == []

    def test_another_one_is_told_once_and_without_paths_to_strangers(
        self, queue: Queue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("workflow_engine.service.configuration.PERIOD", 0.01)
        queue.store.services.here(RECORD)
        queue.store.queue.add(execution("a", buckets={"gone": "/secret/gone"}))
        service = SharedStore(queue.engine)
        service.start()
        time.sleep(0.1)  # looks that tell nothing new
        assert "another configuration" in service.status()
        assert "gone: 1" in service.status()
        assert "/" not in service.status()
        service.stop()
        first, second = (record.getMessage() for record in caplog.records)
        assert "host:1:x" in first
        assert f'"/a/mediaflow.toml" there, "{queue.path}/mediaflow.toml" here' in first
        assert f'the bucket "in" is "/in" there, "{queue.path}/in" here' in first
        assert 'the bucket "gone" (/secret/gone)' in second

    def test_differences(self):
        assert list(differences(RECORD, replace(RECORD, id="other"))) == []
        (found,) = differences(RECORD, replace(RECORD, buckets={}))
        assert found == 'the bucket "in" is none there, "/in" here'


def test_one_folder_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "mediaflow.toml").write_text('[buckets.in]\npath = "in"\n')
    monkeypatch.chdir(tmp_path / "sub")
    settings = load_settings(Path("../mediaflow.toml"))
    assert settings.file == tmp_path / "mediaflow.toml"
    assert settings.buckets["in"].path == tmp_path / "in"
    assert settings.workflows.dir == tmp_path / "workflows"


class TestRetention:
    def test_a_service_removes_what_is_old(self, queue: Queue, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(retention, "PAUSE", 0.001)
        then = utc_now() - timedelta(days=100)
        for _ in range(50):
            record = execution("a", created=then)
            claim = queue.store.queue.add_claimed(record, owner="me", lease_seconds=60)
            queue.store.executions.save(claim, state=ExecutionState.FAIL, ended=then)
            queue.store.queue.release(claim)
        kept = queue.submit(a={})
        component = Retention(queue.store, RetentionSettings(), first=0)
        component.start()
        wait_for(lambda: len(queue.store.executions.newest(limit=100)) == 1)
        assert queue.record(kept).state is ExecutionState.QUEUED
        assert component.status() == ""
        component.stop()

    def test_a_store_that_fails_is_told(self, queue: Queue, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.ERROR)
        with queue.store._database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE executions RENAME TO lost")
        component = Retention(queue.store, RetentionSettings(), first=0)
        component.start()
        wait_for(component.status)
        assert "cannot be removed" in component.status()
        component.stop()

    def test_nothing_is_removed_where_nothing_may(self, queue: Queue):
        chosen = RetentionSettings(days=0, executions=0)
        assert queue.store.retention.windows(days=chosen.days, executions=chosen.executions) == []
