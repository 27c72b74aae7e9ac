"""The database as a file: is it sound, how large is it, a copy of it, and its free space back.

SQLite only, where it does not say otherwise: a server has tools of its own for all of it.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.store.database import Database
from workflow_engine.store.schema import SCHEMA_VERSION, executions, metadata

#: of `PRAGMA auto_vacuum`: free pages can be given back step by step
_INCREMENTAL = 2
#: problems of one check that are told
_MOST_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Bytes of the database, of its write-ahead log, and of what is free in it."""

    database: int
    log: int = 0
    free: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a check found. `problems` is empty when the database is sound.

    `rows` counts by table, `outcomes` the executions by how they ended or what they do.
    `shrinks` says whether free space can be given back while others are at work.
    """

    schema_version: int
    problems: tuple[str, ...]
    rows: Mapping[str, int]
    outcomes: Mapping[str, int]
    oldest: datetime | None
    sizes: Sizes
    shrinks: bool


class Upkeep:
    """Looks after the database of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> Checked:
        """Read the whole database and say what is in it, and what is wrong with it."""
        with self._database.read() as connection:
            rows = {
                table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }
            by_outcome = sa.select(executions.c.outcome, sa.func.count())
            outcomes = connection.execute(by_outcome.group_by(executions.c.outcome)).all()
            oldest = connection.scalar(sa.select(sa.func.min(executions.c.created)))
        return Checked(
            schema_version=SCHEMA_VERSION,
            problems=tuple(self._problems()),
            rows=rows,
            outcomes={str(outcome): count for outcome, count in outcomes},
            oldest=oldest,
            sizes=self.sizes(),
            shrinks=self.shrinks(),
        )

    def _problems(self) -> list[str]:
        if not self._database.is_sqlite:
            return []
        with self._database.direct() as connection:
            found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
            problems = [str(text) for (text,) in found if text != "ok"]
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(
                _MOST_PROBLEMS
            ):
                problems.append(f"row {row} of {table} refers to a missing row of {parent}")
        return problems

    def sizes(self) -> Sizes:
        """Return how many bytes the database takes; of a server that of its own tables."""
        if not self._database.is_sqlite:
            with self._database.read() as connection:
                tables = [sa.func.to_regclass(table.name) for table in metadata.sorted_tables]
                sizes = [sa.select(sa.func.pg_total_relation_size(table)) for table in tables]
                return Sizes(database=sum(connection.scalar(size) or 0 for size in sizes))
        file = self._database.file
        log = file.with_name(f"{file.name}-wal")
        with self._database.direct() as connection:
            free = _pragma(connection, "freelist_count") * _pragma(connection, "page_size")
        return Sizes(
            database=file.stat().st_size, log=log.stat().st_size if log.exists() else 0, free=free
        )

    def shrinks(self) -> bool:
        """Whether free space can be given back while others are at work; true for servers."""
        if not self._database.is_sqlite:
            return True
        with self._database.direct() as connection:
            return _pragma(connection, "auto_vacuum") == _INCREMENTAL

    def give_back(self, pages: int) -> int:
        """Give at most so many free pages back to the disk; return how many are left.

        A server does that by itself.
        """
        if not self._database.is_sqlite:
            return 0
        with self._database.direct() as connection:
            # `execute` would take one step of it, and give back one page
            connection.executescript(f"PRAGMA incremental_vacuum({pages})")
            left = _pragma(connection, "freelist_count")
            # the file becomes smaller when the log is written into it
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return left

    def rewrite(self) -> None:
        """Write the database again, without free space, and so that it can shrink from now on.

        Nobody else can write in the meantime, and the disk must hold it twice.
        """
        with self._database.direct() as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def backup(self, target: Path) -> int:
        """Copy the database as it is at one moment into a new file; return its size in bytes.

        Others may write then. Raises InvalidInputError when the file exists or the database
        is that of a server, MediaflowError when it cannot be written; no part of it is left then.
        """
        if not self._database.is_sqlite:
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f'The store "{self._database.shown_url}" is kept by a database server.',
                remedy=f"Run: {self._database.dump_command(target)}",
            )
        if target.exists():
            raise InvalidInputError(
                Code.INVALID,
                f'The file "{target}" exists already.',
                remedy="Name another file, or remove it.",
            )
        part = target.with_name(f"{target.name}.part")
        with self._database.direct() as connection:
            try:
                _copy(connection, part)
                os.replace(part, target)
                return target.stat().st_size
            except (OSError, sqlite3.Error) as error:
                raise MediaflowError(
                    Code.RESOURCE_ACCESS,
                    f'The backup "{target}" cannot be written: {_reason(error)}.',
                    remedy="Choose a folder that can be written and has room for the whole store.",
                ) from error
            finally:
                with suppress(OSError):
                    part.unlink()


def _copy(connection: sqlite3.Connection, part: Path) -> None:
    os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    copy = sqlite3.connect(part)
    try:
        connection.backup(copy)  # in one step: later writes do not begin it again
        # one file, for whoever copies it on
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return cast(int, connection.execute(f"PRAGMA {name}").fetchone()[0])


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
