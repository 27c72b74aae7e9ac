"""What the actions that page by number share (specification, api, 3)."""

from typing import Annotated, TypedDict

from workflow_engine.api.action import Request
from workflow_engine.topology.wire import Number


class Counted(TypedDict):
    """Base of their answers: which page this is, and how many items there are in all."""

    TotalCount: int
    PageNumber: int
    PageSize: int


class NumberedRequest(Request):
    """Base of their parameters. `page_number` counts from 1."""

    page_number: Annotated[int, Number(1, 1_000_000)] = 1
    page_size: Annotated[int, Number(1, 100)] = 10

    def counted(self, total: int) -> Counted:
        """Return what the answer tells beside the items, of which there are `total` in all."""
        return {"TotalCount": total, "PageNumber": self.page_number, "PageSize": self.page_size}
