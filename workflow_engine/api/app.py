"""The ASGI application of `serve`: the API at `/`, health, readiness and metrics.

Actions block, so each runs in a worker thread; the event loop only moves bytes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from workflow_engine.api.answers import Format, error_body, new_request_id
from workflow_engine.api.calls import Calls
from workflow_engine.api.connections import (
    HEAD_SECONDS,
    Connections,
    LimitedProtocol,
    connection_limit,
)
from workflow_engine.api.families import FAMILIES, Family
from workflow_engine.api.incoming import MOST_BODY, Incoming
from workflow_engine.api.metrics import MEDIA_TYPE, Metrics, Present
from workflow_engine.api.server_paths import ServerPaths
from workflow_engine.api.workers import Workers
from workflow_engine.engine import Engine
from workflow_engine.errors import Code

log = logging.getLogger("workflow_engine.api")

#: actions at once; the others wait
MOST_ACTIONS = 64


#: makes the page about a status and a RequestId, None for clients that show none
FailurePage = Callable[[Request, int, str], Response | None]


def no_page(request: Request, status: int, request_id: str) -> None:
    """Show no page: a `FailurePage`."""


def server_options() -> dict[str, Any]:
    """Return what uvicorn must be told for this application; one call for each server."""
    return {
        "http": partial(LimitedProtocol, connections=Connections(connection_limit())),
        # how many the system may accept at once, before the connections can be counted
        "backlog": 128,
        "timeout_keep_alive": HEAD_SECONDS,
        # who connects is who calls; a header says nothing about that
        "proxy_headers": False,
        "server_header": False,
        "ws": "none",
        "access_log": False,
    }


def create_app(
    engine: Engine,
    *,
    status: Callable[[], tuple[bool, Mapping[str, str]]],
    gauges: Callable[[], Iterable[Present]],
    families: Iterable[Family] | None = None,
    home: str = "",
    failure_page: FailurePage = no_page,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Return the application; more routes may be added to it.

    `status` says whether the server is ready, and why, for `/readyz`; `gauges` are shown by
    `/metrics`. Both may block. `families` are those of `[service] apis`, unless others are given.
    `home` is where a browser is sent that opens `/`, and `failure_page` what it sees where nothing
    is served; `metrics` may count runs, too. Raises SettingsError when the settings of the API are
    wrong.
    """
    metrics = metrics or Metrics()
    chosen = engine.settings.service.apis
    spoken = [one for one in FAMILIES if one.name in chosen] if families is None else families
    api = _Api(Calls(engine, spoken, metrics), home)
    paths = ServerPaths(engine.settings)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(request: Request) -> Response:
        details: Mapping[str, str] = {}
        try:
            ready, details = await asyncio.to_thread(status)
        except Exception:
            log.exception("the state of the server cannot be told")
            ready = False
        told = {part: paths.hidden(text) for part, text in details.items()}
        return JSONResponse({"Ready": ready, **told}, status_code=200 if ready else 503)

    async def show_metrics(request: Request) -> Response:
        try:
            present = await asyncio.to_thread(lambda: list(gauges()))
        except Exception:
            log.exception("the gauges of the server cannot be read")
            present = []
        return Response(metrics.text(present), media_type=MEDIA_TYPE)

    routes: list[BaseRoute] = [
        Route("/", api),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]
    return FastAPI(
        openapi_url=None,
        routes=routes,
        exception_handlers={HTTPException: partial(_not_served, failure_page)},
        # a path is served or it is not, however its slashes are encoded
        redirect_slashes=False,
    )


class _Api:
    """The endpoint of the actions; no more than ASGI, for its cost comes with every call."""

    def __init__(self, calls: Calls, home: str) -> None:
        self._workers = Workers(calls.answer, MOST_ACTIONS)
        self._home = home

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "POST"):
            raise HTTPException(405, headers={"allow": "GET, POST"})
        if not scope["query_string"] and self._home and _is_browser(scope):
            seen = RedirectResponse(self._home, 303, headers={"vary": "accept"})
            return await seen(scope, receive, send)
        request = Incoming(
            method=scope["method"],
            query_string=scope["query_string"],
            raw_headers=scope["headers"],
            body=await _body(scope, receive),
            peer=_peer(scope),
        )
        answer = await self._workers.run(request)
        headers = {
            "content-length": str(len(answer.body)),
            "content-type": answer.media_type,
            **answer.headers,
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})


def _is_browser(scope: Scope) -> bool:
    """Whether somebody opens a page, rather than calls an action."""
    headers = dict(scope["headers"])
    wants_page = b"text/html" in headers.get(b"accept", b"")
    return scope["method"] == "GET" and wants_page and b"x-acs-action" not in headers


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Return the body. Raises HTTPException when it is too long or its client goes away."""
    if not any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    ):
        return b""
    body = bytearray()  # not a list: the chunks of a slow client may have a byte each
    try:
        async for chunk in Request(scope, receive).stream():
            body += chunk
            if len(body) > MOST_BODY:
                raise HTTPException(413)
    except ClientDisconnect:
        raise HTTPException(408) from None
    return bytes(body)


_ERRORS: Mapping[int, tuple[Code, str]] = {
    404: (Code.RESOURCE_NOT_FOUND, "There is nothing at this path. The API is at /."),
    405: (Code.UNSUPPORTED_OPERATION, "This method is not served. Use GET or POST."),
    408: (Code.INVALID, "The body did not come. Send it at once."),
    413: (Code.OUT_OF_RANGE, f"The body is too long. Send at most {MOST_BODY} bytes."),
}


async def _not_served(page: FailurePage, request: Request, error: Exception) -> Response:
    """Answer what does not get as far as an action."""
    assert isinstance(error, HTTPException)  # this is what it is registered for
    status = error.status_code
    code, message = _ERRORS.get(status, (Code.INVALID, "This request is not served."))
    request_id = new_request_id()
    body = error_body(Format.JSON, request_id, request.headers.get("host", ""), code, message)
    log.info("%s %s - - %d %s", request_id, _peer(request.scope), status, code)
    headers = {"x-acs-request-id": request_id, **(error.headers or {})}
    if status in (408, 413):
        headers["connection"] = "close"
    if (shown := page(request, status, request_id)) is not None:
        shown.headers.update(headers)
        return shown
    return Response(body, status, headers, media_type=Format.JSON.media_type)
