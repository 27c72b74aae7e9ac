"""Topology JSON: the envelope (Activities, Dependencies) of specification, topology, 3.

`document.py` parses the text and knows positions, `wire.py` holds the annotations for values
that may come as strings, `overrides.py` replaces parameters for one run, `schema.py` prints the
JSON Schema; `urls.py` reads object URLs, `placeholders.py` fills {FileName} and its like and says
what a key may be. The parameters of each activity belong to the activity's own model;
`planning.graph` brings the two together.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError

from workflow_engine.errors import Code, Problem, TopologyError, pointer_to
from workflow_engine.records import Json
from workflow_engine.topology.document import Document
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.keys import key_problems, keys_of_invalid
from workflow_engine.topology.wire import JsonArray, JsonObject, Text, WireModel, shown

__all__ = [
    "ActivityModel",
    "Topology",
    "TopologyModel",
    "key_problems",
    "keys_of_invalid",
    "parse_topology",
    "places_of",
    "problems_of",
]

#: what pydantic itself reports about containers, in the specification's codes
_JSON_TYPES = {
    "model_type": (Code.JSON_OBJECT_FORMAT, "object"),
    "dict_type": (Code.JSON_OBJECT_FORMAT, "object"),
    "list_type": (Code.JSON_ARRAY_FORMAT, "array"),
    "tuple_type": (Code.JSON_ARRAY_FORMAT, "array"),
}


class ActivityModel(WireModel):
    """One entry of Activities. The parameters are checked by the model of their type."""

    name: Annotated[str, Text()] | None = None
    type: Annotated[str, Text()]
    parameters: Annotated[dict[str, Any], JsonObject] = {}  # noqa: RUF012 (pydantic copies it)


class TopologyModel(WireModel):
    """The whole document. Dependencies lists the successors of each activity."""

    activities: Annotated[dict[str, Any], JsonObject]
    dependencies: Annotated[dict[str, Any], JsonObject]


_ACTIVITY = TypeAdapter(Annotated[ActivityModel, JsonObject])
_SUCCESSORS: TypeAdapter[list[str]] = TypeAdapter(
    Annotated[list[Annotated[str, Text()]], JsonArray]
)


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A topology as far as it could be read: activities by name, successors by name.

    `unreadable` maps the name of an activity that could not be read to its type, if that could
    be; it still counts in the structure. `dependencies` is None when it is not an object.
    """

    document: Document
    activities: Mapping[str, ActivityModel]
    unreadable: Mapping[str, str]
    dependencies: Mapping[str, tuple[str, ...]] | None

    @property
    def text(self) -> str:
        """The JSON text as it was given."""
        return self.document.text

    @property
    def names(self) -> list[str]:
        """The names of all activities, readable or not."""
        return [*self.activities, *self.unreadable]


def places_of(error: ValidationError) -> list[tuple[str | int, ...]]:
    """Return where each value stands that pydantic reports, as a path of wire names."""
    found = [item["loc"] for item in error.errors(include_url=False, include_input=False)]
    # what is wrong with a key of a dictionary has a path that ends behind it
    return [place[:-1] if place[1:] and place[-1] == "[key]" else place for place in found]


def problems_of(error: ValidationError, base: str = "") -> Iterable[Problem]:
    """Turn what pydantic reports into problems; `base` is the pointer of the validated value."""
    for item, place in zip(error.errors(include_url=False), places_of(error), strict=True):
        context = item.get("ctx", {})
        code = item["type"]
        name = place[-1] if place else ""
        if code == "missing":
            code = Code.NULL_VALUE
            message, remedy = f'The parameter "{name}" is missing.', f'Add "{name}".'
        elif item["type"] in _JSON_TYPES:
            code, word = _JSON_TYPES[item["type"]]
            message = f"The value {shown(item['input'])} is not a JSON {word}."
            remedy = f"Write a JSON {word}."
        else:
            message, remedy = item["msg"], str(context.get("remedy", ""))
        yield Problem(code=code, message=message, pointer=base + pointer_to(*place), remedy=remedy)


def parse_topology(text: str, file: str = "") -> tuple[Topology, list[Problem]]:
    """Read the envelope of a topology.

    Returns what could be read and the problems, without positions (`Document.place` adds them).
    Raises TopologyError when the text is not a JSON object that holds Activities.
    """
    document = Document(text, file)
    whole = _object(document)
    problems: list[Problem] = []
    try:
        problems += key_problems(TopologyModel.model_validate(whole))
    except ValidationError as error:
        problems += problems_of(error)
        problems += keys_of_invalid(TopologyModel, whole)
    members = _members(whole.get("Activities"))
    if members is None:
        raise TopologyError(document.place(problem) for problem in problems)
    activities: dict[str, ActivityModel] = {}
    unreadable: dict[str, str] = {}
    for name, value in members.items():
        base = pointer_to("Activities", name)
        try:
            activity = _ACTIVITY.validate_python(value)
        except ValidationError as error:
            problems += problems_of(error, base)
            problems += keys_of_invalid(ActivityModel, value, base)
            kind = (_members(value) or {}).get("Type")
            unreadable[name] = kind if isinstance(kind, str) else ""
        else:
            problems += key_problems(activity, base)
            activities[name] = activity
    topology = Topology(
        document=document,
        activities=activities,
        unreadable=unreadable,
        dependencies=_dependencies(whole.get("Dependencies"), members, problems),
    )
    return topology, problems


def _dependencies(
    value: Json, names: Collection[str], problems: list[Problem]
) -> dict[str, tuple[str, ...]] | None:
    members = _members(value)
    if members is None:
        return None
    dependencies: dict[str, tuple[str, ...]] = {}
    for name, successors in members.items():
        if isinstance(successors, str) and successors in names:
            problems.append(_alone(name, successors))
            dependencies[name] = (successors,)
            continue
        try:
            dependencies[name] = tuple(_SUCCESSORS.validate_python(successors))
        except ValidationError as error:
            problems += problems_of(error, pointer_to("Dependencies", name))
            # what cannot be read may lead anywhere; only what it names is known
            dependencies[name] = ()
    return dependencies


def _alone(name: str, successor: str) -> Problem:
    return Problem(
        code=Code.JSON_ARRAY_FORMAT,
        message=f"The value {shown(successor)} is not a JSON array.",
        pointer=pointer_to("Dependencies", name),
        remedy=f"Write [{shown(successor)}].",
    )


def _members(value: Json) -> dict[str, Json] | None:
    """Return the members of an object, encoded or not; None for anything else."""
    try:
        decoded = decode_json(value)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Json]", decoded) if isinstance(decoded, dict) else None


def _object(document: Document) -> dict[str, Json]:
    value = document.value
    if isinstance(value, dict):
        return cast("dict[str, Json]", value)
    problem = Problem(
        code=Code.JSON_OBJECT_FORMAT,
        message=f"The topology is {shown(document.value)}, not a JSON object.",
        remedy='Write {"Activities": {...}, "Dependencies": {...}}.',
    )
    raise TopologyError([document.place(problem)])
