"""What is shown in Prefect never holds up nor ends a run."""

import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from workflow_engine.activity import Artifact
from workflow_engine.executor import prefect_show
from workflow_engine.executor.prefect_show import Show

TEXT = Artifact(kind="markdown", title="t", content="c")


class Runner:
    """All that is asked of one here."""

    graph = record = None
    thumbnails: Any = {}  # noqa: RUF012


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    monkeypatch.setattr(prefect_show, "workflow_text", lambda *_: TEXT)
    one = Show(Runner(), "")  # type: ignore[arg-type]
    yield one
    one.close()


def test_the_end_does_not_wait_for_a_server_that_hangs(show: Show, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefect_show, "_PATIENCE", 0.05)
    asked, answer, sent = threading.Event(), threading.Event(), list[Artifact]()

    def create(artifact: Artifact) -> None:
        sent.append(artifact)
        asked.set()
        answer.wait(30)

    monkeypatch.setattr(prefect_show, "_create", create)
    show.workflow()
    show.workflow()
    assert asked.wait(30)
    show.close()
    assert not answer.is_set()
    answer.set()
    show._sender.join()
    assert len(sent) == 1  # and it is not told what waited behind it


def test_a_text_that_cannot_be_made_does_not_end_the_run(
    show: Show, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> NoReturn:
        raise ValueError("unheard of")

    monkeypatch.setattr(prefect_show, "workflow_text", broken)
    monkeypatch.setattr(prefect_show, "pictures_text", broken)
    show.workflow()
    show.pictures()
    assert "unheard of" in caplog.text
