"""Actions on watermark templates (specification, api, 8)."""

from collections.abc import Mapping
from typing import Annotated, NotRequired, TypedDict, cast

from workflow_engine.api.action import Request, action
from workflow_engine.api.actions.templates import Section, strings
from workflow_engine.api.pages import Counted, NumberedRequest
from workflow_engine.api.parameters import Identifier, Identifiers, NotEmpty, TemplateStateFilter
from workflow_engine.api.shapes import Strings, missing
from workflow_engine.engine import Engine
from workflow_engine.records import Json
from workflow_engine.records.catalog import TemplateRecord, TemplateState
from workflow_engine.topology.wire import Text

#: which edge of the output a share between 0 and 1 is taken of
_EDGES = {"Width": "Width", "Height": "Height", "Dx": "Width", "Dy": "Height"}


class RatioReferShape(TypedDict):
    """For each value that is a share: the edge that it is a share of."""

    Width: NotRequired[str]
    Height: NotRequired[str]
    Dx: NotRequired[str]
    Dy: NotRequired[str]


class WaterMarkTemplateShape(TypedDict):
    """A watermark template as answers have it: pixels without unit, shares as decimals."""

    Id: str
    Name: str
    State: str
    Type: NotRequired[str]
    Width: NotRequired[str]
    Height: NotRequired[str]
    Dx: NotRequired[str]
    Dy: NotRequired[str]
    ReferPos: NotRequired[str]
    Timeline: NotRequired[Mapping[str, Json]]
    RatioRefer: NotRequired[RatioReferShape]


class WaterMarkTemplateAnswer(TypedDict):
    """The watermark template that an action changed."""

    WaterMarkTemplate: WaterMarkTemplateShape


class WaterMarkTemplateItems(TypedDict):
    """The list of watermark templates."""

    WaterMarkTemplate: list[WaterMarkTemplateShape]


def watermark_shape(record: TemplateRecord) -> WaterMarkTemplateShape:
    """Return everything that answers tell of a watermark template."""
    given = cast("dict[str, str]", strings(record.content))
    sizes = {name: _number(given[name]) for name in _EDGES if name in given}
    shares = {name: _EDGES[name] for name, size in sizes.items() if 0 < float(size) < 1}
    shape: dict[str, Json] = {
        "Id": record.id,
        "Name": record.name,
        "State": str(record.state),
        **given,
        **sizes,
    }
    if shares:
        shape["RatioRefer"] = shares
    return cast("WaterMarkTemplateShape", shape)


def _number(size: str) -> str:
    return size.strip().removesuffix("px").strip()


class AddWaterMarkTemplateRequest(Request):
    """Parameters of AddWaterMarkTemplate."""

    name: Annotated[str, Text()]
    config: Annotated[Section, NotEmpty]


@action("AddWaterMarkTemplate")
def add_water_mark_template(
    engine: Engine, request: AddWaterMarkTemplateRequest
) -> WaterMarkTemplateAnswer:
    """Add a watermark template."""
    record = engine.watermark_templates.add(request.name, request.config)
    return {"WaterMarkTemplate": watermark_shape(record)}


class UpdateWaterMarkTemplateRequest(AddWaterMarkTemplateRequest):
    """Parameters of UpdateWaterMarkTemplate: those of AddWaterMarkTemplate, and which template."""

    water_mark_template_id: Identifier


@action("UpdateWaterMarkTemplate")
def update_water_mark_template(
    engine: Engine, request: UpdateWaterMarkTemplateRequest
) -> WaterMarkTemplateAnswer:
    """Replace name and Config of a watermark template."""
    record = engine.watermark_templates.update(
        request.water_mark_template_id, request.name, request.config
    )
    return {"WaterMarkTemplate": watermark_shape(record)}


class QueryWaterMarkTemplateListRequest(Request):
    """Parameters of QueryWaterMarkTemplateList."""

    water_mark_template_ids: Identifiers


class QueryWaterMarkTemplateListAnswer(TypedDict):
    """The watermark templates that exist, and the ids of the others."""

    WaterMarkTemplateList: WaterMarkTemplateItems
    NonExistWids: NotRequired[Strings]


@action("QueryWaterMarkTemplateList")
def query_water_mark_template_list(
    engine: Engine, request: QueryWaterMarkTemplateListRequest
) -> QueryWaterMarkTemplateListAnswer:
    """Return watermark templates by their ids."""
    wanted = request.water_mark_template_ids
    records = engine.watermark_templates.by_ids(wanted)
    answer = QueryWaterMarkTemplateListAnswer(
        WaterMarkTemplateList={"WaterMarkTemplate": [watermark_shape(one) for one in records]}
    )
    if absent := missing(wanted, (record.id for record in records)):
        answer["NonExistWids"] = {"String": absent}
    return answer


class SearchWaterMarkTemplateRequest(NumberedRequest):
    """Parameters of SearchWaterMarkTemplate."""

    state: TemplateStateFilter = "All"


class SearchWaterMarkTemplateAnswer(Counted):
    """A page of watermark templates."""

    WaterMarkTemplateList: WaterMarkTemplateItems


@action("SearchWaterMarkTemplate")
def search_water_mark_template(
    engine: Engine, request: SearchWaterMarkTemplateRequest
) -> SearchWaterMarkTemplateAnswer:
    """Return a page of the watermark templates in a state."""
    records, total = engine.watermark_templates.search(
        None if request.state == "All" else TemplateState(request.state),
        page_number=request.page_number,
        page_size=request.page_size,
    )
    return {
        "WaterMarkTemplateList": {"WaterMarkTemplate": [watermark_shape(one) for one in records]},
        **request.counted(total),
    }


class DeleteWaterMarkTemplateRequest(Request):
    """Parameters of DeleteWaterMarkTemplate."""

    water_mark_template_id: Identifier


class DeleteWaterMarkTemplateAnswer(TypedDict):
    """The id of the deleted watermark template."""

    WaterMarkTemplateId: str


@action("DeleteWaterMarkTemplate")
def delete_water_mark_template(
    engine: Engine, request: DeleteWaterMarkTemplateRequest
) -> DeleteWaterMarkTemplateAnswer:
    """Delete a watermark template; queries still find it."""
    engine.watermark_templates.delete(request.water_mark_template_id)
    return {"WaterMarkTemplateId": request.water_mark_template_id}
