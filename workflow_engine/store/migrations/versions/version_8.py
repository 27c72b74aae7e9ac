"""Predictions, streams of objects, rates, notifications, and an index of what landed."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add what is foretold, streams, rates, who was told of ends, and an index of the intake."""
    op.create_table(
        "predictions",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("activity", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("figure", sa.Text, primary_key=True),
        sa.Column("predicted", sa.Double, nullable=False),
        sa.Column("measured", sa.Double, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id", "activity"], ["activities.run_id", "activities.name"]),
    )
    op.create_index("predictions_by_figure", "predictions", ["figure", "created"])
    op.add_column("objects", sa.Column("streams", sa.Text, nullable=False, server_default="[]"))
    op.add_column("objects", sa.Column("stream", sa.Text))
    known = sa.text("stream IS NOT NULL")
    op.create_index(
        "objects_by_stream", "objects", ["stream"], sqlite_where=known, postgresql_where=known
    )
    op.create_index(
        "intake_by_age",
        "intake",
        ["taken"],
        sqlite_where=sa.text("existing IS 0"),
        postgresql_where=sa.text("existing IS false"),
    )
    op.create_table(
        "rates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    op.create_index("rates_by_kind", "rates", ["machine", "kind", "id"])
    op.create_table(
        "notifications",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("executions.run_id"), primary_key=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("next_attempt", _MOMENT),
        sa.Column("sent", _MOMENT),
    )
    op.create_index("notifications_by_run", "notifications", ["run_id"])
    op.create_index("notifications_by_next_attempt", "notifications", ["target", "next_attempt"])
    op.create_index("notifications_by_sent", "notifications", ["target", "sent"])
    op.create_table(
        "notification_targets",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("seen", _MOMENT, nullable=False),
    )
    over = sa.text("ended IS NOT NULL")
    op.create_index(
        "executions_by_end", "executions", ["ended"], sqlite_where=over, postgresql_where=over
    )
