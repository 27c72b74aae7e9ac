"""Bucket events by HTTP: `POST /events/{provider}`, for the buckets with `events = "webhook"`.

The answer is 200 only when the notices are in the store: whatever else a sender gets, it sends
again, and events that come twice do no harm. An invalid body is answered with
400, a store that takes nothing with 503.

Who sends must know the token, as `Authorization: Bearer`, in `X-Token`, or, where a sender can
only be given a URL, as `?token=`. Without a configured token only this machine may send.
"""

import asyncio
import hmac
import logging
from collections import Counter
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from triggers.events import (
    MOST_BYTES,
    EventError,
    log_confirmation,
    names_in_stores,
    notices_of,
    parse,
)
from triggers.listener import ListenerContext
from workflow_engine.listening import (
    Code,
    Intake,
    InvalidInputError,
    MediaflowError,
    Notice,
    check_local,
)

log = logging.getLogger(__name__)

#: what may stand behind `/events/`; it only tells readers of logs who sends, for the body says
#: itself what it is
PROVIDERS = ("auto", "eventbridge", "minio", "oss", "s3", "sns")
#: seconds that a sender may take for a body
BODY_SECONDS = 20.0


class WebhookListener:
    """The buckets whose events come by HTTP, to one address."""

    def __init__(self, context: ListenerContext) -> None:
        self._context = context

    def start(self) -> None:
        """Have the buckets listed; events may come before this and after `stop`, too."""
        for bucket in self._context.buckets:
            bucket.report.listening()

    def stop(self) -> None:
        """Nothing is left to end: the server does not serve the address any more."""

    def status(self) -> str:
        """Return nothing: what keeps events from arriving, their senders say."""
        return ""

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route for events by HTTP."""
        endpoint = WebhookEndpoint(self._context)
        return [Route("/events/{provider}", endpoint.answer, methods=["POST"])]


class _Refused(Exception):
    """What a sender is told, instead of 200."""

    def __init__(self, status: int, code: Code, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class WebhookEndpoint:
    """Answers requests, in one event loop."""

    def __init__(self, context: ListenerContext) -> None:
        self._reports = {bucket.name: bucket.report for bucket in context.buckets}
        self._names = names_in_stores({one.name: one.settings for one in context.buckets})
        token = context.token
        self._token = token.get_secret_value().encode() if token is not None else b""
        self._store = _Store(context.intake)

    async def answer(self, request: Request) -> Response:
        """Take the events of a request."""
        provider = request.path_params["provider"]
        try:
            if provider not in PROVIDERS:
                known = ", ".join(PROVIDERS)
                message = f"There is no such sender of events. Known: {known}."
                raise _Refused(404, Code.RESOURCE_NOT_FOUND, message)
            self._admit(request)
            noticed = await self._take(await _body(request))
        except _Refused as refused:
            peer = request.client.host if request.client else ""
            log.info("events of %r from %s: %d %s", provider, peer, refused.status, refused.message)
            body = {"Code": refused.code, "Message": refused.message}
            return JSONResponse(body, refused.status, refused.headers)
        return JSONResponse({"Notices": noticed})

    def _admit(self, request: Request) -> None:
        """Raise _Refused for a sender that does not know the token."""
        if not self._token:
            peer = request.client.host if request.client else ""
            try:
                check_local(peer, request.headers, secret="[service] event_token")
            except InvalidInputError as error:
                raise _Refused(403, Code.IDENTITY_DISABLED, error.message) from None
            return
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        tokens = [
            bearer.strip() if scheme.lower() == "bearer" else "",
            request.headers.get("x-token", ""),
            *request.query_params.getlist("token"),
        ]
        known = [hmac.compare_digest(one.encode(), self._token) for one in tokens]
        if not any(known):
            message = "The token is missing or wrong. Send the configured event_token."
            raise _Refused(401, Code.SIGNATURE, message, **{"www-authenticate": "Bearer"})

    async def _take(self, body: bytes) -> int:
        """Keep what a body tells, and return how many notices that were."""
        try:
            notices = await asyncio.to_thread(self._read, body)
        except EventError as error:
            raise _Refused(400, Code.FORMAT, error.message) from None
        if not notices:
            return 0
        try:
            await self._store.keep(notices)
        except Exception as error:
            log.warning(
                "events cannot be kept, their sender must repeat them: %s",
                error,
                exc_info=not isinstance(error, MediaflowError),
            )
            message = "The events cannot be kept now. Send them again."
            raise _Refused(503, Code.INTERNAL, message, **{"retry-after": "5"}) from None
        for bucket, count in Counter(notice.bucket for notice in notices).items():
            self._reports[bucket].heard(count)
        return len(notices)

    def _read(self, body: bytes) -> list[Notice]:
        events = parse(body)
        if events.confirm:
            log_confirmation(events.confirm)
        return notices_of(events.landed, self._names, "webhook")


class _Store:
    """Keeps the notices of requests that come at the same time in one transaction."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: list[tuple[Sequence[Notice], asyncio.Future[None]]] = []
        self._work: asyncio.Task[None] | None = None

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Return when the notices are in the store. Raises what the store raises."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((notices, kept))
        if self._work is None:
            self._work = asyncio.create_task(self._keep_all())
        await kept

    async def _keep_all(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            notices = dict.fromkeys(notice for some, _ in taken for notice in some)
            failure: Exception | None = None
            try:
                await asyncio.to_thread(self._intake.note, list(notices))
            except Exception as error:
                failure = error
            for _, kept in taken:
                if kept.done():
                    continue
                if failure is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(failure)
        self._work = None


async def _body(request: Request) -> bytes:
    """Return the body. Raises _Refused when it is too long or does not come."""
    body = bytearray()
    closing = {"connection": "close"}
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    message = f"The body is too long. Send at most {MOST_BYTES} bytes."
                    raise _Refused(413, Code.OUT_OF_RANGE, message, **closing)
    except (ClientDisconnect, TimeoutError):
        message = "The body did not come in time. Send it at once."
        raise _Refused(408, Code.INVALID, message, **closing) from None
    return bytes(body)
