"""What is wrong with the outputs of streams of packages, which their packages shape.

Specification: topology, 5.2; the rules of packages themselves are in `activities/packaging/rules`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from activities.packaging.package import Package, StreamNode, packages
from activities.packaging.place import is_fragmented, is_muted
from activities.packaging.streams import StreamKind
from activities.templates import Template, find
from activities.transcode.features.registry import stage_faults
from activities.transcode.model.output import TranscodeOutput, TranscodeParameters
from activities.transcode.model.settings import OutputSettings, problem, settings_of
from activities.transcode.model.stream import segment_seconds, stream_settings, wanted_seconds
from activities.transcode.rules.output import faults
from workflow_engine.activity import GraphView, pointer_to
from workflow_engine.errors import Code, InvalidInputError, Problem, Severity


def stream_output_problems(graph: GraphView) -> Iterator[Problem]:
    """Yield what is wrong with the outputs of all streams of a topology."""
    for package in packages(graph):
        if package.parameters is None or not package.protocol:
            continue
        yield from _lengths(graph, package)
        yield from _clips(package)
        for stream, output in _outputs(package):
            for one in _faults(graph, package, stream, output):
                yield replace(one, pointer=_base(stream) + one.pointer)


def _outputs(package: Package) -> Iterator[tuple[StreamNode, TranscodeOutput]]:
    """Yield each picture and sound with its output, as far as it has one."""
    for stream in package.of_kind(StreamKind.VIDEO, StreamKind.AUDIO):
        parameters = cast("TranscodeParameters | None", stream.parameters)
        for output in (parameters.outputs if parameters else ())[:1]:
            yield stream, output


def _base(stream: StreamNode) -> str:
    return pointer_to("Activities", stream.name, "Parameters", "Outputs", 0)


def _clips(package: Package) -> Iterator[Problem]:
    """Warn of streams that show other parts of the source than the first one does."""
    first: tuple[StreamNode, TranscodeOutput] | None = None
    for stream, output in _outputs(package):
        first = first or (stream, output)
        if output.clip != first[1].clip:
            yield problem(
                Code.INVALID,
                f"{_base(stream)}{'/Clip' if output.clip else ''}",
                f'"{stream.name}" has another Clip than "{first[0].name}": players would show '
                "them out of step.",
                "Give all streams of the package the same Clip.",
                Severity.WARNING,
            )


def _lengths(graph: GraphView, package: Package) -> Iterator[Problem]:
    config = package.parameters
    wanted = sorted(set(wanted_seconds(package, graph.templates)))
    if config and config.segment_seconds is None and len(wanted) > 1:
        seconds = segment_seconds(package, graph.templates)
        yield Problem(
            code=Code.INVALID,
            message=f'The streams of the package of "{package.config.name}" ask for segments of '
            f"{', '.join(map(str, wanted))} seconds; all get {seconds}.",
            pointer=pointer_to("Activities", package.config.name),
            remedy="Say with SegmentSeconds of the PackageConfig how long they should be.",
            severity=Severity.WARNING,
        )


def _faults(
    graph: GraphView, package: Package, stream: StreamNode, output: TranscodeOutput
) -> Iterator[Problem]:
    template = _template(graph, output)
    kind, config = stream.kind, package.parameters
    if template is None or kind is None or config is None:
        return
    own, muted = settings_of(output, template), is_muted(package, stream)
    fragmented = is_fragmented(config)
    yield from _missing(stream, own)
    yield from _unfit(own)
    if kind is StreamKind.VIDEO and own.audio is not None:
        place = "/Audio" if output.audio else "/TemplateId"
        yield from _sound_within(package, stream, place, muted=muted)
    settings = stream_settings(
        own,
        kind=kind,
        fragmented=fragmented,
        muted=muted,
        seconds=segment_seconds(package, graph.templates),
    )
    if settings.video or settings.audio:
        yield from faults(settings)
        yield from stage_faults(settings, graph.templates)


def _sound_within(
    package: Package, stream: StreamNode, place: str, *, muted: bool
) -> Iterator[Problem]:
    """Say what becomes of sound beside a picture; an MPD has no place for it."""
    config, dash = package.parameters, package.protocol == "dash"
    if not muted and config and config.output.manifest_name is not None:
        yield problem(
            Code.NOT_SUPPORTED,
            place,
            f'An MPD (ManifestName) cannot list "{stream.name}", a picture with sound of its own.',
            'Put the sound behind an AudioGroup, set Audio to {"Remove": "true"}, or take '
            "ManifestName out.",
        )
    elif muted and not dash:
        yield problem(
            Code.INVALID,
            place,
            f'The sound of "{stream.name}" is left out: its item of the MasterPlayList names an '
            "AudioGroup, whose streams are the sound.",
            'Set Audio to {"Remove": "true"}, or take Audio out of the item.',
            Severity.WARNING,
        )
    elif dash and not package.of_kind(StreamKind.AUDIO):
        yield problem(
            Code.INVALID,
            place,
            f'The sound of "{stream.name}" is left out: in the protocol "dash" sound is a stream '
            "of its own, and the package has none.",
            'Put the sound behind an AudioGroup, or set Audio to {"Remove": "true"}.',
            Severity.WARNING,
        )


def _missing(stream: StreamNode, own: OutputSettings) -> Iterator[Problem]:
    """A picture needs a picture, and sound needs sound."""
    for kind, section, word in (
        (StreamKind.VIDEO, own.video, "video"),
        (StreamKind.AUDIO, own.audio, "audio"),
    ):
        if stream.kind is kind and section is None:
            yield problem(
                Code.NOT_SUPPORTED,
                "/TemplateId",
                f'The {kind} stream "{stream.name}" has an output without {word}.',
                f"Use a template with {word}.",
            )


def _unfit(own: OutputSettings) -> Iterator[Problem]:
    if own.mux.segment.force_seg_time:
        yield problem(
            Code.NOT_SUPPORTED,
            own.pointer("mux_config", "segment"),
            "ForceSegTime cuts the segments of one stream apart from those of the others.",
            "Take it out, and say with SegmentSeconds of the PackageConfig how long they are.",
        )


def _template(graph: GraphView, output: TranscodeOutput) -> Template | None:
    try:
        return find(output.template_id, graph.templates)
    except InvalidInputError:  # told by the check of the activity itself
        return None
