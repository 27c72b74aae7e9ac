"""The tables of the runs. Column types stand in `types.py`; identifiers are the records' own.

`catalog_schema.py` and `landing_schema.py` have the other tables. Long columns stand last: what
is before them can be read without them. A change of a table raises `SCHEMA_VERSION` and brings a
script that leads there; see `migrations/`.
"""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from workflow_engine.errors import Code
from workflow_engine.records import (
    ActivityState,
    ExecutionKind,
    ExecutionState,
    FailedAttempt,
    Figure,
    Json,
    Output,
    StepResult,
)
from workflow_engine.store.types import EnumText, FreeText, JsonText, Moment

#: written into a new store; a store with a higher number belongs to a newer mediaflow
SCHEMA_VERSION = 9


def _commands(found: Json) -> tuple[tuple[str, ...], ...]:
    return tuple(map(tuple, found))


def _attempts(found: Json) -> tuple[FailedAttempt, ...]:
    return tuple(
        FailedAttempt(ended=datetime.fromisoformat(ended), code=code, message=message)
        for ended, code, message in found
    )


def _attempts_json(attempts: Iterable[FailedAttempt]) -> Json:
    return [[one.ended.isoformat(), one.code, one.message] for one in attempts]


#: argument vectors
COMMANDS = JsonText(_commands)
#: attempts that failed
ATTEMPTS = JsonText(_attempts, _attempts_json)


def result_json(result: StepResult) -> dict[str, Json]:
    """Return what a step left as JSON has it; its outputs are rows of their own."""
    return {"data": result.data, "commands": result.commands, "warnings": result.warnings}


def result_of_json(value: Json, outputs: tuple[Output, ...]) -> StepResult:
    """Return what a step left, with its outputs."""
    return StepResult(
        data=value["data"],
        outputs=outputs,
        commands=_commands(value["commands"]),
        warnings=tuple(value["warnings"]),
    )


metadata = sa.MetaData()

#: what a store is, for every version of mediaflow: `schema_version`
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

#: the same for Alembic, which keeps it in a table of its own
alembic_version = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

