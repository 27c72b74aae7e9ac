"""Opens the database and runs transactions; every failure leaves as a `MediaflowError`.

SQLite: write-ahead log, each commit on the disk before it counts (`synchronous=FULL`), one
writer at a time over all threads and processes. Any other database goes by its URL; PostgreSQL
is the one that is tested. `schema.py`, `catalog_schema.py` and `landing_schema.py` hold the
tables, `executions.py` and its neighbours what is done with them.
"""

import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite

from workflow_engine.catalog.records import DEFAULT_PIPELINE_ID, PipelineRecord
from workflow_engine.errors import (
    Code,
    InstallationError,
    InvalidInputError,
    MediaflowError,
    StoreError,
    is_out_of_files,
)
from workflow_engine.private import close_file, private_file, private_folder
from workflow_engine.records import utc_now
from workflow_engine.store import catalog_rows, catalog_schema, schema
from workflow_engine.store.prepared import Query, Reader, Rows

#: an INSERT that may meet a row that is there already
Upsert = sqlite.Insert | postgresql.Insert

#: how long a transaction waits for the other writers, in seconds
BUSY_SECONDS = 60
#: any number, the same in every process: creating the tables is one process's work
_SCHEMA_TURN = 0x6D666C77

_WRITE = "mediaflow_write"


