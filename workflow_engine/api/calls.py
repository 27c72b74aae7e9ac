"""From a request to an answer: who calls, which action, its parameters, its answer or error.

`Calls.answer` never raises: what goes wrong becomes an error with a code of the specification,
and what nobody foresaw an InternalError whose details stand in the log, under its RequestId.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from workflow_engine.api.access import AccessCheck
from workflow_engine.api.action import Action, Request
from workflow_engine.api.answers import (
    HttpAnswer,
    error_body,
    new_request_id,
    status_of,
    written,
)
from workflow_engine.api.families import Family
from workflow_engine.api.incoming import Incoming
from workflow_engine.api.limits import RateLimits, ThrottledError
from workflow_engine.api.metrics import Metrics
from workflow_engine.api.replay import Nonces
from workflow_engine.api.server_paths import ServerPaths
from workflow_engine.api.signing import V1_PARAMETERS
from workflow_engine.engine import Engine
from workflow_engine.errors import (
    Code,
    InvalidInputError,
    MediaflowError,
    TopologyError,
    is_out_of_files,
)
from workflow_engine.topology import problems_of
from workflow_engine.topology.wire import shown

log = logging.getLogger("workflow_engine.api")

#: parameters of the call form; no action sees them
_COMMON = frozenset(
    (*V1_PARAMETERS, "Action", "Version", "Format", "RegionId", "SecurityToken", "SignatureType")
)

#: problems of one topology that an error lists
_MOST_PROBLEMS = 50

#: action of calls that do not get as far as one
_NO_ACTION = "-"
_OK = "OK"
_OTHER = "other"
_CODES = frozenset((_OK, *(code.value for code in Code)))


@dataclass
class _Call:
    """What is known of a call so far, for the log and the error."""

    request_id: str
    account: str = "-"
    action: str = _NO_ACTION


class Calls:
    """The actions of the API, ready to be called. Safe to use from several threads."""

    def __init__(self, engine: Engine, families: Iterable[Family], metrics: Metrics) -> None:
        """Read keys and limits from the engine's settings.

        Raises SettingsError when the limits are wrong.
        """
        service = engine.settings.service
        secrets = {name: key.get_secret_value() for name, key in service.access_keys.items()}
        nonces = Nonces(engine.store.nonces) if secrets else None
        self._engine = engine
        self._families = {family.version: family for family in families}
        self._metrics = metrics
        self._gate = AccessCheck(secrets, nonces)
        self._paths = ServerPaths(engine.settings)
        self._limits = RateLimits(
            {
                family.label(name): action.rate
                for family in self._families.values()
                for name, action in family.actions.items()
            },
            service.rate_limits,
        )

    def answer(self, request: Incoming) -> HttpAnswer:
        """Run the call and return what to send."""
        began = time.perf_counter()
        headers: dict[str, str] = {}
        call = _Call(request_id=new_request_id())
        try:
            content = self._run(call, request)
            root = f"{call.action.rpartition('.')[2]}Response"
            body = written(request.format, root, content)
            if self._paths.are_in(body):
                body = written(request.format, root, self._paths.hidden_in(content))
            status, code = 200, _OK
        except Exception as error:
            known = _known_error(call, error)
            status, code = status_of(known.code), known.code
            host = request.headers.get("host", "")
            message = self._paths.hidden(_message(known))
            body = error_body(request.format, call.request_id, host, code, message)
            if isinstance(known, ThrottledError):
                headers["x-acs-retry-after"] = str(known.retry_after)
        headers["x-acs-request-id"] = call.request_id
        seconds = time.perf_counter() - began
        self._metrics.count(call.action, code if code in _CODES else _OTHER, seconds)
        log.info(
            "%s %s %s %s %d %s %.1f ms",
            call.request_id,
            request.peer,
            call.account,
            call.action,
            status,
            code,
            seconds * 1000,
        )
        return HttpAnswer(
            status=status, body=body, media_type=request.format.media_type, headers=headers
        )

    def _run(self, call: _Call, request: Incoming) -> Mapping[str, object]:
        """Return the whole content of a good answer."""
        request.check()
        family = self._families.get(request.version or "")
        action = family.actions.get(request.action or "") if family else None
        if family and action:
            call.action = family.label(action.name)
        call.account = self._gate.admit(request) or "-"
        name = _given(request.action, "Action", "See the API reference for their names.")
        versions = " or ".join(f'"{version}"' for version in self._families)
        version = _given(request.version, "Version", f"Use {versions}.")
        if family is None:
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f"The version {shown(version)} is not supported.",
                pointer="/Version",
                remedy=f"Use {versions}.",
            )
        if action is None:
            raise family.refuse(name, family.actions)
        self._limits.admit(call.account, call.action)
        content = action.call(self._engine, _model(action, request.parameters))
        return {"RequestId": call.request_id, **content}


def _model(action: Action, parameters: Mapping[str, str]) -> Request:
    """Return the checked request. Raises InvalidInputError about the first wrong parameter."""
    own = {name: value for name, value in parameters.items() if name not in _COMMON}
    try:
        return action.request.model_validate(own)
    except ValidationError as error:
        first = next(iter(problems_of(error)))
    code = first.code if first.code in _CODES else Code.INVALID
    raise InvalidInputError(code, first.message, pointer=first.pointer, remedy=first.remedy)


def _given(value: str | None, name: str, remedy: str) -> str:
    if value:
        return value
    raise InvalidInputError(
        Code.NULL_VALUE if value is None else Code.EMPTY_VALUE,
        f'The parameter "{name}" is {"missing" if value is None else "empty"}.',
        remedy=remedy,
    )


def _known_error(call: _Call, error: Exception) -> MediaflowError:
    """Return the error that the client sees."""
    if isinstance(error, MediaflowError) and error.code != Code.INTERNAL:
        return error
    if is_out_of_files(error):
        log.warning("%s %s: %s", call.request_id, call.action, error)
        return MediaflowError(
            Code.INTERNAL,
            "The server has too many open files.",
            remedy="Send the request again; a higher limit (ulimit -n) helps the server.",
        )
    log.error("%s %s broke", call.request_id, call.action, exc_info=error)
    return MediaflowError(
        Code.INTERNAL,
        "The server failed on this request.",
        remedy=f"Its log says why, under {call.request_id}.",
    )


def _message(error: MediaflowError) -> str:
    """Return the sentence of an error, what it is about, and the remedy."""
    if isinstance(error, TopologyError):
        lines = [str(problem) for problem in error.problems]
        more = len(lines) - _MOST_PROBLEMS
        rest = [f"... and {more} more problems"] if more > 0 else []
        return "\n".join([*lines[:_MOST_PROBLEMS], *rest])
    pointer = f" ({error.pointer})" if error.pointer else ""
    remedy = f" {error.remedy}" if error.remedy else ""
    return f"{error.message}{pointer}{remedy}"
