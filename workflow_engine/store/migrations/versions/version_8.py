"""What was foretold of outputs, and what came out."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add the predictions."""
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
