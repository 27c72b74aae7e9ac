"""`serve`: the API, the runner and everything else of the service in one process.

Parts start in an order in which each finds what it needs, and stop in the reverse one. A first
signal lets executions end and takes no new ones; a second one stops them where they are, for the
next `serve` to continue.
"""

import asyncio
import logging
import socket
import threading
import time
from contextlib import ExitStack
from importlib.metadata import entry_points

import uvicorn

from workflow_engine.api.app import create_app, server_options
from workflow_engine.api.connections import accept_failed_rarely, raise_file_limit
from workflow_engine.api.metrics import Metrics
from workflow_engine.api.workers import stay_on_one_core
from workflow_engine.catalog.template_files import FOLDER as TEMPLATE_FOLDER
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InstallationError, InvalidInputError, MediaflowError
from workflow_engine.messages import Sender
from workflow_engine.notify import Notifier
from workflow_engine.service import GROUP, Component, Routed
from workflow_engine.service.clock import process_began
from workflow_engine.service.configuration import SharedStore
from workflow_engine.service.dispatcher import Dispatcher
from workflow_engine.service.gauges import gauges
from workflow_engine.service.prefect import PrefectComponent
from workflow_engine.service.retention import Retention
from workflow_engine.service.workflow_files import TemplateFiles, WorkflowFiles
from workflow_engine.settings import Settings
from workflow_engine.web.site import Site

log = logging.getLogger(__name__)

#: seconds that messages get to be delivered at the end; what is left is sent by the next `serve`
MESSAGE_PATIENCE = 5.0
#: seconds that ffmpegs get to die at a second signal
KILL_PATIENCE = 15.0


class Server:
    """The service on this machine."""

    def __init__(
        self,
        settings: Settings,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        raise_file_limit()
        self._host = settings.service.host if host is None else host
        self._port = settings.service.port if port is None else port
        self._engine = Engine(settings)
        self._prefect = PrefectComponent(settings, self._engine.store.executions.by_ids)
        self._site = Site(self._engine)
        metrics = Metrics()
        self._dispatcher = Dispatcher(
            self._engine, self._prefect.executor, self._site.observed, metrics.ran
        )
        self._sender = Sender(self._engine.store, self._engine.outbox.receivers)
        self._engine.outbox.subscribe(self._sender.wake)
        folder = settings.workflows.dir
        self._files = WorkflowFiles(
            self._engine.workflows,
            folder,
            templates=TemplateFiles(self._engine.file_templates, folder / TEMPLATE_FOLDER),
        )
        self._shared_store = SharedStore(self._engine)
        self._components: list[Component] = [
            self._files,
            self._sender,
            *_added(self._engine),
            self._shared_store,
            Retention(self._engine.store, settings.retention),
        ]
        if settings.notify:
            url = settings.service.public_url or ""
            notifier = Notifier(self._engine.store, settings.notify, public_url=url)
            self._components.append(notifier)
        self._ready = False
        self._draining = False
        app = create_app(
            self._engine,
            status=self.status,
            gauges=lambda: gauges(self._engine, self._dispatcher.running()),
            home=self._site.home,
            failure_page=self._site.failure,
            metrics=metrics,
        )
        app.router.routes.extend(self._site.routes)
        for component in self._components:
            if isinstance(component, Routed):
                app.router.routes.extend(component.routes)
        self._http = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=5,
                **server_options(),
            )
        )
        self._http_thread = threading.Thread(target=self._serve_http, name="http", daemon=True)
        self._socket: socket.socket | None = None

    def start(self) -> str:
        """Start everything and return the address of the API. Raises MediaflowError.

        The Prefect server comes up later, or not at all: executions do not wait for it.
        """
        self._socket = _bound(self._host, self._port)
        self._engine.intake.begin(process_began())
        self._files.scan()
        self._http_thread.start()
        while not self._http.started:
            if not self._http_thread.is_alive():
                raise MediaflowError(
                    Code.INTERNAL,
                    "The web server did not start.",
                    remedy="Set MEDIAFLOW_DEBUG=1 to see why.",
                )
            time.sleep(0.01)
        for component in self._components:
            component.start()
        self._dispatcher.start()
        # last: nothing waits for it, and its start takes the processor for a while
        self._prefect.start()
        self._ready = True
        return self._address()

    def drain(self) -> None:
        """Take no new executions; those that run continue."""
        self._draining = True
        self._dispatcher.close()

    def idle(self) -> bool:
        """Whether no execution is in work after `drain`."""
        return self._dispatcher.idle()

    def running(self) -> int:
        """Return how many executions are in work."""
        return self._dispatcher.running()

    def stop(self) -> None:
        """Stop what still runs, and everything else."""
        self._ready = False
        for component in self._components[2:]:
            component.stop()
        self._dispatcher.leave()
        if not self._dispatcher.join(KILL_PATIENCE):
            log.warning("executions did not stop in time; the next serve continues with them")
        self._files.stop()
        self._sender.stop(MESSAGE_PATIENCE)
        self._site.close()
        self._http.should_exit = True
        if self._http_thread.is_alive():
            self._http_thread.join(10)
        self._prefect.stop()
        self._engine.close()
        if self._socket is not None:
            self._socket.close()

    def status(self) -> tuple[bool, dict[str, str]]:
        """Return whether the service takes work, and what each part has to say.

        It takes none while its store cannot be used, for then it runs nothing either.
        """
        parts = (*self._components, self._dispatcher)
        said = {part.name: part.status() or "ok" for part in parts}
        said[self._prefect.name] = self._prefect.status() or "ok"
        usable = not self._dispatcher.status() and not self._shared_store.trouble
        ready = self._ready and not self._draining and usable
        if self._draining:
            said[self._dispatcher.name] = "draining"
        return ready, said

    def _serve_http(self) -> None:
        stay_on_one_core()
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        assert self._socket is not None
        asyncio.get_running_loop().set_exception_handler(accept_failed_rarely())
        await self._http.serve(sockets=[self._socket])

    def _address(self) -> str:
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}"


def _added(engine: Engine) -> list[Component]:
    """Return the components of the installed packages. Raises InstallationError."""
    found: list[Component] = []
    for entry in entry_points(group=GROUP):
        try:
            found.append(entry.load()(engine))
        except MediaflowError:
            raise
        except Exception as error:
            raise InstallationError(
                Code.INSTALLATION,
                f'The service plug-in "{entry.value}" cannot be loaded: {error}.',
                remedy="Reinstall the package that provides it, or remove it.",
            ) from error
    return found


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any free one. Raises InvalidInputError."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as undo:
            bound = undo.enter_context(socket.socket(family, kind, proto))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen()  # two sockets may be bound to one port, until one listens
            undo.pop_all()
    except OSError as error:
        raise InvalidInputError(
            Code.INVALID,
            f'The service cannot listen on "{host}" port {port}: {error.strerror}.',
            remedy="Choose another with --host and --port, or stop what listens there.",
        ) from None
    return bound
