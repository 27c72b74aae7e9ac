"""The tables of the intake. Types and rules as in `schema.py`.

Object keys are compared by their bytes in both databases, as Python compares them and as buckets
list them. Importing this module adds its tables to the same metadata.
"""

import sqlalchemy as sa

from workflow_engine.store.schema import metadata
from workflow_engine.store.types import FreeText, Moment

_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# What was noticed and is not taken yet: the queue of the intake.
arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column("bucket", _BYTES, primary_key=True),
    sa.Column("key", _BYTES, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("first_noticed", Moment, nullable=False),
    sa.Column("due", Moment, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("notices", sa.Integer, nullable=False),
    sa.Column("look", sa.Text, nullable=False),
    sa.Column("listed", sa.Text, nullable=False),
    sa.Column("again", sa.Boolean, nullable=False),
    # where the bucket lies for the process that noticed it
    sa.Column("place", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Index("arrivals_by_due", "due"),
    sqlite_with_rowid=False,
)

# One row per object version that was ever taken; the primary key makes it once.
intake = sa.Table(
    "intake",
    metadata,
    sa.Column("bucket", _BYTES, primary_key=True),
    sa.Column("key", _BYTES, primary_key=True),
    sa.Column("version", _BYTES, primary_key=True),
    # what a listing calls the version
    sa.Column("listed", sa.Text, nullable=False),
    # lay there when the bucket was first watched, and started nothing
    sa.Column("existing", sa.Boolean, nullable=False),
    sa.Column("taken", Moment, nullable=False),
    sqlite_with_rowid=False,
)


def has_landed() -> sa.ColumnElement[bool]:
    """Whether a version landed while its bucket was watched; as `intake_by_age` has it."""
    return intake.c.existing.is_(False)


# what landed last (`landings.py`)
sa.Index("intake_by_age", intake.c.taken, sqlite_where=has_landed(), postgresql_where=has_landed())

# Objects that landed, may be made of others and were not taken yet, by the folder they lie in.
composites = sa.Table(
    "composites",
    metadata,
    sa.Column("bucket", _BYTES, primary_key=True),
    # "" for the bucket itself, else with a slash at the end
    sa.Column("folder", _BYTES, primary_key=True),
    sa.Column("key", _BYTES, primary_key=True),
    sqlite_with_rowid=False,
)

# What objects that were taken are made of.
parts = sa.Table(
    "parts",
    metadata,
    sa.Column("bucket", _BYTES, primary_key=True),
    sa.Column("key", _BYTES, primary_key=True),
    # the key of the object that names it
    sa.Column("owner", _BYTES, primary_key=True),
    sa.Index("parts_by_owner", "bucket", "owner"),
    sqlite_with_rowid=False,
)

watched = sa.Table(
    "watched",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("since", Moment, nullable=False),
    # when the first listing was complete
    sa.Column("listed", Moment),
    # whether the folder was missing when it was looked for before the first listing
    sa.Column("missing", sa.Boolean, nullable=False, server_default=sa.false()),
    # where the file system was mounted that held the folder at the last look
    sa.Column("mount", sa.Text),
    # object versions that the first listing skipped, and those that no workflow took
    sa.Column("skipped", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("unmatched", sa.BigInteger, nullable=False, server_default=sa.text("0")),
)

listeners = sa.Table(
    "listeners",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("problem", FreeText, nullable=False),
    sa.Column("last_event", Moment),
    sa.Column("last_reconcile", Moment),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("updated", Moment, nullable=False),
)

# What is left of executions that were pruned (`retention.py`), as much as keeps the intake safe:
# which object versions ran, by the RunId that they would get again, ...
past_runs = sa.Table(
    "past_runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

# ... and which objects were published, where their names could start a run.
past_outputs = sa.Table(
    "past_outputs",
    metadata,
    sa.Column("bucket", _BYTES, primary_key=True),
    sa.Column("object", _BYTES, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("md5", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
