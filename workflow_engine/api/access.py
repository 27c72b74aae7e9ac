"""Who may call: a configured access key with its signature, or this machine.

Without configured keys only programs on this machine may call, and signatures are not looked at.
Pages of other sites must not: a browser on this machine would call for them (hence the checks of
Host, Origin and Sec-Fetch-Site), and so would a proxy, so what passed one is refused.
"""

import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from workflow_engine.api.incoming import Incoming
from workflow_engine.api.replay import Nonces
from workflow_engine.api.signing import verify_acs3, verify_v1
from workflow_engine.errors import Code, InvalidInputError

_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

#: what proxies add; they are never read, but a request that has one did not start here
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class AccessCheck:
    """Lets requests in. Safe to use from several threads."""

    def __init__(
        self,
        secrets: Mapping[str, str],
        nonces: Nonces | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`secrets` by access key id; `nonces` may be None only when there are none."""
        self._secrets = secrets
        self._nonces = nonces
        self._clock = clock

    def admit(self, request: Incoming) -> str:
        """Return the access key id of the caller, "" for this machine's own programs.

        Raises InvalidInputError for everybody else.
        """
        if self._nonces is None:
            check_local(request.peer, request.headers, secret="[service.access_keys]")
            return ""
        now = self._clock()
        if request.acs3:
            signed = verify_acs3(
                request.method,
                request.path,
                request.query,
                request.headers,
                request.body,
                self._secrets,
                now,
            )
        else:
            signed = verify_v1(request.method, request.parameters, self._secrets, now)
        if not self._nonces.use(signed.access_key_id, signed.nonce, signed.signed_at):
            raise InvalidInputError(
                Code.NONCE_USED,
                "The nonce of the request was used before.",
                remedy="Sign each request with a nonce of its own.",
            )
        return signed.access_key_id


def check_local(peer: str, headers: Mapping[str, str], *, secret: str) -> None:
    """Refuse a caller that is not a program of this machine; `secret` would let others in, too.

    Header names in lower case, unless the mapping does not mind. Raises InvalidInputError.
    """
    host = headers.get("host", "")
    origin = headers.get("origin", "")
    own_page = not origin or origin.partition("://")[2].lower() == host.lower()
    if not _is_loopback(peer):
        fault = "Calls from other machines are not taken"
    elif not _LOOPBACK_HOST.fullmatch(host):
        fault = "The host of a call must be 127.0.0.1 or localhost"
    elif any(name in headers for name in _PROXY_HEADERS):
        fault = "Calls that pass a proxy are not taken"
    elif not own_page or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        fault = "Pages of other sites may not call"
    else:
        return
    raise InvalidInputError(
        Code.IDENTITY_DISABLED,
        f"{fault} without {secret}.",
        remedy=f"Configure {secret}.",
    )


@lru_cache(maxsize=256)
def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
