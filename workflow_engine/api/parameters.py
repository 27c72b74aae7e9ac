"""Types of request parameters that several actions share (specification, api, 3).

Every value arrives as a string. A validator raises `wire_error` with a code of the
specification; `topology.wire` has the building blocks.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from workflow_engine.errors import Code
from workflow_engine.topology.wire import Choice, Number, Text, shown, wire_error

#: most ids of one query
MAX_IDS = 10


def _not_empty(value: Any) -> Any:
    if value == "":
        raise wire_error(Code.EMPTY_VALUE, "The value must not be empty.")
    return value


#: annotation of a required parameter that is more than text: "" is refused before it is read
NotEmpty = BeforeValidator(_not_empty)


_IDENTIFIER = re.compile("[0-9a-f]{32}")


def _identifier(value: Any) -> str:
    if value == "":
        raise wire_error(Code.EMPTY_VALUE, "The identifier is empty.", "Give one.")
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise wire_error(
            Code.UUID_FORMAT,
            f"The value {shown(value)} is not an identifier.",
            "Use 32 characters out of 0-9 and a-f.",
        )
    return value


#: an identifier of ours: 32 characters out of 0-9 and a-f
Identifier = Annotated[str, BeforeValidator(_identifier)]


@dataclass(frozen=True)
class CommaList:
    """Annotation of `tuple[str, ...]`: a comma list of 1 to `most` entries, without repeats."""

    most: int = MAX_IDS
    identifiers: bool = True
    max_bytes: int = 3200

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with `check`."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Describe the list as it is written."""
        return {"type": "string", "description": f"1 to {self.most}, with commas between them"}

    def check(self, value: Any) -> tuple[str, ...]:
        """Return the entries in their order. Raises PydanticCustomError."""
        parts = [part.strip() for part in str(value).split(",")]
        entries = tuple(dict.fromkeys(part for part in parts if part))
        if not entries:
            raise wire_error(Code.EMPTY_VALUE, "The list is empty.", "Give at least one entry.")
        if len(entries) > self.most:
            raise wire_error(
                Code.OUT_OF_RANGE,
                f"The list has {len(entries)} entries.",
                f"Give at most {self.most}.",
            )
        check = _identifier if self.identifiers else Text(max_bytes=self.max_bytes).check
        for entry in entries:
            check(entry)
        return entries


#: up to ten identifiers of ours
Identifiers = Annotated[tuple[str, ...], CommaList()]
#: up to ten identifiers of templates, which may be presets
TemplateIds = Annotated[tuple[str, ...], CommaList(identifiers=False, max_bytes=64)]

#: how many items of a list come at once
PageSize = Annotated[int, Number(1, 100)]

#: of the page before; an identifier that only the server understands
NextPageToken = Annotated[str, BeforeValidator(_identifier)]

#: UTF-8 bytes (specification, api, 3)
UserData = Annotated[str, Text(max_bytes=1024)]

#: JSON that is looked at later, with its own error
JsonText = Annotated[str, Text(max_bytes=1 << 20)]


#: how moments are written, and how much time each form stands for
_MOMENTS = {
    "%Y-%m-%dT%H:%M:%SZ": timedelta(seconds=1),
    "%Y-%m-%dT%H:%MZ": timedelta(minutes=1),
    "%Y-%m-%d": timedelta(days=1),
}


def _first_moment(value: Any) -> datetime:
    return _span(value)[0]


def _last_moment(value: Any) -> datetime:
    begin, length = _span(value)
    return begin + (length - timedelta.resolution)


def _span(value: Any) -> tuple[datetime, timedelta]:
    """Return when the time that a value stands for begins, and how long it is."""
    for form, length in _MOMENTS.items():
        try:
            return datetime.strptime(str(value), form).replace(tzinfo=UTC), length
        except ValueError:
            continue
    raise wire_error(
        Code.FORMAT, f"The value {shown(value)} is not a moment.", "Use YYYY-MM-DDThh:mm:ssZ, UTC."
    )


#: where a range of time begins: ISO 8601, UTC
Moment = Annotated[datetime, BeforeValidator(_first_moment)]
#: where it ends: answers tell whole seconds, and a range up to one of these holds all of it
LastMoment = Annotated[datetime, BeforeValidator(_last_moment)]


def _not_special(value: str) -> str:
    if not re.match(r"\w", value):
        raise wire_error(
            Code.FORMAT,
            f"The value {shown(value)} begins with a special character.",
            "Begin it with a letter, a digit or an underscore.",
        )
    return value


#: of jobs whose user data must not begin with a special character
PlainUserData = Annotated[UserData, AfterValidator(_not_special)]

#: filters of SearchTemplate and its like
TemplateStateFilter = Annotated[str, Choice(("All", "Normal", "Deleted"))]
