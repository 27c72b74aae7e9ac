"""Actions on media workflows (specification, api, 10; rules: topology, 2)."""

from typing import Annotated, NotRequired, TypedDict

from pydantic import AfterValidator

from workflow_engine.api.action import Request, action
from workflow_engine.api.pages import Counted, NumberedRequest
from workflow_engine.api.parameters import CommaList, Identifier, Identifiers, JsonText, NotEmpty
from workflow_engine.api.shapes import missing
from workflow_engine.engine import Engine
from workflow_engine.records import wire_time
from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.topology.wire import Choice, Text

TriggerModeParameter = Annotated[str, Choice(tuple(TriggerMode))]


def _known_states(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(Choice(tuple(WorkflowState)).check(entry) for entry in entries)


#: a comma list of states
StateList = Annotated[tuple[str, ...], CommaList(identifiers=False), AfterValidator(_known_states)]


class WorkflowShape(TypedDict):
    """A workflow as answers have it; not every action tells TriggerMode."""

    MediaWorkflowId: str
    Name: str
    Topology: str
    State: str
    TriggerMode: NotRequired[str]
    CreationTime: str


class WorkflowAnswer(TypedDict):
    """The workflow that an action changed."""

    MediaWorkflow: WorkflowShape


class WorkflowItems(TypedDict):
    """The list of workflows."""

    MediaWorkflow: list[WorkflowShape]


class WorkflowIds(TypedDict):
    """A list of identifiers."""

    MediaWorkflowId: list[str]


def workflow_shape(record: WorkflowRecord) -> WorkflowShape:
    """Return everything that answers tell of a workflow."""
    return {
        "MediaWorkflowId": record.id,
        "Name": record.name,
        "Topology": record.topology,
        "State": str(record.state),
        "TriggerMode": str(record.trigger_mode),
        "CreationTime": wire_time(record.created),
    }


def _state_answer(record: WorkflowRecord) -> WorkflowAnswer:
    shape = workflow_shape(record)
    shape.pop("TriggerMode", None)
    return {"MediaWorkflow": shape}


class AddMediaWorkflowRequest(Request):
    """Parameters of AddMediaWorkflow."""

    name: Annotated[str, Text()]
    topology: JsonText
    trigger_mode: TriggerModeParameter = str(TriggerMode.OSS_AUTO_TRIGGER)


@action("AddMediaWorkflow")
def add_media_workflow(engine: Engine, request: AddMediaWorkflowRequest) -> WorkflowAnswer:
    """Register a workflow; it is Active at once."""
    mode = TriggerMode(request.trigger_mode)
    record = engine.workflows.add(request.name, request.topology, mode)
    return {"MediaWorkflow": workflow_shape(record)}


class MediaWorkflowRequest(Request):
    """The parameter of the actions that change a workflow's state."""

    media_workflow_id: Identifier


@action("ActivateMediaWorkflow")
def activate_media_workflow(engine: Engine, request: MediaWorkflowRequest) -> WorkflowAnswer:
    """Let a workflow take inputs."""
    return _state_answer(engine.workflows.activate(request.media_workflow_id))


@action("DeactivateMediaWorkflow")
def deactivate_media_workflow(engine: Engine, request: MediaWorkflowRequest) -> WorkflowAnswer:
    """Let a workflow take no more inputs."""
    return _state_answer(engine.workflows.deactivate(request.media_workflow_id))


@action("DeleteMediaWorkflow")
def delete_media_workflow(engine: Engine, request: MediaWorkflowRequest) -> WorkflowAnswer:
    """Delete a workflow for good."""
    return _state_answer(engine.workflows.delete(request.media_workflow_id))


class UpdateMediaWorkflowRequest(Request):
    """Parameters of UpdateMediaWorkflow."""

    media_workflow_id: Identifier
    topology: JsonText


@action("UpdateMediaWorkflow")
def update_media_workflow(engine: Engine, request: UpdateMediaWorkflowRequest) -> WorkflowAnswer:
    """Replace the topology of an inactive workflow."""
    record = engine.workflows.update(request.media_workflow_id, request.topology)
    return {"MediaWorkflow": workflow_shape(record)}


class UpdateMediaWorkflowTriggerModeRequest(Request):
    """Parameters of UpdateMediaWorkflowTriggerMode."""

    media_workflow_id: Identifier
    trigger_mode: Annotated[TriggerModeParameter, NotEmpty]


@action("UpdateMediaWorkflowTriggerMode")
def update_media_workflow_trigger_mode(
    engine: Engine, request: UpdateMediaWorkflowTriggerModeRequest
) -> WorkflowAnswer:
    """Say whether a landing file starts an inactive workflow once it is active again."""
    mode = TriggerMode(request.trigger_mode)
    record = engine.workflows.set_trigger_mode(request.media_workflow_id, mode)
    return {"MediaWorkflow": workflow_shape(record)}


class QueryMediaWorkflowListRequest(Request):
    """Parameters of QueryMediaWorkflowList."""

    media_workflow_ids: Identifiers


class QueryMediaWorkflowListAnswer(TypedDict):
    """The workflows that exist, and the ids of the others."""

    MediaWorkflowList: WorkflowItems
    NonExistMediaWorkflowIds: NotRequired[WorkflowIds]


@action("QueryMediaWorkflowList")
def query_media_workflow_list(
    engine: Engine, request: QueryMediaWorkflowListRequest
) -> QueryMediaWorkflowListAnswer:
    """Return workflows by their ids, deleted ones too."""
    records = engine.workflows.by_ids(request.media_workflow_ids)
    answer = QueryMediaWorkflowListAnswer(
        MediaWorkflowList={"MediaWorkflow": [workflow_shape(record) for record in records]}
    )
    if absent := missing(request.media_workflow_ids, (record.id for record in records)):
        answer["NonExistMediaWorkflowIds"] = {"MediaWorkflowId": absent}
    return answer


class SearchMediaWorkflowRequest(NumberedRequest):
    """Parameters of SearchMediaWorkflow."""

    state_list: StateList = tuple(WorkflowState)


class SearchMediaWorkflowAnswer(Counted):
    """A page of workflows."""

    MediaWorkflowList: WorkflowItems


@action("SearchMediaWorkflow")
def search_media_workflow(
    engine: Engine, request: SearchMediaWorkflowRequest
) -> SearchMediaWorkflowAnswer:
    """Return a page of the workflows in some states, newest first."""
    records, total = engine.workflows.search(
        map(WorkflowState, request.state_list),
        page_number=request.page_number,
        page_size=request.page_size,
    )
    return {
        "MediaWorkflowList": {"MediaWorkflow": [workflow_shape(record) for record in records]},
        **request.counted(total),
    }
