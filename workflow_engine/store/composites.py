"""Objects that are made of others, and what they name.

One that landed is remembered by its folder until it is taken; whoever asks reads what it names
then. Its parts are kept from then on, as long as it lies there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from workflow_engine.store.database import Database, upsert
from workflow_engine.store.json_params import elements
from workflow_engine.store.landing_schema import composites, parts
from workflow_engine.store.types import to_json


class CompositeTable:
    """Composite objects that wait, and the parts of those that were taken."""

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

    def waiting(self, bucket: str, folders: Collection[str]) -> list[str]:
        """Return the keys of those that lie in these folders themselves and were not taken."""
        query = (
            sa.select(composites.c.key)
            .where(composites.c.bucket == bucket, composites.c.folder.in_(sorted(folders)))
            .order_by(composites.c.key)
        )
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def settle(self, bucket: str, key: str, names: Collection[str]) -> None:
        """Keep the parts of an object that is taken, by their keys; none for one that is gone."""
        mine = (composites.c.bucket == bucket) & (composites.c.key == key)
        rows = [{"bucket": bucket, "key": name, "owner": key} for name in sorted(names)]
        with self._database.write() as connection:
            connection.execute(sa.delete(composites).where(mine))
            connection.execute(
                sa.delete(parts).where(parts.c.bucket == bucket, parts.c.owner == key)
            )
            if rows:
                insert = upsert(connection.dialect.name, parts).on_conflict_do_nothing()
                connection.execute(insert, rows)

    def owners(self, bucket: str, keys: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return of which objects that were taken these are parts, by key."""
        wanted = elements(self._database.dialect, "keys")
        query = (
            sa.select(parts.c.key, parts.c.owner)
            .where(parts.c.bucket == bucket, parts.c.key.in_(sa.select(wanted.c.value)))
            .order_by(parts.c.key, parts.c.owner)
        )
        with self._database.read() as connection:
            found = connection.execute(query, {"keys": to_json(sorted(keys))}).all()
        owners: dict[str, list[str]] = {}
        for key, owner in found:
            owners.setdefault(key, []).append(owner)
        return owners


def folder_of(key: str) -> str:
    """Return the folder that a key lies in: "" for the bucket itself, else with its slash."""
    return key[: key.rfind("/") + 1]
