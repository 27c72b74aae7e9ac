"""What an action of the API is: one function with a typed request and a typed answer.

>>> from types import SimpleNamespace
>>> from typing import TypedDict
>>> class DropPipelineRequest(Request):
...     pipeline_id: str
>>> class DropPipelineAnswer(TypedDict):
...     PipelineId: str
>>> @action("DropPipeline")
... def drop_pipeline(engine: Engine, request: DropPipelineRequest) -> DropPipelineAnswer:
...     engine.pipelines.delete(request.pipeline_id)
...     return {"PipelineId": request.pipeline_id}
>>> [dropping] = actions_of(SimpleNamespace(drop=drop_pipeline))
>>> dropping.request.model_validate({"PipelineId": "a"}).pipeline_id
'a'

`actions/__init__.py` lists the modules whose functions are served. Errors are raised as
`MediaflowError` with a code of the specification; the server adds RequestId and status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from workflow_engine.engine import Engine
from workflow_engine.topology.wire import WireModel

#: calls per second and account, where the specification names no other (api, 3)
DEFAULT_RATE = 100


class Request(WireModel):
    """Base of every request model: wire names, unknown parameters ignored, "" means absent."""


R = TypeVar("R", bound=Request)
A = TypeVar("A", bound=Mapping[str, Any])


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action that the server can call. `rate` is in calls per second and account."""

    name: str
    request: type[Request]
    call: Callable[[Engine, Any], Mapping[str, Any]]
    rate: int


def action(
    name: str, *, rate: int = DEFAULT_RATE
) -> Callable[[Callable[[Engine, R], A]], Callable[[Engine, R], A]]:
    """Mark a function as the action `name`; see the module docstring."""

    def mark(function: Callable[[Engine, R], A]) -> Callable[[Engine, R], A]:
        request = get_type_hints(function)["request"]
        marked = Action(name=name, request=request, call=function, rate=rate)
        setattr(function, _MARK, marked)
        return function

    return mark


_MARK = "__mediaflow_action__"


def actions_of(module: object) -> list[Action]:
    """Return the actions that a module defines, in their order."""
    marks = (getattr(value, _MARK, None) for value in vars(module).values())
    return [mark for mark in marks if isinstance(mark, Action)]
