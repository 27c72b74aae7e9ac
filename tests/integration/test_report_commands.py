"""`execution report`: the page of any execution, printed and opened."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.command_line import CommandLine
from tests.support.pages import read
from tests.support.topologies import report, snapshot, start, text, topology


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    folder = tmp_path_factory.mktemp("report-commands")
    with closing(CommandLine(folder / "data", folder)) as mediaflow:
        yield mediaflow


@pytest.fixture(scope="module")
def run(line: CommandLine, media_dir: Path) -> Any:
    """Run a topology of a picture, with or without a Report, and return the execution."""
    clip = media.clip(media_dir, 3, "160x90")

    def start_run(*, reported: bool) -> dict[str, Any]:
        activities = {"start": start(), "shot": snapshot("{RunId}/shot.jpg")}
        edges = {"start": ["shot"], "shot": ["report"] if reported else []}
        if reported:
            activities["report"], edges["report"] = report(), []
        (line.cwd / "flow.json").write_text(text(topology(activities, edges)))
        ended = line("run", "flow.json", clip, "--executor", "inline", "--json")
        assert ended.code == 0, ended.err
        return ended.json

    return start_run


def opened(line: CommandLine, run_id: str, browser: str) -> tuple[int, str, str]:
    process = line.start("execution", "report", run_id, "--open", env={"BROWSER": browser})
    out, err = process.communicate(timeout=60)
    return process.returncode, out.strip(), err


def test_the_published_page_is_printed_and_opened(line: CommandLine, run: Any):
    made = run(reported=True)
    page = Path(made["Report"]).with_name("report.html")
    assert line("execution", "report", made["RunId"]).out.strip() == made["Report"]
    assert line("execution", "report", made["RunId"], "--html").out == page.read_text()
    assert line("execution", "report", made["RunId"], "--json").json["Schema"] == 1
    assert opened(line, made["RunId"], "/bin/true")[:2] == (0, str(page))
    code, _, error = opened(line, made["RunId"], "/bin/false")
    assert code == 2 and f'Open the file "{page}" yourself' in error
    # the page is made again where it was taken away
    page.unlink()
    again = read(line("execution", "report", made["RunId"], "--html").out)
    (image,) = again.all("img")
    assert image["src"] == (page.parent / "shot.jpg").as_uri()


def test_an_execution_without_a_report_has_a_page(line: CommandLine, run: Any):
    made = run(reported=False)
    missing = line("execution", "report", made["RunId"])
    assert missing.code == 2 and "--html" in missing.err
    code, out, _ = opened(line, made["RunId"], "/bin/true")
    page = Path(out)
    assert (code, page.parent, page.stat().st_mode & 0o777) == (0, line.data / "pages", 0o600)
    assert made["RunId"] in read(page.read_text()).text


def test_one_form_at_a_time(line: CommandLine):
    ended = line("execution", "report", "f" * 32, "--html", "--json")
    assert ended.code == 2 and "different forms" in json.loads(ended.out)["Error"]["Message"]
