"""A running `mediaflow serve`, and the official client libraries pointed at it."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alibabacloud_mts20140618.client import Client as TeaClient
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.client import AcsClient

from tests.support import forked
from tests.support.waiting import wait_for
from workflow_engine.executor.prefect_server import stop_server
from workflow_engine.records import ExecutionRecord
from workflow_engine.store import Store

COMMAND = Path(sys.executable).parent / "mediaflow"
KEY, SECRET = "testId", "testKeySecret"

CONFIGURATION = """
[service]
port = 0
[service.access_keys]
{key} = "{secret}"
[runner]
processes = 1
[workflows]
dir = "workflows"
[buckets.uploads]
path = "buckets/uploads"
[buckets.renditions]
path = "buckets/renditions"
[queues.done]
file = "messages.jsonl"
"""


class Service:
    """`mediaflow serve` in a directory of its own, with two local buckets."""

    def __init__(self, home: Path, extra: str = "", *, files: int = 0, **settings: str) -> None:
        """`extra` is more configuration, `settings` are variables of the environment.

        `files` is how many files the process may open at most; 0: as many as the tests.
        """
        self.home = home
        self._files = files
        self._settings = settings
        self.data = home / "data"
        for folder in ("workflows", "buckets/uploads", "buckets/renditions"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        text = CONFIGURATION.format(key=KEY, secret=SECRET) + extra
        (home / "mediaflow.toml").write_text(text)
        self.api = ""
        self.prefect = ""
        self._logged = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEDIAFLOW_", "PREFECT_"))}
        return {
            **kept,
            "PATH": "/nowhere",
            "HOME": str(self.home),
            "MEDIAFLOW_DATA": str(self.data),
            **self._settings,
        }

    @property
    def log(self) -> str:
        return (self.home / "serve.log").read_text()

    def begin(self, *options: str) -> "subprocess.Popen[str]":
        """Start the process; it is not ready yet."""
        with (self.home / "serve.log").open("a") as log:
            self._logged = log.tell()
            self.process = subprocess.Popen(
                [COMMAND, "serve", *options],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=self._limit_files if self._files else None,
            )
        return self.process

    def _limit_files(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._files, self._files))

    def start(self, *options: str) -> "Service":
        self.begin(*options)
        return self.ready()

    def ready(self) -> "Service":
        """Wait until it takes work."""
        assert self.process and self.process.stdout
        with self.process.stdout as out:
            line = out.readline()
        assert line.startswith("mediaflow is ready: API "), (line, self.log)
        self.api = line.split("API ")[1].split(",")[0]
        return self

    def shown(self, seconds: float = 120) -> "Service":
        """Wait until executions are shown in Prefect."""

        def up() -> list[str]:
            return re.findall(r"Prefect UI (http\S+)", self.log[self._logged :])

        self.prefect = wait_for(up, seconds)[-1]
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        assert self.process
        return self.process.wait(seconds)

    def stop(self) -> int:
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.signal(signal.SIGTERM)
        time.sleep(0.3)
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()
        assert self.process and self.process.stdout
        self.process.stdout.close()

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        stop_server(self.data)

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run another command of the command line beside the service."""
        return forked.call([*map(str, arguments)], self.home, self.environment)

    def json(self, *arguments: str | Path) -> Any:
        ended = self(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store of the service, for looks that must not cost a process each."""
        store = Store.open(f"sqlite:///{self.data}/mediaflow.db")
        try:
            yield store
        finally:
            store.close()

    def record(self, run_id: str) -> ExecutionRecord:
        with self.store() as store:
            found = store.executions.get(run_id)
        assert found is not None
        return found

    @property
    def port(self) -> int:
        return int(self.api.rpartition(":")[2])

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.api + path, timeout=10) as response:
            return json.load(response)

    def bucket(self, name: str) -> Path:
        return self.home / "buckets" / name

    # --- the official libraries ----------------------------------------------------------

    def legacy(self, key: str = KEY, secret: str = SECRET) -> "Legacy":
        return Legacy(self.port, key, secret)

    def tea(self, key: str = KEY, secret: str = SECRET) -> TeaClient:
        return TeaClient(
            Config(
                endpoint=f"127.0.0.1:{self.port}",
                protocol="http",
                access_key_id=key,
                access_key_secret=secret,
            )
        )


class Legacy:
    """`aliyun-python-sdk-mts`: one call per action, the answer as JSON."""

    def __init__(self, port: int, key: str, secret: str) -> None:
        self._client = AcsClient(key, secret, "cn-hangzhou", timeout=40)
        self._endpoint = f"127.0.0.1:{port}"

    def __call__(self, action: str, **parameters: Any) -> Any:
        from importlib import import_module

        module = import_module(f"aliyunsdkmts.request.v20140618.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self._endpoint)
        request.set_accept_format("json")
        for name, value in parameters.items():
            text = json.dumps(value) if isinstance(value, dict | list) else value
            getattr(request, f"set_{name}")(text)
        try:
            return json.loads(self._client.do_action_with_exception(request))
        finally:
            self._client.session.close()  # nobody else closes the connection
