"""What is registered: workflows, media, media buckets, pipelines, templates; frozen records.

Wire forms stand in `api/shapes.py`, rules in `catalog/`. Specification: topology, 2; api, 6 to 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflow_engine.records.ids import stable_id
from workflow_engine.records.objects import Json, ObjectRef

#: the pipeline that always exists
DEFAULT_PIPELINE_ID = stable_id("pipeline", "default")


class WorkflowState(StrEnum):
    """State of a registered workflow (specification, topology, 2)."""

    #: takes inputs; cannot be changed
    ACTIVE = "Active"
    #: takes none; can be changed
    INACTIVE = "Inactive"
    #: gone for good, still visible to queries
    DELETED = "Deleted"


class TriggerMode(StrEnum):
    """Whether a landing file starts the workflow (specification, topology, 2)."""

    #: every matching object starts a run
    OSS_AUTO_TRIGGER = "OssAutoTrigger"
    #: only AddMedia does
    NOT_IN_AUTO = "NotInAuto"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowRecord:
    """A registered workflow.

    `bucket` and `prefix` are those of its Start's InputFile (the prefix decoded). `file` is the
    path of the file that defines it, empty for one that was added by hand. `file_removed` tells
    that it was deactivated because its file went away.
    """

    id: str
    name: str
    topology: str
    state: WorkflowState = WorkflowState.ACTIVE
    trigger_mode: TriggerMode = TriggerMode.OSS_AUTO_TRIGGER
    created: datetime
    bucket: str
    prefix: str = ""
    file: str = ""
    file_removed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowFileRecord:
    """What became of a file of `[workflows] dir`: `problem` is empty when it is in force.

    `name` is that of the workflow or the id of the template, the file's name without `.json`.
    `digest` is the content that was looked at last.
    """

    path: str
    name: str
    digest: str
    problem: str = ""
    checked: datetime


class PublishState(StrEnum):
    """Publish state of a media (specification, api, 12)."""

    #: no run has ended yet
    INITIATED = "Initiated"
    #: outputs may be read as their bucket allows
    PUBLISHED = "Published"
    #: outputs are private
    UNPUBLISHED = "UnPublish"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaRecord:
    """A media of the library: one input object and what is known of it.

    `properties` are those of specification, mediainfo, 2, empty before a run has read them.
    """

    id: str
    file: ObjectRef
    title: str = ""
    description: str = ""
    category_id: int | None = None
    tags: tuple[str, ...] = ()
    cover_url: str = ""
    publish_state: PublishState = PublishState.INITIATED
    deleted: bool = False
    created: datetime
    properties: Mapping[str, Json] = field(default_factory=dict[str, Json])


class BucketType(StrEnum):
    """What a bucket is bound to the library for."""

    #: originals
    INPUT = "Input"
    #: results
    OUTPUT = "Output"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaBucketRecord:
    """A bucket that is bound to the media library (specification, api, 13)."""

    bucket: str
    type: BucketType
    referer: str = ""
    role: str = ""


class PipelineState(StrEnum):
    """State of a pipeline (specification, api, 7)."""

    #: executions start
    ACTIVE = "Active"
    #: executions wait; running ones continue
    PAUSED = "Paused"


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRecord:
    """A queue of executions. `quota` is how many may run at once; 0: as many as the runner does.

    `queue` or `topic` take the messages of jobs outside of workflows.
    """

    id: str
    name: str
    state: PipelineState = PipelineState.ACTIVE
    speed: str = "Standard"
    speed_level: int = 0
    queue: str = ""
    topic: str = ""
    role: str = ""
    quota: int = 0
    created: datetime


class TemplateState(StrEnum):
    """State of a custom template."""

    #: can be used
    NORMAL = "Normal"
    #: can only be looked at
    DELETED = "Deleted"


class TemplateKind(StrEnum):
    """What a custom template describes."""

    #: an output: Container, Video, Audio, TransConfig, MuxConfig
    TRANSCODE = "transcode"
    #: a watermark: its Config
    WATERMARK = "watermark"


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateRecord:
    """A custom template. `content` is what was given, checked, as JSON in wire names.

    `file` is the path of the file that defines it, empty for one that was added by hand.
    """

    id: str
    kind: TemplateKind
    name: str
    state: TemplateState = TemplateState.NORMAL
    content: Mapping[str, Json]
    created: datetime
    file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageRecord:
    """A message on its way to a receiver.

    `receiver` is `queue:NAME` or `topic:NAME`; `id` is the MessageId. `error` says why the last
    attempt failed, empty before the first and after the one that succeeded.
    """

    id: str
    run_id: str
    activity: str
    receiver: str
    body: str
    created: datetime
    attempts: int = 0
    next_attempt: datetime | None = None
    sent: datetime | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRecord:
    """A process that serves a store, and what it was told.

    `id` is its owner name, `buckets` where its buckets lie, by name.
    """

    id: str
    started: datetime
    configuration: str
    data_dir: str
    workflows_dir: str
    buckets: Mapping[str, str]
