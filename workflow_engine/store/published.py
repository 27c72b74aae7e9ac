"""What the activities of runs have published, for the lists of the media library."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import starmap
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from workflow_engine.records import ExecutionKind, Json, ObjectRef
from workflow_engine.store.database import Database
from workflow_engine.store.expressions import JsonArrays
from workflow_engine.store.fast_queries import Query, each, one_of
from workflow_engine.store.schema import activities, executions, objects


class PublishedOutput(NamedTuple):
    """An object, and what a probe said of it; nothing for what is not media."""

    ref: ObjectRef
    media: Mapping[str, Json]


class Published(NamedTuple):
    """What one activity of one run published: its media, and its first output whatever it is.

    `topology` is the text that the run started with, `data` the activity's result.
    """

    workflow_id: str
    workflow: str
    topology: str
    activity: str
    type: str
    data: Mapping[str, Json]
    outputs: Sequence[PublishedOutput]


def published_of_media(
    database: Database, media_ids: Sequence[str], types: Collection[str]
) -> Mapping[str, list[Published]]:
    """Return what activities of some types made of each of some media, the newest run first."""
    made: dict[str, list[Published]] = {media_id: [] for media_id in media_ids}
    if not types:
        return made
    found = database.rows(
        _published(len(media_ids), len(types)),
        each(executions.c.media_id, media_ids) | each(activities.c.type, types),
    )
    for media_id, workflow_id, workflow, topology, activity, kind, data, outputs in found:
        made[media_id].append(
            Published(
                workflow_id,
                workflow,
                topology,
                activity,
                kind,
                data,
                list(starmap(_output, sorted(orjson.loads(outputs)))),
            )
        )
    return made


def _output(position: int, bucket: str, object: str, location: str, media: str) -> PublishedOutput:
    return PublishedOutput(
        ObjectRef(bucket=bucket, object=object, location=location), orjson.loads(media)
    )


_OUTPUTS = (
    sa.select(
        JsonArrays(
            objects.c.position,
            objects.c.bucket,
            objects.c.object,
            objects.c.location,
            objects.c.media,
        )
    )
    .where(
        objects.c.run_id == activities.c.run_id,
        objects.c.activity == activities.c.name,
        objects.c.published == sa.true(),
        sa.or_(objects.c.position == 0, sa.type_coerce(objects.c.media, sa.Text) != "{}"),
    )
    .correlate(activities)
    .scalar_subquery()
)


@cache
def _published(media: int, types: int) -> Query:
    return (
        sa.select(
            executions.c.media_id,
            executions.c.workflow_id,
            executions.c.workflow,
            executions.c.topology,
            activities.c.name,
            activities.c.type,
            activities.c.data,
            _OUTPUTS,
        )
        .join(activities, activities.c.run_id == executions.c.run_id)
        .where(
            executions.c.kind == str(ExecutionKind.WORKFLOW),
            one_of(executions.c.media_id, media),
            one_of(activities.c.type, types),
        )
        .order_by(
            executions.c.media_id,
            executions.c.created.desc(),
            executions.c.run_id.desc(),
            activities.c.position,
        )
    )
