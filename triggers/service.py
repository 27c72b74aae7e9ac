"""The part of `serve` that turns landed objects into queued executions.

One thread works through what has settled, for all buckets. Each kind of `events` has one listener,
which tells what it hears, and each bucket a reconciler, which lists it when the listener begins,
when events were lost, and from time to time. Whatever is noticed, by whichever way, is taken once:
that is decided in `Intake`.
"""

import logging
import threading
from collections.abc import Mapping

from starlette.routing import BaseRoute

from triggers.listener import (
    ListenedBucket,
    Listener,
    ListenerContext,
    ListenerFactory,
    kind_of,
    load_factory,
)
from triggers.reconciler import BucketReconciler
from workflow_engine.listening import Engine, MediaflowError

log = logging.getLogger(__name__)

#: seconds until what failed is tried again
RETRY_SECONDS = 2.0
#: seconds that a batch gets to end when the service stops
PATIENCE = 10.0


class Triggers:
    """Listens to every bucket that has `events`; `routes` are for the HTTP server to serve."""

    name = "triggers"

    def __init__(
        self, engine: Engine, *, factories: Mapping[str, ListenerFactory] | None = None
    ) -> None:
        """`factories` replaces the installed listeners, by kind.

        Raises SettingsError for events that this installation cannot listen to.
        """
        self._intake = engine.intake
        self._problem = ""
        self._stopping = False
        self._thread = threading.Thread(target=self._take_in, name=self.name, daemon=True)
        self._reconcilers: list[BucketReconciler] = []
        listened: dict[str, list[ListenedBucket]] = {}
        for name, settings in engine.settings.buckets.items():
            if kind := kind_of(settings):
                reconciler = BucketReconciler(self._intake, name, kind, settings)
                bucket = ListenedBucket(name=name, settings=settings, report=reconciler)
                self._reconcilers.append(reconciler)
                listened.setdefault(kind, []).append(bucket)
        token = engine.settings.service.event_token
        self._listeners: list[Listener] = []
        heard = (f"{bucket.name} ({kind})" for kind, some in listened.items() for bucket in some)
        self._heard = ", ".join(heard)
        for kind, buckets in listened.items():
            factory = load_factory(kind) if factories is None else factories[kind]
            context = ListenerContext(buckets=buckets, intake=self._intake, token=token)
            self._listeners.append(factory(context))
        self.routes: list[BaseRoute] = [
            route for listener in self._listeners for route in listener.routes()
        ]

    def start(self) -> None:
        """Begin to listen, and process what was noticed before. Raises StoreError."""
        self._intake.begin()
        for part in (*self._reconcilers, *self._listeners):
            part.start()
        self._thread.start()
        if self._heard:
            log.info("listening to the buckets %s", self._heard)

    def stop(self) -> None:
        """End. What was noticed and is not processed yet waits in the store."""
        for part in (*self._listeners, *self._reconcilers):
            part.stop()
        if self._heard and not self._stopping:
            log.info("no longer listening to the buckets %s", self._heard)
        self._stopping = True
        self._intake.noted.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def status(self) -> str:
        """Return what is wrong, empty when nothing is."""
        statuses = [part.status() for part in (*self._listeners, *self._reconcilers)]
        return " ".join(filter(None, (*statuses, self._problem)))

    def _take_in(self) -> None:
        while not self._stopping:
            self._intake.noted.clear()
            self._intake.noted.wait(self._settle())

    def _settle(self) -> float:
        """Take in what has settled; return the seconds until there is more."""
        try:
            seconds = self._intake.settle()
        except Exception as error:  # the store may answer at the next attempt; nothing is lost
            problem = f"New objects cannot be processed: {error}"
            if problem != self._problem:
                log.warning("%s", problem, exc_info=not isinstance(error, MediaflowError))
            self._problem = problem
            return RETRY_SECONDS
        self._problem = ""
        return seconds
