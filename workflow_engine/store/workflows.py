"""The registered workflows, and the files that define some of them."""

from collections.abc import Collection
from functools import cache

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records.catalog import (
    WorkflowRecord,
    WorkflowState,
)
from workflow_engine.store.catalog_schema import is_not_deleted, workflow_files, workflows
from workflow_engine.store.database import Database
from workflow_engine.store.definition_files import FileTable
from workflow_engine.store.fast_queries import Select, each, one_of
from workflow_engine.store.mapping import WORKFLOW, in_order

#: what a change of a workflow may touch
_CHANGING = ("state", "trigger_mode", "topology", "file", "file_removed")


@cache
def _page_and_total(states: int) -> tuple[Select, Select]:
    """Return the query of a page of workflows in so many states, and that of their number."""
    chosen = one_of(workflows.c.state, states)
    total = sa.select(sa.func.count()).select_from(workflows).where(chosen)
    page = (
        sa.select(workflows, total.scalar_subquery())
        .where(chosen)
        .order_by(workflows.c.created.desc(), workflows.c.id.desc())
        .offset(sa.bindparam("offset"))
        .limit(sa.bindparam("limit"))
    )
    return page, total


_BOUND = (
    sa.select(workflows)
    .where(workflows.c.bucket == sa.bindparam("bucket"), is_not_deleted())
    .order_by(workflows.c.created, workflows.c.id)
)


class WorkflowTable(FileTable):
    """Workflows and workflow files; `catalog/workflows.py` has the rules."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, workflow_files)

    def add(self, record: WorkflowRecord) -> None:
        """Add a workflow. Raises InvalidInputError when one that is not deleted has its name."""
        try:
            with self._database.write() as connection:
                connection.execute(sa.insert(workflows).values(WORKFLOW.row(record)))
        except IntegrityError:
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'A workflow with the name "{record.name}" exists already.',
                pointer="/Name",
                remedy="Choose another name, or delete that workflow.",
            ) from None

    def get(self, workflow_id: str) -> WorkflowRecord | None:
        """Return a workflow, deleted or not."""
        return self._one(workflows.c.id == workflow_id)

    def named(self, name: str) -> WorkflowRecord | None:
        """Return the workflow of a name that is not deleted."""
        return self._one((workflows.c.name == name) & is_not_deleted())

    def by_ids(self, workflow_ids: Collection[str]) -> list[WorkflowRecord]:
        """Return those of some workflows that exist, in the order of the ids."""
        query = sa.select(workflows).where(workflows.c.id.in_(workflow_ids))
        return in_order(workflow_ids, self._all(query))

    def save(self, record: WorkflowRecord, *, expected: WorkflowRecord | None = None) -> bool:
        """Replace a workflow; with `expected` only if it is still that. Return whether it was."""
        update = sa.update(workflows).where(workflows.c.id == record.id)
        if expected is not None:
            before = WORKFLOW.row(expected)
            update = update.where(*(workflows.c[name] == before[name] for name in _CHANGING))
        with self._database.write() as connection:
            return connection.execute(update.values(WORKFLOW.row(record))).rowcount > 0

    def search(
        self, states: Collection[WorkflowState], *, offset: int, limit: int
    ) -> tuple[list[WorkflowRecord], int]:
        """Return workflows in some states, the newest first, and how many there are in all."""
        page, total = _page_and_total(len(states))
        chosen = each(workflows.c.state, map(str, states))
        found = self._database.rows(page, {**chosen, "offset": offset, "limit": limit})
        if not found:
            return [], self._database.rows(total, chosen)[0][0]
        return list(map(WORKFLOW.record_of, found)), found[0][-1]

    def bound_to(self, bucket: str) -> list[WorkflowRecord]:
        """Return the workflows whose Start names a bucket, the oldest first; no deleted ones."""
        found = self._database.rows(_BOUND, {"bucket": bucket})
        return list(map(WORKFLOW.record_of, found))

    def _one(self, chosen: sa.ColumnElement[bool]) -> WorkflowRecord | None:
        found = self._all(sa.select(workflows).where(chosen))
        return found[0] if found else None

    def _all(self, query: sa.Select[tuple[object, ...]]) -> list[WorkflowRecord]:
        with self._database.read() as connection:
            return list(map(WORKFLOW.record, connection.execute(query).mappings()))
