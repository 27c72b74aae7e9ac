"""Records of the catalog, and messages, to rows and back; see `rows.py` for those of the runs."""

from collections.abc import Collection, Iterable
from typing import Protocol, TypeVar

import orjson
from sqlalchemy import RowMapping

from workflow_engine.records import ObjectRef
from workflow_engine.records.catalog import (
    BucketType,
    MediaBucketRecord,
    MediaRecord,
    MessageRecord,
    PipelineRecord,
    PipelineState,
    PublishState,
    ServiceRecord,
    TemplateKind,
    TemplateRecord,
    TemplateState,
    TriggerMode,
    WorkflowFileRecord,
    WorkflowRecord,
    WorkflowState,
)
from workflow_engine.store.rows import Row, json_object, to_json


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_R = TypeVar("_R", bound=_Identified)


def in_order(ids: Collection[str], records: Iterable[_R]) -> list[_R]:
    """Return records in the order of their ids; ids without a record are left out."""
    found = {record.id: record for record in records}
    return [found[one] for one in ids if one in found]


def workflow_row(record: WorkflowRecord) -> Row:
    """Return the columns of a workflow."""
    return {
        "id": record.id,
        "name": record.name,
        "state": str(record.state),
        "trigger_mode": str(record.trigger_mode),
        "created": record.created,
        "bucket": record.bucket,
        "prefix": record.prefix,
        "file": record.file,
        "file_removed": record.file_removed,
        "topology": record.topology,
    }


def workflow_of(row: RowMapping | Row) -> WorkflowRecord:
    """Return the record of a workflow's row."""
    return WorkflowRecord(
        id=row["id"],
        name=row["name"],
        state=WorkflowState(row["state"]),
        trigger_mode=TriggerMode(row["trigger_mode"]),
        created=row["created"],
        bucket=row["bucket"],
        prefix=row["prefix"],
        file=row["file"],
        file_removed=row["file_removed"],
        topology=row["topology"],
    )


def workflow_file_row(record: WorkflowFileRecord) -> Row:
    """Return the columns of a workflow file."""
    return {
        "path": record.path,
        "name": record.name,
        "digest": record.digest,
        "checked": record.checked,
        "problem": record.problem,
    }


def workflow_file_of(row: RowMapping) -> WorkflowFileRecord:
    """Return the record of a workflow file's row."""
    return WorkflowFileRecord(
        path=row["path"],
        name=row["name"],
        digest=row["digest"],
        checked=row["checked"],
        problem=row["problem"],
    )


def media_details(record: MediaRecord) -> Row:
    """Return the columns of a media that its users write."""
    return {
        "title": record.title,
        "description": record.description,
        "category_id": record.category_id,
        "tags": to_json(record.tags),
        "cover_url": record.cover_url,
    }


def media_row(record: MediaRecord) -> Row:
    """Return the columns of a media."""
    return media_details(record) | {
        "id": record.id,
        "bucket": record.file.bucket,
        "object": record.file.object,
        "location": record.file.location,
        "publish_state": str(record.publish_state),
        "deleted": record.deleted,
        "created": record.created,
        "properties": to_json(dict(record.properties)),
    }


def media_of(row: RowMapping | Row) -> MediaRecord:
    """Return the record of a media's row."""
    return MediaRecord(
        id=row["id"],
        file=ObjectRef(bucket=row["bucket"], object=row["object"], location=row["location"]),
        title=row["title"],
        description=row["description"],
        category_id=row["category_id"],
        tags=tuple(orjson.loads(row["tags"])),
        cover_url=row["cover_url"],
        publish_state=PublishState(row["publish_state"]),
        deleted=row["deleted"],
        created=row["created"],
        properties=orjson.loads(row["properties"]),
    )


def media_bucket_row(record: MediaBucketRecord) -> Row:
    """Return the columns of a media bucket."""
    return {
        "bucket": record.bucket,
        "type": str(record.type),
        "referer": record.referer,
        "role": record.role,
    }


def media_bucket_of(row: RowMapping) -> MediaBucketRecord:
    """Return the record of a media bucket's row."""
    return MediaBucketRecord(
        bucket=row["bucket"],
        type=BucketType(row["type"]),
        referer=row["referer"],
        role=row["role"],
    )


def pipeline_row(record: PipelineRecord) -> Row:
    """Return the columns of a pipeline."""
    return {
        "id": record.id,
        "name": record.name,
        "state": str(record.state),
        "speed": record.speed,
        "speed_level": record.speed_level,
        "queue": record.queue,
        "topic": record.topic,
        "role": record.role,
        "quota": record.quota,
        "created": record.created,
    }


def pipeline_of(row: RowMapping) -> PipelineRecord:
    """Return the record of a pipeline's row."""
    return PipelineRecord(
        id=row["id"],
        name=row["name"],
        state=PipelineState(row["state"]),
        speed=row["speed"],
        speed_level=row["speed_level"],
        queue=row["queue"],
        topic=row["topic"],
        role=row["role"],
        quota=row["quota"],
        created=row["created"],
    )


def template_row(record: TemplateRecord) -> Row:
    """Return the columns of a template."""
    return {
        "id": record.id,
        "kind": str(record.kind),
        "name": record.name,
        "state": str(record.state),
        "created": record.created,
        "file": record.file,
        "content": to_json(dict(record.content)),
    }


def template_of(row: RowMapping) -> TemplateRecord:
    """Return the record of a template's row."""
    return TemplateRecord(
        id=row["id"],
        kind=TemplateKind(row["kind"]),
        name=row["name"],
        state=TemplateState(row["state"]),
        created=row["created"],
        file=row["file"],
        content=json_object(row["content"]),
    )


def message_row(record: MessageRecord) -> Row:
    """Return the columns of a message."""
    return {
        "id": record.id,
        "run_id": record.run_id,
        "activity": record.activity,
        "receiver": record.receiver,
        "created": record.created,
        "attempts": record.attempts,
        "next_attempt": record.next_attempt,
        "sent": record.sent,
        "error": record.error,
        "body": record.body,
    }


def message_of(row: RowMapping) -> MessageRecord:
    """Return the record of a message's row."""
    return MessageRecord(
        id=row["id"],
        run_id=row["run_id"],
        activity=row["activity"],
        receiver=row["receiver"],
        created=row["created"],
        attempts=row["attempts"],
        next_attempt=row["next_attempt"],
        sent=row["sent"],
        error=row["error"],
        body=row["body"],
    )


def service_row(record: ServiceRecord) -> Row:
    """Return the columns of a service, all but when it was seen."""
    return {
        "id": record.id,
        "started": record.started,
        "configuration": record.configuration,
        "data_dir": record.data_dir,
        "workflows_dir": record.workflows_dir,
        "buckets": to_json(dict(record.buckets)),
    }


def service_of(row: RowMapping) -> ServiceRecord:
    """Return the record of a service's row."""
    return ServiceRecord(
        id=row["id"],
        started=row["started"],
        configuration=row["configuration"],
        data_dir=row["data_dir"],
        workflows_dir=row["workflows_dir"],
        buckets=json_object(row["buckets"]),
    )
