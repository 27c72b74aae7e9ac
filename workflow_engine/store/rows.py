"""Records to rows and back; the only place that knows which field stands in which column."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    Output,
)

#: column values of one row
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What an activity was about to publish: an output that may or may not be visible yet."""

    activity: str
    output: Output


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What a finished step left, to be used again (design, decision 5)."""

    data: Mapping[str, Json]
    outputs: tuple[Output, ...]
    commands: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]


def to_json(value: Json) -> str:
    """Return JSON text, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def execution_row(record: ExecutionRecord) -> Row:
    """Return the columns of an execution, its activities and its claim left out."""
    return {
        "run_id": record.run_id,
        "workflow_id": record.workflow_id,
        "workflow": record.workflow,
        "topology": record.topology,
        "bucket": record.input.bucket,
        "object": record.input.object,
        "location": record.input.location,
        "media_id": record.media_id,
        "origin": record.origin,
        "version": record.version,
        "output_root": record.output_root,
        "fresh": record.fresh,
        "user_data": record.user_data,
        "state": str(record.state),
        "code": record.code,
        "message": record.message,
        "created": record.created,
        "ended": record.ended,
        "report": record.report,
        "prefect_url": record.prefect_url,
    }


def activity_row(record: ActivityRecord) -> Row:
    """Return the columns of an activity that may change; outputs are rows of their own."""
    return {
        "type": record.type,
        "state": str(record.state),
        "job_id": record.job_id,
        "started": record.started,
        "ended": record.ended,
        "code": record.code,
        "message": record.message,
        "detail": record.detail,
        "progress": record.progress,
        "reused": record.reused,
        "data": to_json(dict(record.data)),
        "commands": to_json(record.commands),
        "warnings": to_json(record.warnings),
        "message_result": to_json(dict(record.message_result)),
    }


def object_rows(
    run_id: str, activity: str, outputs: Sequence[Output], *, published: bool
) -> list[Row]:
    """Return the rows of an activity's outputs, in their order."""
    return [
        {
            "run_id": run_id,
            "activity": activity,
            "published": published,
            "position": position,
            "bucket": output.ref.bucket,
            "object": output.ref.object,
            "location": output.ref.location,
            "place": output.place,
            "size": output.digests.size,
            "sha256": output.digests.sha256,
            "md5": output.digests.md5,
            "media": to_json(dict(output.media)),
        }
        for position, output in enumerate(outputs)
    ]


def output_of(row: RowMapping) -> Output:
    """Return the output that a row of `objects` holds."""
    return Output(
        ref=ObjectRef(bucket=row["bucket"], object=row["object"], location=row["location"]),
        place=row["place"],
        digests=digests_of(row),
        media=json.loads(row["media"]),
    )


def digests_of(row: RowMapping) -> Digests:
    """Return the digests in a row of `objects` or `digests`."""
    return Digests(size=row["size"], sha256=row["sha256"], md5=row["md5"])


def activity_of(row: RowMapping, outputs: Iterable[Output]) -> ActivityRecord:
    """Return the record of an activity's row."""
    return ActivityRecord(
        name=row["name"],
        type=row["type"],
        state=ActivityState(row["state"]),
        job_id=row["job_id"],
        started=row["started"],
        ended=row["ended"],
        code=row["code"],
        message=row["message"],
        detail=row["detail"],
        progress=row["progress"],
        reused=row["reused"],
        outputs=tuple(outputs),
        data=json.loads(row["data"]),
        commands=_commands_of(row),
        warnings=tuple(json.loads(row["warnings"])),
        message_result=json.loads(row["message_result"]),
    )


def step_of(row: RowMapping, outputs: Iterable[Output]) -> StepResult:
    """Return what the activity of a row left."""
    return StepResult(
        data=json.loads(row["data"]),
        outputs=tuple(outputs),
        commands=_commands_of(row),
        warnings=tuple(json.loads(row["warnings"])),
    )


def execution_of(row: RowMapping, activities: Iterable[ActivityRecord]) -> ExecutionRecord:
    """Return the record of an execution's row."""
    return ExecutionRecord(
        run_id=row["run_id"],
        workflow_id=row["workflow_id"],
        workflow=row["workflow"],
        topology=row["topology"],
        input=ObjectRef(bucket=row["bucket"], object=row["object"], location=row["location"]),
        media_id=row["media_id"],
        origin=row["origin"],
        version=row["version"],
        output_root=row["output_root"],
        fresh=row["fresh"],
        user_data=row["user_data"],
        state=ExecutionState(row["state"]),
        code=row["code"],
        message=row["message"],
        created=row["created"],
        ended=row["ended"],
        report=row["report"],
        prefect_url=row["prefect_url"],
        activities=tuple(activities),
    )


def grouped(
    rows: Iterable[RowMapping], *columns: str
) -> Mapping[tuple[str, ...], list[RowMapping]]:
    """Return rows by the values of some columns, each group in the rows' order."""
    groups: dict[tuple[str, ...], list[RowMapping]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def _commands_of(row: RowMapping) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(command) for command in json.loads(row["commands"]))
