"""Nonces of API calls are known to every process that serves the store."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Add the nonces."""
    op.create_table(
        "nonces",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("nonces_by_end", "nonces", ["until"])
