"""What stays of an earlier attempt at an execution, whose process was killed or which had failures.

A success stays while nothing changed that shaped it, and its outputs hold what was recorded. An
activity that was killed while it published is completed from its intent. Everything else waits
again. Decisions 5, 6 and 20.
"""

import logging
from dataclasses import replace
from functools import partial

from workflow_engine.activity import Role
from workflow_engine.errors import InvalidInputError
from workflow_engine.planning.plan import Planner
from workflow_engine.records import ActivityRecord, ActivityState, utc_now
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.publisher import Publisher, sweep

log = logging.getLogger(__name__)


class Recovery:
    """Looks at the activities of one execution that was begun before, in their order."""

    def __init__(self, run: ActiveRun, planner: Planner, publisher: Publisher) -> None:
        self._run = run
        self._journal = run.journal
        self._planner = planner
        self._publisher = publisher
        self._cancel = run.cancellation.event
        self._run_id = run.record.run_id
        store = run.environment.store
        self._keys = store.steps.keys(self._run_id)
        self._intended = {one.record.name: one for one in store.steps.intended(self._run_id)}
        # read once: later ones may be those of a process that has taken the execution over
        self._intents = store.steps.intents(self._run_id)

    def keep_all(self) -> None:
        """Keep what activities came to where it still counts; all others wait again.

        Raises InterruptedRunError, LeaseLostError and StoreError.
        """
        for name in self._run.graph.order:
            self._run.cancellation.require_none()
            if self._was_begun(name) and not self._run.attempts.call(
                name, partial(self._keep, name)
            ):
                self._forget(name)

    def _was_begun(self, name: str) -> bool:
        """Whether an activity was begun in an earlier attempt; Start is, to read the input."""
        state = self._journal.activity(name).state
        reading = name == self._run.graph.start.name and state is ActivityState.RUNNING
        return state is not ActivityState.WAITING and not reading

    def _keep(self, name: str) -> bool:
        """Keep what an activity came to, if it still counts; tell whether it does."""
        record = self._journal.activity(name)
        if record.state is ActivityState.SUCCESS:
            kept = self._agrees(record, self._keys.get(name)) and self._intact(record)
        else:
            kept = record.state is ActivityState.RUNNING and self._complete(record)
        if kept:
            self._planner.keep(name, self._journal.activity(name).result)
        return kept

    def _forget(self, name: str) -> None:
        """Let an activity wait again, and take away what it had staged."""
        sweep(self._run.environment.buckets, (one for one in self._intents if one.activity == name))
        self._journal.reset(name)

    def _agrees(self, record: ActivityRecord, key: str | None) -> bool:
        """Whether nothing changed that shaped the outputs; Report tells of all others again."""
        node = self._run.graph.nodes[record.name]
        if node.role is Role.REPORT or (node.activity.gathers and self._waits(record.name)):
            return False
        return key is None or self._planner.agrees(record.name, key)

    def _waits(self, name: str) -> bool:
        """Whether something runs again before an activity; what stands before it was kept first."""
        before = self._run.graph.predecessors(name)
        return not all(self._journal.activity(one).state.ended for one in before)

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
            log.info("the activity %s is not completed: %s", record.name, error)
            return False
        log.info("the activity %s is completed from its intent", record.name)
        self._journal.succeed(replace(intended.record, ended=utc_now()), intended.step_key)
        return True
