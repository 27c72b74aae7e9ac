"""Checks of the installation: activities say what they need, the engine adds its own parts."""

import tempfile
from collections.abc import Callable, Iterator

from workflow_engine.activity import Finding, load_registry
from workflow_engine.buckets import Buckets
from workflow_engine.errors import MediaflowError
from workflow_engine.executor import prefect_server
from workflow_engine.settings import Settings
from workflow_engine.store import Store


def examine(settings: Settings) -> list[Finding]:
    """Run every check. A check that fails becomes a finding, never an exception."""
    findings = [*_activities(), _store(settings), *_buckets(settings), _prefect(settings)]
    unique = {finding.name: finding for finding in findings}
    return list(unique.values())


def _checked(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, works=True, detail=check())
    except MediaflowError as error:
        return Finding(name=name, works=False, detail=error.message, remedy=error.remedy)
    except OSError as error:
        return Finding(name=name, works=False, detail=str(error), remedy="Check its permissions.")


def _activities() -> Iterator[Finding]:
    try:
        registry = load_registry()
    except MediaflowError as error:
        yield Finding(name="activities", works=False, detail=error.message, remedy=error.remedy)
        return
    types = sorted({activity.type_name for activity in registry.values()})
    yield Finding(name="activities", works=True, detail=", ".join(types))
    for activity in dict.fromkeys(registry.values()):
        yield from activity.examine()


def _store(settings: Settings) -> Finding:
    def check() -> str:
        Store.open(settings.store.url).close()
        return settings.store.url

    return _checked("store", check)


def _buckets(settings: Settings) -> Iterator[Finding]:
    buckets = Buckets(settings.buckets, fallback_root=None)
    for name in settings.buckets:

        def check(name: str = name) -> str:
            place = buckets.get(name).place(".mediaflow")
            return place.removesuffix("/.mediaflow")

        yield _checked(f"bucket {name}", check)

    def scratch() -> str:
        work = settings.data_dir / "work"
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=work):
            return str(work)

    yield _checked("work directory", scratch)


def _prefect(settings: Settings) -> Finding:
    def check() -> str:
        if api_url := prefect_server.configured_url(settings.prefect.api_url):
            prefect_server.require_answer(api_url)
            return f"configured server answers: {prefect_server.ui_url(api_url)}"
        server = prefect_server.running_server(settings.data_dir)
        if server is None:
            return "no local server runs; the first run starts one"
        return f"local server answers: {prefect_server.ui_url(server.api_url)}"

    return _checked("Prefect", check)
