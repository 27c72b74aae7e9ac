"""What Prefect shows of an execution in words and pictures: texts, without Prefect."""

import base64
import logging
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from workflow_engine.activity import Artifact, Thumbnail
from workflow_engine.planning.drawing import text_lines
from workflow_engine.planning.graph import Graph
from workflow_engine.records import ActivityRecord, ExecutionKind, ExecutionRecord, Output

#: lines of the log that tell of commands, and of outputs; characters of a command
_COMMANDS, _OUTPUTS, _LONGEST = 20, 20, 4000
#: rows of a table of outputs
_LISTED_OUTPUTS = 50
#: bytes of all pictures of an execution: an artifact is one row of Prefect's database
_PICTURES_BYTES = 400_000
#: activities of a workflow that is drawn
_DRAWN = 200


def log_lines(record: ActivityRecord) -> Iterator[tuple[int, str]]:
    """Yield levels and lines for the log of an activity that has ended."""
    if not record.reused:
        for command in record.result.commands[:_COMMANDS]:
            yield logging.INFO, _cut(f"$ {shlex.join(command)}")
        yield from _more(len(record.result.commands) - _COMMANDS, "commands")
    for warning in record.result.warnings:
        yield logging.WARNING, warning
    for note in record.result.notes:
        yield logging.INFO, note
    for output in record.outputs[:_OUTPUTS]:
        yield logging.INFO, f"{output.ref.bucket}/{output.ref.object}: {_facts(output)}"
    yield from _more(len(record.outputs) - _OUTPUTS, "outputs")
    if record.detail:
        yield logging.WARNING, f"The last lines of the tool:\n{record.detail}"


def _more(count: int, what: str) -> Iterator[tuple[int, str]]:
    if count > 0:
        yield logging.INFO, f"and {count} more {what}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _facts(output: Output) -> str:
    """`1,043,234 bytes, 5.3 s, 1280x720`."""
    facts, media = [f"{output.digests.size:,} bytes"], output.media
    if duration := media.get("Duration"):
        facts.append(f"{float(duration):.1f} s")
    if media.get("Width"):
        facts.append(f"{media['Width']}x{media['Height']}")
    return ", ".join(facts)


def outputs_table(record: ActivityRecord) -> Iterator[Artifact]:
    """Yield a table of the outputs."""
    if not record.outputs:
        return
    rows = [
        {"Object": o.ref.object, "Bucket": o.ref.bucket, "Bytes": o.digests.size, "Place": o.place}
        for o in record.outputs[:_LISTED_OUTPUTS]
    ]
    title = f"Outputs of {record.name}, {len(record.outputs)} in all"
    yield Artifact(kind="table", title=title, content=rows)


def linked(artifact: Artifact, record: ExecutionRecord, pages_url: str) -> Artifact:
    """Return an artifact that can be followed from a page: no browser goes from one to a file.

    `pages_url` leads to the pages of `serve`, "" where there are none.
    """
    link = str(artifact.content)
    if artifact.kind != "link" or not link.startswith("file:"):
        return artifact
    if pages_url:
        return Artifact(kind="link", title=artifact.title, content=page_of(record, pages_url))
    text = f"{artifact.title} of {_code(record.run_id)}, on the disk: {_code(link)}"
    return Artifact(kind="markdown", title=artifact.title, content=text)


def page_of(record: ExecutionRecord, pages_url: str) -> str:
    """Return the address of the page of an execution."""
    return f"{pages_url.rstrip('/')}/executions/{record.run_id}"


def workflow_text(graph: Graph, record: ExecutionRecord, pages_url: str) -> Artifact:
    """Return what the workflow is: its activities, what starts it, where more is told."""
    lines = list(text_lines(graph))
    if len(lines) > _DRAWN:
        lines = [*lines[:_DRAWN], f"and {len(lines) - _DRAWN} more"]
    parts = [
        f"Workflow {_code(record.workflow)}, "
        f"on {_code(f'{record.input.bucket}/{record.input.object}')}.",
    ]
    if record.kind is ExecutionKind.WORKFLOW:
        place = f"{graph.binding.bucket}/{graph.binding.prefix}"
        parts.append(f"It takes what lands below {_code(place)}.")
    fence = "~~~"
    while any(fence in line for line in lines):
        fence += "~"
    parts.append("\n".join([fence, *lines, fence]))
    if pages_url:
        parts.append(f"[The page of this execution]({page_of(record, pages_url)})")
    return Artifact(kind="markdown", title="Workflow", content="\n\n".join(parts))


def pictures_text(thumbnails: Mapping[str, Thumbnail]) -> Iterator[Artifact]:
    """Yield small copies of pictures that came out, by the places of these, if there are any."""
    parts: list[str] = []
    room = _PICTURES_BYTES
    for place, one in thumbnails.items():
        if len(one.content) <= room:
            room -= len(one.content)
            parts.append(f"![]({_data_url(one)})\n\n{_code(PurePath(place).name)}")
    if not parts:
        return
    if more := len(thumbnails) - len(parts):
        parts.append(f"and {more} more")
    yield Artifact(kind="markdown", title="Pictures", content="\n\n".join(parts))


def _data_url(thumbnail: Thumbnail) -> str:
    return f"data:{thumbnail.media_type};base64,{base64.b64encode(thumbnail.content).decode()}"


def _code(text: str) -> str:
    """Return text that Markdown shows as it is."""
    tick = "`"
    while tick in text:
        tick += "`"
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{tick}{room}{' '.join(text.split())}{room}{tick}"
