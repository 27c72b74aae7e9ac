"""Requests to the API, signed by hand, and what the API core needs of an engine."""

import base64
import hashlib
import hmac
import time
import uuid
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from workflow_engine.api.families import MPS_VERSION as VERSION
from workflow_engine.api.signing import string_to_sign
from workflow_engine.settings import Settings
from workflow_engine.store import Store

KEY, SECRET = "testKey", "testSecret"


def moment(seconds_ago: float = 0) -> str:
    then = datetime.fromtimestamp(time.time() - seconds_ago, UTC)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def sign_v1(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """The parameter Signature that belongs to a request."""
    text = string_to_sign(method, parameters)
    digest = hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")
    return base64.b64encode(digest).decode()


def v1_parameters(
    action: str, *, method: str = "GET", secret: str = SECRET, **more: str
) -> dict[str, str]:
    """The parameters of a request with its v1 signature."""
    parameters = {
        "Action": action,
        "Version": VERSION,
        "AccessKeyId": KEY,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": moment(),
        "Format": "JSON",
    } | more
    return parameters | {"Signature": sign_v1(method, parameters, secret)}


def acs3_headers(
    action: str,
    parameters: Mapping[str, str],
    *,
    host: str,
    body: bytes = b"",
    method: str = "POST",
    unsigned: tuple[str, ...] = (),
    **more: str,
) -> dict[str, str]:
    """The headers of a request with its ACS3 signature, written down independently."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": moment(),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    if body:
        headers["content-type"] = "application/x-www-form-urlencoded"
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    names = sorted(name for name in headers if name not in unsigned)
    canonical = [
        method,
        "/",
        "&".join(f"{quote(k, '')}={quote(v, '')}" for k, v in sorted(parameters.items())),
        *(f"{name}:{headers[name]}" for name in names),
        "",
        ";".join(names),
        headers["x-acs-content-sha256"],
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    text = f"ACS3-HMAC-SHA256\n{digest}".encode()
    signature = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    signed = f"SignedHeaders={';'.join(names)},Signature={signature}"
    return headers | {"authorization": f"ACS3-HMAC-SHA256 Credential={KEY},{signed}"}


def query_of(parameters: Mapping[str, str]) -> bytes:
    return urlencode(parameters, quote_via=quote).encode()


class ApiEngine:
    """What the API core needs of an engine; its store is closed with the last use of it."""

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self.settings = settings
        self.store = store
        if store is not None:
            weakref.finalize(self, store.close)


def engine_with(data_dir: Path, *, keys: bool = True, **service: Any) -> Any:
    """Return settings, and a store for those with keys."""
    access_keys = {"access_keys": {KEY: SECRET}} if keys else {}
    settings = Settings.model_validate({"service": access_keys | service})
    settings._data_dir = data_dir
    store = Store.open(f"sqlite:///{data_dir}/mediaflow.db") if keys else None
    return ApiEngine(settings, store)
