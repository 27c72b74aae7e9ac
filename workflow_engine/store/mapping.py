"""Records to rows and back: a field of a record is the column of its name.

What a column holds is up to its type (`types.py`). Here stands only what differs from that: fields
that are records with columns of their own, and fields that are kept elsewhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Protocol, TypeVar, cast

import sqlalchemy as sa

from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ObjectRef,
    Output,
    StepResult,
)
from workflow_engine.records.catalog import (
    MediaBucketRecord,
    MediaRecord,
    MessageRecord,
    PipelineRecord,
    ServiceRecord,
    TemplateRecord,
    WorkflowFileRecord,
    WorkflowRecord,
)
from workflow_engine.records.ingest import Arrival, ListenerRecord, Watched
from workflow_engine.store import catalog_schema, landing_schema, schema

#: column values of one row
Row = dict[str, Any]
#: a row as a query found it
Found = Mapping[str, Any] | sa.RowMapping

R = TypeVar("R")


class Mapper(Generic[R]):
    """Records of one type as rows of one table.

    `parts` are the types of fields that are records themselves, with columns beside the others.
    Fields that are in neither, and `brief` ones, are not read: `record` takes the former.
    """

    def __init__(
        self,
        kind: type[R],
        table: sa.Table,
        *,
        brief: Collection[str] = (),
        **parts: type[Any],
    ) -> None:
        names = [field.name for field in fields(cast(Any, kind))]
        self._kind = kind
        self._all = table.c.keys()
        self._names = [name for name in names if name in table.c and name not in (*parts, *brief)]
        self._parts = {name: Mapper[Any](part, table) for name, part in parts.items()}

    def row(self, record: R) -> Row:
        """Return the columns of a record."""
        row = {name: getattr(record, name) for name in self._names}
        for name, part in self._parts.items():
            row |= part.row(getattr(record, name))
        return row

    def record(self, row: Found, **others: Any) -> R:
        """Return the record of a row, with the fields that are kept elsewhere."""
        values = {name: row[name] for name in self._names}
        for name, part in self._parts.items():
            values[name] = part.record(row)
        return self._kind(**values, **others)

    def record_of(self, values: Sequence[Any]) -> R:
        """Return the record of the values of all columns, in the table's order."""
        return self.record(dict(zip(self._all, values, strict=False)))


EXECUTION = Mapper(ExecutionRecord, schema.executions, input=ObjectRef)
ACTIVITY = Mapper(ActivityRecord, schema.activities)
#: without the long columns
BRIEF_ACTIVITY = Mapper(ActivityRecord, schema.activities, brief=("detail", "attempts"))
STEP_RESULT = Mapper(StepResult, schema.activities)
OUTPUT = Mapper(Output, schema.objects, ref=ObjectRef, digests=Digests)
DIGESTS = Mapper(Digests, schema.digests)
WORKFLOW = Mapper(WorkflowRecord, catalog_schema.workflows)
WORKFLOW_FILE = Mapper(WorkflowFileRecord, catalog_schema.workflow_files)
MEDIA = Mapper(MediaRecord, catalog_schema.media, file=ObjectRef)
MEDIA_BUCKET = Mapper(MediaBucketRecord, catalog_schema.media_buckets)
PIPELINE = Mapper(PipelineRecord, catalog_schema.pipelines)
TEMPLATE = Mapper(TemplateRecord, catalog_schema.templates)
MESSAGE = Mapper(MessageRecord, catalog_schema.messages)
SERVICE = Mapper(ServiceRecord, catalog_schema.services)
ARRIVAL = Mapper(Arrival, landing_schema.arrivals)
WATCHED = Mapper(Watched, landing_schema.watched)
LISTENER = Mapper(ListenerRecord, landing_schema.listeners)


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


def activity_row(record: ActivityRecord) -> Row:
    """Return the columns of an activity; outputs are rows of their own."""
    return ACTIVITY.row(record) | STEP_RESULT.row(record.result)


def activity_of(row: Found, outputs: Iterable[Found]) -> ActivityRecord:
    """Return the record of an activity's row and of those of its outputs."""
    return ACTIVITY.record(row, result=result_of(row, outputs))


def result_of(row: Found, outputs: Iterable[Found]) -> StepResult:
    """Return what the activity of a row left, with the rows of its outputs."""
    return STEP_RESULT.record(row, outputs=tuple(map(OUTPUT.record, outputs)))


def intended_row(record: ActivityRecord, step_key: str | None) -> Row:
    """Return the columns that say how an activity will end; its outputs are intents."""
    will = {"step_key": step_key, "reused": record.reused}
    return {"intended": will | schema.result_json(record.result)}


def intended_of(row: Found, intents: Sequence[Found]) -> Intended:
    """Return the end that the row of an activity and its intents tell of."""
    will = row["intended"]
    outputs = tuple(map(OUTPUT.record, intents))
    record = replace(
        ACTIVITY.record(row),
        state=ActivityState.SUCCESS,
        progress=1.0,
        message="",
        reused=will["reused"],
        result=schema.result_of_json(will, outputs),
    )
    handles = tuple(intent["handle"] for intent in intents)
    return Intended(record=record, step_key=will["step_key"], handles=handles)


def intent_of(row: Found) -> Intent:
    """Return the intent that a row of `objects` holds."""
    return Intent(activity=row["activity"], output=OUTPUT.record(row), handle=row["handle"])


def object_rows(
    run_id: str,
    activity: str,
    outputs: Sequence[Output],
    handles: Sequence[str] = (),
    *,
    published: bool,
) -> list[Row]:
    """Return the rows of an activity's outputs, in their order; of intents with handles."""
    common = {"run_id": run_id, "activity": activity, "published": published}
    return [
        {
            **common,
            **OUTPUT.row(output),
            "position": position,
            "stream": output.streams[0] if output.streams else None,
            "handle": handles[position] if handles else "",
        }
        for position, output in enumerate(outputs)
    ]


def grouped(rows: Iterable[sa.RowMapping], *columns: str) -> Mapping[tuple[str, ...], list[Found]]:
    """Return rows by the values of some columns, each group in the rows' order."""
    groups: dict[tuple[str, ...], list[Found]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_I = TypeVar("_I", bound=_Identified)


def in_order(ids: Collection[str], records: Iterable[_I]) -> list[_I]:
    """Return records in the order of their ids; ids without a record are left out."""
    found = {record.id: record for record in records}
    return [found[one] for one in ids if one in found]
