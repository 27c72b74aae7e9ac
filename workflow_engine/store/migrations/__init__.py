"""Brings a store of an older version up to date, by Alembic.

`versions/` has one script for each version; `env.py` is what Alembic runs them with. A change of a
table raises `SCHEMA_VERSION` (`schema.py`) and brings the script that leads there; scripts that
were released stay as they are. A new store is created in one go, without any of this, and a store
that is up to date never imports Alembic.
"""

from pathlib import Path

import sqlalchemy as sa

#: the oldest version that can be brought up to date
OLDEST = 2


def upgrade(connection: sa.Connection, version: int) -> None:
    """Bring a store of a version up to date, in the transaction of the caller."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.stamp(config, str(version), purge=True)
    command.upgrade(config, "head")
