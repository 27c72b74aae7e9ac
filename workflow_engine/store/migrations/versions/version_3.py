"""What lands in buckets starts runs; processes that were killed are noticed."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the intake, and what tells of lapsed claims and of staged outputs."""
    op.add_column(
        "executions", sa.Column("lapses", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.add_column("objects", sa.Column("handle", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "arrivals",
        sa.Column("bucket", _BYTES, primary_key=True),
        sa.Column("key", _BYTES, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("first_noticed", _MOMENT, nullable=False),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("notices", sa.Integer, nullable=False),
        sa.Column("look", sa.Text, nullable=False),
        sa.Column("listed", sa.Text, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index("arrivals_by_due", "arrivals", ["due"], if_not_exists=True)
    op.create_table(
        "intake",
        sa.Column("bucket", _BYTES, primary_key=True),
        sa.Column("key", _BYTES, primary_key=True),
        sa.Column("version", _BYTES, primary_key=True),
        sa.Column("listed", sa.Text, nullable=False),
        sa.Column("existing", sa.Boolean, nullable=False),
        sa.Column("taken", _MOMENT, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "watched",
        sa.Column("bucket", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("listed", _MOMENT),
        if_not_exists=True,
    )
    op.create_table(
        "listeners",
        sa.Column("bucket", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("last_event", _MOMENT),
        sa.Column("last_reconcile", _MOMENT),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        if_not_exists=True,
    )
