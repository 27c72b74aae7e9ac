"""The plan of a Transcode activity for one input: which outputs, with which commands.

Pure. Specification: topology, 9 and 11; analysis, 7.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import cast

from activities.packaging.package import package_of
from activities.packaging.place import StreamPlace, place_of
from activities.packaging.streams import Segment, Stream, StreamKind
from activities.packaging.subtitle_stream import (
    SubtitleRequest,
    plan_subtitles,
    subtitle_inputs,
)
from activities.probe import MediaInfo
from activities.quality import LEAST_VMAF_SIDE
from activities.templates import Kind, Template, find, from_analysis
from activities.transcode.command.commands import commands, mux_command
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.encryption import cbcs_command
from activities.transcode.command.measuring import measured_size, measuring
from activities.transcode.command.muxing import PASSING, agreed, divide, encoder_of, streams_of
from activities.transcode.command.rendition import Rendition, RenditionJob
from activities.transcode.features.registry import side_inputs, stage_faults
from activities.transcode.model.containers import SEGMENTED
from activities.transcode.model.naming import index_stem, object_key, require_distinct
from activities.transcode.model.output import TranscodeOutput, TranscodeParameters
from activities.transcode.model.quality import Quality
from activities.transcode.model.settings import rate_bounds, settings_of
from activities.transcode.model.stream import segment_seconds, stream_settings
from activities.transcode.resolve.rendition import resolve
from activities.transcode.rules.check import at_output
from activities.transcode.rules.output import faults
from activities.transcode.source.scene import OutputRequest
from activities.transcode.source.timeline import length_of, source_span
from activities.transcode.work import work_of
from workflow_engine.activity import PlanContext, PlannedOutput, SideInput, Skip, Step
from workflow_engine.errors import (
    ActivityError,
    Code,
    InvalidInputError,
    MediaflowError,
    Problem,
    Severity,
)
from workflow_engine.records import Figure, Json, ObjectRef
from workflow_engine.topology.placeholders import Names


def reads(parameters: TranscodeParameters, context: PlanContext) -> Iterator[SideInput]:
    """Yield the objects that the outputs read beside the input.

    Raises ActivityError as `plan` does.
    """
    media = MediaInfo.from_json(context.media())
    place = stream_place(context) if parameters.packaged else None
    if place and place.kind is StreamKind.SUBTITLES:
        yield from subtitle_inputs(_subtitles(place, context), context)
        return
    for index, output in enumerate(parameters.outputs):
        try:
            template = _template(output, context)
            if not isinstance(template, Skip):
                yield from side_inputs(_request(output, template, media, context, place))
        except (ActivityError, InvalidInputError) as error:
            raise _located(error, index) from None


def plan(parameters: TranscodeParameters, context: PlanContext) -> Step | Skip:
    """Resolve every output for one input.

    Outputs whose intelligent template the Analysis did not choose are left out; Skip when none
    is left. Raises ActivityError when the input does not suit an output.
    """
    media = MediaInfo.from_json(context.media())
    place = stream_place(context) if parameters.packaged else None
    if place and place.kind is StreamKind.SUBTITLES:
        return plan_subtitles(_subtitles(place, context), context)
    jobs: list[RenditionJob] = []
    warnings: list[Problem] = []
    left_out: list[str] = []
    intelligent = False
    for index, output in enumerate(parameters.outputs):
        try:
            template = _template(output, context)
            if isinstance(template, Skip):
                left_out.append(template.reason)
                warnings.append(at_output(_left_out(template), index))
                continue
            job, output_warnings = _job(output, template, parameters, media, context, place)
        except (ActivityError, InvalidInputError) as error:
            raise _located(error, index) from None
        intelligent = intelligent or template.kind is Kind.INTELLIGENT
        jobs.append(job)
        warnings += (at_output(problem, index) for problem in output_warnings)
    if not jobs:
        return Skip(reason=left_out[0])
    require_distinct([job.ref.object for job in jobs])
    return _step(jobs, warnings, context, intelligent=intelligent)


def _step(
    jobs: Sequence[RenditionJob],
    warnings: Sequence[Problem],
    context: PlanContext,
    *,
    intelligent: bool,
) -> Step:
    return Step(
        outputs=tuple(
            PlannedOutput(
                ref=job.ref, summary=job.rendition.summary, size_estimate=job.rendition.bytes
            )
            for job in jobs
        ),
        commands=all_commands(jobs, context.names.source_name),
        identity={"Outputs": [_identity(job) for job in jobs]},
        consumes=("Analysis",) if intelligent else (),
        warnings=tuple(warnings),
        share=_share(jobs, context.source),
        parts=tuple(
            encoder_of(job.rendition) or (context.activity, number)
            for number, job in enumerate(jobs)
        ),
        streams={
            f"{number}.{name}": identity
            for number, job in enumerate(jobs)
            for name, identity in streams_of(job.rendition).items()
        },
        work=work_of(jobs, MediaInfo.from_json(context.media()).video),
        resolved=tuple(jobs),
    )


def taking(step: Step, files: Mapping[str, str], names: Names) -> Step:
    """Return a step that has streams from files, by their names in `Step.streams`."""
    jobs = [
        replace(
            job,
            picture_file=files.get(f"{number}.picture", ""),
            sound_file=files.get(f"{number}.sound", ""),
        )
        for number, job in enumerate(cast("Sequence[RenditionJob]", step.resolved))
    ]
    return replace(
        step,
        resolved=tuple(jobs),
        commands=all_commands(jobs, names.source_name),
        work={part: work for part, work in step.work.items() if part in work_of(jobs, None)},
    )


def _share(jobs: Sequence[RenditionJob], source: ObjectRef) -> str:
    """Return what steps have in common that can run in one process, "" for one that runs alone."""
    renditions = [job.rendition for job in jobs]
    # outputs that open the source at different places need a decoder each
    origins = {one.origin.options for one in renditions}
    if len(origins) > 1 or any(one.copy for one in renditions):
        return ""
    opened = [f"{key}={value}" for options in origins for key, value in options]
    together = ["decode", f"{source.bucket}/{source.object}", *opened]
    if any(one.alone for one in renditions):
        # only with those that can have its encoder
        encoders = {encoder_of(one) for one in renditions}
        if len(encoders) > 1 or None in encoders:
            return ""
        together.append(hashlib.sha256(repr(encoders).encode()).hexdigest())
    return " ".join(together)


def all_commands(jobs: Sequence[RenditionJob], source: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that make all outputs, measure and encrypt them.

    Files have names of their own.
    """
    targets = _targets(jobs)
    compared = [
        measuring(source, target, job.quality).command
        for job, target in zip(jobs, targets, strict=True)
        if job.quality
    ]
    division = divide(targets)
    muxes = [mux_command(mux) for mux in division.muxes.values()]
    encrypted = [
        cbcs_command(one.rendition, one.stem) for one in targets if one.rendition.sample_key
    ]
    return (*commands(source, division.encodes), *muxes, *compared, *encrypted)


