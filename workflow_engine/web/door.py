"""Who may see pages, and whose changes are taken.

With access keys configured: whoever has signed in. Without: browsers of this machine, by a name
that no foreign site can have (a site could let its own name lead here, DNS rebinding). A change
needs a token, which only our own pages hold, and must come from one of them.
"""

import hmac
import secrets
from collections.abc import Mapping

from workflow_engine.api.access import check_local
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.web.requests import PageRequest
from workflow_engine.web.sessions import Session, Sessions

COOKIE = "mediaflow_session"


class SignInError(InvalidInputError):
    """Somebody asks for a page who is not signed in."""

    def __init__(self) -> None:
        super().__init__(
            Code.IDENTITY_DISABLED,
            "You are not signed in.",
            remedy="Sign in with an access key.",
        )


class Door:
    """Lets requests in. Thread-safe."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        """`accounts` has the secret of each access key id; none: this machine only."""
        self.sessions = Sessions(accounts) if accounts else None
        # of pages that nobody has signed in for
        self._token = secrets.token_urlsafe(32)

    def admit(self, request: PageRequest) -> Session | None:
        """Return who asks, None for somebody on this machine. Raises InvalidInputError."""
        if self.sessions is None:
            headers = request.headers
            if _is_visit(request):  # a link on another site may lead here: it sees nothing of it
                headers = {name: v for name, v in headers.items() if name != "sec-fetch-site"}
            check_local(request.peer, headers, secret="[service.access_keys]")
            return None
        session = self.sessions.find(request.cookies.get(COOKIE, ""))
        if session is None:
            raise SignInError
        return session

    def token(self, session: Session | None) -> str:
        """Return what the forms of a page must send back."""
        return session.token if session is not None else self._token

    def check_change(self, request: PageRequest, session: Session | None) -> None:
        """Refuse a change that does not come from one of our own pages."""
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        host = request.headers.get("host", "")
        own = origin is None or origin.partition("://")[2].lower() == host.lower()
        if not own or site not in (None, "same-origin") or (origin is None and site is None):
            raise InvalidInputError(
                Code.IDENTITY_DISABLED,
                "The request does not come from a page of mediaflow.",
                remedy="Open the page here and try again.",
            )
        token = request.form.get("token", "")
        if not hmac.compare_digest(token.encode(), self.token(session).encode()):
            raise InvalidInputError(
                Code.IDENTITY_DISABLED,
                "The page was made before mediaflow was started, or before you signed in.",
                remedy="Load it again, then repeat what you wanted to do.",
            )


def _is_visit(request: PageRequest) -> bool:
    """Whether a browser opens a page, rather than loading something for another page."""
    mode, target = (request.headers.get(f"sec-fetch-{name}") for name in ("mode", "dest"))
    return request.method == "GET" and mode == "navigate" and target == "document"
