"""Which objects of a bucket may be made of others: remembered until they are found to be gone.

What they name is not kept: the objects themselves say it.
"""

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from workflow_engine.store.database import Database, upsert
from workflow_engine.store.landing_schema import composites


class CompositeTable:
    """The keys of such objects, by folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, bucket: str, keys: Iterable[str]) -> None:
        """Remember objects that landed."""
        rows = [
            {"bucket": bucket, "folder": folder_of(key), "key": key} for key in sorted(set(keys))
        ]
        if rows:
            with self._database.write() as connection:
                insert = upsert(connection.dialect.name, composites).on_conflict_do_nothing()
                connection.execute(insert, rows)

    def in_folders(self, bucket: str, folders: Collection[str]) -> list[str]:
        """Return the keys of those that lie in these folders themselves, not below them."""
        query = (
            sa.select(composites.c.key)
            .where(composites.c.bucket == bucket, composites.c.folder.in_(sorted(folders)))
            .order_by(composites.c.key)
        )
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def forget(self, bucket: str, key: str) -> None:
        """Forget an object that is gone."""
        mine = (composites.c.bucket == bucket) & (composites.c.key == key)
        gone = sa.delete(composites).where(mine, composites.c.folder == folder_of(key))
        with self._database.write() as connection:
            connection.execute(gone)


def folder_of(key: str) -> str:
    """Return the folder that a key lies in: "" for the bucket itself, else with its slash."""
    return key[: key.rfind("/") + 1]
