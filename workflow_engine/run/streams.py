"""Elementary streams that finished outputs have, for steps that would encode them again.

An output is copied into the work directory of the execution, once, and verified on the way: what
happens to it then changes nothing. One that is gone, changed or out of reach is left alone, and its
streams are encoded. Decision 21.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from workflow_engine.errors import InterruptedRunError, MediaflowError
from workflow_engine.planning.plan import Planned, stream_file
from workflow_engine.records import Digests, Output
from workflow_engine.run.reuse import Finished
from workflow_engine.topology.placeholders import Names

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Copy:
    """The copy of an output: whoever needs it first makes it, others wait for that one only."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    made: bool = False
    file: Path | None = None  # None where it cannot be had


class StreamFiles:
    """The finished outputs that steps of one execution have streams from. Thread-safe."""

    def __init__(
        self,
        finished: Finished,
        names: Names,
        make_folder: Callable[[], Path],
        cancel: threading.Event,
    ) -> None:
        """`make_folder` makes an empty folder."""
        self._finished = finished
        self._names = names
        self._make_folder = make_folder
        self._cancel = cancel
        self._lock = threading.Lock()
        self._copies: dict[tuple[str, Digests], _Copy] = {}

    def taking(self, planned: Planned) -> Planned:
        """Return a plan with the streams that finished outputs have.

        Raises InterruptedRunError and StoreError.
        """
        found = self._finished.streams(planned)
        return planned.taking(
            {name: one for name, one in found.items() if self._file(one)}, self._names
        )

    def link(self, planned: Planned, work: Path) -> None:
        """Make the files of a plan readable in the directory of an attempt, under their names."""
        files = {stream_file(output): self._file(output) for output in planned.taken.values()}
        for name, file in files.items():
            if file is not None:
                (work / name).symlink_to(file)

    def _file(self, output: Output) -> Path | None:
        with self._lock:
            copy = self._copies.setdefault((output.place, output.digests), _Copy())
        with copy.lock:
            if not copy.made:
                copy.file = self._fetched(output)
                copy.made = True
            return copy.file

    def _fetched(self, output: Output) -> Path | None:
        target = self._make_folder() / stream_file(output)
        try:
            if self._finished.fetch(output, target, self._cancel):
                return target
            log.info("%s is not what was recorded of it, and is not read", output.place)
        except InterruptedRunError:
            raise
        except (MediaflowError, OSError) as error:
            log.info("%s cannot be read: %s", output.place, error)
        return None
