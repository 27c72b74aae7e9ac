"""A request as it came in: parameters of query and form, headers, and the form of the answer.

Reading never fails, because an error has to be written in some form, too; `check` says what is
wrong. Specification: api, 1; wire.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from workflow_engine.api.answers import Format
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.topology.wire import shown

#: bytes of a body
MOST_BODY = 8 << 20
#: parameters of a request
MOST_PARAMETERS = 256

_FORM = "application/x-www-form-urlencoded"

#: headers whose repetition would leave open which one counts
_SINGLE = ("authorization", "content-type", "host", "x-acs-")

#: what no parameter may hold: bytes that are not UTF-8 were decoded to surrogates
_NOT_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Incoming:
    """A request, decoded.

    `headers` are by their name in lower case, `query` has the parameters of the query alone and
    `parameters` those of query and form. `acs3` is whether action and signature stand in
    headers, `format` what the answer is written in, `peer` the address that connected.
    """

    def __init__(
        self,
        *,
        method: str,
        query_string: bytes,
        raw_headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        peer: str,
    ) -> None:
        """Take the parts as ASGI has them."""
        self.method = method
        self.path = "/"
        self.body = body
        self.peer = peer
        self._repeated: list[str] = []
        self.headers = self._read_headers(raw_headers)
        self._counts = query_string.count(b"&") + 1, body.count(b"&") + 1
        self.is_form = _media_type(self.headers) == _FORM
        readable = max(self._counts) <= MOST_PARAMETERS
        pairs = _pairs(query_string) if readable else []
        self.query: Mapping[str, str] = dict(pairs)
        if body and self.is_form and readable:
            pairs += _pairs(body)
        self._pairs = pairs
        self.parameters: Mapping[str, str] = dict(pairs)
        self.acs3 = self.headers.get("authorization", "").startswith("ACS3-") or (
            "x-acs-action" in self.headers and "Action" not in self.parameters
        )
        given = self.parameters.get("Format", "").upper()
        usual = Format.JSON if self.acs3 else Format.XML
        self.format = Format[given] if given in Format.__members__ else usual

    @property
    def action(self) -> str | None:
        """The name of the action, from the place that is signed."""
        return self.headers.get("x-acs-action") if self.acs3 else self.parameters.get("Action")

    @property
    def version(self) -> str | None:
        """The version of the API, from the place that is signed."""
        return self.headers.get("x-acs-version") if self.acs3 else self.parameters.get("Version")

    def check(self) -> None:
        """Refuse a request that can be read in more than one way, or not at all.

        Raises InvalidInputError. Nothing else of the request may be relied on before.
        """
        for name in self._repeated:
            if name.startswith(_SINGLE):
                raise InvalidInputError(
                    Code.INVALID,
                    f'The header "{name}" is given more than once.',
                    remedy="Send it once.",
                )
        if self.body and not self.is_form:
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f"The body has the type {shown(self.headers.get('content-type', ''))}.",
                remedy=f"Send parameters in the query, or as {_FORM}.",
            )
        if max(self._counts) > MOST_PARAMETERS:
            raise InvalidInputError(
                Code.OUT_OF_RANGE,
                f"The request has {max(self._counts)} parameters.",
                remedy=f"Send at most {MOST_PARAMETERS}.",
            )
        self._check_pairs()
        wanted = self.parameters.get("Format", "")
        if wanted and wanted.upper() not in Format.__members__:
            raise InvalidInputError(
                Code.INVALID,
                f"The format {shown(wanted)} is not known.",
                pointer="/Format",
                remedy='Use "JSON" or "XML".',
            )

    def _check_pairs(self) -> None:
        if len(self.parameters) != len(self._pairs):
            names = [name for name, _ in self._pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInputError(
                Code.INVALID,
                f"The parameter {shown(twice)} is given more than once.",
                remedy="Give it once, in the query or in the form.",
            )
        if _NOT_TEXT.search("".join([*self.parameters, *self.parameters.values()])):
            name = next(name for name, value in self._pairs if _NOT_TEXT.search(name + value))
            raise InvalidInputError(
                Code.FORMAT,
                f"The parameter {shown(name)} holds bytes that are not UTF-8, or characters "
                "that are outside XML 1.0.",
                remedy="Encode its value as UTF-8, without control characters.",
            )

    def _read_headers(self, raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
        """Return the headers; repeated ones are joined."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in raw:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
            if name in headers:
                self._repeated.append(name)
                value = ",".join(sorted((headers[name], value)))
            headers[name] = value
        return headers


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    text = encoded.decode("utf-8", "surrogateescape").replace("+", " ")
    pairs = [part.partition("=") for part in text.split("&") if part]
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


def _decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text
