"""Fakes of activity types. What they do is written in the topology's own parameters."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Binding,
    DescribeMedia,
    Effect,
    PlanContext,
    PlannedOutput,
    Produced,
    Registry,
    Role,
    SideInput,
    Skip,
    Step,
    StepResult,
)
from workflow_engine.errors import ActivityError, Code, InterruptedRunError, Transient
from workflow_engine.records import Json, ObjectRef
from workflow_engine.topology.wire import Boolean, JsonObject, Number, Text, WireModel


class FakeInputFile(WireModel):
    """Where the input of a FakeStart lies."""

    bucket: Annotated[str, Text()]
    location: Annotated[str, Text()] | None = None
    object_prefix: Annotated[str, Text()] | None = None


class FakeStartParameters(WireModel):
    """Parameters of FakeStart."""

    input_file: Annotated[FakeInputFile, JsonObject]
    pipeline_id: Annotated[str, Text()] = ""
    queue_name: Annotated[str, Text()] | None = None


class FakeWorkParameters(WireModel):
    """What a FakeWork does: fail, skip, wait, or write `Text` behind the input's bytes.

    Its first `Troubles` runs fail by a transient cause, which `Cause` names.

    `reads` is a key of the bucket `side`: an object whose bytes come between them. When it
    begins with `see KEY`, that object is read too.
    """

    output: Annotated[str, Text()] | None = None
    text: Annotated[str, Text()] = "done"
    fail: Annotated[str, Text()] | None = None
    crash: Annotated[bool, Boolean()] = False
    skip: Annotated[bool, Boolean()] = False
    share: Annotated[str, Text()] | None = None
    fail_shared: Annotated[bool, Boolean()] = False
    troubles: Annotated[int, Number(0)] = 0
    cause: Annotated[str, Text()] = Transient.STORAGE.value
    seconds: Annotated[float, Number(0)] = 0.0
    reads: Annotated[str, Text()] | None = None


@dataclass
class Ran:
    """Which activities ran, in order; those of one process as one tuple."""

    calls: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *names: str) -> None:
        """Note one run."""
        with self.lock:
            self.calls.append(names)

    def count(self, name: str) -> int:
        """Return how often an activity ran."""
        with self.lock:
            return sum(name in names for names in self.calls)


class FakeStart(Activity[FakeStartParameters]):
    """Succeeds on every input that does not begin with `bad`."""

    type_name = "Start"
    role = Role.START
    parameters = FakeStartParameters

    def binding(self, parameters: FakeStartParameters) -> Binding:
        """Take what they say as it is."""
        file = parameters.input_file
        return Binding(
            bucket=file.bucket,
            prefix=file.object_prefix or "",
            location=file.location or "",
            pipeline=parameters.pipeline_id,
            queue=parameters.queue_name or "",
        )

    def plan(self, parameters: FakeStartParameters, context: PlanContext) -> Step:
        """Nothing to resolve."""
        return Step()

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Read the first bytes."""
        if context.source.read_bytes().startswith(b"bad"):
            raise ActivityError(
                Code.RESOURCE_CONTENT_BAD, 'The resource operated "InputFile" is bad.'
            )
        return ActivityResult(data={"Properties": {}})

    def effects(self, result: StepResult) -> Iterator[Effect]:
        """Describe the media, by nothing."""
        yield DescribeMedia(properties=result.data["Properties"])


class FakeWork(Activity[FakeWorkParameters]):
    """Writes one output, or does what its parameters say."""

    type_name = "Work"
    parameters = FakeWorkParameters

    def __init__(self, ran: Ran) -> None:
        self._ran = ran

    def reads(self, parameters: FakeWorkParameters, context: PlanContext) -> Iterator[SideInput]:
        """Name the object, and the one that it names."""
        key: str | None = parameters.reads
        while key:
            wanted = SideInput(ref=ObjectRef(bucket="side", object=key), kind="text")
            yield wanted
            key = (
                context.side_inputs[wanted].facts["See"] if wanted in context.side_inputs else None
            )

    def describe(self, side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
        """Tell which object it names."""
        text = context.source.read_text()
        return {"See": text.removeprefix("see ") if text.startswith("see ") else None}

    def plan(self, parameters: FakeWorkParameters, context: PlanContext) -> Step | Skip:
        """Plan one output called `Output`, default the activity's name."""
        if parameters.skip:
            return Skip(reason="told to skip")
        name = context.names.fill(parameters.output or context.activity)
        output = PlannedOutput(ref=ObjectRef(bucket="out", object=name), summary="text")
        return Step(
            outputs=(output,),
            identity={"Text": parameters.text},
            share=parameters.share or "",
            resolved=(parameters, tuple(side.name for side in context.side_inputs.values())),
        )

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Write the output."""
        self._ran.add(context.activity)
        return self._work(step, context)

    def run_shared(self, members: Sequence[tuple[Step, ActivityContext]]) -> list[ActivityResult]:
        """Write the outputs of several activities, unless one is told to fail."""
        self._ran.add(*(context.activity for _, context in members))
        if any(_told(step).fail_shared for step, _ in members):
            raise ActivityError(Code.INTERNAL, "The shared process failed.")
        return [self._work(step, context) for step, context in members]

    def _work(self, step: Step, context: ActivityContext) -> ActivityResult:
        told = _told(step)
        deadline = time.monotonic() + told.seconds
        while (left := deadline - time.monotonic()) > 0:
            context.progress(1 - left / told.seconds)
            if context.cancel.wait(min(left, 0.02)):
                raise InterruptedRunError()
        if self._ran.count(context.activity) <= told.troubles:
            raise ActivityError(
                Code.STORAGE, "Told to fail for now.", transient=Transient(told.cause)
            )
        if told.crash:
            raise RuntimeError("a bug")
        if told.fail:
            raise ActivityError(told.fail, "Told to fail.", detail="last words")
        path = context.work / "output"
        sides = [(context.work / name).read_bytes() for name in _side_names(step)]
        path.write_bytes(b"".join([context.source.read_bytes(), *sides, told.text.encode()]))
        return ActivityResult(outputs=(Produced(path=path, ref=step.outputs[0].ref),))


def _told(step: Step) -> FakeWorkParameters:
    resolved: Any = step.resolved
    return resolved[0]


def _side_names(step: Step) -> tuple[str, ...]:
    resolved: Any = step.resolved
    return resolved[1]


class FakeReport(Activity[WireModel]):
    """Writes the states of all activities."""

    type_name = "Report"
    role = Role.REPORT
    parameters = WireModel
    reusable = False

    def plan(self, parameters: WireModel, context: PlanContext) -> Step:
        """Nothing to resolve."""
        return Step()

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Write `name state` lines to an object that carries the RunId."""
        path = context.work / "report"
        lines = [f"{a.name} {a.state}" for a in context.execution().activities]
        path.write_text("\n".join(lines))
        ref = ObjectRef(bucket="", object=f"{context.run_id}/report.json")
        return ActivityResult(outputs=(Produced(path=path, ref=ref, last=True),))


class FakeRegistry:
    """A registry of the three fakes and what they ran."""

    def __init__(self) -> None:
        self.ran = Ran()
        fakes: Mapping[str, Any] = {
            "Start": FakeStart(),
            "Work": FakeWork(self.ran),
            "Report": FakeReport(),
        }
        self.registry: Registry = fakes
