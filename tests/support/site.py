"""The pages of an engine, asked without a server, and executions to show on them."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.support.stores import execution, output, success
from workflow_engine.api.app import create_app
from workflow_engine.engine import Engine
from workflow_engine.records import ExecutionRecord, ExecutionState, utc_now
from workflow_engine.settings import load_settings
from workflow_engine.web.site import Site

HOST = "http://127.0.0.1:8080"
#: what a browser sends with a form of one of our pages
OWN = {"origin": HOST, "sec-fetch-site": "same-origin"}
KEY, SECRET = "me", "my secret"
#: seconds until an answer must have ended
PATIENCE = 20
CONFIGURATION = """
[buckets.in]
path = "in"
events = "watch"
[buckets.out]
path = "out"
"""
WITH_KEYS = f'{CONFIGURATION}\n[service.access_keys]\n{KEY} = "{SECRET}"\n'


class Visitor:
    """A browser that follows no redirection, on some machine; calls the server by some name."""

    def __init__(self, app: Any, peer: str, host: str) -> None:
        self._transport = httpx.ASGITransport(app, client=(peer, 50000), raise_app_exceptions=False)
        self._host = host
        self.cookies = httpx.Cookies()

    def head(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self._ask("HEAD", path, headers or {})

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self._ask("GET", path, headers or {})

    def post(self, path: str, headers: Mapping[str, str], data: Any) -> httpx.Response:
        return self._ask("POST", path, headers, data=data)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], **more: Any) -> Any:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport,
                base_url=self._host,
                headers={"accept": "text/html"},
                cookies=self.cookies,
            ) as client:
                asked = client.request(method, path, headers=headers, **more)
                answer = await asyncio.wait_for(asked, PATIENCE)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())


class Pages:
    """The pages of an engine in a folder, and a browser on this machine."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self.home = home
        self.engine = engine
        self.site = Site(engine)
        self.app = create_app(
            engine,
            status=lambda: (True, {}),
            gauges=list,
            home=self.site.home,
            failure_page=self.site.failure,
        )
        self.app.router.routes.extend(self.site.routes)
        self.browser = self.visitor()

    def visitor(self, peer: str = "127.0.0.1", host: str = HOST) -> Visitor:
        return Visitor(self.app, peer, host)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.browser.get(path, headers)

    def token(self, path: str = "/pipelines") -> str:
        """What the forms of a page send back."""
        found = re.search(r'name="token" value="([^"]+)"', self.get(path).text)
        assert found
        return found[1]

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, **form: str
    ) -> httpx.Response:
        """Send a form as one of our own pages does."""
        given = {"token": self.token(), **form}
        return self.browser.post(path, data=given, headers=OWN if headers is None else headers)

    def sign_in(self, secret: str = SECRET, key: str = KEY, **form: str) -> httpx.Response:
        values = {"token": self.token("/sign-in"), "key_id": key, "secret": secret, **form}
        return self.browser.post("/sign-in", data=values, headers=OWN)

    def ended(self, *keys: str, **changes: Any) -> ExecutionRecord:
        """Add an execution that has published objects; their content is their key."""
        record = replace(execution("a", state=ExecutionState.RUNNING), **changes)
        claim = self.engine.store.queue.add_claimed(record, owner="me", lease_seconds=60)
        bucket, source = self.engine.buckets.get("out"), self.home / "source"
        made = [replace(output(key), place=bucket.place(key)) for key in keys]
        for one in made:
            source.write_text(one.ref.object)
            bucket.stage(source, one.ref.object).publish()
        self.engine.store.steps.finish(claim, success("a", *made), step_key=None)
        self.engine.store.executions.save(claim, state=ExecutionState.COMPLETED, ended=utc_now())
        self.engine.store.queue.release(claim)
        return record


@contextmanager
def opened(home: Path, configuration: str = CONFIGURATION) -> Iterator[Pages]:
    """Make the pages of a new engine."""
    (home / "mediaflow.toml").write_text(configuration)
    engine = Engine(load_settings(home / "mediaflow.toml"))
    pages = Pages(home, engine)
    try:
        yield pages
    finally:
        pages.site.close()
        engine.close()
