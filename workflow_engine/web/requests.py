"""What a page is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Scope

from workflow_engine.errors import Code, InvalidInputError

#: bytes of a form
MOST_FORM = 64 << 10
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """A request, read. Names of headers are in lower case; of parameters the last one counts."""

    method: str
    path: str
    peer: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: Mapping[str, str] = field(default_factory=dict[str, str])


async def read(scope: Scope, request: Request) -> PageRequest:
    """Return a request with its form. Raises InvalidInputError for what is not a form."""
    headers = dict(request.headers)
    form: Mapping[str, str] = {}
    if request.method == "POST":
        form = await _form(request)
    return PageRequest(
        method=request.method,
        path=request.url.path,
        peer=request.client.host if request.client else "",
        headers=headers,
        cookies=_cookies(headers.get("cookie", "")),
        query=_pairs(scope["query_string"]),
        form=form,
        parts=dict(request.path_params),
    )


def _cookies(header: str) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


async def _form(request: Request) -> Mapping[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The body of the request has the type "{kind}".',
            remedy="Use the forms of the pages.",
        )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM:
            raise InvalidInputError(
                Code.OUT_OF_RANGE,
                "The form is too long.",
                remedy=f"Send at most {MOST_FORM} bytes.",
            )
    return _pairs(bytes(body))


def _pairs(encoded: bytes) -> Mapping[str, str]:
    text = encoded.decode("ascii", "replace")
    return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=200))
