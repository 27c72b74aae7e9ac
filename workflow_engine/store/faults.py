"""What the errors of databases mean to a user, and which of them may pass."""

import os
import sqlite3

from sqlalchemy import exc

from workflow_engine.errors import Code, MediaflowError, StoreError, is_out_of_files
from workflow_engine.store.connections import BUSY_SECONDS


def explained(url: str, error: Exception) -> MediaflowError:
    """Return the error of ours for one of SQLAlchemy or of a driver; `url` is the shown one."""
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
    # what would fail in the same way at every attempt is not a fault of the store
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
    "Restore the file from a backup, or move it away with its -wal and -shm files.",
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
