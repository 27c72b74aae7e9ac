"""Checks of the installation: activities say what they need, the engine adds its own parts."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from workflow_engine.activity import Finding, load_registry
from workflow_engine.buckets import Buckets, S3Bucket
from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.executor import prefect_api, prefect_server
from workflow_engine.notify import open_target
from workflow_engine.settings import NotifySettings, Settings
from workflow_engine.store import Store, shown_url
from workflow_engine.store.private import private_folder
from workflow_engine.telemetry import tracing


def examine(settings: Settings) -> list[Finding]:
    """Run every check. A check that fails becomes a finding, never an exception."""
    findings = [*_activities(), _store(settings), *_buckets(settings), _prefect(settings)]
    findings += [*_notifications(settings), *_traces()]
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
        return shown_url(settings.store.url)

    return _checked("store", check)


def _buckets(settings: Settings) -> Iterator[Finding]:
    for name in settings.buckets:
        yield _checked(f"bucket {name}", lambda name=name: _bucket(settings, name))

    def scratch() -> str:
        work = settings.data_dir / "work"
        private_folder(settings.data_dir)
        work.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=work):
            return str(work)

    yield _checked("work directory", scratch)


def _bucket(settings: Settings, name: str) -> str:
    """Return where a bucket lies that can be read, a folder also written."""
    one = {name: settings.buckets[name]}
    with closing(Buckets(one, fallback_root=None)) as buckets:
        bucket = buckets.get(name)
        if isinstance(bucket, S3Bucket):
            return bucket.check()
    folder = Path(bucket.place("x")).parent
    if not folder.is_dir():
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no folder "{folder}".',
            remedy="Create or mount it, or correct the path of the bucket.",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidInputError(
            Code.RESOURCE_ACCESS,
            f'The folder "{folder}" cannot be read and written.',
            remedy="Check its permissions.",
        )
    return str(folder)


def _prefect(settings: Settings) -> Finding:
    def check() -> str:
        if api_url := prefect_api.configured_url(settings.prefect.api_url):
            prefect_api.require_answer(api_url)
            return f"configured server answers: {prefect_api.ui_url(api_url)}"
        server = prefect_server.running_server(settings.data_dir)
        if server is None:
            return "no local server runs; the first run starts one"
        return f"local server answers: {prefect_api.ui_url(server.api_url)}"

    return _checked("Prefect", check)


def _notifications(settings: Settings) -> Iterator[Finding]:
    for name, told in settings.notify.items():

        def check(name: str = name, told: NotifySettings = told) -> str:
            target = open_target(name, told)
            return f"{target.kind}, on {told.on}; to try it: mediaflow notify test {name}"

        yield _checked(f"notify {name}", check)


def _traces() -> Iterator[Finding]:
    if variable := tracing.configured():

        def check() -> str:
            tracing.open_provider().shutdown()
            return f"sent where {variable} says"

        yield _checked("traces", check)
