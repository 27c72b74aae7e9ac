"""Pipelines and templates as clients and the command line reach them."""

import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import pipelines, templates, watermark_templates
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import ExecutionRecord, ObjectRef, new_id, utc_now

PRESET = "S00000001-200030"
UNKNOWN = "0" * 32
ACTIONS = {
    action.name: action
    for module in (pipelines, templates, watermark_templates)
    for action in actions_of(module)
}
Call = Callable[..., dict[str, Any]]


def client_model(action: str) -> Any:
    """The client library's model of an action's answer."""
    name = "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower() + "_response_body"
    module = importlib.import_module(f"alibabacloud_mts20140618.models.{name}")
    return getattr(module, f"{action}ResponseBody")()


def execution(**values: Any) -> ExecutionRecord:
    return ExecutionRecord(
        run_id=new_id(),
        workflow_id="",
        workflow="job",
        topology=json.dumps(values.pop("topology", {})),
        input=ObjectRef(bucket="in", object="clip.mp4"),
        media_id=new_id(),
        created=utc_now(),
        **values,
    )


def refused(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        function(*arguments, **options)
    return caught.value.code, caught.value.pointer
