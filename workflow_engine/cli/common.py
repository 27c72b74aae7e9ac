"""What the commands share: the global options, settings, and how errors and JSON are printed."""

import json
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.errors import Code, MediaflowError, Problem, Severity, TopologyError
from workflow_engine.records import ExecutionRecord, ExecutionState, Json, escaped

if TYPE_CHECKING:
    from workflow_engine.engine import Engine
    from workflow_engine.settings import Settings

EXIT_BROKEN = 1
EXIT_INVALID = 2
EXIT_INTERRUPTED = 130


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
LimitOption = Annotated[
    int, typer.Option(min=1, max=10_000, metavar="N", help="How many, newest first.")
]


@dataclass
class _Options:
    """The options of this call that all commands share."""

    config: Path | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def live(self) -> bool:
        """Whether somebody watches: progress is drawn, and said what is being done."""
        return sys.stderr.isatty() and not self.quiet


options = _Options()


def settings() -> "Settings":
    """Load the settings. Raises SettingsError."""
    from workflow_engine.settings import load_settings

    return load_settings(options.config)


@contextmanager
def opened_engine() -> Generator["Engine"]:
    """Open the engine, which is imported only now, and close it. Raises SettingsError."""
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        yield engine


def emit(text: str) -> None:
    """Print to stdout; a reader that has gone away changes nothing about the exit code."""
    try:
        typer.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def status(text: str) -> None:
    """Say on stderr what is being done, where somebody watches."""
    if options.live or options.verbose:
        typer.echo(printable(text), err=True)


def print_json(value: Json) -> None:
    """Print one JSON document to stdout."""
    emit(json.dumps(value, ensure_ascii=False, indent=2))


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stdout, one line each."""
    for problem in problems:
        emit(printable(str(problem)))


def fail(error: MediaflowError) -> int:
    """Print an error to stderr (and, with --json, as an object to stdout); return the exit code."""
    problems = error.problems if isinstance(error, TopologyError) else (error.problem(),)
    for problem in problems:
        prefix = "" if problem.file or problem.severity is Severity.WARNING else "error: "
        typer.echo(printable(prefix + str(problem)), err=True)
    if "--json" in sys.argv[1:]:
        listed = [problem_json(problem) for problem in problems]
        print_json({"Error": problem_json(error.problem()), "Problems": listed})
    return error.exit_code


def exit_code(record: ExecutionRecord) -> int:
    """Return what a command exits with that has seen an execution to its end."""
    if record.code == Code.INTERRUPTED:
        return EXIT_INTERRUPTED
    return EXIT_BROKEN if record.failed or record.state is ExecutionState.FAIL else 0


def problem_json(problem: Problem) -> dict[str, Json]:
    """A problem as a JSON object."""
    return {
        "Code": problem.code,
        "Message": problem.message,
        "Pointer": problem.pointer,
        "Remedy": problem.remedy,
        "Severity": str(problem.severity),
        "File": problem.file,
        "Line": problem.line,
        "Column": problem.column,
    }


def printable(text: str) -> str:
    """Show control characters and what the terminal cannot take as escapes."""
    encoding = sys.stderr.encoding or "utf-8"
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)


def size_text(count: int) -> str:
    """A size in bytes as people read it."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration_text(seconds: float) -> str:
    """A duration as people read it: `0.3 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
