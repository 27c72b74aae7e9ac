"""The Transcode activity: check, plan, run, verify.

The way of an output: `parameters` (wire) and its template become `settings`, judged by `rules`;
`resolve` makes numbers of them for one source, `command` an ffmpeg process; `verify` looks at
the file, `naming` gives it its key. Specification: topology, 4.2; transcode.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from activities import ffmpeg
from activities.transcode import check, planning
from activities.transcode.command import Target, commands
from activities.transcode.encoder import AUDIO_ENCODERS, VIDEO_ENCODERS
from activities.transcode.finish import finish, renamed, stem_of
from activities.transcode.parameters import TranscodeParameters
from activities.transcode.rendition import Job
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Finding,
    Neighbourhood,
    PlanContext,
    Result,
    Skip,
    Step,
)
from workflow_engine.errors import ActivityError, InstallationError, Problem
from workflow_engine.placeholders import Names
from workflow_engine.records import ObjectRef

Member = tuple[Sequence[Job], ActivityContext]


class Transcode(Activity[TranscodeParameters]):
    """Makes renditions of the input: one or more outputs, encoded or remuxed."""

    type_name = "Transcode"
    parameters = TranscodeParameters
    version = 2

    def check(self, parameters: TranscodeParameters, around: Neighbourhood) -> Iterator[Problem]:
        """Yield what `check.problems` finds."""
        return check.problems(parameters, around)

    def destinations(self, parameters: TranscodeParameters) -> Iterator[ObjectRef]:
        """The names of the outputs, without extensions and segment numbers."""
        if parameters.output_bucket:
            for output in parameters.outputs:
                yield ObjectRef(bucket=parameters.output_bucket, object=output.output_object)

    def examine(self) -> Iterator[Finding]:
        """Look for the encoders."""
        encoders = (VIDEO_ENCODERS | AUDIO_ENCODERS).values()
        return ffmpeg.ffmpeg_findings(dict.fromkeys(encoders))

    def tools(self) -> Mapping[str, str]:
        """Return the version of ffmpeg, whose encoders shape every output."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def plan(self, parameters: TranscodeParameters, context: PlanContext) -> Step | Skip:
        """Resolve every output; see `planning.plan`."""
        return planning.plan(parameters, context)

    def renamed(self, step: Step, finished: Result) -> Sequence[ObjectRef]:
        """Name the files of an equal step; see `finish.renamed`."""
        return renamed(_jobs(step), finished)

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Encode every output of the step, all onepass ones in one process."""
        return _run([(_jobs(step), context)])[0]

    def run_shared(self, members: Sequence[tuple[Step, ActivityContext]]) -> list[ActivityResult]:
        """Encode several steps in one process; each reports the progress of that process."""
        return _run([(_jobs(step), context) for step, context in members])

    def shared_commands(self, steps: Sequence[Step], names: Names) -> tuple[tuple[str, ...], ...]:
        """Return the one command for all outputs of several steps."""
        jobs = [job for step in steps for job in _jobs(step)]
        targets = [Target(rendition=job.rendition, stem=str(n)) for n, job in enumerate(jobs)]
        return tuple(commands(names.source_name, targets))


def _jobs(step: Step) -> tuple[Job, ...]:
    return cast("tuple[Job, ...]", step.resolved)


def _run(members: Sequence[Member]) -> list[ActivityResult]:
    targets = [
        Target(rendition=job.rendition, stem=str(stem_of(context.work, index)))
        for jobs, context in members
        for index, job in enumerate(jobs)
    ]
    _require_encoders(members)
    first = members[0][1]
    argvs = commands(str(first.source), targets)
    durations = [target.rendition.duration for target in targets]
    longest = max((duration for duration in durations if duration), default=None)
    reports = [
        ffmpeg.run(
            argv,
            context=first,
            duration=longest,
            on_progress=_progress(members, done, len(argvs)),
            others=[context.work for _, context in members[1:]],
        )
        for done, argv in enumerate(argvs)
    ]
    return [finish(jobs, context.work, argvs, reports) for jobs, context in members]


def _progress(members: Sequence[Member], done: int, count: int) -> Callable[[float], None]:
    """Return what tells every member how far the `done`-th of `count` processes brings it."""

    def tell(share: float) -> None:
        for _, context in members:
            context.progress((done + share) / count)

    return tell


def _require_encoders(members: Sequence[Member]) -> None:
    there = ffmpeg.capabilities()
    try:
        for jobs, _ in members:
            for job in jobs:
                picture, sound = job.rendition.picture, job.rendition.sound
                if picture and picture.encoding:
                    there.require_encoder(VIDEO_ENCODERS[picture.encoding.codec])
                if sound and sound.encoding:
                    there.require_encoder(AUDIO_ENCODERS[sound.encoding.codec])
    except InstallationError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from error
