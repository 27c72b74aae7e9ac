"""Lists as the API writes them: every list is an object that holds one array.

`{"VideoStreamList": [...]}` of the store becomes `{"VideoStreamList": {"VideoStream": [...]}}`
for the clients of the API; the command line prints the flat form. Specification: wire, "MPS
responses".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict, cast

from workflow_engine.records import Json

_LIST = "List"


class Done(TypedDict):
    """An answer that holds nothing but its RequestId."""


class Strings(TypedDict):
    """A list of identifiers."""

    String: list[str]


def missing(wanted: Sequence[str], found: Iterable[str]) -> list[str]:
    """Return what was asked for and not found, for the NonExist list of an answer."""
    known = frozenset(found)
    return [one for one in wanted if one not in known]


def nested_properties(properties: Mapping[str, Json]) -> dict[str, Json]:
    """Return Properties (specification, mediainfo, 2) with every `XList` holding an array `X`."""
    return {name: _nested(name, value) for name, value in properties.items()}


def _nested(name: str, value: Json) -> Json:
    if isinstance(value, Mapping):
        return nested_properties(cast("Mapping[str, Json]", value))
    return {name.removesuffix(_LIST): value} if name.endswith(_LIST) else value


def flattened(value: Json) -> Json:
    """Return an answer of the API with plain arrays for its lists, as the command line prints."""
    if isinstance(value, list):
        return [flattened(item) for item in cast("list[Json]", value)]
    if not isinstance(value, Mapping):
        return value
    members = cast("Mapping[str, Json]", value)
    held = list(members.values())
    if len(held) == 1 and isinstance(held[0], list):
        return flattened(held[0])
    return {name: flattened(member) for name, member in members.items()}
