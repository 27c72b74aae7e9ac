"""Who is told of which ends of executions: each once, in how many messages, and what they say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from tests.support.smtp_server import SmtpServer
from tests.support.stores import activity, execution, load
from tests.support.waiting import wait_for
from tests.support.webhook_server import Answer, WebhookServer
from workflow_engine.cli import app
from workflow_engine.errors import Code, MediaflowError, SettingsError
from workflow_engine.notify import Notifier, notifier, open_target, trial_note
from workflow_engine.notify.target import _secrets_of
from workflow_engine.notify.text import note_of
from workflow_engine.records import ActivityState, ExecutionState, utc_now
from workflow_engine.settings import NotifySettings, load_settings
from workflow_engine.store import Claim, Store, notifications
from workflow_engine.store.notifications import Notable

# Apprise imports a module of Python 3.11 and 3.12 that newer ones do not have
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

FAILURES, ENDS = Notable(failures_only=True), Notable(failures_only=False)
COMPLETED, FAIL = ExecutionState.COMPLETED, ExecutionState.FAIL


def ran(store: Store, state: ExecutionState = COMPLETED, **changes: Any) -> Claim:
    """Add an execution that has ended now."""
    record = execution("start", **changes)
    claim = store.queue.add_claimed(record, owner="me", lease_seconds=60)
    finish(store, claim, state, code=changes.get("code", ""))
    return claim


def finish(store: Store, claim: Claim, state: ExecutionState, code: str = "") -> None:
    message = "The disk is full. Make room." if code else ""
    store.executions.save(claim, state=state, ended=utc_now(), code=code, message=message)


def failed_activity(store: Store) -> Claim:
    """Add an execution that completed although an activity failed."""
    claim = store.queue.add_claimed(execution("hd"), owner="me", lease_seconds=60)
    activity = load(store, claim).activity("hd")
    broken = replace(activity, state=ActivityState.FAIL, code="NoSpace", message="Full.")
    store.steps.save(claim, broken)
    finish(store, claim, COMPLETED)
    return claim


def told(store: Store, target: str) -> list[str]:
    """Claim what a target is to be told, one after the other, and say it was sent."""
    run_ids: list[str] = []
    while batch := store.notifications.claim(target, everything=False, lock_seconds=60, listed=9):
        run_ids += batch.run_ids
        store.notifications.sent(batch)
    return run_ids


def test_a_target_is_told_what_ends_from_its_first_look_on(store: Store):
    ran(store, FAIL, code="NoSpace")
    assert store.notifications.look("a", FAILURES) == store.notifications.look("b", ENDS) == 0
    good, bad = ran(store), ran(store, FAIL, code="NoSpace")
    partly, cancelled = failed_activity(store), ran(store, FAIL, code=str(Code.CANCELLED))
    ran(store, FAIL, code="NoSpace", output_root="/somewhere")  # belongs to its terminal
    assert store.notifications.look("a", FAILURES) == 2
    assert store.notifications.look("b", ENDS) == 4
    assert store.notifications.look("b", ENDS) == 0
    assert sorted(told(store, "a")) == sorted([bad.run_id, partly.run_id])
    assert sorted(told(store, "b")) == sorted(one.run_id for one in (good, bad, partly, cancelled))
    assert told(store, "a") == told(store, "b") == []


def test_a_target_may_choose_workflows(store: Store):
    chosen = Notable(failures_only=False, workflows=("ladder",))
    store.notifications.look("a", chosen)
    ran(store, workflow="other")
    ladder = ran(store, workflow="ladder")
    store.notifications.look("a", chosen)
    assert told(store, "a") == [ladder.run_id]


def test_an_end_that_is_taken_back_is_not_told_and_none_is_told_twice(store: Store):
    store.notifications.look("a", ENDS)
    claim = ran(store, FAIL, code="NoSpace")
    store.notifications.look("a", ENDS)
    store.executions.save(claim, state=ExecutionState.RUNNING, code="", message="")  # resumed
    assert told(store, "a") == []
    finish(store, claim, COMPLETED)
    store.notifications.look("a", ENDS)
    assert told(store, "a") == [claim.run_id]
    store.executions.save(claim, state=ExecutionState.RUNNING)
    finish(store, claim, COMPLETED)
    assert store.notifications.look("a", ENDS) == 0


def test_what_a_killed_process_was_sending_is_due_again(store: Store):
    store.notifications.look("a", ENDS)
    ran(store)
    store.notifications.look("a", ENDS)
    everything = {"everything": True, "listed": 9}
    first = store.notifications.claim("a", lock_seconds=60, **everything)
    assert first is not None and store.notifications.waiting("a") == 0
    assert store.notifications.claim("a", lock_seconds=60, **everything) is None
    store.notifications.postpone(first, -1)
    assert store.notifications.waiting("a") == 1


def test_a_digest_waits_for_its_time(store: Store):
    store.notifications.look("a", ENDS)
    early = ran(store)
    store.notifications.look("a", ENDS, utc_now() + timedelta(hours=1))
    assert store.notifications.waiting("a") == 0 and told(store, "a") == []
    late = ran(store)
    store.notifications.look("a", ENDS, utc_now())
    assert told(store, "a") == [late.run_id] != [early.run_id]


def test_more_ends_than_one_look_notes_are_found_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notifications, "_AT_ONCE", 2)
    watching(store, "a")
    long_ago = utc_now() - timedelta(hours=4)
    with store.notifications._database.write() as connection:
        table = notifications.notification_targets
        connection.execute(sa.update(table).values(since=long_ago, seen=long_ago))
    for _ in range(5):
        store.executions.save(ran(store), ended=utc_now() - timedelta(hours=1))
    assert [store.notifications.look("a", ENDS) for _ in range(4)] == [2, 2, 1, 0]


# --- messages --------------------------------------------------------------------------------


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    monkeypatch.setattr(notifier, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(notifier, "FIRST_SECONDS", 0.05)
    with WebhookServer() as server:
        yield server


def target(chat: WebhookServer, **settings: Any) -> NotifySettings:
    return NotifySettings.model_validate({"url": chat.url.replace("http", "json", 1), **settings})


def watching(store: Store, target: str) -> None:
    """Let a target look for the first time."""
    store.notifications.look(target, ENDS)


def test_beyond_the_limit_one_message_speaks_of_the_rest(store: Store, chat: WebhookServer):
    watching(store, "chat")
    for _ in range(40):
        ran(store, FAIL, code="NoSpace")
    telling = Notifier(store, {"chat": target(chat, at_most=3)}, public_url="https://m.example")
    telling.start()
    titles = [request.json["title"] for request in chat.wait_for(3)]
    wait_for(lambda: not store.notifications.waiting("chat"))
    assert titles[:2] == ["mediaflow: Failed: wf on in/a/b/c.flv"] * 2
    assert titles[2] == "mediaflow: 38 failed"
    body = chat.requests[2].json["message"]
    assert body.count("NoSpace: The disk is full. Make room.") == 20
    assert "- and 18 more" in body
    assert body.endswith("Page: https://m.example/executions")
    ran(store, FAIL, code="NoSpace")
    wait_for(lambda: store.notifications.waiting("chat"))
    telling.stop()
    assert len(chat.requests) == 3  # until the ten minutes are over


def test_a_digest_is_one_message_with_counts(store: Store, chat: WebhookServer):
    watching(store, "chat")
    for _ in range(3):
        ran(store)
    ran(store, FAIL, code=str(Code.CANCELLED))
    broken = failed_activity(store)
    store.notifications.look("chat", ENDS, utc_now())
    telling = Notifier(store, {"chat": target(chat, on="digest")})
    telling.start()
    (message,) = [request.json for request in chat.wait_for(1)]
    wait_for(lambda: not store.notifications.waiting("chat"))
    telling.stop()
    assert message["title"] == "mediaflow: 1 failed, 1 cancelled, 3 completed"
    first = f"- 1 of 1 activities failed: wf on in/a/b/c.flv ({broken.run_id})"
    assert message["message"].splitlines()[:2] == [first, "    hd: NoSpace: Full."]


def test_a_target_that_fails_holds_up_nobody_and_is_told_later(store: Store, chat: WebhookServer):
    for name in ("good", "bad"):
        watching(store, name)
    ran(store, FAIL, code="NoSpace")
    with WebhookServer(lambda number: Answer(status=500 if number < 2 else 200)) as failing:
        telling = Notifier(store, {"bad": target(failing), "good": target(chat)})
        telling.start()
        chat.wait_for(1)
        wait_for(telling.status)
        assert 'The target "bad" (JSON) did not take the notification' in telling.status()
        failing.wait_for(3)
        wait_for(lambda: not telling.status())
        wait_for(lambda: not store.notifications.waiting("bad"))
        telling.stop()
        assert len(failing.requests) == 3
    assert len(chat.requests) == 1


def test_two_services_tell_each_end_once(url: str, chat: WebhookServer):
    stores = [Store.open(url) for _ in range(2)]
    watching(stores[0], "chat")
    runs = [ran(stores[0], FAIL, code="NoSpace") for _ in range(12)]
    both = [Notifier(store, {"chat": target(chat, at_most=100)}) for store in stores]
    for telling in both:
        telling.start()
    chat.wait_for(12)
    for telling in both:
        telling.stop()
    lines = [line for one in chat.requests for line in one.json["message"].splitlines()]
    told = sorted(line.removeprefix("RunId: ") for line in lines if line.startswith("RunId: "))
    assert told == sorted(run.run_id for run in runs)
    for store in stores:
        store.close()


# --- configuration ---------------------------------------------------------------------------


def test_a_test_message_reaches_every_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: CliRunner
):
    with SmtpServer() as smtp, WebhookServer(lambda number: Answer(status=403)) as chat:
        where = chat.url.replace("http://", "json://")
        (tmp_path / "mediaflow.toml").write_text(
            f'[notify.mail]\nurl = "{smtp.url()}"\n[notify.chat]\nurl = "{where}/s3cret-token"\n'
        )
        ended = cli.invoke(app, ["notify", "test"])
        assert ended.exit_code == 1
        assert "ok   mail  sent" in ended.output
        assert "FAIL chat" in ended.output and "s3cret-token" not in ended.output
        assert smtp.mails[0].subject == "mediaflow: test"
        assert cli.invoke(app, ["notify", "test", "mail"]).exit_code == 0
        assert len(chat.requests) == 1


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('url = "s3cret://x"\nurl_env = "X"', "needs exactly one of url, url_env; it has 2"),
        ("", "needs exactly one of url, url_env; it has 0"),
        ("url = 7", "notify.ops.url"),
        ('url = "json://h"\non = "sometimes"', "should be 'failure', 'end' or 'digest'"),
        ('url_env = "json://s3cret@h"', "notify.ops.url_env"),
        ('[notify]\nteam = "json://s3cret@h"', "notify.team"),
    ],
)
def test_a_wrong_section_is_explained_without_its_url(
    section: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    table = "" if section.startswith("[") else "[notify.ops]\n"
    (tmp_path / "mediaflow.toml").write_text(f"{table}{section}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert told in str(caught.value) and "s3cret" not in str(caught.value)


def test_a_url_in_the_variable_of_a_table_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDIAFLOW_NOTIFY__ops", "json://s3cret@h")
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert "notify" in str(caught.value) and "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "nonsense://s3cret"}, 'a URL that begins with "nonsense://"'),
        ({"url": "s3cret"}, "[notify.ops] has a URL which Apprise cannot use"),
        ({"url_env": "NOT_SET_ANYWHERE"}, 'The variable "NOT_SET_ANYWHERE"'),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(settings: dict[str, str], told: str):
    with pytest.raises(SettingsError) as caught:
        open_target("ops", NotifySettings.model_validate(settings))
    assert told in str(caught.value) and "s3cret" not in str(caught.value)


def test_what_a_service_says_comes_without_the_secrets_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
):
    import apprise

    def refuse(*args: object, **message: object) -> bool:
        apprise.logger.warning("https://hooks.example.com/t0ken?key=pa%24sword failed: pa$sword.")
        return False

    monkeypatch.setattr(apprise.Apprise, "notify", refuse)
    url = "jsons://me:pa%24sword@hooks.example.com/t0ken"
    with pytest.raises(MediaflowError) as caught:
        open_target("ops", NotifySettings.model_validate({"url": url})).send(trial_note("ops"))
    assert "https://hooks.example.com/***?key=*** failed: ***. Check [notify.ops]" in str(
        caught.value
    )


def test_a_token_in_the_place_of_a_host_is_a_secret():
    secrets = _secrets_of("slack://TokenA/TokenB/abcdefghijklmnopqrstuvwx")
    assert secrets is not None and secrets.sub("*", "no TokenA at TokenB") == "no * at *"


def test_a_long_message_is_cut_unless_the_url_says_otherwise():
    url = "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz0123456789"
    body = "Something failed.\n" * 300
    parts: list[int] = []
    for end in ("", "?overflow=split"):
        (service,) = open_target("ops", NotifySettings.model_validate({"url": url + end}))._apprise
        parts.append(len(service._apply_overflow(body, title="failed")))
        assert all(len(one["body"]) <= 2000 for one in service._apply_overflow(body))
    assert parts[0] == 1 < parts[1]


def test_many_failures_of_an_execution_are_counted():
    broken = [
        activity(f"a{n}", state=ActivityState.FAIL, code="NoSpace", message="") for n in range(7)
    ]
    body = note_of(replace(execution(), activities=tuple(broken))).body
    assert "a4: NoSpace" in body and "a5:" not in body and "\nand 2 more\n" in body


def test_names_of_targets_stay_as_they_are_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAFLOW_NOTIFY__Ops__URL", "json://h")
    monkeypatch.setenv("MEDIAFLOW_NOTIFY__Ops__ON", "end")
    (name, ops), *others = load_settings(None).notify.items()
    assert (name, ops.on, others) == ("Ops", "end", [])
    assert "json://h" not in repr(ops)
