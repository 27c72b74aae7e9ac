"""What a listener is, what it gets, and where the listeners of a kind are found.

A listener takes the events of all buckets that name its kind, from whatever sources these have. It
hands them as notices, many at once, to `context.intake.note`, and acknowledges a source only after
that has returned: the notices are in the store then, and whatever happens next, none is lost.
Everything behind that (settling, matching, queueing) is the engine's; the listings that find what
no event told are made by `service.py`, from the first `ListenerReport.listening` on.

A plug-in is a package with an entry point `KIND = "module:factory"` of the group
`mediaflow.triggers`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

from pydantic import SecretStr
from starlette.routing import BaseRoute

from workflow_engine.listening import BucketSettings, Code, Intake, SettingsError

GROUP = "mediaflow.triggers"


class ListenerReport(Protocol):
    """What a listener tells the service. Callable from any thread; never blocks."""

    def listening(self) -> None:
        """Every event from now on arrives: the bucket is listed now, and then periodically."""
        ...

    def heard(self, notices: int) -> None:
        """So many notices have been handed over."""
        ...

    def problem(self, text: str, *, listable: bool = True) -> None:
        """Say in one sentence what keeps events from arriving; "" when nothing does any more.

        `listable=False`: the bucket itself cannot be reached, or is not what it was; it is not
        listed until the next `listening`.
        """
        ...

    def reconcile(self) -> None:
        """Events may have been lost: have the bucket listed soon."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenedBucket:
    """A bucket whose events a listener takes."""

    #: as topologies use it
    name: str
    settings: BucketSettings
    report: ListenerReport


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenerContext:
    """What a listener is made from."""

    #: those whose `events` name the listener's kind, one at least
    buckets: Sequence[ListenedBucket]
    intake: Intake
    #: `[service] event_token`: what senders of events by HTTP must know; None: nothing is set
    token: SecretStr | None = None


class Listener(Protocol):
    """Listens to the events of the buckets of one kind: `watch`, `poll`, `sqs`, a plug-in's."""

    def start(self) -> None:
        """Begin to listen from threads of its own, and return at once.

        A source that cannot be reached is not an error: it is reported and tried again.
        """
        ...

    def stop(self) -> None:
        """End, and wait for the end; what was not handed over stays unacknowledged."""
        ...

    def status(self) -> str:
        """Return what is wrong in one sentence; empty when nothing is."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Return what the HTTP server of `serve` is to serve for it; mostly nothing."""
        ...


ListenerFactory = Callable[[ListenerContext], Listener]


def kind_of(settings: BucketSettings) -> str | None:
    """Return the kind of listener that a bucket's settings ask for, None for none."""
    if settings.events is None or isinstance(settings.events, str):
        return settings.events
    return settings.events.kind


def load_factory(kind: str) -> ListenerFactory:
    """Return what makes the listeners of a kind. Raises SettingsError when none is installed."""
    kinds = sorted(point.name for point in entry_points(group=GROUP))
    if kind not in kinds:
        raise SettingsError(
            Code.INSTALLATION,
            f'There is no listener for events = "{kind}"; installed: {", ".join(kinds) or "none"}.',
            remedy="Install mediaflow again, or choose another kind of events.",
        )
    (point,) = entry_points(group=GROUP, name=kind)
    return cast(ListenerFactory, point.load())
