"""The nonces of API calls: every process that serves the store refuses one that was used.

They survive the death of a process, but not always a power cut: no call waits for the disk.
"""

import threading

import sqlalchemy as sa

from workflow_engine.store.database import Database, upsert
from workflow_engine.store.schema import nonces

#: seconds between two looks for what may be forgotten
_FORGET_EVERY = 60


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
        with self._database.write(synced=False) as connection:
            if forget:
                connection.execute(sa.delete(nonces).where(nonces.c.until < int(now)))
            taken = connection.execute(self._insert, {"digest": digest, "until": until})
            return taken.first() is not None
