"""Makes the connections to a database of its URL: drivers, files, how SQLite is set up."""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from workflow_engine.errors import Code, InstallationError, InvalidInputError, MediaflowError
from workflow_engine.store.private import close_file, private_file, private_folder

#: how long a transaction waits for the other writers, in seconds
BUSY_SECONDS = 60

#: the option of a connection whose next transaction writes
WRITE = "mediaflow_write"


def database_exists(url: str) -> bool:
    """Whether a SQLite file is there; other databases are taken to be. Creates nothing."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        return False
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file()


def shown_url(url: str) -> str:
    """Return a database URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def open_engine(url: str) -> sa.Engine:
    """Return what connects to a database.

    Raises MediaflowError when the folder of a file cannot be created, InstallationError when a
    driver is missing, InvalidInputError for a URL that is none.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        return sa.create_engine(parsed, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise InstallationError(
            Code.INSTALLATION,
            f'The store needs the Python package "{error.name}", which is not installed.',
            remedy="Run: pip install 'psycopg[binary]'"
            if error.name == "psycopg"
            else f"Install {error.name}, or set [store] url to another kind of database.",
        ) from error
    except (exc.ArgumentError, exc.NoSuchModuleError) as error:
        raise InvalidInputError(
            Code.INVALID,
            "The value of [store] url is not the URL of a database.",
            remedy='Write "sqlite:///<file>" or "postgresql+psycopg://<user>@<host>/<database>".',
        ) from error


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise InvalidInputError(
            Code.INVALID,
            f'The store "{url}" names no file, so nothing would be kept.',
            remedy='Write "sqlite:///<file>".',
        )
    try:
        private_folder(Path(url.database).parent)
    except OSError as error:
        raise MediaflowError(
            Code.RESOURCE_ACCESS,
            f'The folder of the store "{url.database}" cannot be created: {error.strerror}.',
            remedy="Set [store] url, or MEDIAFLOW_DATA, to a place that can be written.",
        ) from error
    with suppress(OSError):  # SQLite says more about a file that cannot be opened
        private_file(Path(url.database))
    for suffix in ("-wal", "-shm"):  # new ones get the mode of the database
        close_file(Path(url.database + suffix))
    # every thread of a busy engine may hold a connection
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1, pool_timeout=BUSY_SECONDS
    )
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up_connection(connection: sqlite3.Connection, record: Any) -> None:
    # sqlite3 would begin transactions late and as readers; `_begin` does it instead
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        # before anything is in the file: free pages can be given back later
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def hasty(engine: sa.Engine) -> sqlite3.Connection:
    """Return a connection to SQLite, for any thread, whose commits may be lost in a power cut."""
    file = str(engine.url.database)
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
    _set_up_connection(connection, None)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for other connections here, whatever its timeout
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _begin(connection: sa.Connection) -> None:
    # a reader that becomes a writer would fail at once when another process wrote in the meantime
    write = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
