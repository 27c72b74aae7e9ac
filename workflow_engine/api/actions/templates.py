"""Actions on custom templates (specification, api, 6). Presets can be queried like them."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict, cast

from workflow_engine.api.action import Request, action
from workflow_engine.api.pages import Counted, NumberedRequest
from workflow_engine.api.parameters import TemplateIds, TemplateStateFilter
from workflow_engine.api.shapes import Strings, missing
from workflow_engine.catalog.templates import PRESETS_CREATED
from workflow_engine.engine import Engine
from workflow_engine.records import Json, wire_time
from workflow_engine.records.catalog import TemplateRecord, TemplateState
from workflow_engine.topology.wire import JsonObject, Text

SECTIONS = ("Container", "Video", "Audio", "TransConfig", "MuxConfig")

Section = Annotated[dict[str, Any], JsonObject]
#: of a custom template or a preset
TemplateId = Annotated[str, Text(max_bytes=64)]


class TemplateShape(TypedDict):
    """A template as answers have it: sections of strings. Only lists tell CreationTime."""

    Id: str
    Name: str
    State: str
    CreationTime: NotRequired[str]
    Container: NotRequired[Mapping[str, Json]]
    Video: NotRequired[Mapping[str, Json]]
    Audio: NotRequired[Mapping[str, Json]]
    TransConfig: NotRequired[Mapping[str, Json]]
    MuxConfig: NotRequired[Mapping[str, Json]]


class TemplateAnswer(TypedDict):
    """The template that an action changed."""

    Template: TemplateShape


class TemplateItems(TypedDict):
    """The list of templates."""

    Template: list[TemplateShape]


def strings(value: Json) -> Json:
    """Return a JSON value with every scalar as the string that the API writes."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        return {name: strings(member) for name, member in members.items()}
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def template_shape(record: TemplateRecord) -> TemplateShape:
    """Return everything that answers tell of a template."""
    shape = TemplateShape(Id=record.id, Name=record.name, State=str(record.state))
    if record.created != PRESETS_CREATED:
        shape["CreationTime"] = wire_time(record.created)
    given = {name: strings(record.content[name]) for name in SECTIONS if name in record.content}
    return cast("TemplateShape", {**shape, **given})


def _answer(record: TemplateRecord) -> TemplateAnswer:
    shape = template_shape(record)
    shape.pop("CreationTime", None)
    return {"Template": shape}


class AddTemplateRequest(Request):
    """Parameters of AddTemplate."""

    name: Annotated[str, Text()]
    container: Section | None = None
    video: Section | None = None
    audio: Section | None = None
    trans_config: Section | None = None
    mux_config: Section | None = None

    def content(self) -> dict[str, Json]:
        """Return the sections that were given."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        return {name: given[name] for name in SECTIONS if name in given}


@action("AddTemplate")
def add_template(engine: Engine, request: AddTemplateRequest) -> TemplateAnswer:
    """Add a custom template."""
    return _answer(engine.templates.add(request.name, request.content()))


class UpdateTemplateRequest(AddTemplateRequest):
    """Parameters of UpdateTemplate: those of AddTemplate, and which template."""

    template_id: TemplateId


@action("UpdateTemplate")
def update_template(engine: Engine, request: UpdateTemplateRequest) -> TemplateAnswer:
    """Replace name and sections of a custom template."""
    record = engine.templates.update(request.template_id, request.name, request.content())
    return _answer(record)


class QueryTemplateListRequest(Request):
    """Parameters of QueryTemplateList."""

    template_ids: TemplateIds


class QueryTemplateListAnswer(TypedDict):
    """The templates that exist, and the ids of the others."""

    TemplateList: TemplateItems
    NonExistTids: NotRequired[Strings]


@action("QueryTemplateList")
def query_template_list(
    engine: Engine, request: QueryTemplateListRequest
) -> QueryTemplateListAnswer:
    """Return templates by their ids, presets too."""
    records = engine.templates.by_ids(request.template_ids)
    answer = QueryTemplateListAnswer(
        TemplateList={"Template": [template_shape(record) for record in records]}
    )
    if absent := missing(request.template_ids, (record.id for record in records)):
        answer["NonExistTids"] = {"String": absent}
    return answer


class SearchTemplateRequest(NumberedRequest):
    """Parameters of SearchTemplate."""

    state: TemplateStateFilter = "All"


class SearchTemplateAnswer(Counted):
    """A page of custom templates."""

    TemplateList: TemplateItems


@action("SearchTemplate")
def search_template(engine: Engine, request: SearchTemplateRequest) -> SearchTemplateAnswer:
    """Return a page of the custom templates in a state."""
    records, total = engine.templates.search(
        None if request.state == "All" else TemplateState(request.state),
        page_number=request.page_number,
        page_size=request.page_size,
    )
    return {
        "TemplateList": {"Template": [template_shape(record) for record in records]},
        **request.counted(total),
    }


class DeleteTemplateRequest(Request):
    """Parameters of DeleteTemplate."""

    template_id: TemplateId


class DeleteTemplateAnswer(TypedDict):
    """The id of the deleted template."""

    TemplateId: str


@action("DeleteTemplate")
def delete_template(engine: Engine, request: DeleteTemplateRequest) -> DeleteTemplateAnswer:
    """Delete a custom template; queries still find it."""
    engine.templates.delete(request.template_id)
    return {"TemplateId": request.template_id}
