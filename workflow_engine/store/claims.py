"""Claims: who may write about an execution.

`check` is the fence: it comes first in every write about an execution, inside the caller's
transaction (decision 6, "Ownership").
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workflow_engine.errors import Code, LeaseLostError
from workflow_engine.store.schema import executions


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


def update_execution(connection: sa.Connection, run_id: str, changes: dict[str, Any]) -> None:
    """Change columns of an execution; see `check`."""
    connection.execute(sa.update(executions).where(executions.c.run_id == run_id).values(changes))
