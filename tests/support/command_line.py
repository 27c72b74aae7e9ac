"""The installed command line, run as users run it."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import forked
from tests.support.places import COMMAND, EXAMPLES


@dataclass(frozen=True)
class Ended:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Calls `mediaflow` without any ffmpeg on the PATH."""

    def __init__(self, data: Path, cwd: Path) -> None:
        self.data = data
        self.cwd = cwd
        self._started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """Leave no process behind, whatever the test did."""
        for process in self._started:
            process.kill()
            process.communicate()

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEDIAFLOW_", "PREFECT_"))}
        return {**kept, "PATH": "/nowhere", "HOME": str(self.cwd), "MEDIAFLOW_DATA": str(self.data)}

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment | options.pop("env", {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self._started.append(process)
        return process

    def __call__(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        environment = self.environment | (env or {})
        called = forked.call([*map(str, arguments)], self.cwd, environment)
        ended = Ended(called.returncode, called.stdout, called.stderr)
        assert "Traceback" not in ended.out + ended.err, ended.err
        return ended

    def stop_prefect(self) -> None:
        """End the Prefect server of the data directory, if there is one."""
        from workflow_engine.executor.prefect_server import stop_server

        stop_server(self.data)

    def run(
        self, topology: str | Path, given: str | Path, *options: str | Path, **more: Any
    ) -> Ended:
        path = EXAMPLES / f"{topology}.json" if isinstance(topology, str) else topology
        return self("run", path, given, *options, **more)
