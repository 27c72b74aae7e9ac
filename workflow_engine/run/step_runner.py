"""Makes what a planned step makes: in a directory of its own, alone or with siblings.

The steps of one execution share its input, its side inputs and its work directory.
`shared_process.py` has the process that siblings share; `runner.py` plans steps and publishes what
they made.
"""

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workflow_engine.activity import ActivityContext, ActivityResult, Role, StepResult
from workflow_engine.buckets.parallel import in_parallel
from workflow_engine.errors import Interruption, LeaseLostError
from workflow_engine.planning.plan import Planned, Planner, shared_groups
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.job import Job
from workflow_engine.run.report_page import page_maker
from workflow_engine.run.shared_process import SharedProcess
from workflow_engine.run.side_inputs import SideInputs
from workflow_engine.run.source import SourceFile
from workflow_engine.run.streams import StreamFiles

log = logging.getLogger(__name__)


class StepRunner:
    """Runs the steps of one execution. Thread-safe."""

    def __init__(
        self,
        run: ActiveRun,
        planner: Planner,
        file: SourceFile,
        side_inputs: SideInputs,
        find_finished: Callable[[Planned], StepResult | None],
        streams: StreamFiles | None,
    ) -> None:
        """`file` is the input; `find_finished` tells which siblings need no process.

        `streams` has what need not be encoded again, None for a run that does everything again.
        """
        self._run = run
        self._planner = planner
        self._file = file
        self._side_inputs = side_inputs
        self._find_finished = find_finished
        self._streams = streams
        self._finding = threading.Lock()
        self._found: dict[str, Planned] = {}  # with streams of finished outputs
        self._sharing = threading.Lock()
        self._shared: dict[str, SharedProcess | None] = {}
        self._directories: dict[str, Path] = {}  # of the latest attempts
        self._kept: dict[str, Path] = {}

    def run(self, planned: Planned) -> ActivityResult:
        """Run a step; again after an error. Raises what the activity raises, and OSError."""
        name = planned.node.name
        shared = self._shared_process(planned)
        if shared and (result := shared.result(name)) is not None:
            return result
        step = self._with_streams(planned).step
        assert step is not None
        try:
            with self._at_work([self._with_streams(planned)]) as (context,):
                result = planned.node.activity.run(step, context)
        except BaseException:
            self._discard(name)  # the next attempt may need the room
            raise
        self._kept |= result.kept
        return result

    def _with_streams(self, planned: Planned) -> Planned:
        """Return a plan with the streams that need not be encoded again."""
        if self._streams is None:
            return planned
        name = planned.node.name
        if name not in self._found:
            found = self._streams.taking(planned)  # which may download for long
            with self._finding:
                self._found.setdefault(name, found)
        return self._found[name]

    @contextmanager
    def _at_work(self, members: Sequence[Planned]) -> Generator[list[ActivityContext]]:
        """Give the contexts of members that run together, and take the time of their work."""
        job = self._run.estimates.begin(members, self._run.environment.slot)
        yield [self._context(one.node.name, job) for one in members]
        self._run.estimates.end(job)

    def _context(self, name: str, job: Job) -> ActivityContext:
        self._discard(name)
        work = self._directories[name] = self._run.work.attempt()
        source = work / self._run.names.source_name
        reports = self._run.graph.nodes[name].role is Role.REPORT
        if not reports:
            self._file.link(source)
            planned = self._planner.plan(name)
            self._side_inputs.link(planned.side_inputs, work)
            if self._streams is not None:
                self._streams.link(self._with_streams(planned), work)

        def progress(fraction: float) -> None:
            try:
                self._run.journal.progress(name, fraction)
            except LeaseLostError:
                self._run.cancellation.stop(Interruption.LEFT)

        def speed(value: float) -> None:
            job.speed = value

        return replace(
            self._run.context(name, work, source),
            progress=progress,
            speed=speed,
            slot=job.process,
            read_by=self._planner.read_by,
            pages=page_maker(self._run, name, self._planner.read_by) if reports else None,
            kept=dict(self._kept),
        )

    def _discard(self, name: str) -> None:
        if name in self._directories:
            self._run.work.discard(self._directories.pop(name))

    def _shared_process(self, planned: Planned) -> SharedProcess | None:
        """Return the process that a step shares with siblings, if it does."""
        name = planned.node.name
        if not self._run.environment.fuse or planned.step is None or not planned.step.share:
            return None
        with self._sharing:
            if name not in self._shared:
                siblings = [
                    sibling
                    for sibling in self._planner.plan_siblings(name)
                    # others may run already, when this one could not be planned with them
                    if sibling.node.name not in self._shared
                    and not self._run.journal.activity(sibling.node.name).state.ended
                ]
                served = [p.node.name for p in siblings if self._find_finished(p)]
                self._shared.update((sibling.node.name, None) for sibling in siblings)
                left = [one for one in siblings if one.node.name not in served]
                with_streams = in_parallel(self._with_streams, left)
                found = {one.node.name: one for one in with_streams}
                for group in shared_groups(self._run.graph, found.values()):
                    members = [found[member] for member in group]
                    self._shared.update(
                        dict.fromkeys(group, SharedProcess(members, self._at_work, self._discard))
                    )
            return self._shared[name]
