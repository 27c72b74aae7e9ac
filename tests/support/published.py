"""Dies between two names of the outputs of an activity, or behind the last one.

    python -m tests.support.published FOLDER CLIP NAMES [parts]

The folder has a configuration with a bucket `out`. A first process runs one activity with three
outputs and dies before it gives the name behind the first NAMES; when all have theirs, it dies
before it commits the success. A second one resumes the execution. Where there is a file `lose`
in the folder, the second output is lost in between. With `parts` an object store gets even small
objects as it gets long ones. Prints what the second process did.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from activities.snapshot import Snapshot
from tests.support.commits import DIED, child
from tests.support.stores import let_claims_lapse
from tests.support.topologies import report, snapshot, start, topology
from workflow_engine.buckets import s3
from workflow_engine.buckets.interface import handle_file
from workflow_engine.buckets.local import StagedFile
from workflow_engine.buckets.s3_put import PutFile
from workflow_engine.buckets.s3_write import Writer
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.settings import load_settings
from workflow_engine.store.steps import StepTable

NAMES = ("a-00001.jpg", "a-00002.jpg", "a-00003.jpg")


def engine() -> Engine:
    return Engine(load_settings(None), output_dir=Path("folders"))


def die_behind(names: int) -> None:
    given, lock = 0, threading.Lock()

    def deadly(publish: Any) -> Any:
        def wrapped(staged: Any) -> str:
            nonlocal given
            with lock:  # stores are given several names at once
                if given == names:
                    os._exit(DIED)
                given += 1
                return publish(staged)

        return wrapped

    StagedFile.publish = deadly(StagedFile.publish)
    Writer.publish = deadly(Writer.publish)
    PutFile.publish = deadly(PutFile.publish)
    finish = StepTable.finish

    def before_success(steps: StepTable, claim: Any, record: Any, **more: Any) -> None:
        if record.name == "work":
            os._exit(DIED)
        finish(steps, claim, record, **more)

    StepTable.finish = before_success


def first(clip: str, names: int) -> None:
    die_behind(names)
    made = engine()
    workflow = made.load(Path("flow.json"))
    made.run(workflow, made.open_input(workflow, clip), executor=InlineExecutor())


def objects(made: Engine) -> dict[str, str]:
    """Return what tells each published object from one that is published again."""
    bucket = made.buckets.get("out")
    found: dict[str, str] = {}
    for name in NAMES:
        place = bucket.place(name)
        if place.startswith("/") and os.path.exists(place):
            found[name] = str(os.stat(place).st_ino)
        elif not place.startswith("/"):
            client: Any = bucket
            head = client.client.call("head_object", none_for=("404",), Key=name)
            if head is not None:
                found[name] = head["VersionId"]
    return found


def second() -> None:
    ran: list[str] = []
    run = Snapshot.run

    def counted(activity: Snapshot, *given: Any) -> Any:
        ran.append("work")
        return run(activity, *given)

    Snapshot.run = counted
    made = engine()
    before = objects(made)
    (killed,) = made.store.executions.newest()
    staged = [intent.handle for intent in made.store.steps.intents(killed.run_id)]
    record = made.resume(killed.run_id, executor=InlineExecutor())
    work = record.activity("work")
    told = {
        "before": before,
        "after": objects(made),
        "ran": ran,
        "staged": len(staged),
        "states": [str(a.state) for a in record.activities],
        "outputs": [output.ref.object for output in work.outputs],
        "commands": len(work.result.commands),
        "work": [path.name for path in Path("data/work").rglob("*")],
        "intents": len(made.store.steps.intents(killed.run_id)),
        "parts": [path.name for path in Path().rglob("*.part")],
        "again": work.started == killed.activity("work").started,
    }
    made.close()
    Path("told.json").write_text(json.dumps(told))


def lose_second() -> None:
    made = engine()
    (killed,) = made.store.executions.newest()
    intents = made.store.steps.intents(killed.run_id)
    (lost,) = (one for one in intents if one.output.ref.object == NAMES[1])
    (handle_file(lost.handle) or Path("out", lost.handle)).unlink()
    made.close()


def main() -> None:
    """Run both processes in the folder."""
    folder, clip, names, *more = sys.argv[1:]
    if more == ["parts"]:
        s3.PART = -1
    os.chdir(folder)
    os.environ["MEDIAFLOW_DATA"] = str(Path("data").absolute())
    work = snapshot("a-{Count}.jpg", Interval="1", Num="3", FrameType="normal")
    flow = topology({"start": start(), "work": work, "report": report()})
    Path("flow.json").write_text(json.dumps(flow))
    assert child(lambda: first(clip, int(names))) == DIED
    let_claims_lapse(Path("data"))
    if Path("lose").exists():
        lose_second()
    assert child(second) == 0
    print(Path("told.json").read_text())


if __name__ == "__main__":
    main()
