"""What a Report makes the page of its execution with (decision 25)."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from workflow_engine.activity import (
    Exhibit,
    PageMaker,
    SideInput,
    SideInputFacts,
    Thumbnail,
)
from workflow_engine.pages.execution import execution_page
from workflow_engine.pages.rendering import render
from workflow_engine.records import (
    ActivityState,
    Digests,
    ExecutionRecord,
    ObjectRef,
    Output,
    utc_now,
)
from workflow_engine.run.active_run import ActiveRun
from workflow_engine.run.exhibits import execution_facts, exhibits


def page_maker(
    run: ActiveRun, name: str, read_by: Callable[[str], Mapping[SideInput, SideInputFacts]]
) -> PageMaker:
    """Return what makes the page for the Report `name`; `read_by` as in `ActivityContext`."""

    def shown(activity: str) -> Sequence[Exhibit]:
        return exhibits(run.graph, run.journal.activity(activity))

    def fetch(output: Output, target: Path) -> None:
        place = run.environment.buckets.at(output.place)
        place.bucket.fetch(place.key, target, cancel=run.cancellation.event)

    def rendered(
        ref: ObjectRef, thumbnails: Mapping[str, Thumbnail], notices: Sequence[str]
    ) -> str:
        def link(output: Output) -> str:
            return link_from(ref, output)

        run.thumbnails = thumbnails or run.thumbnails
        record = _ended(run, name)
        facts = replace(
            execution_facts(record, run.graph),
            side_inputs={
                one.name: _side_inputs(record.input, read_by(one.name)) for one in record.activities
            },
            thumbnails=thumbnails,
            notices=notices,
            link=link,
            report="report.json",
        )
        return render("execution.html", page=execution_page(facts), standalone=True)

    return PageMaker(exhibits=shown, fetch=fetch, render=rendered)


def page_of(record: ExecutionRecord) -> str:
    """Return the place of the page that was published beside the report; "" without one."""
    for activity in record.activities:
        places = [output.place for output in activity.outputs]
        if record.report in places:
            return next((place for place in places if place.endswith(".html")), "")
    return ""


def link_from(page: ObjectRef, output: Output) -> str:
    """Return the URL of an output for a page that lies at `page`.

    It is relative within one bucket, so that both can be moved and served. The path of another
    folder becomes a URL of the file; what lies in another object store has none.

    >>> page = ObjectRef(bucket="b", object="a/run/report.html")
    >>> link_from(page, Output(
    ...     ref=ObjectRef(bucket="b", object="a/x 1.mp4"),
    ...     place="/srv/b/a/x 1.mp4",
    ...     digests=Digests(size=1, sha256=""),
    ... ))
    '../x%201.mp4'
    """
    if output.ref.bucket == page.bucket:
        folder = posixpath.dirname(page.object) or "."
        return quote(posixpath.relpath(output.ref.object, folder))
    return file_link(output)


def file_link(output: Output) -> str:
    """Return the URL of an output that is a file of this machine, "" for others."""
    return Path(output.place).as_uri() if output.place.startswith("/") else ""


def _ended(run: ActiveRun, name: str) -> ExecutionRecord:
    """Return the execution as it will be when its Report, which is last, has succeeded."""
    now = utc_now()
    state, code, message = run.verdict()
    return replace(
        run.record,
        state=state,
        code=code,
        message=message,
        ended=now,
        activities=tuple(
            replace(one, state=ActivityState.SUCCESS, ended=now, message="", progress=1.0)
            if one.name == name
            else one
            for one in run.record.activities
        ),
    )


def _side_inputs(
    source: ObjectRef, read: Mapping[SideInput, SideInputFacts]
) -> list[tuple[ObjectRef, Digests]]:
    """Return every object that was read beside the input, once."""
    found = {one.ref: facts.digests for one, facts in read.items()}
    return [
        (ref, digests)
        for ref, digests in found.items()
        if (ref.bucket, ref.object) != (source.bucket, source.object)
    ]