def outline(jobs: Sequence[RenditionJob]) -> Iterator[str]:
    """Yield which outputs are encoded, and which are muxed of what; nothing without the latter."""
    targets = _targets(jobs)
    division = divide(targets)
    if not division.muxes:
        return
    names = {one.path: job.ref.object for one, job in zip(targets, jobs, strict=True)}
    for one in division.encodes:
        yield f"encode {one.rendition.summary}: {names.get(one.path, 'for muxing only')}"
    for mux in division.muxes.values():
        files = dict.fromkeys(filter(None, (mux.picture, mux.sound)))
        origins = " and ".join(names.get(file, _unnamed(file)) for file in files)
        yield f"mux {names[mux.target.path]} of {origins}"


def _unnamed(file: str) -> str:
    passing = PurePath(file).name.startswith(PASSING)
    return "what is for muxing only" if passing else "a finished output"


def _targets(jobs: Sequence[RenditionJob]) -> list[RenditionTarget]:
    return agreed([RenditionTarget.of(job, PurePath(str(n))) for n, job in enumerate(jobs)])


def _identity(job: RenditionJob) -> Json:
    identity = dict(job.rendition.identity())
    if job.quality:
        identity["quality"] = job.quality.identity()
    if job.rate_bounds:
        identity["rate_bounds"] = list(job.rate_bounds)
    if job.rendition.container in SEGMENTED:
        # the names of the segments stand inside the index
        identity["stem"] = index_stem(job.ref.object)
    if job.place:
        identity["place"] = [str(job.place.kind), job.place.protocol, *job.place.representation]
    return identity


def _job(
    output: TranscodeOutput,
    template: Template,
    parameters: TranscodeParameters,
    media: MediaInfo,
    context: PlanContext,
    place: StreamPlace | None,
) -> tuple[RenditionJob, list[Problem]]:
    request = _request(output, template, media, context, place)
    rendition, warnings = resolve(request)
    if place:
        _require_stream(rendition, place)
        # ffmpeg's muxer of HLS makes the segments of DASH as well
        rendition = replace(rendition, container="m3u8", stream=place.segment_format)
        ref = place.ref
    else:
        ref = ObjectRef(
            bucket=parameters.output_bucket or "",
            object=object_key(
                output, rendition.container, context.names, append=parameters.append_extension
            ),
            location=parameters.output_location or "",
        )
    if output.quality:
        _require_measurable(rendition, output.quality)
    bounds = rate_bounds(request.settings) if rendition.picture else None
    return RenditionJob(
        rendition=rendition,
        ref=ref,
        quality=output.quality,
        rate_bounds=bounds,
        foretold=_foretold(output, context) if bounds else {},
        place=place,
    ), warnings


def stream_place(context: PlanContext) -> StreamPlace:
    """Return what a stream is to its package. Raises ActivityError as `place_of` does."""
    package = package_of(context.graph, context.activity)
    stream = package.stream(context.activity)
    assert stream is not None
    seconds = segment_seconds(package, context.templates)
    return place_of(package, stream, context.names, seconds)


