"""What a run needs of the process that it lives in."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from workflow_engine.activity import TemplateLookup, no_templates
from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.activity.runs import COUNT_LIMIT
from workflow_engine.buckets import Buckets
from workflow_engine.records import ObjectRef
from workflow_engine.run.completion import Completion
from workflow_engine.run.source import Source
from workflow_engine.store import Store


@dataclass(frozen=True, kw_only=True)
class RunEnvironment:
    """The store, the buckets and the limits that a run works with."""

    store: Store
    buckets: Buckets
    opener: Callable[[ObjectRef], Source]  # pins what is read beside the input
    work_root: Path
    slot: Callable[[], AbstractContextManager[object]]  # held while a media process runs
    completion: Completion
    retry: RetryPolicy  # of activity types that have none of their own
    templates: TemplateLookup = no_templates
    fuse: bool = True
    processes: int = 1  # media processes at once
    count_limit: int = COUNT_LIMIT
