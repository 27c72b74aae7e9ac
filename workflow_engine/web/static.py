"""The stylesheet and the script of the pages."""

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workflow_engine.web.serving import secured

_FILES = {
    "style.css": "text/css",
    "execution.js": "text/javascript",
    "live.js": "text/javascript",
}


def static_routes() -> list[Route]:
    """Return the routes of the files; anybody may read them."""
    return [_route(name, kind) for name, kind in _FILES.items()]


def _route(name: str, kind: str) -> Route:
    content = files("workflow_engine.pages").joinpath(name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return secured(Response(status_code=304, headers=headers))
        return secured(Response(content, headers=headers, media_type=kind))

    return Route(f"/static/{name}", answer, methods=["GET"])
