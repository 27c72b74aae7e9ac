"""Records to rows and back: with `catalog_rows.py` the only place that knows the columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    FailedAttempt,
    Json,
    ObjectRef,
    Output,
    StepResult,
)

#: column values of one row
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What an activity was about to publish: an output that may or may not be visible yet.

    `handle` names what was staged for it, for `Bucket.sweep`.
    """

    activity: str
    output: Output
    handle: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Intended:
    """The end that an activity was about to come to: its record as a success, with its outputs.

    `handles` name what was staged for each output, "" for nothing.
    """

    record: ActivityRecord
    step_key: str | None
    handles: tuple[str, ...]


def to_json(value: Json) -> str:
    """Return JSON text, characters as they are."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def json_object(text: str) -> dict[str, Json]:
    """Return the object that JSON text holds."""
    return {} if text == "{}" else json.loads(text)


def execution_row(record: ExecutionRecord) -> Row:
    """Return the columns of an execution, its activities and its claim left out."""
    return {
        "run_id": record.run_id,
        "kind": str(record.kind),
        "workflow_id": record.workflow_id,
        "workflow": record.workflow,
        "topology": record.topology,
        "bucket": record.input.bucket,
        "object": record.input.object,
        "location": record.input.location,
        "media_id": record.media_id,
        "pipeline_id": record.pipeline_id,
        "priority": record.priority,
        "request": to_json(dict(record.request)),
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
        "message_result": to_json(dict(record.message_result)),
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
        "attempts": to_json(list(map(_attempt_json, record.attempts))),
        "progress": record.progress,
        "reused": record.reused,
        "data": to_json(dict(record.result.data)),
        "commands": to_json(record.result.commands),
        "warnings": to_json(record.result.warnings),
        "message_result": to_json(dict(record.message_result)),
    }


def _attempt_json(attempt: FailedAttempt) -> Json:
    return [attempt.ended.isoformat(), attempt.code, attempt.message]


def intended_json(record: ActivityRecord, step_key: str | None) -> str:
    """Return what the end of an activity will add to its row; its outputs are intents."""
    return to_json(
        {
            "step_key": step_key,
            "reused": record.reused,
            "data": dict(record.result.data),
            "commands": record.result.commands,
            "warnings": record.result.warnings,
        }
    )


def intended_of(row: RowMapping, intents: Sequence[RowMapping]) -> Intended:
    """Return the end that the row of an activity and its intents tell of."""
    will = json.loads(row["intended"])
    record = replace(
        activity_of(row, ()),
        state=ActivityState.SUCCESS,
        progress=1.0,
        message="",
        reused=will["reused"],
        result=StepResult(
            data=will["data"],
            outputs=tuple(map(output_of, intents)),
            commands=_commands(will["commands"]),
            warnings=tuple(will["warnings"]),
        ),
    )
    handles = tuple(intent["handle"] for intent in intents)
    return Intended(record=record, step_key=will["step_key"], handles=handles)


def object_rows(
    run_id: str,
    activity: str,
    outputs: Sequence[Output],
    handles: Sequence[str] = (),
    *,
    published: bool,
) -> list[Row]:
    """Return the rows of an activity's outputs, in their order; of intents with handles."""
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
            "handle": handles[position] if handles else "",
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
        media=json_object(row["media"]),
    )


def intent_of(row: RowMapping) -> Intent:
    """Return the intent that a row of `objects` holds."""
    return Intent(activity=row["activity"], output=output_of(row), handle=row["handle"])


def digests_of(row: RowMapping) -> Digests:
    """Return the digests in a row of `objects` or `digests`."""
    return Digests(size=row["size"], sha256=row["sha256"], md5=row["md5"])


def activity_of(row: RowMapping, outputs: Iterable[Output]) -> ActivityRecord:
    """Return the record of an activity's row."""
    return replace(
        brief_activity_of(row),
        detail=row["detail"],
        attempts=tuple(
            FailedAttempt(ended=datetime.fromisoformat(ended), code=code, message=message)
            for ended, code, message in json.loads(row["attempts"])
        ),
        result=step_of(row, outputs),
    )


def brief_activity_of(row: RowMapping) -> ActivityRecord:
    """Return the record of an activity without its long columns and its outputs."""
    return ActivityRecord(
        name=row["name"],
        type=row["type"],
        state=ActivityState(row["state"]),
        job_id=row["job_id"],
        started=row["started"],
        ended=row["ended"],
        code=row["code"],
        message=row["message"],
        progress=row["progress"],
        reused=row["reused"],
        message_result=json_object(row["message_result"]),
    )


def step_of(row: RowMapping, outputs: Iterable[Output]) -> StepResult:
    """Return what the activity of a row left."""
    return StepResult(
        data=json_object(row["data"]),
        outputs=tuple(outputs),
        commands=_commands(json.loads(row["commands"])),
        warnings=tuple(json.loads(row["warnings"])),
    )


def execution_of(
    row: RowMapping,
    activities: Iterable[ActivityRecord],
    buckets: Mapping[str, str] | None = None,
) -> ExecutionRecord:
    """Return the record of an execution's row."""
    return ExecutionRecord(
        run_id=row["run_id"],
        kind=ExecutionKind(row["kind"]),
        workflow_id=row["workflow_id"],
        workflow=row["workflow"],
        topology=row["topology"],
        input=ObjectRef(bucket=row["bucket"], object=row["object"], location=row["location"]),
        media_id=row["media_id"],
        pipeline_id=row["pipeline_id"],
        priority=row["priority"],
        request=json_object(row["request"]),
        origin=row["origin"],
        version=row["version"],
        output_root=row["output_root"],
        buckets=buckets or {},
        fresh=row["fresh"],
        user_data=row["user_data"],
        state=ExecutionState(row["state"]),
        code=row["code"],
        message=row["message"],
        created=row["created"],
        ended=row["ended"],
        report=row["report"],
        prefect_url=row["prefect_url"],
        message_result=json_object(row["message_result"]),
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


def _commands(found: Json) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(command) for command in found)
