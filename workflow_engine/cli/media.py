"""`media add|list|show`: the media library; `media info|check`: what is in a file, or wrong."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import (
    EXIT_BROKEN,
    AsJson,
    LimitOption,
    emit,
    opened_engine,
    print_json,
    printable,
    size_text,
)

if TYPE_CHECKING:
    from workflow_engine.api.media_shapes import FactsShape, MadeShape, MediaShape

app = App(help="The media library: add, list, show, info, check.")


@app.command()
def add(
    file_url: Annotated[
        str, typer.Argument(help="URL of the file in a bucket: oss://BUCKET/KEY.", metavar="URL")
    ],
    title: Annotated[str, typer.Option(metavar="S", help="At most 128 bytes.")] = "",
    description: Annotated[str, typer.Option(metavar="S", help="At most 1024 bytes.")] = "",
    cover_url: Annotated[str, typer.Option(metavar="URL", help="An http URL.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="S", help="May be given 16 times.")
    ] = None,
    category: Annotated[int | None, typer.Option(metavar="N", help="Number of a category.")] = None,
    workflow: Annotated[
        str, typer.Option(metavar="NAME", help="Name or id of a workflow to run on the file.")
    ] = "",
    user_data: Annotated[
        str, typer.Option(metavar="S", help="Passed on by that run, at most 1024 bytes.")
    ] = "",
    override: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="OverrideParams for that run, as JSON."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a file to the library, and let `serve` run a workflow on it."""
    from workflow_engine.api.actions.media import shapes_of
    from workflow_engine.catalog.media import NewMedia
    from workflow_engine.records.catalog import WorkflowState
    from workflow_engine.settings.files import read_text

    with opened_engine() as engine:
        chosen = engine.workflows.find(workflow) if workflow else None
        given = NewMedia(
            file_url=file_url,
            details={
                "title": title,
                "description": description,
                "cover_url": cover_url,
                "tags": tag or [],
                "category_id": category,
            },
            workflow_id=chosen.id if chosen else "",
            user_data=user_data,
            overrides=read_text(override) if override else "",
        )
        (shape,) = shapes_of(engine, [engine.add_media(given)])
    starts = chosen is not None and chosen.state is WorkflowState.ACTIVE
    if chosen and not starts:
        told = f'warning: the workflow "{chosen.name}" is {chosen.state}, so nothing runs.'
        typer.echo(printable(told), err=True)
    if as_json:
        _print(shape)
        return
    emit(f"media {shape['MediaId']}")
    if starts:
        emit(f"run   {shape['RunIdList']['RunId'][0]}")


@app.command("list")
def list_media(
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """List the media, newest first."""
    from workflow_engine.api.actions.media import shapes_of
    from workflow_engine.api.shapes import flattened

    with opened_engine() as engine:
        records, _ = engine.media.search(offset=0, limit=limit)
        shapes = shapes_of(engine, records)
    if as_json:
        print_json([flattened(shape) for shape in shapes])
        return
    if not shapes:
        emit("no media yet")
    for shape in shapes:
        line = f"{shape['MediaId']}  {shape['CreationTime']}  {shape['PublishState']:<9}"
        emit(printable(f"{line}  {shape['File']['URL']}  {shape['Title']}".rstrip()))


@app.command()
def show(
    wanted: Annotated[
        str, typer.Argument(help="MediaId, or URL of the file.", metavar="MEDIAID|URL")
    ],
    as_json: AsJson = False,
) -> None:
    """Show one media and what its runs made of it."""
    from workflow_engine.api.actions.media import EVERYTHING, shapes_of
    from workflow_engine.catalog.media import media_id
    from workflow_engine.catalog.media_details import media_file

    is_id = re.fullmatch(r"[0-9a-f]{32}", wanted)
    with opened_engine() as engine:
        record = engine.media.get(wanted if is_id else media_id(media_file(wanted)))
        (shape,) = shapes_of(engine, [record], EVERYTHING)
    if as_json:
        _print(shape)
    else:
        for line in _lines(shape):
            emit(printable(line))


@app.command()
def info(
    given: Annotated[
        str,
        typer.Argument(help="A file, or the URL of an object in a bucket.", metavar="FILE|URL"),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what is in a media file; nothing is kept.

    With --json: what SubmitMediaInfoJob answers, without JobId.
    """
    from workflow_engine.cli.media_info import lines

    with opened_engine() as engine:
        ref, found = engine.media_info(given)
    properties = found.data["Properties"]
    for warning in found.warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)
    if as_json:
        print_json({"State": "Success", "Input": ref.to_wire(), "Properties": properties})
        return
    for line in lines(given, properties):
        emit(printable(line))


@app.command()
def check(
    given: Annotated[
        str,
        typer.Argument(help="A file, or the URL of an object in a bucket.", metavar="FILE|URL"),
    ],
    as_json: AsJson = False,
) -> None:
    """Look for defects of the picture; nothing is kept. Exit code 1 where there are any.

    With --json: the defects by time, and VideoQualityResults as the video quality job has them.
    """
    with opened_engine() as engine:
        ref, found = engine.media_check(given)
    spans = cast("Sequence[Mapping[str, str]]", found.data["Spans"])
    for warning in found.warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)
    if as_json:
        results = found.data["VideoQualityResults"]
        print_json({"Input": ref.to_wire(), "Spans": spans, "VideoQualityResults": results})
    else:
        for span in spans:
            line = f"{span['Begin']} to {span['End']}  {span['Label']:<16}  {span['First']}"
            emit(printable(line.rstrip()))
        if not spans:
            emit("no defects found")
    if spans:
        raise typer.Exit(EXIT_BROKEN)


def _print(shape: "MediaShape") -> None:
    from workflow_engine.api.shapes import flattened

    print_json(flattened(shape))


def _lines(shape: "MediaShape") -> Iterator[str]:
    yield f"MediaId  {shape['MediaId']}"
    yield f"File     {shape['File']['URL']}"
    yield f"State    {shape['PublishState']}"
    told = {
        "Title": shape["Title"],
        "About": shape["Description"],
        "Cover": shape["CoverURL"],
        "Tags": ", ".join(shape["Tags"]["Tag"]),
        "Category": str(shape.get("CateId", "")),
        "Media": _facts(shape),
    }
    for name, value in told.items():
        if value:
            yield f"{name:<8} {value}"
    for run_id in shape["RunIdList"]["RunId"]:
        yield f"Run      {run_id}"
    for play in shape.get("PlayList", {"Play": []})["Play"]:
        yield _made("Play", play, _facts(play))
    for snapshot in shape.get("SnapshotList", {"Snapshot": []})["Snapshot"]:
        count = snapshot.get("Count")
        yield _made("Snapshot", snapshot, f"{count} pictures" if count else "1 picture")
    for summary in shape.get("SummaryList", {"Summary": []})["Summary"]:
        yield _made("Summary", summary, summary["Type"])


def _made(what: str, made: "MadeShape", facts: str) -> str:
    return f"{what:<8} {made['File']['URL']}  ({facts}; {made['ActivityName']})"


def _facts(found: "FactsShape") -> str:
    facts = [found.get("Format", "")]
    if "Width" in found and "Height" in found:
        facts.append(f"{found['Width']}x{found['Height']}")
    if "Duration" in found:
        facts.append(f"{float(found['Duration']):.1f} s")
    if "Size" in found:
        facts.append(size_text(int(found["Size"])))
    return ", ".join(fact for fact in facts if fact)