#: the outcome of an execution that failed because it was cancelled; else it is the state
CANCELLED = str(Code.CANCELLED)

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("kind", EnumText(ExecutionKind), nullable=False),
    sa.Column("workflow_id", sa.Text, nullable=False),
    sa.Column("workflow", FreeText, nullable=False),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("object", FreeText, nullable=False),
    sa.Column("location", FreeText, nullable=False),
    sa.Column("media_id", sa.Text, nullable=False),
    sa.Column("pipeline_id", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", EnumText(ExecutionState), nullable=False),
    sa.Column("code", FreeText, nullable=False),
    sa.Column(
        "outcome",
        sa.Text,
        sa.Computed(
            f"CASE WHEN state = '{ExecutionState.FAIL}' AND code = '{CANCELLED}' "
            "THEN code ELSE state END",
            persisted=True,
        ),
    ),
    # activities that had failed at the end
    sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created", Moment, nullable=False),
    sa.Column("ended", Moment),
    # `bucket_sets`; empty for those that any process may run
    sa.Column("bucket_set", sa.Text, nullable=False, server_default=""),
    sa.Column("dedupe_key", sa.Text, unique=True),
    # who runs it: free without owner; every new claim raises the fence
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("fence", sa.Integer, nullable=False),
    # claims in a row that lapsed before an activity succeeded
    sa.Column("lapses", sa.Integer, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("fresh", sa.Boolean, nullable=False),
    sa.Column("origin", FreeText, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("output_root", FreeText, nullable=False),
    sa.Column("message", FreeText, nullable=False),
    sa.Column("report", FreeText, nullable=False),
    sa.Column("prefect_url", FreeText, nullable=False),
    sa.Column("message_result", JsonText(), nullable=False),
    sa.Column("user_data", FreeText, nullable=False),
    sa.Column("request", JsonText(), nullable=False),
    sa.Column("topology", FreeText, nullable=False),
    # lists, newest first (`pages.py`)
    sa.Index("executions_by_age", "created", "run_id"),
    sa.Index("executions_by_kind", "kind", "created", "run_id"),
    sa.Index("executions_by_workflow", "kind", "workflow_id", "created", "run_id"),
    sa.Index("executions_by_name", "kind", "workflow", "created", "run_id"),
    sa.Index("executions_by_workflow_name", "kind", "workflow_id", "workflow", "created", "run_id"),
    sa.Index("executions_by_input", "kind", "bucket", "object", "created", "run_id"),
    sa.Index("executions_by_media", "kind", "media_id", "created", "run_id"),
    sa.Index("executions_by_outcome", "kind", "outcome", "created", "run_id"),
    sa.Index("executions_by_pipeline", "kind", "pipeline_id", "created", "run_id"),
    sa.Index(
        "executions_by_pipeline_outcome", "kind", "pipeline_id", "outcome", "created", "run_id"
    ),
)


def is_queued(table: sa.FromClause = executions) -> sa.ColumnElement[bool]:
    """Whether an execution waits in the queue; as the index `executions_queued` has it."""
    return _in_state(table, ExecutionState.QUEUED)


def is_begun(table: sa.FromClause = executions) -> sa.ColumnElement[bool]:
    """Whether an execution of the queue has begun; as the index `executions_begun` has it."""
    return _in_state(table, ExecutionState.RUNNING)


def _in_state(table: sa.FromClause, state: ExecutionState) -> sa.ColumnElement[bool]:
    # literals, because a partial index is not found by values that come later;
    # buckets that exist during one command only: such a run is not for others
    return sa.and_(
        table.c.state == sa.literal_column(f"'{state}'"),
        table.c.output_root == sa.literal_column("''"),
    )


# the queue (`queue.py`)
sa.Index(
    "executions_queued",
    executions.c.pipeline_id,
    executions.c.bucket_set,
    executions.c.priority.desc(),
    executions.c.created,
    executions.c.run_id,
    sqlite_where=is_queued(),
    postgresql_where=is_queued(),
)
sa.Index(
    "executions_begun",
    executions.c.created,
    executions.c.run_id,
    sqlite_where=is_begun(),
    postgresql_where=is_begun(),
)
sa.Index(
    "executions_claimed",
    executions.c.pipeline_id,
    executions.c.lease_until,
    sqlite_where=executions.c.owner.is_not(None),
    postgresql_where=executions.c.owner.is_not(None),
)


def is_failed(table: sa.FromClause = executions) -> sa.ColumnElement[bool]:
    """Whether an execution ended as Fail, or with failed activities; cancelled ones did not.

    As the index `executions_failed` has it.
    """
    outcome = table.c.outcome
    return sa.or_(
        outcome == sa.literal_column(f"'{ExecutionState.FAIL}'"),
        sa.and_(
            outcome == sa.literal_column(f"'{ExecutionState.COMPLETED}'"),
            table.c.failed > sa.literal_column("0"),
        ),
    )


sa.Index(
    "executions_failed",
    executions.c.created,
    executions.c.run_id,
    sqlite_where=is_failed(),
    postgresql_where=is_failed(),
)

sa.Index(
    "executions_by_end",
    executions.c.ended,
    sqlite_where=executions.c.ended.is_not(None),
    postgresql_where=executions.c.ended.is_not(None),
)

# Where the buckets of executions lie, by name, as JSON; see `bucket_sets.py`.
bucket_sets = sa.Table(
    "bucket_sets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("buckets", FreeText, nullable=False),
)

activities = sa.Table(
    "activities",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey(executions.c.run_id), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("state", EnumText(ActivityState), nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("further_jobs", JsonText(tuple), nullable=False, server_default="[]"),
    sa.Column("started", Moment),
    sa.Column("ended", Moment),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("reused", sa.Boolean, nullable=False),
    # content key of the last success (decision 5)
    sa.Column("step_key", sa.Text),
    sa.Column("code", FreeText, nullable=False),
    sa.Column("message", FreeText, nullable=False),
    sa.Column("message_result", JsonText(), nullable=False),
    sa.Column("detail", FreeText, nullable=False),
    # those that failed
    sa.Column("attempts", ATTEMPTS, nullable=False),
    sa.Column("commands", COMMANDS, nullable=False),
    sa.Column("warnings", JsonText(tuple), nullable=False),
    sa.Column("data", JsonText(), nullable=False),
    # while its outputs are published: what its success will add (`mapping.Intended`)
    sa.Column("intended", JsonText()),
    sa.Index("activities_by_step", "step_key", "ended"),
)

# What clients of the API know activities of workflows by (`activity_jobs.py`). The outcome is that
# of an execution: `Cancelled` for what was cancelled, else its state.
activity_jobs = sa.Table(
    "activity_jobs",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("activity", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("kind", EnumText(ExecutionKind), nullable=False),
    sa.Column("pipeline_id", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "activity"], [activities.c.run_id, activities.c.name]),
    sa.Index("activity_jobs_by_activity", "run_id", "activity"),
    # lists, newest first
    sa.Index("activity_jobs_by_kind", "kind", "created", "job_id"),
    sa.Index("activity_jobs_by_outcome", "kind", "outcome", "created", "job_id"),
    sa.Index("activity_jobs_by_pipeline", "kind", "pipeline_id", "created", "job_id"),
    sa.Index(
        "activity_jobs_by_pipeline_outcome", "kind", "pipeline_id", "outcome", "created", "job_id"
    ),
)

# What an activity publishes. A row is an intent until the activity is Success, then an output.
objects = sa.Table(
    "objects",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("activity", sa.Text, primary_key=True),
    sa.Column("published", sa.Boolean, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("location", FreeText, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("md5", sa.Text, nullable=False),
    # of an intent: what names the staged content in the storage
    sa.Column("handle", sa.Text, nullable=False),
    sa.Column("media", JsonText(), nullable=False),
    # keys of the elementary streams that others can be made of, and the first of them
    sa.Column("streams", JsonText(tuple), nullable=False, server_default="[]"),
    sa.Column("stream", sa.Text),
    sa.ForeignKeyConstraint(["run_id", "activity"], [activities.c.run_id, activities.c.name]),
    sa.Index("objects_by_key", "bucket", "object"),
)
sa.Index(
    "objects_by_stream",
    objects.c.stream,
    sqlite_where=objects.c.stream.is_not(None),
    postgresql_where=objects.c.stream.is_not(None),
)

# What was foretold of an output, and what came out (`predictions.py`); figures of several kinds.
predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("activity", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("figure", EnumText(Figure), primary_key=True),
    sa.Column("predicted", sa.Double, nullable=False),
    sa.Column("measured", sa.Double, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "activity"], [activities.c.run_id, activities.c.name]),
    # the latest ones
    sa.Index("predictions_by_figure", "figure", "created"),
)

# One row per place: the newest version that was read. The fingerprint tells one file from another
# that has the same version; it is empty for objects of a store.
digests = sa.Table(
    "digests",
    metadata,
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("md5", sa.Text, nullable=False),
)

# The nonces of API calls (`nonces.py`), until calls with them would be refused for their age.
nonces = sa.Table(
    "nonces",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    # seconds since 1970
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Index("nonces_by_end", "until"),
    sqlite_with_rowid=False,
)

# How long some work took (`rates.py`); of what the machine did last.
rates = sa.Table(
    "rates",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.Double, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Index("rates_by_kind", "machine", "kind", "id"),
)
