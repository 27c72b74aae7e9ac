"""The actions of the API: a page for people, and the OpenAPI document that it is made of."""

import asyncio
from collections.abc import Mapping
from functools import cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workflow_engine.api.families import MPS_VERSION
from workflow_engine.api.openapi import document
from workflow_engine.records import Json
from workflow_engine.web.serving import Visit, secured


def show_actions(visit: Visit) -> Response:
    """Show every action with its parameters."""
    groups: dict[str, list[Mapping[str, Json]]] = {}
    for path in _document()["paths"].values():
        action = path["get"]
        groups.setdefault(action["tags"][0], []).append(
            {
                "name": action["operationId"],
                "summary": action["summary"],
                "parameters": [
                    (one["name"], one["required"], _described(one["schema"]))
                    for one in action["parameters"]
                    if one["name"] != "Version"
                ],
            }
        )
    return visit.page("api.html", here="/api", groups=groups, version=MPS_VERSION)


def openapi_route() -> Route:
    """Return the route of the document; it says nothing of this installation."""

    async def answer(request: Request) -> Response:
        # the first one takes a while to be made
        return secured(JSONResponse(await asyncio.to_thread(_document)))

    return Route("/openapi.json", answer, methods=["GET"])


@cache
def _document() -> dict[str, Json]:
    return document()


def _described(schema: Mapping[str, Json]) -> str:
    """Return what a parameter may be, in words."""
    if "enum" in schema:
        text = " or ".join(map(str, schema["enum"]))
    elif "const" in schema:
        text = str(schema["const"])
    elif "$ref" in schema:
        text = "JSON"
    elif "anyOf" in schema:
        kinds: list[Mapping[str, Json]] = schema["anyOf"]
        text = next((found for kind in kinds if (found := _described(kind))), "")
    else:
        text = str(schema.get("type", ""))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text += f", {low:g} to {high:g}"
    if "description" in schema:
        text += f", {schema['description']}" if text else str(schema["description"])
    if "default" in schema:
        text += f" (default {schema['default']})"
    return text
