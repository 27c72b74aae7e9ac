"""The record of one execution while it runs: each change is committed, then told to observers."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from workflow_engine.errors import StoreError
from workflow_engine.messages import Outgoing
from workflow_engine.records import (
    ActivityJob,
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Progress,
    new_id,
    utc_now,
)
from workflow_engine.run.completion import Completion
from workflow_engine.store import Claim, Store

log = logging.getLogger(__name__)

#: between two commits of the progress of one execution
PROGRESS_SECONDS = 1.0


#: says how far an activity is, of the activities as they stand
Estimate = Callable[[str, Mapping[str, ActivityRecord]], Progress]


def no_estimate(name: str, activities: Mapping[str, ActivityRecord]) -> Progress:
    """Return how far an activity is, and nothing of the time that is left."""
    return Progress(fraction=activities[name].progress)


class Observer(Protocol):
    """Somebody who watches an execution; called from the threads that do the work."""

    def activity_changed(self, record: ActivityRecord) -> None:
        """Take the new state of an activity."""

    def progressed(self, name: str, progress: Progress) -> None:
        """Take how far an activity is, and about how long it and the run still take."""


class Journal:
    """The execution as it stands. Thread-safe; what saves raises LeaseLostError and StoreError."""

    def __init__(
        self,
        record: ExecutionRecord,
        claim: Claim,
        store: Store,
        completion: Completion,
        observers: Sequence[Observer],
        estimate: Estimate = no_estimate,
        jobs: Mapping[str, tuple[ExecutionKind, int]] | None = None,
    ) -> None:
        """`jobs` says of which kind and how many the jobs of activities are, by name."""
        self._record = record
        self._activities = {activity.name: activity for activity in record.activities}
        self._claim = claim
        self._store = store
        self._completion = completion
        self._observers = list(observers)
        self._estimate = estimate
        self._jobs = jobs or {}
        self._lock = threading.Lock()
        self._unsaved: dict[str, float] = {}
        self._told: dict[str, float] = {}  # when observers heard of activities
        self._progress_saved = -PROGRESS_SECONDS
        self._estimate_failed = False

    @property
    def record(self) -> ExecutionRecord:
        """The execution, with its activities."""
        with self._lock:
            return replace(self._record, activities=tuple(self._activities.values()))

    def activity(self, name: str) -> ActivityRecord:
        """Return an activity as it stands."""
        return self._activities[name]

    def watch(self, observer: Observer) -> None:
        """Tell one more observer from now on."""
        self._observers.append(observer)

    def begin(self) -> None:
        """Save that the execution runs."""
        if self._record.state is not ExecutionState.RUNNING:
            state = ExecutionState.RUNNING
            self._store.executions.save(self._claim, state=state, code="", message="")
            self._change(state=state, code="", message="", ended=None)

    def set_prefect_url(self, url: str) -> None:
        """Keep where the Prefect UI shows this execution."""
        self._change(prefect_url=url)
        self._store.executions.save(self._claim, prefect_url=url)

    def reset(self, name: str) -> None:
        """Forget how an activity ended in an earlier attempt."""
        self._store.steps.reset(self._claim, name)
        was = self._activities[name]
        self._show(
            ActivityRecord(
                name=name, type=was.type, job_id=was.job_id, further_jobs=was.further_jobs
            )
        )

    def run(self, name: str, **changes: object) -> ActivityRecord:
        """Save that an activity runs, with other changes; its jobs exist from then on."""
        record = self._activities[name]
        ids = record.job_ids
        kind, count = self._jobs.get(name, (ExecutionKind.WORKFLOW, 0))
        ids = (*ids, *(new_id() for _ in range(count - len(ids))))[:count]
        record = replace(
            record,
            state=ActivityState.RUNNING,
            started=record.started or utc_now(),
            job_id=ids[0] if ids else "",
            further_jobs=ids[1:],
            **changes,
        )
        jobs = [
            ActivityJob(
                job_id=job_id,
                run_id=self._record.run_id,
                activity=name,
                position=position,
                kind=kind,
                pipeline_id=self._record.pipeline_id,
                created=utc_now(),
                state=ExecutionState.RUNNING,
            )
            for position, job_id in enumerate(ids)
        ]
        self._store.steps.save(self._claim, record, jobs=jobs)
        return self._show(record)

    def save(self, record: ActivityRecord) -> ActivityRecord:
        """Save an activity; one that has ended comes back with what became of its message."""
        outgoing = Outgoing()
        if record.state.ended:
            record, outgoing = self._ending(record)
        self._store.steps.save(self._claim, record, announce=outgoing.message)
        self._completion.committed(outgoing)
        return self._show(record)

    def succeed(self, record: ActivityRecord, step_key: str | None) -> ActivityRecord:
        """Save an activity that has succeeded, with its outputs; it is found by its content key."""
        record, outgoing = self._ending(record)
        self._store.steps.finish(
            self._claim,
            record,
            step_key=step_key,
            properties=self._completion.described(record),
            announce=outgoing.message,
        )
        self._completion.committed(outgoing)
        return self._show(record)

    def progress(self, name: str, fraction: float) -> None:
        """Take the progress of an activity: observers see every step. Raises LeaseLostError.

        That of all activities is saved together, at most every `PROGRESS_SECONDS`; as often do
        observers hear of an activity that is where it was, for the time that is left.
        """
        fraction, now = min(max(fraction, 0.0), 1.0), time.monotonic()
        with self._lock:
            record = self._activities[name]
            if record.state is not ActivityState.RUNNING:
                return
            if fraction > record.progress:
                self._activities[name] = replace(record, progress=fraction)
                self._unsaved[name] = fraction
            elif now < self._told.setdefault(name, now) + PROGRESS_SECONDS:
                return
            self._told[name] = now
            due = self._progress_due()
        if due:
            try:
                self._store.steps.save_progress(self._claim, due)
            except StoreError as error:  # no reason to stop: the next one may get through
                log.debug("the progress of %s was not saved: %s", ", ".join(due), error)
        self.tell_progress(name)

    def tell_progress(self, name: str) -> None:
        """Tell the observers how far an activity is, if there are any."""
        if not self._observers:
            return
        with self._lock:
            activities = dict(self._activities)
        try:
            progress = self._estimate(name, activities)
        except Exception as error:
            if not self._estimate_failed:
                log.warning("the time that is left cannot be estimated: %r", error, exc_info=True)
            self._estimate_failed = True
            progress = no_estimate(name, activities)
        self._tell(lambda observer: observer.progressed(name, progress))

    def _progress_due(self) -> Mapping[str, float]:
        """Return the progress that is to be saved now, by activity."""
        now = time.monotonic()
        if now < self._progress_saved + PROGRESS_SECONDS:
            return {}
        self._progress_saved, due, self._unsaved = now, self._unsaved, {}
        return due

    def end(self, state: ExecutionState, code: str, message: str, report: str) -> ExecutionRecord:
        """Give the execution its final state, and save that with what it entails."""
        self._change(state=state, code=code, message=message, ended=utc_now(), report=report)
        record = self.record
        self._completion.end(self._claim, record)
        return record

    def _change(self, **fields: object) -> None:
        with self._lock:
            self._record = replace(self._record, **fields)

    def _ending(self, record: ActivityRecord) -> tuple[ActivityRecord, Outgoing]:
        """Return an activity that ends, with what became of its message, and the message."""
        with self._lock:
            activities = (*{**self._activities, record.name: record}.values(),)
            execution = replace(self._record, activities=activities)
        outgoing = self._completion.activity_ends(execution, record)
        return replace(record, message_result=outgoing.result), outgoing

    def _show(self, record: ActivityRecord) -> ActivityRecord:
        with self._lock:
            self._activities[record.name] = record
            self._unsaved.pop(record.name, None)
        self._tell(lambda observer: observer.activity_changed(record))
        return record

    def _tell(self, news: Callable[[Observer], None]) -> None:
        """Tell the observers; those that fail change nothing about the run."""
        for observer in list(self._observers):
            try:
                news(observer)
            except Exception as error:
                log.debug("an observer failed: %r", error, exc_info=True)
