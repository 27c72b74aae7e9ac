"""News between the processes that share a PostgreSQL database (LISTEN and NOTIFY).

News say that it is worth while to look, nothing else; they may be lost while a connection is.
SQLite has no such thing: there nobody is told anything.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from workflow_engine.errors import MediaflowError
from workflow_engine.store.database import Database

log = logging.getLogger(__name__)

#: the channel of the queue: something may start
QUEUE = "mediaflow_queue"

#: seconds after which a lost connection is made again
_RETRY = 5.0
#: seconds that one wait takes, so that the end is noticed
_WAIT = 1.0


def tell(connection: sa.Connection, channel: str) -> None:
    """Tell who listens to a channel, once the transaction of the caller commits."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TELL, {"channel": channel})


_TELL = sa.select(sa.func.pg_notify(sa.bindparam("channel"), ""))


def listen(database: Database, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
    """Call `wake` in a thread of its own for news of a channel; return what ends that."""
    if database.dialect != "postgresql":
        return _nothing
    ended = threading.Event()
    thread = threading.Thread(
        target=_listen, args=(database, channel, wake, ended), name=channel, daemon=True
    )
    thread.start()
    return ended.set


def _nothing() -> None:
    """Do nothing."""


def _listen(
    database: Database, channel: str, wake: Callable[[], None], ended: threading.Event
) -> None:
    while not ended.is_set():
        try:
            with database.server_connection() as connection:
                connection.execute(f"LISTEN {channel}")
                wake()  # what was told before
                while not ended.is_set():
                    for _ in _next_news(connection):
                        wake()
        except MediaflowError as error:
            log.debug("no news of %s: %s", channel, error)
            ended.wait(_RETRY)


def _next_news(connection: Any) -> list[Any]:
    return list(connection.notifies(timeout=_WAIT, stop_after=1))
