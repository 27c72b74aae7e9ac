"""Every action that the server offers, by name.

Each module has the actions of one kind of object; what a request and an answer look like stands
beside the function. Specification: api, 4 to 13; response_shapes.
"""

from collections.abc import Iterable, Mapping
from types import ModuleType

from workflow_engine.api.action import Action, actions_of
from workflow_engine.api.actions import (
    analysis_jobs,
    executions,
    media,
    media_buckets,
    media_info_jobs,
    pipelines,
    snapshot_jobs,
    templates,
    transcode_jobs,
    video_quality_jobs,
    watermark_templates,
    workflows,
)

_MODULES: tuple[ModuleType, ...] = (
    workflows,
    executions,
    media,
    media_buckets,
    transcode_jobs,
    snapshot_jobs,
    analysis_jobs,
    media_info_jobs,
    video_quality_jobs,
    templates,
    pipelines,
    watermark_templates,
)


def _by_name(modules: Iterable[ModuleType]) -> Mapping[str, Action]:
    return {action.name: action for module in modules for action in actions_of(module)}


ACTIONS: Mapping[str, Action] = _by_name(_MODULES)
