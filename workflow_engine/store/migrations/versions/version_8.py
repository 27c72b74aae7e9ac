"""What was foretold of outputs, and what came out; the elementary streams of objects."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add the predictions, and the keys of streams."""
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
