"""Actions on pipelines (specification, api, 7). AddPipeline is an extension of ours."""

from typing import Annotated, NotRequired, TypedDict

from pydantic import AfterValidator

from workflow_engine.api.action import Request, action
from workflow_engine.api.pages import Counted, NumberedRequest
from workflow_engine.api.parameters import Identifier, Identifiers, NotEmpty
from workflow_engine.api.shapes import Strings, missing
from workflow_engine.engine import Engine
from workflow_engine.errors import Code
from workflow_engine.records import wire_time
from workflow_engine.records.catalog import PipelineRecord, PipelineState
from workflow_engine.topology.wire import (
    Choice,
    JsonObject,
    Number,
    Text,
    WireModel,
    wire_error,
)


class NotifyConfig(WireModel):
    """Where the messages of jobs go: a queue, a topic, or nowhere."""

    queue_name: Annotated[str, Text()] = ""
    topic: Annotated[str, Text()] = ""


def _nothing_else(config: NotifyConfig) -> NotifyConfig:
    for key in config.model_extra or ():
        raise wire_error(
            Code.NOT_SUPPORTED, f'The key "{key}" is not supported.', "Use QueueName or Topic."
        )
    return config


NotifyConfigParameter = Annotated[NotifyConfig, JsonObject, AfterValidator(_nothing_else)]


class NotifyConfigShape(TypedDict):
    """The receiver of a pipeline's messages."""

    QueueName: NotRequired[str]
    Topic: NotRequired[str]


class PipelineShape(TypedDict):
    """A pipeline as answers have it; not every action tells SpeedLevel and CreationTime."""

    Id: str
    Name: str
    State: str
    Speed: str
    SpeedLevel: NotRequired[int]
    NotifyConfig: NotifyConfigShape
    Role: NotRequired[str]
    QuotaAllocate: int
    CreationTime: NotRequired[str]


class PipelineAnswer(TypedDict):
    """The pipeline that an action changed."""

    Pipeline: PipelineShape


class PipelineItems(TypedDict):
    """The list of pipelines."""

    Pipeline: list[PipelineShape]


def pipeline_shape(record: PipelineRecord) -> PipelineShape:
    """Return everything that answers tell of a pipeline."""
    notify = NotifyConfigShape()
    if record.queue:
        notify["QueueName"] = record.queue
    if record.topic:
        notify["Topic"] = record.topic
    shape = PipelineShape(
        Id=record.id,
        Name=record.name,
        State=str(record.state),
        Speed=record.speed,
        SpeedLevel=record.speed_level,
        NotifyConfig=notify,
        QuotaAllocate=record.quota,
        CreationTime=wire_time(record.created),
    )
    if record.role:
        shape["Role"] = record.role
    return shape


def _ageless(record: PipelineRecord) -> PipelineShape:
    shape = pipeline_shape(record)
    shape.pop("CreationTime", None)
    return shape


class AddPipelineRequest(Request):
    """Parameters of AddPipeline; QuotaAllocate is an extension."""

    name: Annotated[str, Text()]
    speed: Annotated[str, Text()] = "Standard"
    speed_level: Annotated[int, Number()] = 0
    quota_allocate: Annotated[int, Number()] = 0
    notify_config: NotifyConfigParameter = NotifyConfig()
    role: Annotated[str, Text()] = ""


@action("AddPipeline")
def add_pipeline(engine: Engine, request: AddPipelineRequest) -> PipelineAnswer:
    """Add a pipeline."""
    record = engine.pipelines.add(
        request.name,
        speed=request.speed,
        speed_level=request.speed_level,
        quota=request.quota_allocate,
        queue=request.notify_config.queue_name,
        topic=request.notify_config.topic,
        role=request.role,
    )
    return {"Pipeline": _ageless(record)}


class UpdatePipelineRequest(Request):
    """Parameters of UpdatePipeline; a NotifyConfig of {} sends messages nowhere any more."""

    pipeline_id: Identifier
    name: Annotated[str, Text()]
    state: Annotated[str, Choice(tuple(PipelineState)), NotEmpty]
    notify_config: NotifyConfigParameter | None = None
    role: Annotated[str, Text()] | None = None


@action("UpdatePipeline", rate=100)
def update_pipeline(engine: Engine, request: UpdatePipelineRequest) -> PipelineAnswer:
    """Change name and state; receiver of messages and role stay unless they are given."""
    notify = request.notify_config
    record = engine.pipelines.update(
        request.pipeline_id,
        name=request.name,
        state=PipelineState(request.state),
        queue=notify.queue_name if notify else None,
        topic=notify.topic if notify else None,
        role=request.role,
    )
    shape = _ageless(record)
    shape.pop("SpeedLevel", None)
    return {"Pipeline": shape}


class QueryPipelineListRequest(Request):
    """Parameters of QueryPipelineList."""

    pipeline_ids: Identifiers


class QueryPipelineListAnswer(TypedDict):
    """The pipelines that exist, and the ids of the others."""

    PipelineList: PipelineItems
    NonExistPids: NotRequired[Strings]


@action("QueryPipelineList")
def query_pipeline_list(
    engine: Engine, request: QueryPipelineListRequest
) -> QueryPipelineListAnswer:
    """Return pipelines by their ids."""
    records = engine.pipelines.by_ids(request.pipeline_ids)
    answer = QueryPipelineListAnswer(
        PipelineList={"Pipeline": [_ageless(record) for record in records]}
    )
    if absent := missing(request.pipeline_ids, (record.id for record in records)):
        answer["NonExistPids"] = {"String": absent}
    return answer


class SearchPipelineRequest(NumberedRequest):
    """Parameters of SearchPipeline."""

    state: Annotated[str, Choice(("All", *PipelineState))] = "All"


class SearchPipelineAnswer(Counted):
    """A page of pipelines."""

    PipelineList: PipelineItems


@action("SearchPipeline")
def search_pipeline(engine: Engine, request: SearchPipelineRequest) -> SearchPipelineAnswer:
    """Return a page of the pipelines in a state."""
    records, total = engine.pipelines.search(
        None if request.state == "All" else PipelineState(request.state),
        page_number=request.page_number,
        page_size=request.page_size,
    )
    return {
        "PipelineList": {"Pipeline": [pipeline_shape(record) for record in records]},
        **request.counted(total),
    }


class DeletePipelineRequest(Request):
    """Parameters of DeletePipeline."""

    pipeline_id: Identifier


class DeletePipelineAnswer(TypedDict):
    """The id of the pipeline that is gone."""

    PipelineId: str


@action("DeletePipeline")
def delete_pipeline(engine: Engine, request: DeletePipelineRequest) -> DeletePipelineAnswer:
    """Remove a pipeline that nothing waits or runs in."""
    engine.pipelines.delete(request.pipeline_id)
    return {"PipelineId": request.pipeline_id}
