"""Tells the other processes on the same store what this one was told, and the operator about them.

Two services may share a store with different configurations: each runs what its own buckets can
serve. That is seldom what somebody wanted, so each names the difference.
"""

import logging
import threading
from collections.abc import Iterator
from typing import NamedTuple

from workflow_engine.engine import Engine
from workflow_engine.records import utc_now, wire_time
from workflow_engine.records.catalog import ServiceRecord
from workflow_engine.run import lease
from workflow_engine.store import MOST_COUNTED, buckets_text

log = logging.getLogger(__name__)

#: seconds between two signs of life; well below `store.services.SILENCE`
PERIOD = 5.0


class SharedStore:
    """A component of `serve`: its sign of life, and what does not fit together on the store."""

    name = "configuration"

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store
        settings = engine.settings
        self._own = ServiceRecord(
            id=lease.owner_name(),
            started=utc_now(),
            configuration=str(settings.file or ""),
            data_dir=str(settings.data_dir),
            workflows_dir=str(settings.workflows.dir),
            buckets=engine.buckets.locations,
        )
        self._told: set[str] = set()
        self._status = ""
        #: why the store takes no sign of life, empty when it does
        self.trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Say that this process is here, and warn of others that were told something else."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Say that it ends."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(PERIOD)
        try:
            self._store.services.gone(self._own.id)
        except Exception as error:  # the others will notice the silence
            log.warning("the end of this service is not recorded: %s", error)

    def status(self) -> str:
        """Return what keeps the store from use, what others were told, and what waits for them."""
        return self.trouble or self._status

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD):
            try:
                self._look()
                self.trouble = ""
            except Exception as error:  # the store may fail now and answer at the next look
                if not self.trouble:
                    log.info("the other services of the store are not known: %s", error)
                self.trouble = f"The store cannot be used: {error}"

    def _look(self) -> None:
        self._store.services.here(self._own)
        found = [*self._of_others(), *self._of_waiting()]
        self._status = " ".join(note.status for note in found)  # `/readyz` knows before the log
        for note in found:
            if note.about not in self._told:
                log.warning("%s", note.warning)
            self._told.add(note.about)

    def _of_others(self) -> Iterator["_Note"]:
        for other in self._store.services.living():
            if different := "; ".join(differences(self._own, other)):
                what = "works on this store with another configuration"
                who = f"{other.id}, since {wire_time(other.started)}"
                yield _Note(
                    about=other.id,
                    status=f"Another service {what}; the log tells the differences.",
                    warning=f"another service ({who}) {what}: {different}",
                )

    def _of_waiting(self) -> Iterator["_Note"]:
        for waiting in self._store.queue.waiting_elsewhere(self._own.buckets):
            count = f"{waiting.count}{' or more' if waiting.count == MOST_COUNTED else ''}"
            what = "waiting for a process that knows"
            text = buckets_text(waiting.buckets)
            yield _Note(
                about=text,
                status=f"Executions {what} {', '.join(waiting.buckets)}: {count}.",
                warning=f"executions are {what} {text}: {count}",
            )


class _Note(NamedTuple):
    """What does not fit together on the store."""

    #: the service or the buckets; each is logged once
    about: str
    #: for `/readyz`, which tells strangers no paths
    status: str
    #: for the log
    warning: str


def differences(own: ServiceRecord, other: ServiceRecord) -> Iterator[str]:
    """Yield what another service was told otherwise, in words."""
    for what, there, here in (
        ("the configuration", other.configuration, own.configuration),
        ("the data directory", other.data_dir, own.data_dir),
        ("the workflow folder", other.workflows_dir, own.workflows_dir),
    ):
        if there != here:
            yield f"{what} is {_quoted(there)} there, {_quoted(here)} here"
    for name in sorted(own.buckets.keys() | other.buckets.keys()):
        there, here = other.buckets.get(name, ""), own.buckets.get(name, "")
        if there != here:
            yield f'the bucket "{name}" is {_quoted(there)} there, {_quoted(here)} here'


def _quoted(value: str) -> str:
    return f'"{value}"' if value else "none"
