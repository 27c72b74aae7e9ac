"""The part of `serve` that turns landed objects into queued executions.

One thread works through what has settled, for all buckets. Each bucket with `events` has a
listener, which tells what it hears, and an attendant, which lists the bucket when the listener
begins, when events were lost, and from time to time. Whatever is noticed, by whichever way, is
taken once: that is decided in `Intake`.
"""

import logging
import threading
from collections.abc import Mapping

from starlette.routing import BaseRoute

from triggers.attendant import Attendant
from triggers.listener import Listener, ListenerContext, ListenerFactory, kind_of, load_factory
from triggers.webhook import routes
from workflow_engine.listening import Engine, MediaflowError

log = logging.getLogger(__name__)

#: seconds until what failed is tried again
RETRY_SECONDS = 2.0
#: seconds that a batch gets to end when the service stops
PATIENCE = 10.0


class Triggers:
    """Listens to every bucket that has `events`."""

    name = "triggers"

    def __init__(
        self, engine: Engine, *, factories: Mapping[str, ListenerFactory] | None = None
    ) -> None:
        """`factories` replaces the installed listeners, by kind.

        Raises SettingsError for events that this installation cannot listen to.
        """
        self._intake = engine.intake
        self._attendants: list[Attendant] = []
        self._listeners: list[Listener] = []
        self._problem = ""
        self._stopping = False
        self._thread = threading.Thread(target=self._take_in, name=self.name, daemon=True)
        for bucket, settings in engine.settings.buckets.items():
            kind = kind_of(settings)
            if kind is None:
                continue
            factory = load_factory(kind) if factories is None else factories[kind]
            attendant = Attendant(self._intake, bucket, kind, settings)
            context = ListenerContext(
                bucket=bucket,
                settings=settings,
                buckets=engine.settings.buckets,
                intake=self._intake,
                report=attendant,
            )
            self._attendants.append(attendant)
            self._listeners.append(factory(context))
        self.routes: list[BaseRoute] = routes(self._listeners, engine.settings.service.event_token)

    def start(self) -> None:
        """Begin to listen, and process what was noticed before. Raises StoreError."""
        self._intake.begin()
        for part in (*self._attendants, *self._listeners):
            part.start()
        self._thread.start()

    def stop(self) -> None:
        """End. What was noticed and is not processed yet waits in the store."""
        for part in (*self._listeners, *self._attendants):
            part.stop()
        self._stopping = True
        self._intake.noted.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def status(self) -> str:
        """Return what is wrong, empty when nothing is."""
        statuses = [part.status() for part in (*self._listeners, *self._attendants)]
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
