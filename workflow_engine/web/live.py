"""Live updates: one stream of events per open page, and one look at the store for all of them.

A thread looks once a second at the executions that open pages show. A stream tells its page
`progress` (how far activities are) and `changed` (something else is not as it was: the page asks
for itself again). The id of `changed` stands for all that the page shows: a page that was made
then, or a stream that continues behind it (`Last-Event-ID`), is told nothing.
"""

import asyncio
import hashlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from workflow_engine.api.answers import new_request_id, status_of
from workflow_engine.errors import MediaflowError
from workflow_engine.records import ActivityState
from workflow_engine.store import Glance, Store
from workflow_engine.web.door import Door
from workflow_engine.web.requests import read
from workflow_engine.web.serving import secured

log = logging.getLogger(__name__)

#: seconds between two looks
PERIOD = 1.0
#: streams at once; each keeps a connection of the server
MOST_STREAMS = 200
#: executions of one stream
MOST_RUNS = 100
#: seconds after which a stream says something, so that one without a reader is noticed
_SILENCE = 15.0
#: stands among RunIds for the list itself: it changes when an execution is added
NEW = "new"

#: what is known of an activity that runs, beside its state: the fraction and a text about it
Progress = Mapping[str, Mapping[str, Any]]
#: says what is told of the progress of an activity: RunId, name, fraction
Told = Callable[[str, str, float], str]
#: makes the page about a status and the number of a request
Failure = Callable[[int, str, MediaflowError | None], Response]


def seen(glances: Iterable[Glance], newest: str = "") -> str:
    """Return what stands for how executions stand, their progress left aside."""
    shown = sorted(
        (
            one.run_id,
            one.state,
            one.failed,
            [(a.name, a.state, a.message, a.ended) for a in one.activities],
        )
        for one in glances
    )
    text = json.dumps([shown, newest])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(eq=False)
class _Stream:
    """An open page: what it shows, and what its stream has to send."""

    topics: frozenset[str]
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)
    seen: str = ""
    progress: Mapping[str, Progress] = field(default_factory=dict[str, Progress])


class Live:
    """Looks for all open pages. Its thread runs while there are any."""

    def __init__(
        self, store: Callable[[], Store], door: Door, told: Told, failure: Failure
    ) -> None:
        self._store = store
        self._failure = failure
        self._door = door
        self._told = told
        self._lock = threading.Lock()
        self._streams: set[_Stream] = set()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """End every stream."""
        with self._lock:
            self._closed = True
            streams = list(self._streams)
        self._wake.set()
        for stream in streams:
            _tell(stream)

    async def answer(self, request: Request) -> Response:
        """Answer `/live?run=RUNID&run=...&seen=...` with a stream of events."""
        number = new_request_id()
        try:
            asked = await read(request.scope, request)
            session = self._door.admit(asked)
        except MediaflowError as error:
            return self._failure(status_of(error.code), number, error)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if asked.method == "HEAD":
            return secured(Response(headers=headers, media_type="text/event-stream"))
        topics = frozenset(request.query_params.getlist("run")[:MOST_RUNS])
        stream = _Stream(topics=topics, loop=asyncio.get_running_loop())
        if self._is_full():
            refused = self._failure(503, number, None)
            refused.headers["retry-after"] = "10"
            return refused
        last = request.headers.get("last-event-id") or request.query_params.get("seen", "")

        def admitted() -> bool:
            return session is None or self._signed_in(session.id)

        events = self._events(stream, last, admitted)
        return secured(StreamingResponse(events, media_type="text/event-stream", headers=headers))

    def _signed_in(self, session_id: str) -> bool:
        sessions = self._door.sessions
        return sessions is not None and sessions.find(session_id, use=False) is not None

    async def _events(
        self, stream: _Stream, last: str, admitted: Callable[[], bool]
    ) -> AsyncIterator[str]:
        self._enter(stream)  # not before: a stream that never begins must not be kept
        try:
            yield "retry: 3000\n\n"
            told: Mapping[str, Progress] = {}
            while not self._closed and admitted():
                try:
                    async with asyncio.timeout(_SILENCE):
                        await stream.news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                stream.news.clear()
                if stream.seen and stream.seen != last:
                    last = stream.seen
                    yield f"id: {last}\nevent: changed\ndata: {last}\n\n"
                if stream.progress != told:
                    told = stream.progress
                    yield f"event: progress\ndata: {json.dumps(told)}\n\n"
        finally:
            with self._lock:
                self._streams.discard(stream)

    def _is_full(self) -> bool:
        with self._lock:
            return self._closed or len(self._streams) >= MOST_STREAMS

    def _enter(self, stream: _Stream) -> None:
        with self._lock:
            self._streams.add(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="live", daemon=True)
                self._thread.start()
        self._wake.set()

    def _look(self) -> None:
        while True:
            with self._lock:
                streams = list(self._streams)
                if not streams or self._closed:
                    self._thread = None
                    return
            self._wake.clear()
            try:
                self._look_once(streams)
            except MediaflowError as error:  # the store answers again at a later look
                log.debug("live pages are not told anything: %s", error)
            except Exception:  # without this thread no page would be live any more
                log.exception("live pages are not told anything")
            self._wake.wait(PERIOD)

    def _look_once(self, streams: Iterable[_Stream]) -> None:
        topics = frozenset[str]().union(*(stream.topics for stream in streams))
        store = self._store()
        newest = store.glances.newest() if NEW in topics else ""
        found = {one.run_id: one for one in store.glances.of(topics - {NEW})}
        for stream in streams:
            own = [found[topic] for topic in stream.topics if topic in found]
            state = seen(own, newest if NEW in stream.topics else "")
            progress = {one.run_id: self._progress(one) for one in own}
            if (state, progress) != (stream.seen, stream.progress):
                stream.seen, stream.progress = state, progress
                _tell(stream)

    def _progress(self, one: Glance) -> Progress:
        return {
            a.name: {
                "fraction": round(a.progress, 3),
                "told": self._told(one.run_id, a.name, a.progress),
            }
            for a in one.activities
            if a.state == ActivityState.RUNNING
        }


def _tell(stream: _Stream) -> None:
    with suppress(RuntimeError):  # the loop is closed, and its streams with it
        stream.loop.call_soon_threadsafe(stream.news.set)
