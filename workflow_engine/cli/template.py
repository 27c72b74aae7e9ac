"""`template list|show|add|update|delete`: custom templates and watermark templates."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import (
    AsJson,
    LimitOption,
    emit,
    opened_engine,
    print_json,
    printable,
)
from workflow_engine.errors import TopologyError
from workflow_engine.records import Json

if TYPE_CHECKING:
    from workflow_engine.catalog.templates import Templates
    from workflow_engine.engine import Engine
    from workflow_engine.records.catalog import TemplateRecord
    from workflow_engine.topology.document import Document

app = App(help="Templates: list, show, add, update, delete.")

Watermark = Annotated[bool, typer.Option("--watermark", help="A template of a watermark.")]
TemplateId = Annotated[str, typer.Argument(help="Id of the template.", metavar="ID")]
TemplateFile = Annotated[
    Path,
    typer.Argument(
        help="JSON: Container, Video, Audio, TransConfig, MuxConfig; the Config of a watermark.",
        metavar="FILE",
    ),
]


@app.command("list")
def list_templates(
    limit: LimitOption = 50,
    presets: Annotated[
        bool, typer.Option("--presets", help="The presets instead of your own.")
    ] = False,
    watermark: Watermark = False,
    as_json: AsJson = False,
) -> None:
    """List your templates, newest first, and above them the files with problems; or presets."""
    with opened_engine() as engine:
        templates = _templates(engine, watermark)
        if presets:
            records = templates.presets()[:limit]
        else:
            records, _ = templates.search(None, page_number=1, page_size=limit)
        broken = [] if presets else [one for one in engine.file_templates.files() if one.problem]
    if as_json:
        print_json([_shape(record) for record in records])
        return
    for file in broken:
        emit(printable(f"{file.path} is not in force"))
        for line in file.problem.splitlines():
            emit(printable(f"    {line}"))
    if not records and not broken:
        emit("no templates yet")
    for record in records:
        emit(_line(record))


@app.command()
def show(template_id: TemplateId, watermark: Watermark = False, as_json: AsJson = False) -> None:
    """Show a template of your own, or a preset."""
    with opened_engine() as engine:
        record = _templates(engine, watermark).get(template_id)
    if as_json:
        print_json(_shape(record))
        return
    for name, value in {**_shape(record), **({"File": record.file} if record.file else {})}.items():
        if isinstance(value, Mapping):
            value = "  ".join(_pairs(cast("Mapping[str, Json]", value))) or "defaults"
        emit(printable(f"{name:<13} {value}"))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="At most 128 bytes.", metavar="NAME")],
    file: TemplateFile,
    watermark: Watermark = False,
    as_json: AsJson = False,
) -> None:
    """Add a template out of a JSON file."""
    given = _read(file)
    with opened_engine() as engine, _placed(given.document):
        record = _templates(engine, watermark).add(name, given.content)
    _print(record, as_json=as_json)


@app.command()
def update(
    template_id: TemplateId,
    file: TemplateFile,
    watermark: Watermark = False,
    as_json: AsJson = False,
) -> None:
    """Replace a template by a JSON file; its name stays unless the file has a Name."""
    given = _read(file)
    with opened_engine() as engine, _placed(given.document):
        templates = _templates(engine, watermark)
        name = given.name or templates.get(template_id).name
        record = templates.update(template_id, name, given.content)
    _print(record, as_json=as_json)


@app.command()
def delete(template_id: TemplateId, watermark: Watermark = False, as_json: AsJson = False) -> None:
    """Delete a template of your own; it can still be shown."""
    with opened_engine() as engine:
        record = _templates(engine, watermark).delete(template_id)
    _print(record, as_json=as_json)


class _Given(NamedTuple):
    """A template as a file has it."""

    document: "Document"
    name: str
    content: dict[str, Json]


def _read(file: Path) -> _Given:
    from workflow_engine.catalog.template_files import object_in
    from workflow_engine.settings.files import read_text
    from workflow_engine.topology.document import Document

    document = Document(read_text(file), str(file))
    content = object_in(document)
    name = str(content.pop("Name", None) or "")
    return _Given(document, name, content)


@contextmanager
def _placed(document: "Document") -> Generator[None]:
    """Give the problems of a template their lines in the file."""
    try:
        yield
    except TopologyError as error:
        # the API has the values of a watermark in its parameter Config
        raise TopologyError(
            document.place(replace(problem, pointer=problem.pointer.removeprefix("/Config")))
            for problem in error.problems
        ) from None


def _templates(engine: "Engine", watermark: bool) -> "Templates":
    return engine.watermark_templates if watermark else engine.templates


def _shape(record: "TemplateRecord") -> Mapping[str, Json]:
    from workflow_engine.api.actions.templates import template_shape
    from workflow_engine.api.actions.watermark_templates import watermark_shape
    from workflow_engine.records.catalog import TemplateKind

    shape = template_shape if record.kind is TemplateKind.TRANSCODE else watermark_shape
    return shape(record)


def _pairs(section: Mapping[str, Json], prefix: str = "") -> Iterator[str]:
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _pairs(cast("Mapping[str, Json]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={value}"


def _print(record: "TemplateRecord", *, as_json: bool) -> None:
    if as_json:
        print_json(_shape(record))
    else:
        emit(_line(record))


def _line(record: "TemplateRecord") -> str:
    file = f"  ({record.file})" if record.file else ""
    return printable(f"{record.id}  {record.state:<7}  {record.name}{file}")
