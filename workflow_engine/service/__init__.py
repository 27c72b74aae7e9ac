"""What `serve` runs beside the API: components that start, stop, and say what is wrong.

`dispatcher.py` runs executions, `prefect.py` keeps the Prefect server, `workflow_files.py` loads
`[workflows] dir`, `messages.Sender` delivers messages; `doctor.py` checks what this
machine can do. `server.py` puts them together, with what packages add by entry points
`NAME = "module:factory"` of the group `mediaflow.services`: the factory takes the engine and
returns a `Component`, and the triggers are the first of them.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from starlette.routing import BaseRoute

GROUP = "mediaflow.services"


class Component(Protocol):
    """A part of the service."""

    @property
    def name(self) -> str:
        """What `/readyz` calls it."""
        ...

    def start(self) -> None:
        """Begin; returns when it is ready."""
        ...

    def stop(self) -> None:
        """End, and wait for the end."""
        ...

    def status(self) -> str:
        """Return what is wrong, in one sentence; empty when nothing is."""
        ...


@runtime_checkable
class Routed(Protocol):
    """A component that answers HTTP requests, too."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What the server adds to its own."""
        ...
