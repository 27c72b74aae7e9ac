"""The keys of parameters that no field takes: those of a later version are errors, others warnings.

`key_problems` looks at parameters that are valid, `keys_of_invalid` at those that are not, so that
a misspelt key is reported together with the one that is missing for it.
"""

from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from workflow_engine.errors import Code, Problem, Severity, pointer_to
from workflow_engine.records import Json
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import WireModel, models_inside, shown, wire_names


def key_problems(model: WireModel, base: str = "") -> Iterable[Problem]:
    """Report the keys of a valid model, and of those inside it, that no field takes."""
    for path, inner in models_inside(model):
        for key, value in (inner.model_extra or {}).items():
            yield _problem(type(inner), key, value, base + pointer_to(*path, key))


def keys_of_invalid(model: type[WireModel], given: Json, base: str = "") -> Iterable[Problem]:
    """Report the keys that no field of a model takes in a value that the model refuses."""
    for path, inner, members in _objects(model, given, ()):
        known = {name for field in inner.model_fields.values() for name in wire_names(field)}
        for key, value in members.items():
            if key not in known and value is not None and value != "":
                yield _problem(inner, key, value, base + pointer_to(*path, key))


def _problem(model: type[WireModel], key: str, value: Json, pointer: str) -> Problem:
    if key in model.later:
        return Problem(
            code=Code.NOT_SUPPORTED,
            message=f'The parameter "{key}" is not supported by this version.',
            pointer=pointer,
            remedy="Remove it, or do this step elsewhere.",
        )
    if key in model.echoed:
        message = f'The key "{key}" belongs to answers; here it has no effect.'
        remedy = "Remove it."
    else:
        message = f'The key "{key}" with the value {shown(value)} is not known here.'
        known = [field.alias or name for name, field in model.model_fields.items()]
        remedy = Suggester(known).remedy(key) or "It has no effect."
    return Problem(
        code=Code.UNKNOWN_KEY,
        message=message,
        pointer=pointer,
        remedy=remedy,
        severity=Severity.WARNING,
    )


_Path = tuple[str | int, ...]


def _objects(
    annotation: Any, value: Json, path: _Path
) -> Iterator[tuple[_Path, type[WireModel], dict[str, Json]]]:
    """Yield the JSON objects in a value that models stand for, each with its path and model."""
    origin, kinds = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _objects(kinds[0], value, path)
    elif origin in (Union, UnionType):
        kinds = [kind for kind in kinds if kind is not NoneType]
        if len(kinds) == 1:
            yield from _objects(kinds[0], value, path)
    elif origin in (list, tuple):
        items = _decoded(value)
        if not isinstance(items, list):
            return
        for index, item in enumerate(cast("list[Json]", items)):
            yield from _objects(kinds[0], item, (*path, index))
    elif isinstance(annotation, type) and issubclass(annotation, WireModel):
        members = _decoded(value)
        if not isinstance(members, dict):
            return
        yield path, annotation, members
        for field in annotation.model_fields.values():
            for name in wire_names(field):
                if name in members:
                    yield from _objects(field.annotation, members[name], (*path, name))


def _decoded(value: Json) -> Json:
    try:
        return decode_json(value)
    except (ValueError, RecursionError):
        return None
