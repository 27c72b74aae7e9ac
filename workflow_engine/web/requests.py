"""What a page is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Scope

from workflow_engine.errors import Code, InvalidInputError

#: bytes of a form
MOST_FORM = 64 << 10
#: parameters of a query or a form
MOST_PARAMETERS = 200
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
    """Return a request with its form. Raises InvalidInputError for what cannot be read."""
    headers = dict(request.headers)
    form: Mapping[str, str] = {}
    if request.method == "POST":
        form = await _form(request)
    return PageRequest(
        method=request.method,
        path=request.url.path,
        peer=request.client.host if request.client else "",
        headers=headers,
        cookies=request.cookies,
        query=_pairs(scope["query_string"]),
        form=form,
        parts=dict(request.path_params),
    )


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
    if encoded.count(b"&") >= MOST_PARAMETERS:
        raise InvalidInputError(
            Code.OUT_OF_RANGE,
            f"The request has {encoded.count(b'&') + 1} parameters.",
            remedy=f"Send at most {MOST_PARAMETERS}.",
        )
    return dict(
        parse_qsl(encoded.decode("ascii", "replace"), keep_blank_values=True, errors="replace")
    )
