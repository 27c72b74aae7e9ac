"""The page of one execution, live, and what can be done with it: cancel, resume, run it again."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlencode

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.errors import TopologyError
from workflow_engine.pages.execution import execution_page
from workflow_engine.planning.graph import Graph
from workflow_engine.records import ExecutionKind, ExecutionRecord, ExecutionState, Output
from workflow_engine.run.exhibits import execution_facts
from workflow_engine.web.live import Told, seen
from workflow_engine.web.objects import output_path
from workflow_engine.web.serving import Visit, see

#: topologies that are kept in memory: a live page is made again and again
_MOST_GRAPHS = 32


class ExecutionPages:
    """`/executions/RUNID` and what its buttons do."""

    def __init__(self, engine: Engine, told: Told) -> None:
        self._engine = engine
        self._told = told
        self._graph = lru_cache(_MOST_GRAPHS)(self._parsed)

    def show(self, visit: Visit) -> Response:
        """Show an execution."""
        run_id = visit.request.parts["run_id"]
        # before the rest is read, so that a change in between is noticed
        state = seen(self._engine.store.glances.of([run_id]))
        record = _without_paths(self._engine.history.get(run_id), visit.hidden)

        def link(output: Output) -> str:
            return output_path(run_id, output.ref)

        facts = replace(
            execution_facts(record, self._graph(record.topology)), link=link, load_pictures=True
        )
        live = not record.state.ended
        return visit.page(
            "execution_served.html",
            here="/executions",
            page=execution_page(facts),
            told={
                one.name: self._told(run_id, one.name, one.progress) for one in record.activities
            },
            live="/live?" + urlencode({"run": run_id}) if live else "",
            seen=state,
            can_cancel=live,
            can_resume=_can_resume(record),
            can_repeat=record.kind is ExecutionKind.WORKFLOW and not record.output_root,
            workflow_known=self._engine.store.workflows.get(record.workflow_id) is not None,
        )

    def cancel(self, visit: Visit) -> Response:
        """Cancel it, at once while it waits, else within seconds."""
        run_id = visit.request.parts["run_id"]
        self._engine.queue.cancel(run_id)
        return see(f"/executions/{run_id}")

    def resume(self, visit: Visit) -> Response:
        """Put it back into the queue; what succeeded is kept."""
        run_id = visit.request.parts["run_id"]
        self._engine.queue.requeue(run_id)
        return see(f"/executions/{run_id}")

    def again(self, visit: Visit) -> Response:
        """Queue another run of the same, and show that."""
        fresh = bool(visit.request.form.get("fresh"))
        record = self._engine.again(visit.request.parts["run_id"], fresh=fresh)
        return see(f"/executions/{record.run_id}")

    def _parsed(self, topology: str) -> Graph | None:
        try:
            return self._engine.parse(topology)
        except TopologyError:  # of an older version, or its templates are gone
            return None


def _without_paths(record: ExecutionRecord, hidden: Callable[[str], str]) -> ExecutionRecord:
    """Return what is shown of an execution: its messages as the API tells them."""
    activities = tuple(
        replace(
            one,
            message=hidden(one.message),
            attempts=tuple(replace(it, message=hidden(it.message)) for it in one.attempts),
        )
        for one in record.activities
    )
    return replace(record, message=hidden(record.message), activities=activities)


def _can_resume(record: ExecutionRecord) -> bool:
    failed = record.state is ExecutionState.FAIL or bool(record.failed)
    return record.state.ended and failed and not record.output_root
