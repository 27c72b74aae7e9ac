"""The nonces of API calls: every process that serves the store refuses one that was used.

They survive the death of a process, but not always a power cut: no call waits for the disk.
"""

import threading

import sqlalchemy as sa

from workflow_engine.store.database import Database, upsert
from workflow_engine.store.schema import nonces

#: seconds between two looks for what may be forgotten
_FORGET_EVERY = 60


#: SQLite's own words: each API call pays for this one
_INSERT = "INSERT OR IGNORE INTO nonces (digest, until) VALUES (?, ?)"
_DELETE = "DELETE FROM nonces WHERE until < ?"


class NonceTable:
    """Digests of nonces, and until when they count, in seconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = upsert(database.dialect, nonces).on_conflict_do_nothing()
        self._insert = insert.returning(nonces.c.digest)
        self._lock = threading.Lock()
        self._forget_at = 0.0

    def use(self, digest: str, until: int, now: float) -> bool:
        """Take a nonce; false when it was taken before. Those that do not count are forgotten."""
        with self._lock:
            forget = now >= self._forget_at
            if forget:
                self._forget_at = now + _FORGET_EVERY
        take = self._take_directly if self._database.is_sqlite else self._take
        return take(digest, until, int(now) if forget else None)

    def _take_directly(self, digest: str, until: int, forgotten: int | None) -> bool:
        with self._database.hasty() as connection:
            if forgotten is not None:
                connection.execute(_DELETE, (forgotten,))
            return connection.execute(_INSERT, (digest, until)).rowcount == 1

    def _take(self, digest: str, until: int, forgotten: int | None) -> bool:
        with self._database.write() as connection:
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            if forgotten is not None:
                connection.execute(sa.delete(nonces).where(nonces.c.until < forgotten))
            taken = connection.execute(self._insert, {"digest": digest, "until": until})
            return taken.first() is not None
