"""Column types: what stands in a column, and what Python sees of it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

import orjson
import sqlalchemy as sa

from workflow_engine.records import Json

E = TypeVar("E", bound=StrEnum)


def storable(text: str) -> str:
    """Return text that both databases take: U+FFFD for NUL and for lone surrogates.

    What a tool prints may hold either; a state must be saved all the same.
    """
    clean = text.replace("\0", "\ufffd")
    if clean.isascii():
        return clean
    return clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_json(value: Json) -> str:
    """Return JSON text, characters as they are."""
    return _ENCODER.encode(value)


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Json], value))
    raise TypeError(f"{value!r} is not a JSON value")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def from_json(text: str) -> Json:
    """Return the value that JSON text holds, NaN and Infinity included."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


#: what needs no parser
_EMPTY: Mapping[str, Callable[[], Json]] = {"{}": dict, "[]": list}


class FreeText(sa.types.TypeDecorator[str]):
    """Text of any length and any content; see `storable`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Make the text storable."""
        return None if value is None else storable(value)


class EnumText(sa.types.TypeDecorator[E]):
    """A member of an enumeration, as its text."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__()
        self.members = members
        self._by_text: dict[str | None, E | None] = {str(one): one for one in members}
        self._by_text[None] = None

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Take the text of a member, or text as it is."""
        return None if value is None else str(value)

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Any:
        """Return what makes a member of its text."""
        return self._by_text.__getitem__


class JsonText(sa.types.TypeDecorator[Any]):
    """A JSON value, as its text.

    `read` makes of the value what Python sees, `write` a value that JSON has of that.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(
        self, read: Callable[[Json], Any] | None = None, write: Callable[[Any], Json] | None = None
    ) -> None:
        super().__init__()
        self.read = read
        self.write = write

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Write the value."""
        if value is None:
            return None
        return storable(to_json(value if self.write is None else self.write(value)))

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Any:
        """Return what reads the text; most columns are empty most of the time."""
        read = self.read

        def value_of(text: str | None) -> Any:
            if text is None:
                return None
            found: Json = _EMPTY[text]() if text in _EMPTY else from_json(text)
            return found if read is None else read(found)

        return value_of


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment with microseconds: aware outside, UTC inside."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert to UTC; a naive moment is a programming error."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"the moment {value!r} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: object, dialect: sa.Dialect) -> datetime | None:
        """Add the time zone that SQLite does not keep."""
        moment = cast(datetime | None, value)
        if moment is None or moment.tzinfo is not None:
            return moment and moment.astimezone(UTC)
        return moment.replace(tzinfo=UTC)
