"""How `serve` logs: one line for each event, as text or as JSON, on stderr.

Both forms stand in docs/service.md, "The log". Whatever is in the names that a line quotes, it
stays one line.
"""

import json
import logging
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_engine.cli.common import options, printable
from workflow_engine.errors import MediaflowError
from workflow_engine.telemetry import RunContext, current

if TYPE_CHECKING:
    from workflow_engine.settings import LogSettings

#: our loggers; those of libraries warn only
OURS = ("workflow_engine", "activities", "triggers")


class TextLines(logging.Formatter):
    """Lines for people. An unexpected error comes with the place that raised it."""

    def __init__(self, form: str, *, tracebacks: bool = False) -> None:
        super().__init__(form)
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        shown = logging.makeLogRecord(vars(record))
        shown.msg, shown.args = f"{_mark(record)}{record.getMessage()}{_origin(record)}", None
        shown.exc_info = shown.exc_text = shown.stack_info = None
        line = printable(super().format(shown))
        if self._tracebacks and record.exc_info:
            line += "".join(f"\n    {printable(one)}" for one in _traceback(record).splitlines())
        return line


class JsonLines(logging.Formatter):
    """A JSON object for each record, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        run = _run_of(record)
        for name, value in (("run_id", run.run_id), ("activity", run.activity)):
            if value:
                line[name] = value
        line |= getattr(record, "fields", {}) | line
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _traceback(record)
        return json.dumps(line, default=str)


def log_to_stderr(chosen: "LogSettings", *, debugging: bool) -> None:
    """Let everything that this process logs, libraries included, go through one handler."""
    logging.raiseExceptions = False  # Prefect tells stderr by it that its server is gone
    handler = logging.StreamHandler()
    handler.addFilter(_is_not_of_prefect)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    text = TextLines(form, tracebacks=debugging)
    handler.setFormatter(JsonLines() if chosen.format == "json" else text)
    level = logging.DEBUG if debugging else logging.getLevelNamesMapping()[chosen.level.upper()]
    if options.verbose:
        level = min(level, logging.INFO)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:] = [handler]
    # uvicorn warns of whatever strangers send, and advises to install what is of no use here;
    # prefect sets up handlers of its own for what is above "uvicorn.error"
    for name, least in (("uvicorn.error", logging.ERROR), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(least)
        logger.handlers[:] = [handler]
        logger.propagate = False
    threading.excepthook = _thread_broke


def _is_not_of_prefect(record: logging.LogRecord) -> bool:
    """The store and the UI have what is worth knowing of Prefect's own lines."""
    return not record.name.startswith("prefect")


def _thread_broke(broken: threading.ExceptHookArgs) -> None:
    name = broken.thread.name if broken.thread else "?"
    error = broken.exc_value
    known = (broken.exc_type, error, broken.exc_traceback) if error is not None else None
    logging.getLogger(OURS[0]).error("the thread %s broke: %r", name, error, exc_info=known)


def _run_of(record: logging.LogRecord) -> RunContext:
    """Return which run a record is about; `ActivityContext.log` says it by itself."""
    here = current()
    return RunContext(
        run_id=here.run_id or getattr(record, "run_id", ""),
        activity=here.activity or getattr(record, "activity", ""),
    )


def _mark(record: logging.LogRecord) -> str:
    run = _run_of(record)
    names = " ".join(filter(None, (run.run_id, run.activity)))
    return f"[{names}] " if names else ""


def _origin(record: logging.LogRecord) -> str:
    """Return where an error was raised, for a line that has no room for more."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or isinstance(error, MediaflowError):
        return ""
    assert record.exc_info
    frames = traceback.extract_tb(record.exc_info[2])
    if not frames:
        return ""
    last = frames[-1]
    return f" ({Path(last.filename).name}:{last.lineno} in {last.name})"


def _traceback(record: logging.LogRecord) -> str:
    assert record.exc_info
    return "".join(traceback.format_exception(*record.exc_info))