class Database:
    """A database with our tables and two kinds of transactions."""

    def __init__(self, url: str) -> None:
        """Open, and create folder and tables where they are missing.

        Raises MediaflowError when the database cannot be used, InstallationError when its driver
        is missing, InvalidInputError for a URL that is none.
        """
        self._engine = _engine(url)
        self._driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        self._reader = Reader(self._engine)
        self._writing = threading.Lock()
        self.shown_url = shown_url(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()
        self._engine.dispose()

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """Run a transaction that sees one state of the store, whatever is written meanwhile."""
        with self._reported(), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def rows(self, query: Query, values: Mapping[str, Any]) -> Rows:
        """Return what a query finds that is a constant; see `prepared.py`."""
        with self._reported():
            return self._reader.rows(query, values)

    @contextmanager
    def write(self) -> Generator[sa.Connection]:
        """Run a transaction that commits at the end, or leaves nothing when it raises."""
        with self._turn(), self._reported(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def now(self, connection: sa.Connection) -> datetime:
        """Return the moment by the clock that all users of this database share."""
        if self.is_sqlite:
            return utc_now()
        moment = connection.scalar(sa.select(sa.func.clock_timestamp(type_=schema.Moment)))
        assert moment is not None
        return moment

    def take_turn(self, connection: sa.Connection, turn: int) -> None:
        """Wait until no other writing transaction has this turn, and have it until the end.

        SQLite's writers take turns anyway.
        """
        if not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Let the writers of this process to SQLite take turns.

        By itself it has each one sleep, longer and longer, while others write one after another.
        """
        taken = self.is_sqlite and self._writing.acquire(timeout=BUSY_SECONDS)
        try:
            yield
        finally:
            if taken:
                self._writing.release()

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.dialect == "sqlite"

    @property
    def dialect(self) -> str:
        """The kind of database, as SQLAlchemy calls it."""
        return self._engine.dialect.name

    @property
    def file(self) -> Path:
        """The file of a SQLite database."""
        assert self._engine.url.database is not None
        return Path(self._engine.url.database)

    @contextmanager
    def direct(self) -> Generator[sqlite3.Connection]:
        """Lend a connection of SQLite's own module, outside of any transaction."""
        with self._reported(), self._turn():
            lent = self._engine.raw_connection()
            try:
                connection = lent.driver_connection
                assert isinstance(connection, sqlite3.Connection)
                yield connection
            finally:
                lent.close()

    def dump_command(self, target: Path) -> str:
        """Return what copies a PostgreSQL database into a file; it asks for the password."""
        url = self._engine.url
        plain = sa.URL.create(
            "postgresql", url.username, None, url.host, url.port, url.database, url.query
        )
        return shlex.join(["pg_dump", "--format=custom", f"--file={target}", f"--dbname={plain}"])

    def _prepare(self) -> None:
        """Create the tables of a new store, and bring an old one up to date."""
        with self.read() as connection:
            version = self._version(connection)
        if version is None:
            version = self._create()
        if version in schema.UPGRADES:
            version = self._upgrade()
        if version > schema.SCHEMA_VERSION:
            raise MediaflowError(
                Code.INVALID_STATE,
                f'The store "{self.shown_url}" has schema version {version}; this mediaflow '
                f"knows versions up to {schema.SCHEMA_VERSION}.",
                remedy="Update mediaflow, or set [store] url to another database.",
            )
        if version < schema.SCHEMA_VERSION:
            raise MediaflowError(
                Code.INVALID_STATE,
                f'The store "{self.shown_url}" has schema version {version}, which this mediaflow '
                "does not read any more.",
                remedy="Move the database away to start anew, or set [store] url to another one.",
            )

    def _create(self) -> int:
        with self.write() as connection:
            self.take_turn(connection, _SCHEMA_TURN)
            version = self._version(connection)
            if version is None:  # another process may have been quicker
                schema.metadata.create_all(connection)
                default = PipelineRecord(
                    id=DEFAULT_PIPELINE_ID, name="default", created=self.now(connection)
                )
                connection.execute(
                    sa.insert(catalog_schema.pipelines).values(catalog_rows.pipeline_row(default))
                )
                version = schema.SCHEMA_VERSION
                connection.execute(
                    sa.insert(schema.meta).values(key="schema_version", value=str(version))
                )
        return version

    def _upgrade(self) -> int:
        with self.write() as connection:
            self.take_turn(connection, _SCHEMA_TURN)
            version = self._version(connection)
            assert version is not None
            there = set(sa.inspect(connection).get_table_names())
            while version in schema.UPGRADES:  # another process may have been quicker
                for statement in schema.UPGRADES[version]:
                    # a table that is missing is created as it is now, below
                    if schema.changed_table(statement) in (None, *there):
                        connection.exec_driver_sql(statement)
                version += 1
            schema.metadata.create_all(connection)
            for table in schema.metadata.sorted_tables:  # which leaves tables that exist alone
                for index in table.indexes:
                    index.create(connection, checkfirst=True)
            connection.execute(
                sa.update(schema.meta)
                .where(schema.meta.c.key == "schema_version")
                .values(value=str(version))
            )
        return version

    def _version(self, connection: sa.Connection) -> int | None:
        if not sa.inspect(connection).has_table(schema.meta.name):
            return None
        value = connection.scalar(
            sa.select(schema.meta.c.value).where(schema.meta.c.key == "schema_version")
        )
        if value is None or not value.isdigit():
            raise MediaflowError(
                Code.RESOURCE_CONTENT_BAD,
                f'The database "{self.shown_url}" is not a store of mediaflow.',
                remedy="Set [store] url to a database of its own.",
            )
        return int(value)

    @contextmanager
    def _reported(self) -> Generator[None]:
        try:
            yield
        except exc.IntegrityError:
            raise  # says something about the data, not about the database
        except (exc.DBAPIError, exc.TimeoutError, self._driver_error) as error:
            raise _explained(self.shown_url, error) from error


def upsert(dialect: str, table: sa.Table) -> Upsert:
    """Return an INSERT that can be told what to do `on_conflict` with a row that is there."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


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


def _engine(url: str) -> sa.Engine:
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
    # a reader that becomes a writer would fail at once when another process wrote meanwhile
    write = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _explained(url: str, error: Exception) -> MediaflowError:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    code, remedy = Code.INTERNAL, "Check that the database is running and reachable."
    if isinstance(cause, sqlite3.Error):
        # SQLITE_NOTADB and the like are set by the library; a misuse of the module has no code
        number = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        code, remedy = _SQLITE_ERRORS.get(number, (Code.INTERNAL, "Try again."))
    reason = " ".join(str(cause).split()).rstrip(".")
    if isinstance(cause, sqlite3.OperationalError) and _is_out_of_files():
        reason += ", too many open files"
        code, remedy = Code.INTERNAL, "Raise the limit of open files (ulimit -n)."
    # what would fail in the same way at every attempt is no trouble of the store
    kind = MediaflowError if isinstance(error, _LASTING) else StoreError
    return kind(code, f'The store "{url}" failed: {reason}.', remedy=remedy)


def _is_out_of_files() -> bool:
    """Whether no file can be opened now; SQLite does not tell this from a missing permission."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return is_out_of_files(error)
    return False


_LASTING = (exc.DataError, exc.ProgrammingError, exc.NotSupportedError)


_ACCESS = (
    Code.RESOURCE_ACCESS,
    "Make the file and its folder writable for this user, or set [store] url to another place.",
)
_DAMAGED = (
    Code.RESOURCE_CONTENT_BAD,
    "Restore the file from a backup, or move it away with its -wal and -shm files to start anew.",
)

#: by primary result code of SQLite: our code, and the remedy
_SQLITE_ERRORS = {
    sqlite3.SQLITE_BUSY: (
        Code.INTERNAL,
        f"Another process held it for more than {BUSY_SECONDS} seconds; stop that process.",
    ),
    sqlite3.SQLITE_READONLY: _ACCESS,
    sqlite3.SQLITE_CANTOPEN: _ACCESS,
    sqlite3.SQLITE_PERM: _ACCESS,
    sqlite3.SQLITE_AUTH: _ACCESS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: (Code.NO_SPACE, "Make room on the disk of the store."),
    sqlite3.SQLITE_IOERR: (Code.INTERNAL, "Check the disk of the store."),
}
