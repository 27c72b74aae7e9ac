"""Rates, notifications, and indexes of what landed and what ended.

Development versions called some of this version 8: what is there already stays.
"""

from functools import partial

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them."""
    create_table = partial(op.create_table, if_not_exists=True)
    create_index = partial(op.create_index, if_not_exists=True)
    create_index(
        "intake_by_age",
        "intake",
        ["taken"],
        sqlite_where=sa.text("existing IS 0"),
        postgresql_where=sa.text("existing IS false"),
    )
    create_table(
        "rates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    create_index("rates_by_kind", "rates", ["machine", "kind", "id"])
    create_table(
        "notifications",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("executions.run_id"), primary_key=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("next_attempt", _MOMENT),
        sa.Column("sent", _MOMENT),
    )
    create_index("notifications_by_run", "notifications", ["run_id"])
    create_index("notifications_by_next_attempt", "notifications", ["target", "next_attempt"])
    create_index("notifications_by_sent", "notifications", ["target", "sent"])
    create_table(
        "notification_targets",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("seen", _MOMENT, nullable=False),
    )
    over = sa.text("ended IS NOT NULL")
    create_index(
        "executions_by_end", "executions", ["ended"], sqlite_where=over, postgresql_where=over
    )
