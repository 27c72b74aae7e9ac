"""The command line in a process of its own that need not import anything any more.

A call of `mediaflow` is short beside its imports. A server that has them (`multiprocessing`'s fork
server) forks for each call; directory, environment, streams and exit code are the call's own.
What is imported when is the subject of tests that start the installed command.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        *("workflow_engine.cli", "workflow_engine.engine", "workflow_engine.executor.inline"),
        *("activities.start", "activities.transcode", "activities.snapshot", "activities.analysis"),
        *("activities.packaging", "activities.report", "triggers.service"),
        *("sqlalchemy.dialects.sqlite", "rich.live", "rich.table", "typer.rich_utils"),
    ]
)


def call(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], seconds: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run `mediaflow` with these arguments and return how it ended.

    Raises subprocess.TimeoutExpired after so many seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _SERVER.Process(
            target=_run, args=([*arguments], str(cwd), {**environment}, str(out), str(err))
        )
        process.start()
        process.join(seconds)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([*arguments], seconds)
        process.close()
        return subprocess.CompletedProcess([*arguments], code, out.read_text(), err.read_text())


def _run(arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["mediaflow", *arguments]
    from workflow_engine.cli import main

    main()
