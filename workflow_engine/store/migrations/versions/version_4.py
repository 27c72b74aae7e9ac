"""Processes with different buckets, failed attempts, templates in files, retention."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"

_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns and tables of these."""
    _text("executions", "bucket_set")
    _number("executions", "failed", sa.Integer)
    op.execute(
        "UPDATE executions SET failed = (SELECT count(*) FROM activities "
        "WHERE activities.run_id = executions.run_id AND activities.state = 'Fail') "
        "WHERE executions.run_id IN (SELECT run_id FROM activities WHERE state = 'Fail')"
    )
    _text("templates", "file")
    op.add_column(
        "watched",
        sa.Column("missing", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.add_column("watched", sa.Column("mount", sa.Text))
    _number("watched", "skipped", sa.BigInteger)
    _number("watched", "unmatched", sa.BigInteger)
    _text("activities", "attempts", "[]")
    op.add_column("activities", sa.Column("intended", sa.Text))
    _text("digests", "fingerprint")
    _text("arrivals", "place")
    _tables()
    _indexes()


def _text(table: str, column: str, default: str = "") -> None:
    op.add_column(table, sa.Column(column, sa.Text, nullable=False, server_default=default))


def _number(table: str, column: str, kind: type[sa.Integer]) -> None:
    op.add_column(table, sa.Column(column, kind, nullable=False, server_default=sa.text("0")))


def _tables() -> None:
    op.create_table(
        "bucket_sets",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("buckets", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "past_runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "past_outputs",
        sa.Column("bucket", _BYTES, primary_key=True),
        sa.Column("object", _BYTES, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("md5", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "template_files",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("checked", _MOMENT, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started", _MOMENT, nullable=False),
        sa.Column("seen", _MOMENT, nullable=False),
        sa.Column("configuration", sa.Text, nullable=False),
        sa.Column("data_dir", sa.Text, nullable=False),
        sa.Column("workflows_dir", sa.Text, nullable=False),
        sa.Column("buckets", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _indexes() -> None:
    op.execute("DROP INDEX IF EXISTS executions_queued")
    op.execute(
        "CREATE INDEX executions_queued ON executions "
        "(pipeline_id, bucket_set, priority DESC, created, run_id) "
        "WHERE state = 'Queued' AND output_root = ''"
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS executions_begun ON executions (created, run_id) "
        "WHERE state = 'Running' AND output_root = ''"
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS executions_failed ON executions (created, run_id) "
        "WHERE outcome = 'Fail' OR (outcome = 'Completed' AND failed > 0)"
    )
