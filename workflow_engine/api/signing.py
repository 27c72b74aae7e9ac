"""Who sent a request: the two signature schemes of the client libraries (api, 2; wire).

`verify_v1` checks HMAC-SHA1 over all parameters, `verify_acs3` checks ACS3-HMAC-SHA256 over the
request with the headers that it names. Both encode the decoded values again and never look at raw
bytes. Whether a nonce was used before is for `replay.py` to say, once the signature is right.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.topology.wire import shown

#: seconds that the clocks of client and server may differ
CLOCK_WINDOW = 15 * 60

#: parameters of the call form itself; no action sees them
V1_PARAMETERS = (
    "Signature",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "Timestamp",
)

#: the headers that a server relies on, so they must be among the signed ones
ACS3_HEADERS = (
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
)

#: how much of the string to sign an error shows, in characters
_SHOWN = 16_384

_ENCODED = re.compile(r"[^A-Za-z0-9_.~-]")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)

_ACS3 = "ACS3-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{_ACS3}\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([^,\s]+)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A request whose signature is right: by whom, its nonce, and when, in seconds of the epoch."""

    access_key_id: str
    nonce: str
    signed_at: float


def string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """Return what a client signs with HMAC-SHA1; the parameter Signature is left out."""
    query = _query({name: v for name, v in parameters.items() if name != "Signature"})
    # the query holds nothing else that would be encoded
    encoded = query.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return f"{method}&%2F&{encoded}"


def verify_v1(
    method: str, parameters: Mapping[str, str], secrets: Mapping[str, str], now: float
) -> Signed:
    """Check a request that is signed with HMAC-SHA1; `parameters` are those of query and form.

    `secrets` holds the secret by access key id. Raises InvalidInputError.
    """
    for name in V1_PARAMETERS:
        _require(parameters.get(name), name)
    _expect(parameters, "SignatureMethod", "HMAC-SHA1")
    _expect(parameters, "SignatureVersion", "1.0")
    access_key_id = parameters["AccessKeyId"]
    secret = _secret(secrets, access_key_id, "AccessKeyId")
    signed_at = _moment(parameters["Timestamp"], "Timestamp", now)
    text = string_to_sign(method, parameters)
    _compare(_v1_signature(text, secret), parameters["Signature"], text)
    return Signed(
        access_key_id=access_key_id, nonce=parameters["SignatureNonce"], signed_at=signed_at
    )


def verify_acs3(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    secrets: Mapping[str, str],
    now: float,
) -> Signed:
    """Check a request that is signed with ACS3-HMAC-SHA256; header names are in lower case.

    `secrets` holds the secret by access key id. Raises InvalidInputError.
    """
    authorization = _require(headers.get("authorization"), "Authorization")
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The header "Authorization" does not have the form of {_ACS3}.',
            remedy=f'Write "{_ACS3} Credential=...,SignedHeaders=...,Signature=...".',
        )
    access_key_id, names, signature = match.groups()
    secret = _secret(secrets, access_key_id, "Credential")
    signed = names.lower().split(";")
    for name in (*ACS3_HEADERS, *(("content-type",) if body else ())):
        _require(headers.get(name), name)
        if name not in signed:
            raise InvalidInputError(
                Code.INVALID,
                f'The header "{name}" is not signed.',
                remedy="Add it to SignedHeaders.",
            )
    signed_at = _moment(headers["x-acs-date"], "x-acs-date", now)
    _check_digest(headers["x-acs-content-sha256"], body)
    lines = (f"{name}:{headers.get(name, '')}\n" for name in signed)
    request = (
        f"{method}\n{path}\n{_query(query)}\n{''.join(lines)}\n{names}\n"
        f"{headers['x-acs-content-sha256']}"
    )
    text = f"{_ACS3}\n{hashlib.sha256(request.encode()).hexdigest()}"
    right = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
    _compare(right, signature, text)
    nonce = headers["x-acs-signature-nonce"]
    return Signed(access_key_id=access_key_id, nonce=nonce, signed_at=signed_at)


def _query(parameters: Mapping[str, str]) -> str:
    """Return the canonical query, sorted by name."""
    return "&".join(
        [f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(parameters.items())]
    )


def _encoded(text: str) -> str:
    """Return a text with everything encoded but `A-Za-z0-9-_.~`."""
    return _ENCODED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return _escaped(match[0])


@lru_cache(maxsize=1024)
def _escaped(character: str) -> str:
    return quote(character, safe="")


def _v1_signature(text: str, secret: str) -> str:
    digest = hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")
    return base64.b64encode(digest).decode()


def _require(value: str | None, name: str) -> str:
    if value:
        return value
    raise InvalidInputError(
        Code.NULL_VALUE if value is None else Code.EMPTY_VALUE,
        f'The parameter "{name}" is {"missing" if value is None else "empty"}.',
        remedy="Sign the request with a configured access key.",
    )


def _expect(parameters: Mapping[str, str], name: str, supported: str) -> None:
    if parameters[name].upper() != supported:
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The value {shown(parameters[name])} of "{name}" is not supported.',
            remedy=f'Use "{supported}", or sign with {_ACS3}.',
        )


def _secret(secrets: Mapping[str, str], access_key_id: str, name: str) -> str:
    secret = secrets.get(access_key_id)
    if secret is None:
        raise InvalidInputError(
            Code.ACCESS_KEY_NOT_FOUND,
            f"The access key {shown(access_key_id)} is not known.",
            pointer=f"/{name}",
            remedy="Add it to [service.access_keys].",
        )
    return secret


def _moment(text: str, name: str, now: float) -> float:
    """Return seconds of the epoch. Raises InvalidInputError unless they are near to `now`."""
    moment = _seconds(text)
    if moment is None:
        raise InvalidInputError(
            Code.FORMAT,
            f'The value {shown(text)} of "{name}" is not a moment.',
            remedy="Use YYYY-MM-DDThh:mm:ssZ, UTC.",
        )
    if abs(now - moment) > CLOCK_WINDOW:
        raise InvalidInputError(
            Code.TIME_STAMP,
            f'The value {shown(text)} of "{name}" is more than {CLOCK_WINDOW // 60} minutes '
            "from the server's clock.",
            remedy="Set the clock, and sign each request again.",
        )
    return moment


def _seconds(text: str) -> float | None:
    match = _MOMENT.fullmatch(text)
    try:
        return datetime(*map(int, match.groups()), tzinfo=UTC).timestamp() if match else None
    except ValueError:
        return None


def _check_digest(digest: str, body: bytes) -> None:
    right = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(digest.lower().encode(), right.encode()):
        raise InvalidInputError(
            Code.INVALID,
            'The header "x-acs-content-sha256" is not the digest of the body.',
            remedy="Send the SHA-256 of the body as lower-case hexadecimal digits.",
        )


def _compare(right: str, given: str, text: str) -> None:
    if not hmac.compare_digest(right.encode(), given.encode()):
        # libraries read what stands behind the first colon
        raise InvalidInputError(
            Code.SIGNATURE,
            f"The signature does not match, server string to sign is:{text[:_SHOWN]}",
        )
