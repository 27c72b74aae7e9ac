"""Who is signed in: sessions in the memory of this process, and a brake on guesses."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflow_engine.errors import Code, InvalidInputError

#: seconds that a session lasts after its last request
IDLE_SECONDS = 12 * 3600.0
#: sessions at once; a further one ends the one that has been idle longest
MOST_SESSIONS = 1000
#: wrong keys of one address and account that cost nothing; each further one doubles the wait
FREE_GUESSES = 4
#: seconds that an address waits at most after a wrong key, and until its guesses are forgotten
LONGEST_WAIT = 60.0
#: addresses and accounts whose guesses are remembered
MOST_GUESSED = 10_000


@dataclass(kw_only=True, slots=True)
class Session:
    """Somebody who is signed in. `token` goes into the forms of their pages."""

    id: str
    account: str
    token: str
    used: float


class GuessedTooOftenError(InvalidInputError):
    """An address has sent too many wrong keys; `retry_after` is in seconds."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is how long the address has to wait."""
        self.retry_after = max(1, round(seconds))
        super().__init__(
            Code.THROTTLING,
            "Too many wrong access keys came from this address.",
            remedy=f"Try again in {self.retry_after} seconds.",
        )


class Sessions:
    """The sessions of the configured access keys. They end with the process. Thread-safe."""

    def __init__(
        self, accounts: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`accounts` has the secret of each access key id."""
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        # address and account: how many wrong keys in a row, and when the next one is looked at.
        # Behind a proxy everybody has its address: guesses at one account, or at none that exists,
        # must not keep the others out
        self._guesses: dict[tuple[str, str], tuple[int, float]] = {}

    def sign_in(self, account: str, secret: str, address: str) -> Session:
        """Return a new session. Raises InvalidInputError for a wrong key, or too many of them."""
        now = self._clock()
        guessed = (address, account if account in self._accounts else "")
        with self._lock:
            count, until = self._guesses.get(guessed, (0, now))
            if until > now:
                raise GuessedTooOftenError(until - now)
            # an unknown id takes as long as a wrong secret
            known = self._accounts.get(account)
            right = hmac.compare_digest((known or "").encode(), secret.encode())
            if not known or not right:
                self._remember_guess(guessed, count + 1, now)
                raise InvalidInputError(
                    Code.ACCESS_KEY_NOT_FOUND,
                    "The access key id or the secret is wrong.",
                    remedy="Compare them with [service.access_keys] of the configuration.",
                )
            self._guesses.pop(guessed, None)
            session = Session(
                id=secrets.token_urlsafe(32),
                account=account,
                token=secrets.token_urlsafe(32),
                used=now,
            )
            self._end_old(now)
            self._sessions[session.id] = session
            return session

    def find(self, session_id: str, *, use: bool = True) -> Session | None:
        """Return a session that has not ended; `use` makes it last longer."""
        now = self._clock()
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                return None
            if session.used + IDLE_SECONDS <= now:
                del self._sessions[session_id]
                return None
            if use:
                session.used = now
            return session

    def sign_out(self, session_id: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session_id, None)

    def _remember_guess(self, guessed: tuple[str, str], count: int, now: float) -> None:
        if guessed not in self._guesses and len(self._guesses) >= MOST_GUESSED:
            self._guesses = {one: guess for one, guess in self._guesses.items() if guess[1] > now}
            if len(self._guesses) >= MOST_GUESSED:
                del self._guesses[next(iter(self._guesses))]
        wait = min(2.0 ** (count - FREE_GUESSES), LONGEST_WAIT) if count > FREE_GUESSES else 0.0
        self._guesses[guessed] = (count, now + wait)

    def _end_old(self, now: float) -> None:
        if len(self._sessions) >= MOST_SESSIONS:
            oldest = min(self._sessions.values(), key=lambda one: one.used)
            del self._sessions[oldest.id]
        for session in [one for one in self._sessions.values() if one.used + IDLE_SECONDS <= now]:
            del self._sessions[session.id]
