"""The tables of what is registered, and of the messages on their way.

Types and rules as in `schema.py`; importing this module adds its tables to the same metadata.
"""

import sqlalchemy as sa

from workflow_engine.records.catalog import (
    BucketType,
    PipelineState,
    PublishState,
    TemplateKind,
    TemplateState,
    TriggerMode,
    WorkflowState,
)
from workflow_engine.store.schema import executions, metadata
from workflow_engine.store.types import EnumText, FreeText, JsonText, Moment

workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", FreeText, nullable=False),
    sa.Column("state", EnumText(WorkflowState), nullable=False),
    sa.Column("trigger_mode", EnumText(TriggerMode), nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("prefix", FreeText, nullable=False),
    sa.Column("file", FreeText, nullable=False),
    sa.Column("file_removed", sa.Boolean, nullable=False),
    sa.Column("topology", FreeText, nullable=False),
    sa.Index("workflows_by_age", "created", "id"),
    sa.Index("workflows_by_bucket", "bucket", "state", "trigger_mode"),
)


def is_not_deleted() -> sa.ColumnElement[bool]:
    """Whether a workflow holds its name; as the index `workflows_by_name` has it."""
    # a literal, because a partial index is not found by values that come later
    return workflows.c.state != sa.literal_column(f"'{WorkflowState.DELETED}'")


sa.Index(
    "workflows_by_name",
    workflows.c.name,
    unique=True,
    sqlite_where=is_not_deleted(),
    postgresql_where=is_not_deleted(),
)


def _files(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("path", FreeText, primary_key=True),
        sa.Column("name", FreeText, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("checked", Moment, nullable=False),
        sa.Column("problem", FreeText, nullable=False),
    )


workflow_files = _files("workflow_files")
template_files = _files("template_files")

media = sa.Table(
    "media",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("object", FreeText, nullable=False),
    sa.Column("location", FreeText, nullable=False),
    sa.Column("title", FreeText, nullable=False),
    sa.Column("description", FreeText, nullable=False),
    sa.Column("category_id", sa.BigInteger),
    sa.Column("tags", JsonText(tuple), nullable=False),
    sa.Column("cover_url", FreeText, nullable=False),
    sa.Column("publish_state", EnumText(PublishState), nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("properties", JsonText(), nullable=False),
    sa.Index("media_by_age", "deleted", "created", "id"),
)

media_buckets = sa.Table(
    "media_buckets",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("type", EnumText(BucketType), primary_key=True),
    sa.Column("referer", FreeText, nullable=False),
    sa.Column("role", FreeText, nullable=False),
)

pipelines = sa.Table(
    "pipelines",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", FreeText, nullable=False),
    sa.Column("state", EnumText(PipelineState), nullable=False),
    sa.Column("speed", sa.Text, nullable=False),
    sa.Column("speed_level", sa.Integer, nullable=False),
    sa.Column("queue", FreeText, nullable=False),
    sa.Column("topic", FreeText, nullable=False),
    sa.Column("role", FreeText, nullable=False),
    sa.Column("quota", sa.Integer, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Index("pipelines_by_age", "created", "id"),
)

templates = sa.Table(
    "templates",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", EnumText(TemplateKind), nullable=False),
    sa.Column("name", FreeText, nullable=False),
    sa.Column("state", EnumText(TemplateState), nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("file", FreeText, nullable=False, server_default=""),
    sa.Column("content", JsonText(), nullable=False),
    sa.Index("templates_by_age", "kind", "created", "id"),
)

# `next_attempt` is empty once nothing more is to be done: sent, or given up.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("activity", sa.Text, nullable=False),
    sa.Column("receiver", FreeText, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt", Moment),
    sa.Column("sent", Moment),
    sa.Column("error", FreeText, nullable=False),
    sa.Column("body", FreeText, nullable=False),
    sa.Index("messages_by_run", "run_id", "created", "id"),
    sa.Index("messages_by_next_attempt", "next_attempt", "created", "id"),
)

# Which ends of executions a target of notifications is told of, each once (`notifications.py`).
# `next_attempt` is empty once it was told.
notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey(executions.c.run_id), primary_key=True),
    sa.Column("created", Moment, nullable=False),
    sa.Column("next_attempt", Moment),
    sa.Column("sent", Moment),
    sa.Index("notifications_by_run", "run_id"),
    sa.Index("notifications_by_next_attempt", "target", "next_attempt"),
    sa.Index("notifications_by_sent", "target", "sent"),
)

# From when on, and until when, the ends of executions were looked through for a target.
notification_targets = sa.Table(
    "notification_targets",
    metadata,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("seen", Moment, nullable=False),
)

# The processes that serve this store; a row whose `seen` is old belongs to one that was killed.
services = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started", Moment, nullable=False),
    sa.Column("seen", Moment, nullable=False),
    sa.Column("configuration", FreeText, nullable=False),
    sa.Column("data_dir", FreeText, nullable=False),
    sa.Column("workflows_dir", FreeText, nullable=False),
    sa.Column("buckets", JsonText(), nullable=False),
)
