"""What exists of a run from its first moment, before its input is read, until its end.

`preparation.py` makes a `Runner` of it, which brings its activities to their ends.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workflow_engine.activity import ActivityContext, Thumbnail
from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.errors import MediaflowError
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
)
from workflow_engine.run.attempts import Attempts
from workflow_engine.run.cancellation import Cancellation
from workflow_engine.run.environment import RunEnvironment
from workflow_engine.run.estimates import Estimates
from workflow_engine.run.journal import Journal, Observer
from workflow_engine.run.outcomes import failed, verdict
from workflow_engine.run.work_directory import WorkDirectory
from workflow_engine.store import Claim
from workflow_engine.topology.placeholders import Names

log = logging.getLogger(__name__)


class ActiveRun:
    """An execution that this process has claimed: its record, its directory, how it is stopped."""

    def __init__(
        self,
        *,
        graph: Graph,
        record: ExecutionRecord,
        claim: Claim,
        environment: RunEnvironment,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.graph = graph
        self.claim = claim
        self.environment = environment
        self.names = Names.of(record.input.object, run_id=record.run_id, media_id=record.media_id)
        self.fresh = record.fresh
        self.cancellation = Cancellation()
        self.estimates = Estimates(
            graph,
            learnt=environment.store.rates.of,
            processes=environment.processes,
            fuse=environment.fuse,
        )
        self.journal = Journal(
            record,
            claim,
            environment.store,
            environment.completion,
            observers,
            self.estimates.progress,
            jobs=dict(_jobs(graph)) if record.kind is ExecutionKind.WORKFLOW else None,
        )
        self.estimates.tell = self.journal.tell_progress
        self.attempts = Attempts(self.journal, self._policy, self.cancellation)
        #: small copies of what came out, by the places of the outputs; the Report makes them
        self.thumbnails: Mapping[str, Thumbnail] = {}
        self.work = WorkDirectory(environment.work_root, record.run_id)

    def _policy(self, name: str) -> RetryPolicy:
        return self.graph.nodes[name].activity.retry or self.environment.retry

    @property
    def record(self) -> ExecutionRecord:
        """The execution as it stands."""
        return self.journal.record

    def context(self, activity: str, work: Path, source: Path) -> ActivityContext:
        """Return the context of an activity that shows no progress."""
        run_id = self.record.run_id
        return ActivityContext(
            activity=activity,
            run_id=run_id,
            work=work,
            source=source,
            names=self.names,
            progress=lambda fraction: None,
            cancel=self.cancellation.event,
            slot=self.environment.slot,
            count_limit=self.environment.count_limit,
            execution=lambda: self.record,
            prediction_errors=self.environment.store.predictions.median_errors,
            log=logging.LoggerAdapter(log, {"run_id": run_id, "activity": activity}),
        )

    def fail(self, name: str, code: str, message: str, detail: str = "") -> ActivityRecord:
        """Save that an activity has failed."""
        return self.journal.save(failed(self.journal.activity(name), code, message, detail))

    def verdict(self) -> tuple[ExecutionState, str, str]:
        """Return state, code and message of the execution when its activities have ended."""
        return verdict(self.record, self.graph.start.name)

    def finish(self, error: MediaflowError | None = None) -> ExecutionRecord:
        """Give the execution its final state, commit it and remove the work directory.

        `error` is what ended the run early: an interruption, or the engine itself.
        """
        state, code, message = self.verdict()
        if error is not None:
            state, code, message = ExecutionState.FAIL, error.code, error.message
            for record in self.record.activities:
                if record.state is ActivityState.RUNNING:
                    self.fail(record.name, error.code, error.message)
        report = self.graph.report
        outputs = self.journal.activity(report.name).outputs if report else ()
        record = self.journal.end(state, code, message, outputs[0].place if outputs else "")
        self.work.remove()
        self._learn()
        return record

    def _learn(self) -> None:
        """Keep how long things took, for the estimates of other runs."""
        try:
            if measured := self.estimates.measured():
                self.environment.store.rates.add(measured)
        except Exception as error:  # the execution has ended, whatever else is kept
            log.warning("what was measured is not kept: %r", error, exc_info=True)


def _jobs(graph: Graph) -> Iterator[tuple[str, tuple[ExecutionKind, int]]]:
    """Yield of which kind and how many the jobs of activities are; most types have none."""
    for name, node in graph.nodes.items():
        if kind := node.activity.job_kind:
            yield name, (kind, node.activity.job_count(node.parameters))
