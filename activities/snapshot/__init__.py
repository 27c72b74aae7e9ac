"""Snapshot: pictures of the source, one or a sequence, and what is made of them.

`config` holds the parameters, `check` looks at the names, `moments` says when and how large,
`job` what is known of one source. `commands` says how ffmpeg takes pictures and `ways` which way
is shortest, `keyframes` finds key frames. `stills` takes pictures and makes `sprites` and a
`webvtt` of them; `best` and `preview` are extensions of ours. `exhibits` says what there is to
look at. Specification: snapshot.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from activities import ffmpeg
from activities.conversion import conversion, named, told
from activities.probe import MediaInfo
from activities.snapshot.best import planned_best, take_best
from activities.snapshot.check import first_objects, name_problems
from activities.snapshot.config import SnapshotParameters
from activities.snapshot.exhibits import exhibits
from activities.snapshot.job import SnapshotJob
from activities.snapshot.moments import picture_size
from activities.snapshot.names import require_different, snapshot_names
from activities.snapshot.pictures import JPEG, PictureKind, Size, kind_of
from activities.snapshot.preview import encoder_of, planned_preview, preview_size, take_preview
from activities.snapshot.sprites import sprite_sheet
from activities.snapshot.stills import output_refs, planned_commands, take_stills
from activities.snapshot.work import work_of
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Effect,
    Exhibit,
    Neighbourhood,
    PlanContext,
    PlannedOutput,
    SetCover,
    Step,
    StepResult,
)
from workflow_engine.errors import ActivityError, Code, Problem
from workflow_engine.records import ExecutionKind, ObjectRef

__all__ = ["Snapshot", "SnapshotParameters"]


class Snapshot(Activity[SnapshotParameters]):
    """Takes pictures of the source; the one may be the cover of the media."""

    type_name = "Snapshot"
    version = 8
    aliases = ("Screenshot",)
    job_kind = ExecutionKind.SNAPSHOT
    parameters = SnapshotParameters

    def check(
        self, parameters: SnapshotParameters, neighbourhood: Neighbourhood
    ) -> Iterable[Problem]:
        """Yield what is wrong with the object names."""
        yield from name_problems(parameters.snapshot_config)

    def destinations(self, parameters: SnapshotParameters) -> Iterable[ObjectRef]:
        """The names of the pictures, of the sprites and of the WebVTT."""
        config = parameters.snapshot_config
        if config.keeps_pictures:
            yield config.output_file.template()
        if config.tile_output_file:
            yield config.tile_output_file.template()
        for what, ref in first_objects(config):
            if what == "WebVTT":
                yield replace(ref, object=quote(ref.object, safe="/{}"))

    def tools(self) -> Mapping[str, str]:
        """Both tools: ffprobe finds the key frames."""
        return ffmpeg.versions()

    def plan(self, parameters: SnapshotParameters, context: PlanContext) -> Step:
        """Resolve times, sizes and names.

        Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`,
        `.ObjectKeyInvalid`, `.Format`).
        """
        media = MediaInfo.from_json(context.media())
        if media.video is None:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                "The input has no video stream, so there is no picture to take.",
                remedy="Leave the Snapshot out for audio files.",
            )
        job = _resolved(parameters, media, context)
        end, source = job.declared_end, context.names.source_name
        config = job.config
        times = None if end is None else job.times(end)
        if config.preview:
            found = planned_preview(job, end, source)
        elif config.best:
            found = planned_best(job, end, source)
        else:
            require_different(output_refs(job, times or [config.time]))
            found = planned_commands(job, times or [config.time], end, source)
        commands = tuple(found)
        return Step(
            outputs=tuple(_planned(job, times)),
            commands=commands,
            identity=job.identity(),
            work=work_of(job, len(commands), end),
            resolved=job,
        )

    def forecast(self, step: Step, context: PlanContext) -> ActivityResult:
        """Say nothing of the pictures, but that there will be some."""
        return ActivityResult()

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """The first picture may be the cover (specification, snapshot, 6)."""
        if result.data.get("MediaCover") and result.outputs:
            yield SetCover(ref=result.outputs[0].ref)

    def artifacts(self, result: StepResult) -> Iterable[Exhibit]:
        """Show the pictures and the sprites; see `exhibits`."""
        return exhibits(result)

    def renamed(self, step: Step, finished: StepResult) -> Sequence[ObjectRef]:
        """Number the pictures of an equal step again."""
        return list(output_refs(_job(step), finished.data["Times"]))

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Take the pictures and check each. Those from the video's real end on are dropped.

        Raises ActivityError, as `ffmpeg.run` and `plan` do, and InstallationError for an ffmpeg
        that lacks a filter or an encoder.
        """
        job = _job(step)
        _require_tools(job)
        if job.config.preview:
            result = take_preview(job, context)
        elif job.config.best:
            result = take_best(job, context)
        else:
            result = take_stills(job, context)
        colours = (message for message, _ in told(job.video, JPEG.colour))
        return replace(result, warnings=(*colours, *result.warnings))


def _job(step: Step) -> SnapshotJob:
    assert isinstance(step.resolved, SnapshotJob)
    return step.resolved


def _resolved(
    parameters: SnapshotParameters, media: MediaInfo, context: PlanContext
) -> SnapshotJob:
    config = parameters.snapshot_config
    assert media.video is not None
    shown = media.video.display_size
    names = snapshot_names(config, context.names)
    kind = JPEG if config.preview else kind_of(names.picture.object)
    size = preview_size(shown, config) if config.preview else picture_size(shown, config, kind)
    sheet = None
    if config.tiles and names.sprite:
        seed = context.digests.sha256
        sheet = sprite_sheet(config.tiles, size, kind_of(names.sprite.object), seed)
        if not config.keeps_pictures:
            size = sheet.cell
    return SnapshotJob(
        config=config,
        cover=parameters.media_cover,
        names=names,
        media=media,
        video=media.video,
        kind=kind,
        size=size,
        sheet=sheet,
    )


def _require_tools(job: SnapshotJob) -> None:
    there = ffmpeg.capabilities()
    for name, _ in (*named(job.video), *conversion(job.video, job.kind.colour, job.kind.pix_fmt)):
        there.require_filter(name)
    if job.black is not None:
        there.require_filter("blackframe")
    if job.config.best:
        for name in ("thumbnail", "signalstats", "blurdetect"):
            there.require_filter(name)
    there.require_encoder(job.kind.encoder)
    if job.sheet:
        there.require_encoder(job.sheet.kind.encoder)
    if job.config.preview:
        there.require_encoder(encoder_of(job.names.picture.object))


def _planned(job: SnapshotJob, times: Sequence[int] | None) -> Iterator[PlannedOutput]:
    """Yield the outputs; those of a sequence are one, with the placeholders of its pictures."""
    config, names = job.config, job.names
    if config.preview:
        width, height = job.size
        ref = names.of_picture(1, config.time)
        yield PlannedOutput(ref=ref, summary=f"preview {width}x{height}")
        return
    if config.keeps_pictures:
        moment = config.time
        lone = names.picture if config.best else names.of_picture(1, moment)
        count = (len(times) if times else None) if config.sequence else 1
        yield _row(job.kind, job.size, lone, names.picture, count)
    if job.sheet and names.sprite:
        count = job.sheet.count(len(times)) if times else None
        lone = names.of_sprite(1, 1, config.time)
        yield _row(job.sheet.kind, job.sheet.size, lone, names.sprite, count)
    if names.index:
        yield PlannedOutput(ref=names.of_index(), summary="WebVTT")


def _row(
    kind: PictureKind, size: Size, lone: ObjectRef, many: ObjectRef, count: int | None
) -> PlannedOutput:
    width, height = size
    picture, each = f"{kind.name} {width}x{height}", round(width * height * kind.density)
    if count == 1:
        return PlannedOutput(ref=lone, summary=picture, size_estimate=each)
    if count is None:
        return PlannedOutput(ref=many, summary=f"{picture}, as many as the video has")
    return PlannedOutput(ref=many, summary=f"{count} x {picture}", size_estimate=count * each)
