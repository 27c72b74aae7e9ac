"""Opens the database and runs transactions; every failure leaves as a `MediaflowError`.

SQLite: write-ahead log, each commit on the disk before it counts (`synchronous=FULL`), one
writer at a time over all threads and processes. Any other database goes by its URL; PostgreSQL
is the one that is tested. `connections.py` makes the connections, `faults.py` explains their
errors. `schema.py`, `catalog_schema.py` and `landing_schema.py` hold the tables, `executions.py`
and its neighbours what is done with them.
"""

import shlex
import sqlite3
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from workflow_engine.errors import Code, MediaflowError
from workflow_engine.records import utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineRecord
from workflow_engine.store import catalog_schema, connections, migrations, schema
from workflow_engine.store.connections import WRITE, open_engine, shown_url
from workflow_engine.store.fast_queries import Query, QueryReader, Rows
from workflow_engine.store.faults import explained
from workflow_engine.store.mapping import PIPELINE

#: an INSERT that may meet a row that is there already
Upsert = sqlite.Insert | postgresql.Insert

#: any number, the same in every process: creating the tables is one process's work
_SCHEMA_TURN = 0x6D666C77

_CLOCK = sa.select(sa.func.clock_timestamp(type_=schema.Moment))


class Database:
    """A database with our tables and two kinds of transactions."""

    def __init__(self, url: str) -> None:
        """Open, and create folder and tables where they are missing.

        Raises MediaflowError when the database cannot be used, InstallationError when its driver
        is missing, InvalidInputError for a URL that is none.
        """
        self._engine = open_engine(url)
        self._driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        self._reader = QueryReader(self._engine)
        self._writing = threading.Lock()
        self._hasty: sqlite3.Connection | None = None
        self.shown_url = shown_url(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()
        if self._hasty is not None:
            self._hasty.close()
        self._engine.dispose()

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """Run a transaction that sees one state of the store, whatever else is written."""
        with self._reported(), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def rows(self, query: Query, values: Mapping[str, Any]) -> Rows:
        """Return what a query finds that is a constant; see `fast_queries.py`."""
        with self._reported():
            return self._reader.rows(query, values)

    @contextmanager
    def write(self) -> Generator[sa.Connection]:
        """Run a transaction that commits at the end, or leaves nothing when it raises."""
        with self._turn(), self._reported(), self._engine.connect() as connection:
            connection.execution_options(**{WRITE: True})
            with connection.begin():
                yield connection

    def now(self, connection: sa.Connection) -> datetime:
        """Return the moment by the clock that all users of this database share."""
        if self.is_sqlite:
            return utc_now()
        moment = connection.scalar(_CLOCK)
        assert moment is not None
        return moment

    def clock(self) -> datetime:
        """Return the same moment outside of a transaction, for a glance at what is due."""
        return utc_now() if self.is_sqlite else self.rows(_CLOCK, {})[0][0]

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
        taken = self.is_sqlite and self._writing.acquire(timeout=connections.BUSY_SECONDS)
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

    @contextmanager
    def hasty(self) -> Generator[sqlite3.Connection]:
        """Lend the connection to SQLite whose commits do not wait for the disk."""
        with self._reported(), self._turn():
            if self._hasty is None:
                self._hasty = connections.hasty(self._engine)
            yield self._hasty

    @contextmanager
    def server_connection(self) -> Generator[Any]:
        """Lend a connection of a server's own driver, outside of any transaction."""
        with self._reported():
            lent = self._engine.raw_connection()
            try:
                assert lent.dbapi_connection is not None
                self._engine.dialect.set_isolation_level(lent.dbapi_connection, "AUTOCOMMIT")
                yield lent.driver_connection
            finally:
                lent.invalidate()  # it may listen to something
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
        if migrations.OLDEST <= version < schema.SCHEMA_VERSION:
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
                remedy="Move the database away, or set [store] url to another one.",
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
                    sa.insert(catalog_schema.pipelines).values(PIPELINE.row(default))
                )
                version = schema.SCHEMA_VERSION
                connection.execute(
                    sa.insert(schema.meta).values(key="schema_version", value=str(version))
                )
                connection.execute(
                    sa.insert(schema.alembic_version).values(version_num=str(version))
                )
        return version

    def _upgrade(self) -> int:
        with self.write() as connection:
            self.take_turn(connection, _SCHEMA_TURN)
            version = self._version(connection)
            assert version is not None
            if version < schema.SCHEMA_VERSION:  # another process may have been quicker
                migrations.upgrade(connection, version)
                version = schema.SCHEMA_VERSION
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
            raise explained(self.shown_url, error) from error


def upsert(dialect: str, table: sa.Table) -> Upsert:
    """Return an INSERT that can be told what to do `on_conflict` with a row that is there."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
