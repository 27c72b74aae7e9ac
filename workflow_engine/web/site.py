"""All pages of `serve`, and what they need of each other."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workflow_engine.api.server_paths import ServerPaths
from workflow_engine.engine import Engine
from workflow_engine.web.api_pages import openapi_route, show_actions
from workflow_engine.web.door import Door
from workflow_engine.web.execution import ExecutionPages
from workflow_engine.web.executions import ExecutionList
from workflow_engine.web.live import Live
from workflow_engine.web.media import MediaPages
from workflow_engine.web.objects import ObjectPages
from workflow_engine.web.pipelines import PipelinePages
from workflow_engine.web.progress import RunningProgress
from workflow_engine.web.serving import Serving, wants_page
from workflow_engine.web.sign_in import HOME, SignInPages
from workflow_engine.web.static import static_routes
from workflow_engine.web.triggers import TriggerPage
from workflow_engine.web.workflows import WorkflowPages


class Site:
    """The pages of one engine.

    `home` is where a browser begins, `routes` what the server adds to its own. `observed` watches
    an execution that runs in this process, for the pages that show it.
    """

    home = HOME

    def __init__(self, engine: Engine) -> None:
        keys = engine.settings.service.access_keys
        door = Door({name: key.get_secret_value() for name, key in keys.items()})
        serving, progress = Serving(door, ServerPaths(engine.settings)), RunningProgress()
        sign_in = SignInPages(door)
        executions, execution = ExecutionList(engine), ExecutionPages(engine, progress.told)
        workflows, pipelines = WorkflowPages(engine), PipelinePages(engine)
        media, objects = MediaPages(engine), ObjectPages(engine)
        self.observed = progress.observed
        self._serving = serving
        self._live = Live(lambda: engine.store, door, progress.told, serving.failure)
        page = serving.page
        self.routes: Sequence[BaseRoute] = [
            *static_routes(),
            page("/sign-in", sign_in.show, sign_in.sign_in, public=True),
            page("/sign-out", post=sign_in.sign_out),
            page("/executions", executions.show),
            page("/executions/{run_id}", execution.show),
            page("/executions/{run_id}/cancel", post=execution.cancel),
            page("/executions/{run_id}/resume", post=execution.resume),
            page("/executions/{run_id}/again", post=execution.again),
            page("/executions/{run_id}/objects/{bucket}/{key:path}", objects.output),
            page("/workflows", workflows.list),
            page("/workflows/{workflow_id}", workflows.show),
            page("/triggers", TriggerPage(engine).show),
            page("/pipelines", pipelines.list),
            page("/pipelines/{pipeline_id}", post=pipelines.set_state),
            page("/media", media.list),
            page("/media/{media_id}", media.show),
            page("/media/{media_id}/file", objects.file),
            page("/media/{media_id}/cover", objects.cover),
            page("/api", show_actions),
            openapi_route(),
            Route("/live", self._live.answer, methods=["GET"]),
        ]

    def close(self) -> None:
        """End the streams of open pages."""
        self._live.close()

    def failure(self, request: Request, status: int, number: str) -> Response | None:
        """Return the page about a path that is not served, None for what is no browser.

        Clients of the API may accept HTML, too; they call `/`, where there is no page.
        """
        opens = request.method in ("GET", "HEAD") and request.url.path != "/"
        shows = opens and wants_page(request.headers)
        return self._serving.failure(status, number) if shows else None
