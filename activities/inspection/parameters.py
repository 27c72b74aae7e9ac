"""The parameters of Inspection, as topologies and the video quality job write them."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from activities.inspection.labels import MOSAIC, Label
from activities.objects import ObjectTarget
from workflow_engine.errors import Code
from workflow_engine.topology.wire import Choice, JsonArray, JsonObject, WireModel, wire_error


def _not_empty(value: Any) -> Any:
    if value == []:
        raise wire_error(
            Code.EMPTY_VALUE, "The list of labels is empty.", "Name one, or leave Labels out."
        )
    return value


#: one kind of defect; the removal of a mosaic would need a model that this version has not
_LabelName = Annotated[str, Choice(tuple(Label), later=(MOSAIC,))]


class InspectionParameters(WireModel):
    """Where the result goes, and the kinds of defects that are looked for; all by default."""

    output_file: Annotated[ObjectTarget, JsonObject]
    labels: Annotated[tuple[_LabelName, ...], BeforeValidator(_not_empty), JsonArray] | None = None

    @property
    def wanted(self) -> tuple[Label, ...]:
        """The kinds of defects, in the order of the enumeration."""
        return tuple(label for label in Label if self.labels is None or label in self.labels)