def _subtitles(place: StreamPlace, context: PlanContext) -> SubtitleRequest:
    """Return what a subtitle stream is asked for: what the first picture shows of the source."""
    package = package_of(context.graph, context.activity)
    stream = package.stream(context.activity)
    assert stream is not None
    pictures = (
        cast("TranscodeParameters", p.parameters) for p in package.of_kind(StreamKind.VIDEO)
    )
    span = next((source_span(one.outputs[0]) for one in pictures if one.outputs), None)
    media = MediaInfo.from_json(context.media())
    whole = media.video.end if media.video and media.video.end else media.duration
    length = length_of(span, whole) if span else whole
    return SubtitleRequest(
        package=package,
        stream=stream,
        place=place,
        begin=span.seek if span else 0.0,
        length=length,
    )


def forecast_stream(job: RenditionJob) -> Stream | None:
    """Return what a stream will probably be, by its estimates; None for no stream."""
    place, rendition = job.place, job.rendition
    if place is None:
        return None
    duration = rendition.duration or float(place.seconds)
    rate = math.ceil((rendition.bytes or 0) * 8 / duration)
    picture, sound = rendition.picture, rendition.sound
    return Stream(
        kind=place.kind,
        uri=place.uri,
        segment_format=place.segment_format,
        timescale=1,
        segments=(Segment(ticks=place.seconds, bytes=rate * place.seconds // 8),)
        * math.ceil(duration / place.seconds),
        peak_bps=rate,
        average_bps=rate,
        width=picture.size[0] if picture else None,
        height=picture.size[1] if picture else None,
        frame_rate=picture.encoding.rate if picture and picture.encoding else None,
        channels=sound.encoding.channels if sound and sound.encoding else None,
    )


def _require_stream(rendition: Rendition, place: StreamPlace) -> None:
    """Refuse a source without what a stream is for; raises ActivityError."""
    if place.kind is StreamKind.AUDIO and rendition.sound is None:
        raise ActivityError(
            Code.NO_AUDIO_STREAM,
            'The resource operated "InputFile" is not supported: it has no audio stream.',
            remedy="Use a source with sound: the package plays without it where it has none.",
        )


def _require_measurable(rendition: Rendition, quality: Quality) -> None:
    """Refuse a picture that is too small for its metric; raises ActivityError."""
    width, height = measured_size(rendition)
    if not quality.measure.takes((width, height)):
        raise ActivityError(
            Code.NOT_SUPPORTED,
            f"VMAF cannot measure a picture of {width}x{height}: it takes at least "
            f"{LEAST_VMAF_SIDE} pixels in width and height.",
            pointer="/Quality/Metric",
            remedy='Use the Metric "xpsnr" or "ssim", or a larger picture.',
        )


def _request(
    output: TranscodeOutput,
    template: Template,
    media: MediaInfo,
    context: PlanContext,
    place: StreamPlace | None,
) -> OutputRequest:
    settings = settings_of(output, template)
    if place:
        settings = stream_settings(
            settings,
            kind=place.kind,
            fragmented=place.fragmented,
            muted=place.muted,
            seconds=place.seconds,
        )
    # known for static templates; what an Analysis chose is judged only now
    for problem in (*faults(settings), *stage_faults(settings, context.templates)):
        if problem.severity is Severity.ERROR:
            raise ActivityError(
                problem.code, problem.message, pointer=problem.pointer, remedy=problem.remedy
            )
    return OutputRequest(
        settings=settings, media=media, context=context, packaged=place is not None
    )


def _template(output: TranscodeOutput, context: PlanContext) -> Template | Skip:
    template = find(output.template_id, context.templates)
    if template.kind is not Kind.INTELLIGENT:
        return template
    analysis = context.upstream.get("Analysis")
    if analysis is None:
        return Skip(
            reason=f'The template "{template.id}" needs the result of an Analysis, and there is '
            "none."
        )
    entries = cast("Sequence[Mapping[str, Json]]", analysis.data.get("TemplateList") or ())
    for entry in entries:
        if entry.get("Id") == template.id:
            return from_analysis(entry)
    return Skip(
        reason=f'The template "{template.id}" ({template.name}) is not among those that the '
        "Analysis chose for this source."
    )


def _foretold(output: TranscodeOutput, context: PlanContext) -> dict[Figure, float]:
    """Return what the Analysis expects of an output with a template of its own."""
    analysis = context.upstream.get("Analysis")
    found = analysis.data.get("Rungs") if analysis else None
    for rung in cast("Sequence[Mapping[str, Json]]", found or ()):
        if output.template_id in rung["TemplateIds"]:
            names = {Figure.BITRATE: "PredictedBitrate", Figure.VMAF: "PredictedVmaf"}
            return {f: float(rung[name]) for f, name in names.items() if name in rung}
    return {}


def _left_out(skip: Skip) -> Problem:
    return Problem(
        code=Code.TEMPLATE_NOT_SUPPORTED,
        message=f"{skip.reason} The output is left out.",
        pointer="/TemplateId",
        severity=Severity.WARNING,
    )


def _located(error: MediaflowError, index: int) -> ActivityError:
    pointer = at_output(error.problem(), index).pointer
    return ActivityError(error.code, error.message, pointer=pointer, remedy=error.remedy)
