"""Pipelines: the queues that executions wait in (specification, api, 7 and 14).

The default pipeline always exists. Pointers of errors name the parameters of the API.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated

from workflow_engine.catalog.checks import MAX_NAME, PRINTABLE, check
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError, pointer_to
from workflow_engine.planning.graph import Graph
from workflow_engine.records import ExecutionState, new_id, utc_now
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, PipelineRecord, PipelineState
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import Choice, Number, Text, WireModel, shown

#: what a pipeline is made for; only told, nothing is any faster
SPEEDS = ("Standard", "Boost", "NarrowBandHDV2")
#: speeds whose jobs, all of them artificial intelligence, do not exist here
_LATER_SPEEDS = (
    "AIVideoCover",
    "AIVideoFPShot",
    "AIVideoCensor",
    "AIVideoMCU",
    "AIVideoSummary",
    "AIVideoPorn",
    "AIVideoRecogni",
    "AIAudioKWS",
    "AIAudioASR",
)
#: most executions of one pipeline at once
MAX_QUOTA = 1000
MAX_SPEED_LEVEL = 3


class _Named(WireModel):
    """The name of a pipeline."""

    name: Annotated[
        str,
        Text(
            max_bytes=MAX_NAME,
            pattern=rf"(?=\w){PRINTABLE}+",
            form="printable characters, a letter, a digit or an underscore first",
        ),
    ]


class _Values(_Named):
    """What is checked of a new pipeline without a look at anything else."""

    speed: Annotated[str, Choice(SPEEDS, later=_LATER_SPEEDS)] = SPEEDS[0]
    speed_level: Annotated[int, Number(0, MAX_SPEED_LEVEL)] = 0
    quota_allocate: Annotated[int, Number(0, MAX_QUOTA)] = 0


@dataclass(frozen=True, kw_only=True)
class _Receivers:
    """The queues, or the topics, that take messages: what their names are like, and which exist."""

    known: Collection[str]
    word: str
    pointer: str
    pattern: str
    first: str
    bad_name: Code
    missing: Code

    def check(self, name: str) -> None:
        """Raise InvalidInputError unless a receiver of that name is configured."""
        if not re.fullmatch(self.pattern, name):
            raise InvalidInputError(
                self.bad_name,
                f"The value {shown(name)} cannot be the name of a {self.word}.",
                pointer=self.pointer,
                remedy=f"Begin it with {self.first}; continue with letters, digits and dashes.",
            )
        if name not in self.known:
            near = Suggester(self.known).remedy(name)
            raise InvalidInputError(
                self.missing,
                f'The {self.word} "{name}" is not configured.',
                pointer=self.pointer,
                remedy=near or f"Add [{self.word}s.{name}] to the configuration.",
            )


class Pipelines:
    """The pipelines of a store. `queues` and `topics` are the names that the settings have.

    `strict` refuses pipelines that are not known; else the default one takes their place.
    """

    def __init__(
        self,
        store: Store,
        queues: Collection[str],
        topics: Collection[str],
        *,
        strict: bool = False,
    ) -> None:
        self._store = store
        self._strict = strict
        self._queues = _Receivers(
            known=queues,
            word="queue",
            pointer="/NotifyConfig/QueueName",
            pattern=r"[A-Za-z][A-Za-z0-9-]*",
            first="a letter",
            bad_name=Code.QUEUE_NAME,
            missing=Code.QUEUE_NOT_EXIST,
        )
        self._topics = _Receivers(
            known=topics,
            word="topic",
            pointer="/NotifyConfig/Topic",
            pattern=r"[A-Za-z0-9][A-Za-z0-9-]*",
            first="a letter or a digit",
            bad_name=Code.TOPIC_NAME,
            missing=Code.TOPIC_NOT_EXIST,
        )

    def add(
        self,
        name: str,
        *,
        speed: str = SPEEDS[0],
        speed_level: int = 0,
        quota: int = 0,
        queue: str = "",
        topic: str = "",
        role: str = "",
    ) -> PipelineRecord:
        """Add an active pipeline. Raises InvalidInputError."""
        check(_Values, Name=name, Speed=speed, SpeedLevel=speed_level, QuotaAllocate=quota)
        self._check_receiver(queue, topic)
        record = PipelineRecord(
            id=new_id(),
            name=name,
            speed=speed,
            speed_level=speed_level,
            quota=quota,
            queue=queue,
            topic=topic,
            role=role,
            created=utc_now(),
        )
        self._store.pipelines.add(record)
        return record

    def get(self, pipeline_id: str) -> PipelineRecord:
        """Return a pipeline. Raises InvalidInputError (`ResourceNotFound`)."""
        record = self._store.pipelines.get(pipeline_id)
        if record is None:
            raise _unknown(pipeline_id)
        return record

    def accepted(self, named: str) -> PipelineRecord:
        """Return the pipeline that a job names: the default one for "", and see `strict`.

        Raises InvalidInputError.
        """
        if named and (self._strict or self._store.pipelines.get(named) is not None):
            return self.get(named)
        return self.get(DEFAULT_PIPELINE_ID)

    def update(
        self,
        pipeline_id: str,
        *,
        name: str,
        state: PipelineState,
        queue: str | None = None,
        topic: str | None = None,
        role: str | None = None,
    ) -> PipelineRecord:
        """Change name and state, and what else is given; a new queue or topic replaces both.

        Raises InvalidInputError.
        """
        record = self.get(pipeline_id)
        check(_Named, Name=name)
        record = replace(record, name=name, state=state)
        if queue is not None or topic is not None:
            self._check_receiver(queue or "", topic or "")
            record = replace(record, queue=queue or "", topic=topic or "")
        if role is not None:
            record = replace(record, role=role)
        return self._saved(record)

    def set_state(self, pipeline_id: str, state: PipelineState) -> PipelineRecord:
        """Pause or activate a pipeline; what runs continues. Raises InvalidInputError."""
        return self._saved(replace(self.get(pipeline_id), state=state))

    def delete(self, pipeline_id: str) -> None:
        """Remove a pipeline that nothing waits or runs in. Raises InvalidInputError."""
        record = self.get(pipeline_id)
        if pipeline_id == DEFAULT_PIPELINE_ID:
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The pipeline "{record.name}" is the default and cannot be deleted.',
                pointer="/PipelineId",
                remedy="Pause it to let nothing start in it.",
            )
        if self._in_use(pipeline_id):
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The pipeline "{record.name}" has executions that have not ended.',
                pointer="/PipelineId",
                remedy="Wait until they end, or cancel them.",
            )
        self._store.pipelines.delete(pipeline_id)

    def by_ids(self, pipeline_ids: Collection[str]) -> list[PipelineRecord]:
        """Return those of some pipelines that exist, in the order of the ids."""
        return self._store.pipelines.by_ids(pipeline_ids)

    def search(
        self, state: PipelineState | None, *, page_number: int, page_size: int
    ) -> tuple[list[PipelineRecord], int]:
        """Return a page of the pipelines, newest first, and how many there are in all."""
        offset = (page_number - 1) * page_size
        return self._store.pipelines.search(state, offset=offset, limit=page_size)

    def all(self) -> list[PipelineRecord]:
        """Return every pipeline."""
        return self._store.pipelines.all()

    def _saved(self, record: PipelineRecord) -> PipelineRecord:
        if not self._store.pipelines.save(record):  # deleted in the meantime
            raise _unknown(record.id)
        return record

    def _in_use(self, pipeline_id: str) -> bool:
        filters = (
            ExecutionFilter(pipeline_id=pipeline_id, state=state)
            for state in (ExecutionState.QUEUED, ExecutionState.RUNNING)
        )
        return any(self._store.executions.page(wanted, limit=1).items for wanted in filters)

    def check_queue(self, name: str, pointer: str) -> None:
        """Raise InvalidInputError unless the settings have a queue of this name."""
        try:
            self._queues.check(name)
        except InvalidInputError as error:
            raise InvalidInputError(
                error.code, error.message, pointer=pointer, remedy=error.remedy
            ) from None

    def _check_receiver(self, queue: str, topic: str) -> None:
        if queue and topic:
            raise InvalidInputError(
                Code.INVALID,
                f'The pipeline has both the queue "{queue}" and the topic "{topic}".',
                pointer="/NotifyConfig",
                remedy="Give one of QueueName and Topic.",
            )
        if queue:
            self._queues.check(queue)
        if topic:
            self._topics.check(topic)


def pipeline_of(graph: Graph, store: Store | None, *, strict: bool) -> str:
    """Return the id of the pipeline that Start names: one that is known, else the default one.

    Raises TopologyError where `strict` refuses an unknown one.
    """
    wanted = graph.binding.pipeline
    if wanted == DEFAULT_PIPELINE_ID:
        return wanted
    if store is not None and wanted and store.pipelines.get(wanted) is not None:
        return wanted
    if strict and wanted:
        problem = Problem(
            code=Code.RESOURCE_NOT_FOUND,
            message=f'The pipeline "{wanted}" is not known.',
            pointer=pointer_to("Activities", graph.start.name, "Parameters", "PipelineId"),
            remedy="Set [pipelines] strict = false to use the default pipeline.",
        )
        raise TopologyError([graph.topology.document.place(problem)])
    return DEFAULT_PIPELINE_ID


def _unknown(pipeline_id: str) -> InvalidInputError:
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        f'There is no pipeline with the id "{pipeline_id}".',
        pointer="/PipelineId",
        remedy="See mediaflow pipeline list.",
    )
