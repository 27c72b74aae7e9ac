"""The Transcode activity: check, plan, run, verify.

The way of an output through the rooms: `model` is what a user may say of it, and `rules` what is
wrong with that. `resolve` makes numbers of it for one `source`, with the filters of its
`features`: a rendition, of which `command` makes ffmpeg processes. `result` looks at the files
and names them. Specification: topology, 4.2; transcode.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, cast

from activities import ffmpeg, fonts
from activities.templates import find, presets, wire_form
from activities.templates.watermark import WaterMarkConfig
from activities.transcode import plan as planning
from activities.transcode.command.commands import commands
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.encoder import AUDIO_ENCODERS, VIDEO_ENCODERS
from activities.transcode.command.encryption import write_key
from activities.transcode.command.filters import filter_names
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.features import registry as stages
from activities.transcode.model.naming import with_extension
from activities.transcode.model.output import TranscodeParameters
from activities.transcode.model.settings import settings_of
from activities.transcode.result.finish import finish, renamed, stem_of
from activities.transcode.rules import check
from activities.transcode.rules.documents import CustomTemplate
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Finding,
    Neighbourhood,
    PlanContext,
    Role,
    SideInput,
    Skip,
    Step,
    StepResult,
    TemplateLookup,
)
from workflow_engine.errors import ActivityError, InstallationError, InvalidInputError, Problem
from workflow_engine.records import ExecutionKind, Json, ObjectRef
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

Member = tuple[Sequence[RenditionJob], ActivityContext]


class Transcode(Activity[TranscodeParameters]):
    """Makes renditions of the input: one or more outputs, encoded or remuxed."""

    type_name = "Transcode"
    role = Role.RENDITION
    job_kind = ExecutionKind.TRANSCODE
    parameters = TranscodeParameters
    documents: ClassVar[Mapping[str, type[WireModel]]] = {
        "Template": CustomTemplate,
        "WaterMarkTemplate": WaterMarkConfig,
    }
    version = 6

    def presets(self) -> Mapping[str, Mapping[str, Json]]:
        """Return the presets of MPS."""
        return {template.id: wire_form(template) for template in presets().values()}

    def check(
        self, parameters: TranscodeParameters, neighbourhood: Neighbourhood
    ) -> Iterator[Problem]:
        """Yield what `check.problems` finds."""
        return check.problems(parameters, neighbourhood)

    def destinations(self, parameters: TranscodeParameters) -> Iterator[ObjectRef]:
        """The names of the outputs, without extensions and segment numbers."""
        if parameters.output_bucket:
            for output in parameters.outputs:
                yield ObjectRef(bucket=parameters.output_bucket, object=output.output_object)

    def object_names(
        self, parameters: TranscodeParameters, templates: TemplateLookup
    ) -> Iterator[ObjectRef]:
        """The names of the outputs with the extensions of their containers."""
        for output in parameters.outputs if parameters.output_bucket else ():
            try:
                container = settings_of(output, find(output.template_id, templates)).container
            except InvalidInputError:  # a template that is gone, which the run will tell
                continue
            append = parameters.append_extension
            name = with_extension(output.output_object, container, append=append)
            yield ObjectRef(bucket=parameters.output_bucket or "", object=name)

    def job_count(self, parameters: TranscodeParameters) -> int:
        """A job for each output; the stream of a package is one."""
        return len(parameters.outputs) or 1

    def examine(self) -> Iterator[Finding]:
        """Look for the encoders, the filters that not every ffmpeg has, and the fonts."""
        encoders = (VIDEO_ENCODERS | AUDIO_ENCODERS).values()
        yield from ffmpeg.ffmpeg_findings(dict.fromkeys(encoders), ("ass", "drawtext", "zscale"))
        yield fonts.font_finding()

    def tools(self) -> Mapping[str, str]:
        """Return the version of ffmpeg, whose encoders shape every output."""
        return {"ffmpeg": ffmpeg.versions()["ffmpeg"]}

    def reads(self, parameters: TranscodeParameters, context: PlanContext) -> Iterator[SideInput]:
        """Yield what the outputs read beside the input; see `stages.READERS`."""
        return planning.reads(parameters, context)

    def describe(self, side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
        """Look at a side input; see `stages.HANDLERS`."""
        return stages.describe(side_input, context)

    def plan(self, parameters: TranscodeParameters, context: PlanContext) -> Step | Skip:
        """Resolve every output; see `planning.plan`."""
        return planning.plan(parameters, context)

    def renamed(self, step: Step, finished: StepResult) -> Sequence[ObjectRef]:
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
        targets = [
            RenditionTarget(rendition=job.rendition, stem=str(n)) for n, job in enumerate(jobs)
        ]
        return tuple(commands(names.source_name, targets))


def _jobs(step: Step) -> tuple[RenditionJob, ...]:
    return cast("tuple[RenditionJob, ...]", step.resolved)


def _run(members: Sequence[Member]) -> list[ActivityResult]:
    targets = [
        RenditionTarget(rendition=job.rendition, stem=str(stem_of(context.work, index)))
        for jobs, context in members
        for index, job in enumerate(jobs)
    ]
    _require_tools(members)
    for target in targets:
        _write_files(target)
        if target.rendition.key:
            write_key(Path(target.stem), target.rendition.key)
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
    try:
        return [
            finish(
                jobs,
                context.work,
                argvs,
                reports,
                count_limit=context.count_limit,
                cancel=context.cancel,
            )
            for jobs, context in members
        ]
    except ActivityError as error:
        raise ffmpeg.blame(error, argvs, first) from error


def _progress(members: Sequence[Member], done: int, count: int) -> Callable[[float], None]:
    """Return what tells every member how far the `done`-th of `count` processes brings it."""

    def tell(share: float) -> None:
        for _, context in members:
            context.progress((done + share) / count)

    return tell


def _write_files(target: RenditionTarget) -> None:
    for file in target.rendition.written_files:
        path = Path(target.beside(file.name))
        path.parent.mkdir(exist_ok=True)
        if file.face and not path.exists():
            fonts.write_face(file.face, path)
        elif file.text is not None:
            path.write_text(file.text, encoding="utf-8")


def _require_tools(members: Sequence[Member]) -> None:
    there = ffmpeg.capabilities()
    try:
        for jobs, _ in members:
            for job in jobs:
                picture, sound = job.rendition.picture, job.rendition.sound
                if picture and picture.encoding:
                    there.require_encoder(VIDEO_ENCODERS[picture.encoding.codec])
                if sound and sound.encoding:
                    there.require_encoder(AUDIO_ENCODERS[sound.encoding.codec])
                for name in filter_names(job.rendition.filters):
                    there.require_filter(name)
    except InstallationError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from error
