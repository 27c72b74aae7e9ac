"""Messages by HTTP: a POST of the body, signed as the Standard Webhooks specification says.

Only a status of 2xx is success. Redirects are not followed, and proxies of the environment are
not used: the URL of the settings is the one that is called.
"""

import base64
import hashlib
import hmac
import socket
import ssl
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import quote, urlsplit

from workflow_engine.messages.receivers import DeliveryError
from workflow_engine.records.catalog import MessageRecord

#: for one delivery, connecting included
TIMEOUT_SECONDS = 10.0
#: how much of an answer is read
MAX_ANSWER = 64 * 1024
#: how much of an answer an error quotes
_QUOTED = 200


class Webhook:
    """Posts messages to a URL. Without a key they are not signed."""

    def __init__(self, url: str, key: bytes | None) -> None:
        self._url = url
        self._host = urlsplit(url).netloc  # the rest may hold a token that nobody may read
        self._key = key

    def send(self, message: MessageRecord) -> None:
        """Post the message and wait for the answer. Raises DeliveryError."""
        body = message.body.encode()
        try:
            status, answer = _post(self._url, body, self._headers(message.id, body))
        except (OSError, HTTPException, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise DeliveryError(f'The webhook at "{self._host}" failed: {reason}.') from error
        if not 200 <= status < 300:
            said = f": {answer}" if answer else "."
            raise DeliveryError(f'The webhook at "{self._host}" answered HTTP {status}{said}')

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        moment = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mediaflow",
            "webhook-id": message_id,
            "webhook-timestamp": moment,
        }
        if self._key is not None:
            signed = f"{message_id}.{moment}.".encode() + body
            digest = hmac.new(self._key, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Return status and the first words of the answer."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:=&?~+!$,;'@()*[]")
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    # the timeout of a socket is for single reads; an answer byte by byte could take for ever
    begun = time.monotonic()
    late = threading.Timer(TIMEOUT_SECONDS, _hang_up, (connection,))
    late.daemon = True
    late.start()
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, _first_words(response)
    except (OSError, HTTPException) as error:
        if time.monotonic() - begun < TIMEOUT_SECONDS:
            raise
        raise TimeoutError(f"no answer within {TIMEOUT_SECONDS:g} seconds") from error
    finally:
        late.cancel()
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
    return HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _hang_up(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _first_words(response: HTTPResponse) -> str:
    """Read the answer so that the receiver can end its write; the status has been said already."""
    answer = b""
    with suppress(OSError, HTTPException):
        answer = response.read(MAX_ANSWER)
    return " ".join(answer[: 4 * _QUOTED].decode(errors="replace").split())[:_QUOTED]
