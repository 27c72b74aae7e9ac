"""What stays of an earlier attempt at an execution, whose process was killed or which had failures.

A success stays while nothing changed that shaped it, and its outputs hold what was recorded. An
activity that was killed while it published is completed from its intent. Everything else waits
again. Decisions 5, 6 and 20.
"""

import logging
import threading
from dataclasses import replace

from workflow_engine.activity import Role
from workflow_engine.buckets import Buckets
from workflow_engine.errors import InvalidInputError
from workflow_engine.planning.plan import Planner
from workflow_engine.records import ActivityRecord, ActivityState, utc_now
from workflow_engine.run.journal import Journal
from workflow_engine.run.publisher import Publisher, sweep
from workflow_engine.store import Store

log = logging.getLogger(__name__)


class Recovery:
    """Looks at the activities of one execution that was begun before, in their order."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: Store,
        buckets: Buckets,
        planner: Planner,
        publisher: Publisher,
        cancel: threading.Event,
    ) -> None:
        self._journal = journal
        self._buckets = buckets
        self._planner = planner
        self._publisher = publisher
        self._cancel = cancel
        self._run_id = journal.record.run_id
        self._keys = store.steps.keys(self._run_id)
        self._intended = {one.record.name: one for one in store.steps.intended(self._run_id)}
        # read once: later ones may be those of a process that has taken the execution over
        self._intents = store.steps.intents(self._run_id)

    def keep(self, name: str) -> bool:
        """Keep what an activity came to, if it still counts; tell whether it does.

        Raises InterruptedRunError, LeaseLostError, StoreError, and MediaflowError for transient
        causes.
        """
        record = self._journal.activity(name)
        if record.state is ActivityState.SUCCESS:
            kept = self._agrees(record, self._keys.get(name)) and self._intact(record)
        else:
            kept = record.state is ActivityState.RUNNING and self._complete(record)
        if kept:
            self._planner.keep(name, self._journal.activity(name).result)
        return kept

    def forget(self, name: str) -> None:
        """Let an activity wait again, and take away what it had staged."""
        sweep(self._buckets, (one for one in self._intents if one.activity == name))
        self._journal.reset(name)

    def _agrees(self, record: ActivityRecord, key: str | None) -> bool:
        """Whether nothing changed that shaped the outputs; Report tells of all others anew."""
        if self._planner.graph.nodes[record.name].role is Role.REPORT:
            return False
        return key is None or self._planner.agrees(record.name, key)

    def _intact(self, record: ActivityRecord) -> bool:
        return self._publisher.finished.intact(record.outputs, self._cancel)

    def _complete(self, record: ActivityRecord) -> bool:
        """Let an activity succeed that was killed while it published."""
        intended = self._intended.get(record.name)
        if intended is None or not self._agrees(record, intended.step_key):
            return False
        try:
            if not self._publisher.complete(intended, self._cancel):
                return False
        except InvalidInputError as error:  # when it is published again it may say so
            log.info("run %s, activity %s: not completed: %s", self._run_id, record.name, error)
            return False
        log.info("run %s, activity %s: completed from its intent", self._run_id, record.name)
        self._journal.succeed(replace(intended.record, ended=utc_now()), intended.step_key)
        return True
