"""The actions as an OpenAPI 3.1 document, made of the types of their requests and answers.

The API tells actions apart by the parameter `Action`, which OpenAPI cannot: paths are written
as `/?Action=NAME`, as other descriptions of such APIs do.
"""

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, cast, get_args, get_origin, get_type_hints
from typing import is_typeddict as is_shape

from pydantic.json_schema import models_json_schema

from workflow_engine.api.action import Action
from workflow_engine.api.actions import ACTIONS
from workflow_engine.api.families import MPS_VERSION
from workflow_engine.records import Json

_REF = "#/components/schemas/"
_PLAIN: Mapping[object, dict[str, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Any: {},
    object: {},
}


def document(actions: Mapping[str, Action] = ACTIONS) -> dict[str, Json]:
    """Return the document."""
    models = [action.request for action in actions.values()]
    refs, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template=f"{_REF}{{model}}"
    )
    schemas: dict[str, Json] = _written(shared.get("$defs", {}))
    requests = {
        model: schemas.pop(ref["$ref"].removeprefix(_REF)) for (model, _), ref in refs.items()
    }
    paths = {
        f"/?Action={name}": _path(action, requests[action.request], schemas)
        for name, action in actions.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mediaflow",
            "version": MPS_VERSION,
            "description": "The actions of the MPS API. With access keys configured each call is "
            "signed (HMAC-SHA1 in the query, or ACS3-HMAC-SHA256 in headers), as Alibaba's client "
            "libraries do. Answers are XML, or JSON with Format=JSON.",
        },
        "paths": paths,
        "components": {"schemas": {**schemas, "Error": _ERROR}},
    }


_ERROR: Json = {
    "type": "object",
    "required": ["RequestId", "HostId", "Code", "Message"],
    "properties": {name: {"type": "string"} for name in ("RequestId", "HostId", "Code", "Message")},
}


def summary(action: Action) -> str:
    """Return the first line of the description of an action."""
    return (inspect.getdoc(action.call) or action.name).partition("\n")[0]


def _path(action: Action, request: Json, schemas: dict[str, Json]) -> dict[str, Json]:
    required = set(request.get("required", ()))
    parameters = [
        {"name": "Version", "in": "query", "required": True, "schema": {"const": MPS_VERSION}},
        *(
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in request.get("properties", {}).items()
        ),
    ]
    answer = _schema(get_type_hints(action.call)["return"], schemas)
    return {
        "get": {
            "operationId": action.name,
            "tags": [action.call.__module__.rpartition(".")[2].replace("_", " ")],
            "summary": summary(action),
            "description": f"{action.rate} calls per second and account.",
            "parameters": parameters,
            "responses": {
                "200": _answer("The answer, beside its RequestId.", answer),
                "default": _answer("What is wrong, and what to do.", {"$ref": f"{_REF}Error"}),
            },
        }
    }


def _written(value: Json) -> Json:
    """Return schemas of parameters as they are sent: lists have commas between their entries."""
    if isinstance(value, list | tuple):
        return [_written(one) for one in cast(Sequence[Json], value)]
    if not isinstance(value, dict):
        return value
    kept = {name: _written(one) for name, one in cast(Mapping[str, Json], value).items()}
    default = kept.get("default", "")
    if default in ("", None) or isinstance(default, dict):  # left out
        kept.pop("default", None)
    elif isinstance(default, list):
        kept["default"] = ",".join(map(str, cast(Sequence[Json], default)))
    if isinstance(kept.get("title"), str):  # says no more than the name
        del kept["title"]
    return kept


def _answer(text: str, schema: Json) -> dict[str, Json]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _schema(kind: Any, schemas: dict[str, Json]) -> dict[str, Json]:
    """Return the JSON Schema of a type of an answer; shapes become schemas of their own."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return _schema(arguments[0], schemas)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(one, schemas) for one in arguments]}
    if is_shape(kind):
        return _shape(kind, schemas)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], schemas)}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _schema(arguments[0], schemas)}
    return {}


def _shape(kind: Any, schemas: dict[str, Json]) -> dict[str, Json]:
    name = cast(str, kind.__name__)
    if name not in schemas:
        schemas[name] = {}  # it may hold itself
        fields = get_type_hints(kind)
        schemas[name] = {
            "type": "object",
            "required": sorted(kind.__required_keys__),
            "properties": {field: _schema(its, schemas) for field, its in fields.items()},
        }
        if not schemas[name]["required"]:
            del schemas[name]["required"]
    return {"$ref": f"{_REF}{name}"}
