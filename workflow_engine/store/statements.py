"""Statements that several methods of the `Store` share; each runs inside a caller's transaction.

`check` is the fence: it comes first in every write about an execution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workflow_engine.errors import Code, LeaseLostError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    Output,
    StepResult,
)
from workflow_engine.store import rows
from workflow_engine.store.bucket_sets import sets_by_id
from workflow_engine.store.rows import Intended
from workflow_engine.store.schema import activities, executions, objects


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to write about one execution. `fence` rises with every new claim."""

    run_id: str
    owner: str
    fence: int


def claim_row(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return state and claim of an execution, locked until the transaction ends."""
    return connection.execute(_CLAIM_ROW, {"id": run_id}).mappings().first()


_CLAIM_ROW = (
    sa.select(
        executions.c.run_id,
        executions.c.state,
        executions.c.owner,
        executions.c.lease_until,
        executions.c.fence,
        executions.c.cancel_requested,
        executions.c.output_root,
    )
    .where(executions.c.run_id == sa.bindparam("id"))
    .with_for_update()
)


def check(connection: sa.Connection, claim: Claim) -> sa.RowMapping:
    """Refuse a claim that does not hold any more; return its row. Raises LeaseLostError."""
    row = claim_row(connection, claim.run_id)
    if row is None or (row["owner"], row["fence"]) != (claim.owner, claim.fence):
        raise lease_lost(claim.run_id, row["owner"] if row else None)
    return row


def lease_lost(run_id: str, owner: str | None) -> LeaseLostError:
    """Return the error that names who has the execution now."""
    holder = f'is run by "{owner}"' if owner else "was given back"
    return LeaseLostError(
        Code.INVALID_STATE,
        f'The execution "{run_id}" {holder}.',
        remedy="Wait until it ends there; the claim of a process that was killed lapses by "
        "itself within a minute.",
    )


def first_like(connection: sa.Connection, run_id: str, dedupe_key: str | None) -> str | None:
    """Return the run id of the execution with this dedupe key, else of that with this run id."""
    same = executions.c.run_id == run_id
    if dedupe_key is not None:
        same |= executions.c.dedupe_key == dedupe_key
    by_key_first = sa.case((executions.c.dedupe_key == dedupe_key, 0), else_=1)
    return connection.scalar(sa.select(executions.c.run_id).where(same).order_by(by_key_first))


def update_execution(connection: sa.Connection, claim: Claim, changes: dict[str, Any]) -> None:
    """Change columns of the claimed execution."""
    connection.execute(
        sa.update(executions).where(executions.c.run_id == claim.run_id).values(changes)
    )


def count_failed(connection: sa.Connection, run_id: str) -> None:
    """Save how many activities of an execution have failed."""
    failed = (
        sa.select(sa.func.count())
        .select_from(activities)
        .where(activities.c.run_id == run_id, activities.c.state == str(ActivityState.FAIL))
        .scalar_subquery()
    )
    connection.execute(
        sa.update(executions).where(executions.c.run_id == run_id).values(failed=failed)
    )


def update_activity(
    connection: sa.Connection, claim: Claim, name: str, changes: dict[str, Any]
) -> None:
    """Change columns of an activity of the claimed execution. Raises KeyError."""
    update = sa.update(activities).where(
        activities.c.run_id == claim.run_id, activities.c.name == name
    )
    if connection.execute(update.values(changes)).rowcount == 0:
        raise KeyError(name)


def reset_activity(connection: sa.Connection, claim: Claim, name: str) -> None:
    """Bring an activity back to what it was when the execution was added. Raises KeyError."""
    kind = sa.select(activities.c.type).where(
        activities.c.run_id == claim.run_id, activities.c.name == name
    )
    waiting = ActivityRecord(name=name, type=connection.scalar(kind) or "")
    changes = rows.activity_row(waiting) | {"step_key": None, "intended": None}
    update_activity(connection, claim, name, changes)
    for published in (True, False):
        replace_objects(connection, claim.run_id, name, (), published=published)


def replace_objects(
    connection: sa.Connection,
    run_id: str,
    activity: str,
    outputs: Sequence[Output],
    *,
    published: bool,
    handles: Sequence[str] = (),
) -> None:
    """Put outputs in the place of an activity's intents, or of its outputs."""
    connection.execute(
        sa.delete(objects).where(
            objects.c.run_id == run_id,
            objects.c.activity == activity,
            objects.c.published == published,
        )
    )
    if outputs:
        new = rows.object_rows(run_id, activity, outputs, handles, published=published)
        connection.execute(sa.insert(objects), new)


def select_objects(*, published: bool) -> sa.Select[Any]:
    """Select intents or outputs, each activity's in their order."""
    return (
        sa.select(objects)
        .where(objects.c.published == published)
        .order_by(objects.c.run_id, objects.c.activity, objects.c.position)
    )


def intended(connection: sa.Connection, run_id: str) -> list[Intended]:
    """Return the ends that activities were about to come to, in the order of the execution."""
    found = connection.execute(
        sa.select(activities)
        .where(activities.c.run_id == run_id, activities.c.intended.is_not(None))
        .order_by(activities.c.position)
    ).mappings()
    intents = rows.grouped(
        connection.execute(
            select_objects(published=False).where(objects.c.run_id == run_id)
        ).mappings(),
        "activity",
    )
    return [rows.intended_of(row, intents.get((row["name"],), ())) for row in found]


def load_executions(connection: sa.Connection, chosen: sa.Select[Any]) -> list[ExecutionRecord]:
    """Return the executions of a query, in its order, with activities and outputs.

    Four queries, however many there are.
    """
    found = connection.execute(chosen).mappings().all()
    sets = sets_by_id(connection, [row["bucket_set"] for row in found])
    run_ids = chosen.with_only_columns(executions.c.run_id).subquery()
    of_activity = rows.grouped(
        connection.execute(
            sa.select(activities)
            .where(activities.c.run_id.in_(sa.select(run_ids)))
            .order_by(activities.c.run_id, activities.c.position)
        ).mappings(),
        "run_id",
    )
    of_object = rows.grouped(
        connection.execute(
            select_objects(published=True).where(objects.c.run_id.in_(sa.select(run_ids)))
        ).mappings(),
        "run_id",
        "activity",
    )
    return [
        rows.execution_of(
            row,
            (
                rows.activity_of(
                    a, map(rows.output_of, of_object.get((a["run_id"], a["name"]), ()))
                )
                for a in of_activity.get((row["run_id"],), ())
            ),
            sets.get(row["bucket_set"]),
        )
        for row in found
    ]


def find_step(connection: sa.Connection, step_key: str) -> StepResult | None:
    """Return the newest result under a content key."""
    newest = (
        sa.select(activities)
        .where(
            activities.c.step_key == step_key,
            activities.c.state == str(ActivityState.SUCCESS),
        )
        .order_by(activities.c.ended.desc())
        .limit(1)
    )
    row = connection.execute(newest).mappings().first()
    if row is None:
        return None
    outputs = select_objects(published=True).where(
        objects.c.run_id == row["run_id"], objects.c.activity == row["name"]
    )
    return rows.step_of(row, map(rows.output_of, connection.execute(outputs).mappings()))
