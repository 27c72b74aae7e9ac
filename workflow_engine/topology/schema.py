"""The JSON Schema of topology files, put together from the models of all activity types."""

from collections.abc import Mapping

from pydantic.json_schema import models_json_schema

from workflow_engine.records import Json
from workflow_engine.topology.wire import WireModel


def topology_schema(models: Mapping[str, type[WireModel]]) -> dict[str, Json]:
    """Return the schema (draft 2020-12). `models` maps each type to its Parameters model.

    Nested documents may stand as objects or as strings; an editor checks and completes the
    object form.
    """
    unique = list(dict.fromkeys(models.values()))
    refs, shared = models_json_schema(
        [(model, "validation") for model in unique], ref_template="#/$defs/{model}"
    )
    rules = [
        {
            "if": {"properties": {"Type": {"const": name}}, "required": ["Type"]},
            "then": {"properties": {"Parameters": _or_string(refs[(model, "validation")])}},
        }
        for name, model in models.items()
    ]
    activity = {
        "type": "object",
        "required": ["Type"],
        "properties": {
            "Name": {"type": "string", "description": "equals the key of the activity"},
            "Type": {"enum": list(models)},
            "Parameters": {"type": ["object", "string"]},
        },
        "allOf": rules,
    }
    successors = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "MediaWorkflow topology",
        "type": "object",
        "required": ["Activities", "Dependencies"],
        "properties": {
            "Activities": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Activity"}},
            "Dependencies": {
                "type": "object",
                "description": "the successors of each activity",
                "additionalProperties": successors,
            },
        },
        "$defs": {**shared.get("$defs", {}), "Activity": activity},
    }


def _or_string(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "string", "contentMediaType": "application/json"}]}
