"""A target of notifications, by the library Apprise, which is imported at need only.

Its URL may hold passwords, and so may what the library says: neither is shown or logged as it is.
"""

import logging
import os
import re
from contextvars import ContextVar
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from workflow_engine.errors import Code, MediaflowError, SettingsError
from workflow_engine.notify.text import Note
from workflow_engine.settings import NotifySettings

_HELP = "See docs/notifications.md, and the services at https://appriseit.com/services/."
#: characters of a part of a URL that may be a secret
_SECRET = 4
_said: ContextVar[list[str] | None] = ContextVar("said", default=None)


class Target:
    """Somebody to tell."""

    def __init__(self, name: str, apprise: Any, secrets: "re.Pattern[str] | None") -> None:
        self.name = name
        self._apprise = apprise
        self._secrets = secrets

    @property
    def kind(self) -> str:
        """What the service is called."""
        return str(self._apprise[0].service_name)

    def send(self, note: Note) -> None:
        """Send a message and wait for the answer. Raises MediaflowError."""
        said: list[str] = []
        token = _said.set(said)
        try:
            sent = self._apprise.notify(title=note.title, body=note.body, body_format="text")
            reason = " ".join(said).rstrip(".")
        except Exception as error:  # whatever a service makes of what it is given
            sent, reason = False, f"{type(error).__name__}: {error}"
        finally:
            _said.reset(token)
        if not sent:
            raise MediaflowError(
                Code.NOT_DELIVERED,
                f'The target "{self.name}" ({self.kind}) did not take the notification: '
                f"{self._cleaned(reason) or 'it gave no reason'}.",
                remedy=f"Check [notify.{self.name}], and try it: mediaflow notify test {self.name}",
            )

    def _cleaned(self, text: str) -> str:
        return self._secrets.sub("***", text) if self._secrets else text


def open_target(name: str, settings: NotifySettings) -> Target:
    """Return a target. Raises SettingsError for a URL that cannot be used."""
    pointer = f"/notify/{name}"
    if settings.url_env is not None:
        url = os.environ.get(settings.url_env, "")
        if not url:
            raise SettingsError(
                Code.EMPTY_VALUE,
                f'The variable "{settings.url_env}" of [notify.{name}] is not set.',
                pointer=f"{pointer}/url_env",
                remedy="Set it to the URL of the target.",
            )
    else:
        assert settings.url is not None
        url = settings.url.get_secret_value()
    apprise: Any = import_module("apprise")
    _listen()
    service = apprise.Apprise.instantiate(url)
    if service is None:
        scheme = url.partition("://")[0] if "://" in url else ""
        shown = f' that begins with "{scheme}://"' if scheme.isalnum() else ""
        raise SettingsError(
            Code.INVALID,
            f"[notify.{name}] has a URL{shown} which Apprise cannot use.",
            pointer=f"{pointer}/url",
            remedy=f"Write it as the service needs it. {_HELP}",
        )
    if "overflow" not in parse_qs(urlsplit(url).query):
        # a message longer than the service takes would never arrive
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    target = apprise.Apprise()
    target.add(service)
    return Target(name, target, _secrets_of(url))


def _secrets_of(url: str) -> "re.Pattern[str] | None":
    """Return what finds the parts of a URL that may be secret: all but scheme and host.

    What stands for a host without a dot is a token of services that have no host in their URLs.
    """
    host = urlsplit(url).netloc.rpartition("@")[2].partition(":")[0]
    parts = set(re.split(r"[/:@?&=,+#]+", url.partition("://")[2]))
    parts |= set(re.split(r"[/:@?&=,+#]+", unquote(url.partition("://")[2])))
    if "." in host:
        parts.discard(host)
    secret = sorted((one for one in parts if len(one) >= _SECRET), key=len)
    return re.compile("|".join(map(re.escape, reversed(secret)))) if secret else None


class _Reasons(logging.Handler):
    """Hands what Apprise warns of to the one who is sending, and to nobody else."""

    def emit(self, record: logging.LogRecord) -> None:
        said = _said.get()
        if said is not None:
            said.append(record.getMessage())


def _listen() -> None:
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Reasons) for handler in logger.handlers):
        logger.addHandler(_Reasons(logging.WARNING))
    logger.setLevel(logging.WARNING)
    logger.propagate = False
