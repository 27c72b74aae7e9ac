"""Two runs in one process, as an embedder's threads have them: neither knows of the other."""

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord, ExecutionState
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.settings import load_settings
from workflow_engine.store import Store
from workflow_engine.testing import FakeRegistry


def host() -> object:
    """What belongs to the process that embeds the engine."""
    loggers = [logging.getLogger(name) for name in ("", "workflow_engine", "prefect")]
    return (
        dict(os.environ),
        [(one.level, one.propagate, one.disabled, list(one.handlers)) for one in loggers],
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    )


class Home:
    """An engine with a data directory of its own, and its receiver of messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.told = path / "messages.jsonl"
        configuration = path / "mediaflow.toml"
        configuration.write_text(f'[queues.q]\nfile = "{self.told}"')
        settings = load_settings(configuration).kept_in(path / "data")
        self.engine = Engine(
            settings, output_dir=path / "outputs", registry=FakeRegistry().registry
        )

    def run(self, name: str, on_start: Callable[[Cancellation], object]) -> ExecutionRecord:
        """Run a chain that writes its own name."""
        flow = self.path / f"{name}.json"
        start = {"InputFile": {"Bucket": "in"}, "QueueName": "q"}
        work = {"Output": name, "Text": name, "Seconds": "0.5"}
        flow.write_text(
            json.dumps(
                {
                    "Activities": {
                        "start": {"Type": "Start", "Parameters": start},
                        "a": {"Type": "Work", "Parameters": work},
                        "report": {"Type": "Report"},
                    },
                    "Dependencies": {"start": ["a"], "a": ["report"], "report": []},
                }
            )
        )
        clip = self.path / f"{name}.txt"
        clip.write_text("content ")
        workflow = self.engine.load(flow)
        source = self.engine.open_input(workflow, str(clip))
        return self.engine.run(workflow, source, executor=InlineExecutor(), on_start=on_start)

    def messages(self) -> list[str]:
        """The RunIds that the receiver was told of, in order."""
        return [json.loads(line)["RunId"] for line in self.told.read_text().splitlines()]


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    with ExitStack() as stack:

        def make(name: str) -> Home:
            home = Home(tmp_path / name)
            stack.enter_context(closing(home.engine))
            return home

        yield make


def run_together(*runs: tuple[Home, str]) -> list[ExecutionRecord]:
    """Run each in a thread of its own; none begins before all do."""
    begun = Barrier(len(runs), timeout=20)
    with ThreadPoolExecutor(len(runs)) as pool:
        running = [pool.submit(home.run, name, lambda _: begun.wait()) for home, name in runs]
        return [one.result(60) for one in running]


def test_two_engines(homes: Callable[[str], Home]):
    before = host()
    first, second = homes("first"), homes("second")
    records = run_together((first, "a"), (second, "b"))
    assert [record.state for record in records] == [ExecutionState.COMPLETED] * 2
    for home, record, name in zip((first, second), records, "ab", strict=True):
        assert (home.path / "outputs" / "out" / name).read_text() == f"content {name}"
        assert [one.run_id for one in home.engine.store.executions.newest()] == [record.run_id]
        assert home.messages() == [record.run_id] * 2  # Start's and Report's
        assert not list((home.path / "data" / "work").iterdir())
    assert host() == before


def test_one_engine_twice(homes: Callable[[str], Home]):
    home = homes("only")
    records = run_together((home, "a"), (home, "b"))
    assert [record.state for record in records] == [ExecutionState.COMPLETED] * 2
    for record in records:
        results = [record.activity(name).message_result for name in ("start", "report")]
        assert all(result.get("MessageId") for result in results), results
    assert sorted(home.messages()) == sorted(record.run_id for record in records for _ in "sr")
    assert not home.engine.outbox._listeners  # each took away its own


def test_the_parts_of_an_engine_are_made_once(
    homes: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch
):
    home, began, opened = homes("only"), Barrier(4, timeout=20), list[Store]()
    real = Store.open

    def slow(url: str) -> Store:
        opened.append(real(url))
        time.sleep(0.2)
        return opened[-1]

    monkeypatch.setattr(Store, "open", slow)

    def ask(_: int) -> object:
        began.wait()
        return home.engine.runs

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert len(opened) == 1
