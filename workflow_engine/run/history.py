"""Finds executions: one by its RunId, or pages of those that are not too old."""

from dataclasses import replace
from datetime import timedelta

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionRecord, utc_now
from workflow_engine.store import ExecutionFilter, ExecutionSummary, Page, Store


class ExecutionHistory:
    """The executions of a store; pages show those of the last `days`."""

    def __init__(self, store: Store, *, days: int) -> None:
        self._store = store
        self._days = days

    def get(self, run_id: str) -> ExecutionRecord:
        """Return an execution. Raises InvalidInputError when there is none."""
        return existing_execution(self._store, run_id)

    def page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionRecord]:
        """Return a page of brief executions, newest first."""
        return self._store.executions.page(self._recent(chosen), limit=limit, after=after)

    def summary_page(
        self, chosen: ExecutionFilter, *, limit: int, after: str = ""
    ) -> Page[ExecutionSummary]:
        """Return a page of summaries, as `page` does of brief executions."""
        return self._store.executions.summary_page(self._recent(chosen), limit=limit, after=after)

    def job_page(self, chosen: ExecutionFilter, *, limit: int, after: str = "") -> Page[str]:
        """Return a page of the ids of jobs, those of activities among them, newest first."""
        return self._store.activity_jobs.page(self._recent(chosen), limit=limit, after=after)

    def _recent(self, chosen: ExecutionFilter) -> ExecutionFilter:
        oldest = utc_now() - timedelta(days=self._days)
        since = max(chosen.since, oldest) if chosen.since else oldest
        return replace(chosen, since=since)


def existing_execution(store: Store, run_id: str) -> ExecutionRecord:
    """Return an execution. Raises InvalidInputError when there is none."""
    record = store.executions.get(run_id)
    if record is None:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no execution with the RunId "{run_id}".',
            remedy="See mediaflow execution list.",
        )
    return record
