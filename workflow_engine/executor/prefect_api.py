"""Plain HTTP to a Prefect server: whether it answers, its flow runs, the address of its UI.

Nothing in here imports prefect: a look at a server must not cost the second that takes. Whoever
must show a key or a password to the server sets PREFECT_API_KEY or PREFECT_API_AUTH_STRING, as for
Prefect itself.
"""

import base64
import http.client
import json
import os
import urllib.request
from urllib.parse import urlsplit, urlunsplit

from workflow_engine.errors import Code, InstallationError
from workflow_engine.records import Json

#: seconds that an answer may take
TIMEOUT = 5.0


def ui_url(api_url: str) -> str:
    """Return the address of the UI that belongs to an API URL."""
    return shown_url(api_url).rstrip("/").removesuffix("/api")


def shown_url(api_url: str) -> str:
    """Return an API URL without user name and password."""
    parts = urlsplit(api_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def configured_url(setting: str | None) -> str | None:
    """Return the API URL of the server that the user chose: the setting, else PREFECT_API_URL."""
    return setting or os.environ.get("PREFECT_API_URL") or None


def answers(api_url: str, timeout: float = TIMEOUT) -> bool:
    """Whether a Prefect server answers at an API URL within some seconds."""
    return get(api_url, "/health", timeout) is True


def require_answer(api_url: str) -> None:
    """Check that a configured server answers. Raises InstallationError."""
    if not answers(api_url):
        raise InstallationError(
            Code.INSTALLATION,
            f'The Prefect server "{shown_url(api_url)}" does not answer.',
            remedy="Start it, remove prefect.api_url (PREFECT_API_URL) to use a local server, "
            "or run with --executor inline.",
        )


def get(api_url: str, path: str, timeout: float = TIMEOUT) -> Json:
    """Return what a server says under a path of its API; None when it does not say anything."""
    try:
        return _call(api_url, path, None, timeout)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def post(api_url: str, path: str, body: Json, timeout: float = TIMEOUT) -> Json:
    """Send JSON to a path of the API and return the answer.

    Raises OSError, ValueError or http.client.HTTPException when there is none.
    """
    return _call(api_url, path, json.dumps(body).encode(), timeout)


def _call(api_url: str, path: str, body: bytes | None, timeout: float) -> Json:
    headers = {"Content-Type": "application/json", **_authorization()}
    request = urllib.request.Request(api_url.rstrip("/") + path, body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as response:
        return json.load(response)


def _authorization() -> dict[str, str]:
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if user := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
    return {}
