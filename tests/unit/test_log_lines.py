"""The lines of the log: one for each event, with the run that it is about."""

import json
import logging
import re
import subprocess
import sys
import threading
from typing import Any

import pytest

from workflow_engine.cli.log_lines import JsonLines, TextLines
from workflow_engine.errors import Code, MediaflowError
from workflow_engine.telemetry import bound, current, fields, in_context

RUN = "48e3" * 8
TEXT = TextLines("%(levelname)s %(name)s: %(message)s")


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.getLogger("botocore").makeRecord(
        "botocore", logging.WARNING, "x.py", 1, message, args, extra.pop("exc_info", None), **extra
    )
    return made


def raised(error: Exception) -> Any:
    try:
        raise error
    except Exception as caught:
        return (type(caught), caught, caught.__traceback__)


def test_a_line_of_a_library_says_which_run_it_is_about():
    assert TEXT.format(record("slow")) == "WARNING botocore: slow"
    with bound(RUN, "hd"):
        assert TEXT.format(record("slow")) == f"WARNING botocore: [{RUN} hd] slow"
        line = json.loads(JsonLines().format(record("%s", "slow", extra=fields(bucket="b"))))
    assert (line["run_id"], line["activity"], line["bucket"]) == (RUN, "hd", "b")
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "botocore", "slow")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert "run_id" not in json.loads(JsonLines().format(record("slow")))
    line = json.loads(JsonLines().format(record("slow", extra=fields(level="x", message="y"))))
    assert (line["level"], line["message"]) == ("WARNING", "slow")


def test_threads_that_are_told_so_work_for_the_run():
    seen: list[str] = []

    def look() -> None:
        seen.append(current().run_id)

    with bound(RUN):
        for target in (in_context(look), look):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [RUN, ""]


@pytest.mark.parametrize("name", ["a\nINFO x: forged", "a\r\x1b[2Kb", "a\u202eb\u2028c", "\ud800"])
def test_a_line_stays_one_whatever_a_name_holds(name: str):
    with bound(RUN, name):
        for line in (TEXT.format(record("took %s", name)), JsonLines().format(record("%s", name))):
            assert len(line.splitlines()) == 1 and line.isprintable()
    assert json.loads(JsonLines().format(record("%s", name)))["message"] == name


def test_an_unexpected_error_comes_with_its_place():
    line = TEXT.format(record("broke", exc_info=raised(ValueError("x\ny"))))
    assert re.fullmatch(r"WARNING botocore: broke \(test_log_lines.py:\d+ in raised\)", line)
    expected = raised(MediaflowError(Code.NO_SPACE, "The disk is full."))
    assert TEXT.format(record("waits", exc_info=expected)) == "WARNING botocore: waits"
    whole = json.loads(JsonLines().format(record("broke", exc_info=raised(ValueError("x")))))
    assert whole["exception"].startswith("Traceback") and "ValueError: x" in whole["exception"]
    debugging = TextLines("%(message)s", tracebacks=True)
    lines = debugging.format(record("broke", exc_info=raised(ValueError("\x1b")))).splitlines()
    assert lines[1:] and all(one.startswith("    ") and one.isprintable() for one in lines[1:])


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_shows_more_than_the_level_of_the_settings(verbose: bool):
    script = f"""
import logging
from workflow_engine.cli.common import options
from workflow_engine.cli.log_lines import log_to_stderr
from workflow_engine.settings import LogSettings
options.verbose = {verbose}
log_to_stderr(LogSettings(level="warning"), debugging=False)
logging.getLogger("workflow_engine.service").info("it starts")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0 and ("it starts" in ended.stderr) == verbose
