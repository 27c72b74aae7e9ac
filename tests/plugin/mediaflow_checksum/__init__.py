"""An activity type of one's own: writes a checksum of the input into a text file."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    BucketName,
    Choice,
    Code,
    InterruptedRunError,
    Neighbourhood,
    ObjectRef,
    PlanContext,
    PlannedOutput,
    Problem,
    Produced,
    Step,
    StepResult,
    Text,
    WireModel,
    check_key,
    unknown_placeholders,
)

PLACEHOLDERS = frozenset({"ObjectPrefix", "FileName", "ExtName", "RunId"})
#: bytes that are read at once
PIECE = 1 << 20


class ChecksumParameters(WireModel):
    """Where the text goes, and which checksum it holds."""

    output_bucket: BucketName
    output_object: Annotated[str, Text(max_bytes=1023)]
    algorithm: Annotated[str, Choice(("sha256", "sha512", "blake2b"))] = "sha256"


@dataclass(frozen=True)
class Job:
    """What `plan` resolved for one input."""

    algorithm: str
    target: ObjectRef


class Checksum(Activity[ChecksumParameters]):
    """Reads the input once and writes its checksum in hexadecimal digits."""

    type_name = "Checksum"
    parameters = ChecksumParameters

    def check(
        self, parameters: ChecksumParameters, neighbourhood: Neighbourhood
    ) -> Iterable[Problem]:
        """Yield the placeholders that nobody would fill."""
        for name in unknown_placeholders(parameters.output_object, PLACEHOLDERS):
            yield Problem(
                code=Code.INVALID,
                message=f'The placeholder "{{{name}}}" is not known here.',
                pointer="/OutputObject",
                remedy=f"Use {', '.join(f'{{{known}}}' for known in sorted(PLACEHOLDERS))}.",
            )

    def destinations(self, parameters: ChecksumParameters) -> Iterable[ObjectRef]:
        """The text file, with its placeholders."""
        yield ObjectRef(bucket=parameters.output_bucket, object=parameters.output_object)

    def plan(self, parameters: ChecksumParameters, context: PlanContext) -> Step:
        """Resolve the name. Raises InvalidInputError for one that cannot be a key."""
        key = context.names.fill(parameters.output_object)
        check_key(key)
        target = ObjectRef(bucket=parameters.output_bucket, object=key)
        return Step(
            outputs=(PlannedOutput(ref=target, summary=parameters.algorithm),),
            identity={"Algorithm": parameters.algorithm},
            resolved=Job(parameters.algorithm, target),
        )

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Read the input piece by piece."""
        job = step.resolved
        assert isinstance(job, Job)
        digest = hashlib.new(job.algorithm)
        size = context.source.stat().st_size
        with context.source.open("rb") as file:
            while piece := file.read(PIECE):
                if context.cancel.is_set():
                    raise InterruptedRunError()
                digest.update(piece)
                context.progress(file.tell() / size)
        path = context.work / "checksum.txt"
        path.write_text(f"{digest.hexdigest()}\n")
        return ActivityResult(
            data={"Checksum": digest.hexdigest()},
            outputs=(Produced(path=path, ref=job.target),),
        )

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show the checksum beside the task in Prefect."""
        yield Artifact(kind="markdown", title="Checksum", content=f"`{result.data['Checksum']}`")
