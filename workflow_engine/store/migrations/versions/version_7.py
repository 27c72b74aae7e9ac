"""Objects that may be made of others, such as playlists, and their parts."""

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"

_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add both."""
    op.create_table(
        "composites",
        sa.Column("bucket", _BYTES, primary_key=True),
        sa.Column("folder", _BYTES, primary_key=True),
        sa.Column("key", _BYTES, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parts",
        sa.Column("bucket", _BYTES, primary_key=True),
        sa.Column("key", _BYTES, primary_key=True),
        sa.Column("owner", _BYTES, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("parts_by_owner", "parts", ["bucket", "owner"])
