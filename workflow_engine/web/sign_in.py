"""Signing in with an access key, and out."""

from urllib.parse import urlsplit

from starlette.responses import Response

from workflow_engine.api.answers import status_of
from workflow_engine.errors import InvalidInputError
from workflow_engine.web.door import COOKIE, Door
from workflow_engine.web.serving import Visit, see
from workflow_engine.web.sessions import GuessedTooOftenError

HOME = "/executions"


class SignInPages:
    """The page of the access key. Without configured keys there is nothing to sign in to."""

    def __init__(self, door: Door) -> None:
        self._sessions = door.sessions

    def show(self, visit: Visit) -> Response:
        """Ask for an access key."""
        target = _own_path(visit.request.query.get("next", ""))
        if self._sessions is None or visit.session is not None:
            return see(target)
        return visit.page("sign_in.html", next=target, key_id="", problem=None)

    def sign_in(self, visit: Visit) -> Response:
        """Begin a session."""
        form = visit.request.form
        target = _own_path(form.get("next", ""))
        if self._sessions is None:
            return see(target)
        key_id = form.get("key_id", "").strip()
        try:
            session = self._sessions.sign_in(key_id, form.get("secret", ""), visit.request.peer)
        except InvalidInputError as error:
            response = visit.page(
                "sign_in.html",
                status=429 if isinstance(error, GuessedTooOftenError) else status_of(error.code),
                next=target,
                key_id=key_id,
                problem=error,
            )
            if isinstance(error, GuessedTooOftenError):
                response.headers["retry-after"] = str(error.retry_after)
            return response
        response = see(target)
        response.set_cookie(
            COOKIE,
            session.id,
            path="/",
            httponly=True,
            samesite="lax",
            # the browser itself says whether it came by https, also through a proxy
            secure=visit.request.headers.get("origin", "").startswith("https://"),
        )
        return response

    def sign_out(self, visit: Visit) -> Response:
        """End the session."""
        if self._sessions is not None and visit.session is not None:
            self._sessions.sign_out(visit.session.id)
        response = see("/sign-in")
        response.delete_cookie(COOKIE, path="/")
        return response


def _own_path(target: str) -> str:
    """Return where to go next: a path of ours, whatever else was given."""
    parts = urlsplit(target)
    foreign = parts.scheme or parts.netloc or not target.startswith("/") or "\\" in target
    return HOME if foreign or target.startswith("//") else target
