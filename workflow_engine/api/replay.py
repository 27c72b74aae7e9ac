"""Nonces that were used: a signed request is taken once, by whichever process serves the store.

A nonce counts until its request would be refused for its age.
"""

import hashlib
import time
from collections.abc import Callable

from workflow_engine.api.signing import CLOCK_WINDOW
from workflow_engine.store.nonces import NonceTable


class Nonces:
    """The nonces of all access keys. Safe to use from several threads."""

    def __init__(self, table: NonceTable, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock

    def use(self, access_key_id: str, nonce: str, signed_at: float) -> bool:
        """Take a nonce; False when it was taken before. Raises StoreError."""
        now = self._clock()
        until = int(signed_at) + CLOCK_WINDOW
        # what was forgotten must not come back when the clock is set
        if until < int(now):
            return False
        digest = hashlib.sha256(f"{access_key_id}\0{nonce}".encode()).hexdigest()[:32]
        return self._table.use(digest, until, now)
