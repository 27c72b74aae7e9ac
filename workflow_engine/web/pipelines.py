"""The pipelines: the queues that executions wait in."""

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records.catalog import PipelineState
from workflow_engine.store import MOST_COUNTED
from workflow_engine.web.serving import Visit, see


class PipelinePages:
    """`/pipelines`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, visit: Visit) -> Response:
        """Show the pipelines and how much waits and runs in each."""
        found = self._engine.pipelines.all()
        return visit.page(
            "pipelines.html",
            here="/pipelines",
            pipelines=[(one, *self._engine.store.pipelines.work(one.id)) for one in found],
            most=MOST_COUNTED,
        )

    def set_state(self, visit: Visit) -> Response:
        """Pause a pipeline, or let it start executions again."""
        wanted = visit.request.form.get("state", "")
        if wanted not in list(PipelineState):
            raise InvalidInputError(Code.INVALID, f'The state "{wanted}" is not known.')
        pipeline_id = visit.request.parts["pipeline_id"]
        self._engine.pipelines.set_state(pipeline_id, PipelineState(wanted))
        return see("/pipelines")
