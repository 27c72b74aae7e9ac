"""What a running activity gets from the engine, made by hand for tests of single activities."""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workflow_engine.activity import (
    ActivityContext,
    PlanContext,
    StepResult,
    TemplateLookup,
    no_templates,
)
from workflow_engine.records import Digests, ExecutionRecord, ObjectRef
from workflow_engine.topology.placeholders import Names

RUN_ID = "0123456789abcdef0123456789abcdef"


def make_context(
    tmp_path: Path,
    source: Path,
    *,
    key: str = "",
    cancel: threading.Event | None = None,
    progress: Callable[[float], None] | None = None,
) -> ActivityContext:
    """Return a context with a fresh work directory and `source` linked into it."""
    work = tmp_path / "work"
    work.mkdir(parents=True)
    link = work / f"source{source.suffix}"
    link.symlink_to(source.resolve())
    return ActivityContext(
        activity="under-test",
        run_id=RUN_ID,
        work=work,
        source=link,
        names=Names.of(key or f"vod/{source.name}", run_id=RUN_ID),
        progress=progress or (lambda share: None),
        cancel=cancel or threading.Event(),
        slot=contextlib.nullcontext,
        execution=_no_execution,
        log=logging.LoggerAdapter(logging.getLogger("tests.activity")),
    )


def make_plan_context(
    source: Path,
    *,
    key: str = "",
    media: Mapping[str, Any] | None = None,
    templates: TemplateLookup = no_templates,
    **upstream: StepResult,
) -> PlanContext:
    """Return the planning context of `source`; `media` is Start's data."""
    key = key or f"vod/{source.name}"
    results = {"Start": StepResult(data=media), **upstream} if media else upstream
    return PlanContext(
        activity="under-test",
        source=ObjectRef(bucket="in-bucket", object=key, location="local"),
        digests=Digests(size=0, sha256="0" * 64, md5="0" * 32),
        names=Names.of(key, run_id=RUN_ID),
        upstream=results,
        templates=templates,
    )


def _no_execution() -> ExecutionRecord:
    raise AssertionError("this activity must not ask for the execution")
