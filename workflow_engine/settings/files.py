"""Files that a user names: checked before anything else happens to them."""

import os
import stat
from pathlib import Path

from workflow_engine.errors import Code, InvalidInputError


def readable_file(given: str | Path) -> Path:
    """Return the absolute path of an existing, readable file. Raises InvalidInputError."""
    path = Path(given)
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise _unreadable(given) from None
    except (OSError, ValueError):
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The file "{given}" does not exist.',
            remedy="Check the path.",
        ) from None
    if not stat.S_ISREG(mode):
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED, f'"{given}" is not a file.', remedy="Name a file."
        )
    if not os.access(path, os.R_OK):
        raise _unreadable(given)
    return path.absolute()


def _unreadable(given: str | Path) -> InvalidInputError:
    return InvalidInputError(
        Code.RESOURCE_ACCESS,
        f'The file "{given}" cannot be read.',
        remedy="Check its permissions.",
    )


def read_text(given: str | Path) -> str:
    """Return the text of a UTF-8 file. Raises InvalidInputError."""
    try:
        return readable_file(given).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            Code.JSON_FORMAT,
            f'The file "{given}" is not UTF-8 text (byte {error.start}).',
            remedy="Save it as UTF-8 JSON.",
        ) from None
