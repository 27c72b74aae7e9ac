"""What was read before: the digests of objects, by where they lie and in which version."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from workflow_engine.records import Digests, ReadContent
from workflow_engine.store.database import Database
from workflow_engine.store.mapping import DIGESTS
from workflow_engine.store.schema import digests

#: rows of one transaction: others wait for its end
_AT_ONCE = 500


class DigestTable:
    """The newest version that was read at each place."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, place: str, version: str, fingerprint: str = "") -> Digests | None:
        """Return the digests of what lies at a place, when this version of it was read before.

        A file was read before only if it has the same fingerprint, too (`ObjectInfo`).
        """
        query = sa.select(digests).where(
            digests.c.place == place,
            digests.c.version == version,
            digests.c.fingerprint == fingerprint,
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return DIGESTS.record(row) if row else None

    def last_read(self, places: Sequence[str]) -> Mapping[str, ReadContent]:
        """Return what was read last at some places, whatever lies there now."""
        query = sa.select(digests).where(digests.c.place.in_(places))
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return {
            row["place"]: ReadContent(
                version=row["version"],
                fingerprint=row["fingerprint"],
                digests=DIGESTS.record(row),
            )
            for row in found
        }

    def save(self, place: str, version: str, found: Digests, fingerprint: str = "") -> None:
        """Remember the digests of the version that lies at a place now."""
        # another process may have just read the same object
        with suppress(IntegrityError), self._database.write() as connection:
            _save(connection, place, version, found, fingerprint)

    def save_all(self, written: Sequence[tuple[str, str, Digests]]) -> None:
        """Remember what was written: places, versions and digests, so many in one transaction."""
        for begin in range(0, len(written), _AT_ONCE):
            some = written[begin : begin + _AT_ONCE]
            try:
                with self._database.write() as connection:
                    for place, version, found in some:
                        _save(connection, place, version, found, "")
            except IntegrityError:
                for place, version, found in some:
                    self.save(place, version, found)


def _save(
    connection: sa.Connection, place: str, version: str, found: Digests, fingerprint: str
) -> None:
    values = {
        "version": version,
        "fingerprint": fingerprint,
        "size": found.size,
        "sha256": found.sha256,
        "md5": found.md5,
    }
    update = sa.update(digests).where(digests.c.place == place).values(values)
    if connection.execute(update).rowcount == 0:
        connection.execute(sa.insert(digests).values(place=place, **values))
