"""A store as after a year of work: workflows, media, and executions with all that they left.

`fill` writes straight into the tables: a transaction for each execution would take an hour.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from benchmarks.overhead import EXAMPLES
from workflow_engine.catalog.media import media_id
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    Output,
    StepResult,
    stable_id,
    utc_now,
)
from workflow_engine.records.catalog import MediaRecord, WorkflowRecord
from workflow_engine.store import Store, catalog_schema, mapping, new_executions, schema

EXECUTIONS, MEDIA, WORKFLOWS = 100_000, 10_000, 20
#: executions that are written at once
BATCH = 5_000

_STREAM = {
    "Index": "0",
    "CodecName": "h264",
    "CodecLongName": "H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10",
    "Profile": "High",
    "CodecTimeBase": "1/50",
    "CodecTagString": "avc1",
    "Width": "640",
    "Height": "360",
    "PixFmt": "yuv420p",
    "Fps": "25.0",
    "Duration": "4.000000",
    "Bitrate": "1480.2",
    "Timebase": "1/12800",
}
#: what a probe says of a file
PROPERTIES: dict[str, Json] = {
    "Width": "640",
    "Height": "360",
    "Duration": "4.000000",
    "Fps": "25.0",
    "Bitrate": "1630.040",
    "FileFormat": "QuickTime / MOV",
    "FileSize": "815020",
    "Format": {"FormatName": "mov", "NumStreams": "2", "Duration": "4.000000"},
    "Streams": {
        "VideoStreamList": [_STREAM],
        "AudioStreamList": [{**_STREAM, "Index": "1", "CodecName": "aac"}],
        "SubtitleStreamList": [],
    },
}
#: what else an activity may have left for those behind it
_REST = {"Probe": "x" * 4000}


def run_id(number: int) -> str:
    """The RunId of an execution; 0 is the newest one."""
    return stable_id("bench", str(number))


def input_of(number: int) -> ObjectRef:
    """The file of a media, or of an execution."""
    return ObjectRef(bucket="uploads", object=f"incoming/{number % MEDIA}.mp4", location="local")


def topology() -> str:
    """The smallest example, with a picture."""
    value = json.loads((EXAMPLES / "minimal.json").read_text())
    target = {"Bucket": "renditions", "Location": "local", "Object": "{RunId}/cover.jpg"}
    config = {"OutputFile": target, "Time": "0", "Num": "1"}
    value["Activities"]["cover"] = {"Type": "Snapshot", "Parameters": {"SnapshotConfig": config}}
    value["Dependencies"] |= {"start": ["sd", "cover"], "cover": ["report"]}
    return json.dumps(value)


def fill(url: str) -> None:
    """Create a store and fill it."""
    Store.open(url).close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(catalog_schema.workflows), list(map(mapping.WORKFLOW.row, _workflows()))
        )
        connection.execute(sa.insert(catalog_schema.media), list(map(mapping.MEDIA.row, _media())))
    batch: list[ExecutionRecord] = []
    for record in _executions():
        batch.append(record)
        if len(batch) == BATCH:
            _write(engine, batch)
            batch.clear()
    engine.dispose()


def _write(engine: sa.Engine, batch: list[ExecutionRecord]) -> None:
    outputs = [
        row
        for record in batch
        for activity in record.activities
        for row in mapping.object_rows(
            record.run_id, activity.name, activity.outputs, published=True
        )
    ]
    with engine.begin() as connection:
        new_executions.add_all(connection, [(record, {}) for record in batch])
        connection.execute(sa.insert(schema.objects), outputs)


def _workflows() -> Iterator[WorkflowRecord]:
    for number in range(WORKFLOWS):
        yield WorkflowRecord(
            id=stable_id("workflow", str(number)),
            name=f"workflow-{number}",
            topology=topology(),
            created=utc_now() - timedelta(days=number),
            bucket="uploads",
            prefix=f"incoming-{number}/",
        )


def _media() -> Iterator[MediaRecord]:
    for number in range(MEDIA):
        ref = input_of(number)
        yield MediaRecord(id=media_id(ref), file=ref, created=utc_now(), properties=PROPERTIES)


def _executions() -> Iterator[ExecutionRecord]:
    text, now = topology(), utc_now()
    for number in range(EXECUTIONS):
        ref = input_of(number)
        created = now - timedelta(seconds=number * 60)
        # no workflow has the same media at all of its runs
        workflow = (number + number // MEDIA) % WORKFLOWS
        found = ActivityRecord(
            name="start",
            type="Start",
            state=ActivityState.SUCCESS,
            job_id=stable_id(str(number), "start"),
            started=created,
            ended=created,
            result=StepResult(data={"Properties": PROPERTIES, **_REST}),
        )
        yield ExecutionRecord(
            run_id=run_id(number),
            workflow_id=stable_id("workflow", str(workflow)),
            workflow=f"workflow-{workflow}",
            topology=text,
            input=ref,
            media_id=media_id(ref),
            state=ExecutionState.COMPLETED,
            created=created,
            ended=created,
            activities=(
                found,
                _made(found, number, "sd", "Transcode", "clip.mp4"),
                _made(found, number, "cover", "Snapshot", "cover.jpg"),
                _made(found, number, "report", "Report", "report.json"),
            ),
        )


def _made(found: ActivityRecord, number: int, name: str, kind: str, file: str) -> ActivityRecord:
    """An activity that published one file."""
    data: dict[str, dict[str, Json]] = {
        "Transcode": {
            "Outputs": [{"Container": "mp4", "Segments": 0, "Size": 815020, "Bitrate": 1630.04}]
        },
        "Snapshot": {"Count": 1, "Times": [0.0]},
    }
    output = Output(
        ref=ObjectRef(bucket="renditions", object=f"{run_id(number)}/{file}", location="local"),
        place=f"/buckets/renditions/{run_id(number)}/{file}",
        digests=Digests(size=815020, sha256="5" * 64, md5="d" * 32),
        media=PROPERTIES if kind == "Transcode" else {},
    )
    return ActivityRecord(
        name=name,
        type=kind,
        state=ActivityState.SUCCESS,
        job_id=stable_id(str(number), name),
        started=found.started,
        ended=found.ended,
        result=StepResult(data={**data.get(kind, {}), **_REST}, outputs=(output,)),
    )
