"""`execution report`: where the report of an execution lies, the report itself, its page."""

import json
import webbrowser
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli import run_ids
from workflow_engine.cli.common import AsJson, emit, print_json, printable, settings
from workflow_engine.cli.run_ids import RunIdArgument
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionRecord, Json

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_engine.buckets import Place
    from workflow_engine.engine import Engine

#: of the data directory: pages that were made to be opened
_PAGES = "pages"


def report(
    given: RunIdArgument,
    as_json: AsJson = False,
    html: Annotated[bool, typer.Option("--html", help="Print the page, an HTML file.")] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Print where the report of an execution lies, or the report itself.

    Without a Report activity, and while it runs, an execution has a page, too: it is made of the
    store then.
    """
    from workflow_engine.engine import Engine

    if as_json + html + open_page > 1:
        raise InvalidInputError(
            Code.INVALID,
            "--json, --html and --open are different forms of the report.",
            remedy="Use one of them.",
        )
    with closing(Engine(settings())) as engine:
        record = engine.history.get(run_ids.whole(engine.store, given))
        if html:
            typer.echo(_page(engine, record), nl=False)
        elif open_page:
            _open(_page_file(engine, record))
        elif as_json:
            print_json(_document(_report(engine, record).content(), record.report))
        else:
            _report(engine, record)
            emit(record.report)


def _report(engine: "Engine", record: ExecutionRecord) -> "Place":
    """Return the report for programs. Raises InvalidInputError when there is none."""
    if not record.report:
        raise _no_report(record)
    place = engine.buckets.at(record.report)
    if place.head() is None:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The report "{place}" of the execution "{record.run_id}" is not there any more.',
            remedy="Run the topology again: finished steps are reused, the report is made again. "
            "Its page is still to be had by --html.",
        )
    return place


def _published_page(engine: "Engine", record: ExecutionRecord) -> "Place | None":
    """Return the page that was published beside the report, if it is still there."""
    from workflow_engine.run.report_page import page_of

    published = page_of(record)
    place = engine.buckets.at(published) if published else None
    return place if place and place.head() else None


def _page(engine: "Engine", record: ExecutionRecord) -> str:
    published = _published_page(engine, record)
    if published is not None:
        return published.content().decode("utf-8", errors="replace")
    return engine.page(record)


def _page_file(engine: "Engine", record: ExecutionRecord) -> "Path":
    """Return a file with the page: the published one where that is a file, for its links."""
    from pathlib import Path

    from workflow_engine.store.private import private_folder

    published = _published_page(engine, record)
    if published is not None and str(published).startswith("/"):
        return Path(str(published))
    folder = engine.settings.data_dir / _PAGES
    private_folder(folder)
    file = folder / f"{record.run_id}.html"
    file.touch(mode=0o600)
    file.write_text(_page(engine, record), encoding="utf-8", errors="replace")
    return file


def _open(file: "Path") -> None:
    emit(printable(str(file)))
    if not webbrowser.open(file.as_uri()):
        raise InvalidInputError(
            Code.INSTALLATION,
            "There is no browser that could be started.",
            remedy=f'Open the file "{file}" yourself.',
        )


def _no_report(record: ExecutionRecord) -> InvalidInputError:
    if record.state.ended:
        sentence = f'The execution "{record.run_id}" ended without a report.'
        remedy = "Only a topology with a Report activity that succeeds has one."
    else:
        sentence = f'The execution "{record.run_id}" has not made its report yet.'
        remedy = "Wait until it ends."
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND, sentence, remedy=f"{remedy} Use --html for its page as it stands."
    )


def _document(text: bytes, place: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInputError(
            Code.RESOURCE_CONTENT_BAD,
            f'The report "{place}" is not JSON.',
            remedy="Look at the file: it was changed since.",
        ) from None
