"""The way of a request for a page: who asks, what may be changed, which headers the answer has.

A page is a function that takes a `Visit` and returns a response. It may block: it runs in a
thread. What it raises becomes a page as well, with the number of the request, which stands in the
log.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from workflow_engine.api.answers import new_request_id, status_of
from workflow_engine.api.server_paths import ServerPaths
from workflow_engine.api.workers import Workers
from workflow_engine.errors import InvalidInputError, MediaflowError
from workflow_engine.pages.rendering import render
from workflow_engine.web.door import Door, SignInError
from workflow_engine.web.requests import PageRequest, read
from workflow_engine.web.sessions import GuessedTooOftenError, Session

log = logging.getLogger("workflow_engine.web")

#: pages at once; the others wait
MOST_PAGES = 16

#: what a page may load and where it may lead: itself, and nothing that stands in its text
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # not "no-referrer": browsers would then send our own forms with the origin "null"
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


_SENTENCES: Mapping[int, str] = {
    403: "You may not see this page.",
    404: "There is no such page.",
    405: "This page cannot be asked for in this way.",
    500: "mediaflow failed on this page.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Somebody who may see the page that they ask for."""

    request: PageRequest
    session: Session | None
    token: str
    #: returns a sentence without the paths of this machine
    hidden: Callable[[str], str]

    def page(self, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """Return a page: a template filled in."""
        text = render(
            template,
            account=self.session.account if self.session else "",
            token=self.token,
            hidden=self.hidden,
            **values,
        )
        return HTMLResponse(text, status, headers={"cache-control": "no-store"})


Page = Callable[[Visit], Response]


def see(path: str) -> Response:
    """Return what leads a browser to another page after a change."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


class Serving:
    """Makes routes of pages."""

    def __init__(self, door: Door, paths: ServerPaths) -> None:
        """`paths` are kept out of what pages say."""
        self._door = door
        self._paths = paths
        self._workers = Workers(self._answered, MOST_PAGES)

    def page(
        self, path: str, get: Page | None = None, post: Page | None = None, *, public: bool = False
    ) -> Route:
        """Return the route of a page; `public` ones are seen without signing in."""
        pages = {name: page for name, page in (("GET", get), ("POST", post)) if page}

        async def answer(request: Request) -> Response:
            number = new_request_id()
            try:
                asked = await read(request.scope, request)
            except InvalidInputError as error:
                return self.failure(status_of(error.code), number, error)
            page = pages["POST" if asked.method == "POST" else "GET"]
            return await self._workers.run((number, asked, page, public))

        return Route(path, answer, methods=list(pages))

    def _answered(self, call: tuple[str, PageRequest, Page, bool]) -> Response:
        number, request, page, public = call
        try:
            response = page(self.visit(request, public=public))
        except SignInError:
            # a change is not made by signing in
            after = f"?next={quote(request.path, safe='')}" if request.method == "GET" else ""
            response = see(f"/sign-in{after}")
        except MediaflowError as error:
            response = self.failure(status_of(error.code), number, error)
            if isinstance(error, GuessedTooOftenError):
                response.headers["retry-after"] = str(error.retry_after)
        except Exception:
            log.exception("%s %s %s broke", number, request.method, request.path)
            response = self.failure(500, number)
        log.info(
            "%s %s %s %s %d",
            number,
            request.peer,
            request.method,
            request.path,
            response.status_code,
        )
        return secured(response)

    def visit(self, request: PageRequest, *, public: bool = False) -> Visit:
        """Return the visit that a request is. Raises InvalidInputError."""
        try:
            session = self._door.admit(request)
        except SignInError:
            if not public:
                raise
            session = None
        if request.method == "POST":
            self._door.check_change(request, session)
        token = self._door.token(session)
        return Visit(request=request, session=session, token=token, hidden=self._paths.hidden)

    def failure(self, status: int, number: str, error: MediaflowError | None = None) -> Response:
        """Return a page that says why there is no other one; `number` is that of the request."""
        message = error.message if error else _SENTENCES.get(status, "This page cannot be shown.")
        log_remedy = "The log of mediaflow says why, under this number." if status == 500 else ""
        text = render(
            "failure.html",
            title=HTTPStatus(status).phrase,
            message=self._paths.hidden(message),
            remedy=self._paths.hidden(error.remedy) if error else log_remedy,
            request_id=number,
        )
        headers = {"cache-control": "no-store", "x-request-id": number}
        return secured(HTMLResponse(text, status, headers=headers))


def secured(response: Response) -> Response:
    """Return a response with the headers that all pages have; its own ones count."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def wants_page(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a browser that shows what it gets."""
    return "text/html" in headers.get("accept", "")
