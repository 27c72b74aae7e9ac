"""Dies at one commit of the service after the other; see `test_commits.py`.

    python -m tests.support.commits FOLDER before|after [EVERY [FIRST]]

Each line that it prints tells of one execution: which commit its first process died at, and what
was left and came of it, with EVERY 2 of each second one from FIRST on. The process that forks
has no threads.
"""

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.support.queued import Queue
from tests.support.waiting import wait_for
from workflow_engine.messages import Sender
from workflow_engine.service import dispatcher
from workflow_engine.store.database import Database

DIED = 9
write = Database.write


def child(run: Callable[[], None]) -> int:
    """Run in a process of its own and return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(commit: int, *, after: bool) -> None:
    """Die without a word at the nth transaction that changes something."""
    count = 0

    @contextmanager
    def deadly(database: Database) -> Generator[sa.Connection]:
        nonlocal count
        with write(database) as connection:
            before = connection.connection.dbapi_connection.total_changes  # pyright: ignore
            yield connection
            changed = connection.connection.dbapi_connection.total_changes > before  # pyright: ignore
            count += changed
            mine = changed and count == commit
            if mine and not after:
                os._exit(DIED)
        if mine:
            os._exit(DIED)

    Database.write = deadly  # pyright: ignore


def serve(queue: Queue, run_id: str) -> None:
    """Run the queue and send the messages until an execution has ended and been told."""
    sender = Sender(queue.store, queue.engine.outbox.receivers)
    queue.engine.outbox.subscribe(sender.wake)
    sender.start()
    with queue.running():
        queue.ended(run_id)
        wait_for(lambda: not queue.store.queue.is_running(run_id))
        assert sender.wait(run_id, 20)
    sender.stop()


def trial(folder: Path, commit: int, *, after: bool) -> dict[str, Any]:
    """Let a process die at a commit and another one go on; return what came of it."""
    folder.mkdir(parents=True)
    os.environ["MEDIAFLOW_DATA"] = str(folder / "data")
    os.chdir(folder)
    made, told = folder / "run_id", folder / "told"

    def submit() -> None:
        made.write_text(Queue(folder).submit(a={"Text": "A"}, b={"Text": "B"}))

    def first() -> None:
        die_at(commit, after=after)
        serve(Queue(folder), made.read_text())

    def second() -> None:
        queue = Queue(folder)
        queue.let_claims_lapse()
        serve(queue, made.read_text())
        told.write_text(json.dumps(look(queue, made.read_text())))

    assert child(submit) == 0
    died = child(first) == DIED
    assert child(second) == 0
    return {"commit": commit, "died": died, **json.loads(told.read_text())}


def look(queue: Queue, run_id: str) -> dict[str, Any]:
    """Return what is left of an execution."""
    folder, record = queue.path, queue.record(run_id)
    lines = (folder / "messages.jsonl").read_text().splitlines()
    return {
        "state": str(record.state),
        "activities": queue.states(run_id),
        "parts": [path.name for path in (folder / "out").rglob("*.part")],
        "contents": [(folder / "out" / name).read_text() for name in "ab"],
        "messages": [json.loads(line)["Type"] for line in lines],
        "intents": len(queue.store.steps.intents(run_id)),
        "work": [path.name for path in (folder / "data" / "work").iterdir()],
    }


def main() -> None:
    """Go on to the next commit until an execution ends without dying."""
    folder, after = Path(sys.argv[1]).absolute(), sys.argv[2] == "after"
    every, first = (*map(int, sys.argv[3:]), 1, 1)[:2]
    dispatcher.POLL_SECONDS = 0.05
    for commit in range(first, 100, every):
        told = trial(folder / str(commit), commit, after=after)
        print(json.dumps(told), flush=True)
        if not told["died"]:
            return


if __name__ == "__main__":
    main()
