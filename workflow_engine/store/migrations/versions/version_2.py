"""The oldest version that can be brought up to date."""

revision = "2"
down_revision = None


def upgrade() -> None:
    """Nothing leads here."""
