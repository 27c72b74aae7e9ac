"""Which parameters groups and streams have, by protocol. Specification: topology, 5.1 and 5.2."""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace

from activities.packaging.package import (
    EVERY_STREAM_FIELD,
    STREAM_FIELDS,
    VIDEO_GROUP,
    Package,
    StreamNode,
    gives,
    group_parameters,
)
from activities.packaging.rules.problem import missing, parameter, problem
from activities.packaging.streams import StreamKind
from activities.packaging.subtitle_source import file_faults
from activities.packaging.trick import key_frame_list
from workflow_engine.activity import Code, GraphNode, Problem, Severity, pointer_to, shown

#: parameters that a stream needs, by protocol and kind
_NEEDED = {
    ("hls", StreamKind.VIDEO): ("MultiBitrateVideoStream",),
    ("hls", StreamKind.AUDIO): ("ExtXMedia",),
    ("hls", StreamKind.SUBTITLES): ("ExtXMedia",),
    ("dash", StreamKind.VIDEO): ("Representation",),
    ("dash", StreamKind.AUDIO): ("Representation",),
    ("dash", StreamKind.SUBTITLES): ("Representation", "InputConfig"),
}
#: parameters that it may have beside them
_ALLOWED = {("hls", StreamKind.SUBTITLES): ("WebVTTSubtitleURL", "SubtitleStreamMap")}
#: what the samples of the specification end with
_ENDINGS = {"ExtXMedia": ".m3u8", "Representation": ".mpd"}


def group_problems(package: Package) -> Iterator[Problem]:
    """Yield what is wrong with the parameters of the groups."""
    hls = package.protocol == "hls"
    needed, refused = ("GroupId", "AdaptationSet") if hls else ("AdaptationSet", "GroupId")
    for group in package.groups:
        if hls and group.type == VIDEO_GROUP:
            yield problem(
                Code.NOT_SUPPORTED,
                group,
                f'The VideoGroup "{group.name}" stands in a package of the protocol "hls".',
                "Remove it: video streams of HLS stand directly behind the PackageConfig.",
                at="/Type",
            )
            continue
        if gives(group, refused):
            yield _of_other_protocol(package, group, refused)
        if not gives(group, needed):
            message = f'The {group.type} "{group.name}" has no {needed}.'
            yield missing(group, message, f"Add {needed}.", needed)
    yield from _group_names(package)


def _group_names(package: Package) -> Iterator[Problem]:
    if package.protocol == "hls":
        yield from _equal(
            package.groups, lambda group: _group_id(group), "GroupId", parameter("GroupId")
        )
        return
    at = parameter("AdaptationSet")
    yield from _equal(package.groups, lambda group: _set(group)[0], "Group", f"{at}/Group")
    languages: dict[tuple[str, str], str] = {}
    for group in package.groups:
        language = _set(group)[1]
        if not language:
            continue
        if group.type == VIDEO_GROUP:
            yield problem(
                Code.NOT_SUPPORTED,
                group,
                f'The VideoGroup "{group.name}" has the Lang {shown(language)}.',
                "Take it out: Lang belongs to sound and subtitles.",
                at=f"{at}/Lang",
            )
            continue
        first = languages.setdefault((group.type, language), group.name)
        if first != group.name:
            yield problem(
                Code.INVALID,
                group,
                f'The {group.type}s "{first}" and "{group.name}" both have the Lang '
                f"{shown(language)}.",
                "Make one group of both: players choose a group by its language.",
                at=f"{at}/Lang",
                severity=Severity.WARNING,
            )


def _equal(
    groups: tuple[GraphNode, ...], value: Callable[[GraphNode], str], field: str, at: str
) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for group in groups:
        own = value(group)
        first = seen.setdefault(own, group.name) if own else group.name
        if first != group.name:
            yield problem(
                Code.INVALID,
                group,
                f'The groups "{first}" and "{group.name}" both have the {field} {shown(own)}.',
                f"Give each group a {field} of its own.",
                at=at,
            )


def _group_id(group: GraphNode) -> str:
    parameters = group_parameters(group)
    return (parameters.group_id if parameters else None) or ""


def _set(group: GraphNode) -> tuple[str, str]:
    parameters = group_parameters(group)
    found = parameters.adaptation_set if parameters else None
    return (found.group, found.lang or "") if found else ("", "")


def stream_problems(package: Package) -> Iterator[Problem]:
    """Yield what is wrong with the parameters of the streams."""
    for stream in package.streams:
        yield from _fields(package, stream)
        yield from _inner_fields(stream)
        yield from _outputs(stream)
        for field in ("OutputBucket", "OutputLocation"):
            if gives(stream.node, field):
                yield problem(
                    Code.INVALID,
                    stream.node,
                    f'{field} of the stream "{stream.name}" has no effect: the Output of '
                    f'"{package.config.name}" says where the package goes.',
                    "Take it out.",
                    at=parameter(field),
                    severity=Severity.WARNING,
                )
    yield from _names(package)


def _fields(package: Package, stream: StreamNode) -> Iterator[Problem]:
    protocol, kind, node = package.protocol, stream.kind, stream.node
    needed = _NEEDED[protocol, kind] if kind else ()
    allowed = (*needed, *(_ALLOWED.get((protocol, kind), ()) if kind else ()))
    for field in EVERY_STREAM_FIELD:
        if not gives(node, field) or field in allowed:
            continue
        if field not in STREAM_FIELDS[protocol]:
            yield _of_other_protocol(package, node, field)
        elif kind is not None:
            yield problem(
                Code.NOT_SUPPORTED,
                node,
                f'{field} does not belong to "{stream.name}", which is {_KINDS[kind]} of the '
                "package.",
                "Take it out, or move the activity to where it belongs.",
                at=parameter(field),
            )
    if kind is None:
        yield problem(
            Code.INVALID,
            node,
            f'The Transcode "{stream.name}" has no role in the package of "{package.config.name}".',
            "Give it MultiBitrateVideoStream for a picture, or put it behind an AudioGroup or "
            "SubtitleGroup and give it ExtXMedia."
            if protocol == "hls"
            else "Put it behind a VideoGroup, an AudioGroup or a SubtitleGroup.",
        )
    for field in needed:
        if not gives(node, field):
            yield missing(
                node,
                f'The stream "{stream.name}" has no {field}.',
                f"Add {field}: it says where {_KINDS[kind]} goes."
                if kind and field != "InputConfig"
                else f"Add {field} with the Format and InputFile of the subtitles.",
                field,
            )


_KINDS = {
    StreamKind.VIDEO: "a video stream",
    StreamKind.AUDIO: "an audio stream",
    StreamKind.SUBTITLES: "a subtitle stream",
}


def _of_other_protocol(package: Package, node: GraphNode, field: str) -> Problem:
    return problem(
        Code.NOT_SUPPORTED,
        node,
        f'{field} of "{node.name}" does not belong to the protocol "{package.protocol}" of '
        f'"{package.config.name}".',
        "Take it out, or change the Protocol.",
        at=parameter(field),
    )


def _inner_fields(stream: StreamNode) -> Iterator[Problem]:
    """Yield fields of the master list that stand in a stream."""
    video = stream.parameters.multi_bitrate_video_stream if stream.parameters else None
    for name, value in (
        ("RefActivityName", video.ref_activity_name if video else None),
        ("ExtXStreamInfo", video.ext_x_stream_info if video else None),
    ):
        if value is not None:
            yield problem(
                Code.NOT_SUPPORTED,
                stream.node,
                f'{name} of the stream "{stream.name}" belongs to the MasterPlayList.',
                "Move it into an item of MultiBitrateVideoStreams of the GenerateMasterPlayList.",
                at=parameter("MultiBitrateVideoStream", name),
            )


def _outputs(stream: StreamNode) -> Iterator[Problem]:
    """One output for one stream, none for subtitles (P7), whose file has a sound name."""
    parameters = stream.parameters
    if parameters is None or stream.kind is None:
        return
    count = len(parameters.outputs)
    if stream.kind is StreamKind.SUBTITLES:
        for one in file_faults(parameters):
            yield replace(one, pointer=pointer_to("Activities", stream.name) + one.pointer)
        named = parameters.web_vtt_subtitle_url or parameters.subtitle_stream_map
        if stream.protocol == "hls" and not count and not named:
            yield problem(
                Code.INVALID,
                stream.node,
                f'The subtitle stream "{stream.name}" has no WebVTTSubtitleURL: it takes a text '
                "track of the input, and fails where there is none in its language.",
                "Add WebVTTSubtitleURL, or give one with OverrideParams each time.",
                severity=Severity.WARNING,
            )
    elif not count:
        yield problem(
            Code.OUT_OF_RANGE,
            stream.node,
            f'The stream "{stream.name}" has no Outputs.',
            "Add an array of one output with a TemplateId.",
            at=parameter("Outputs"),
        )
    if count > 1:
        yield problem(
            Code.OUT_OF_RANGE,
            stream.node,
            f'The stream "{stream.name}" has {count} Outputs.',
            "Keep one: each further stream is an activity of its own.",
            at=parameter("Outputs"),
        )


def _names(package: Package) -> Iterator[Problem]:
    """Names that players tell streams by: each once (ExtXMedia.Name, Representation.Id)."""
    seen: dict[tuple[str, str], str] = {}
    for stream in package.streams:
        parameters = stream.parameters
        if parameters is None:
            continue
        if parameters.ext_x_media and stream.group:
            key, at = (stream.group.name, parameters.ext_x_media.name), ("ExtXMedia", "Name")
        elif parameters.representation:
            key, at = ("", parameters.representation.id), ("Representation", "Id")
        else:
            continue
        first = seen.setdefault(key, stream.name)
        if first != stream.name:
            yield problem(
                Code.INVALID,
                stream.node,
                f'The streams "{first}" and "{stream.name}" both have the {at[1]} {shown(key[1])}.',
                f"Give each of them a{'n' if at[1] == 'Id' else ''} {at[1]} of its own.",
                at=parameter(*at),
            )


def uri_problems(package: Package) -> Iterator[Problem]:
    """Each stream has a place of its own, apart from the lists over them (P8)."""
    output = package.parameters.output if package.parameters else None
    lists = [output.master_play_list_name, output.manifest_name] if output else []
    # URIs are relative to the directory of the master list
    folder = posixpath.dirname(lists[0] or "") if lists else ""
    places = {
        posixpath.relpath(name, folder or "."): f'the list "{name}"' for name in lists if name
    }
    if package.protocol == "hls":
        for stream in package.of_kind(StreamKind.VIDEO):
            if stream.place is not None:
                own = key_frame_list(stream.place[1])
                places[own] = f'the list of key frames of "{stream.name}"'
    stems = dict[str, str]()
    for stream in package.streams:
        if stream.place is None:
            continue
        field, path = stream.place

        other = places.get(path) or stems.get(posixpath.splitext(path)[0])
        if other:
            yield problem(
                Code.INVALID,
                stream.node,
                f'The URI {shown(path)} of "{stream.name}" is the place of {other}, too.',
                "Give each stream a URI of its own: its segments are named after it.",
                at=parameter(field, "URI"),
            )
        stems.setdefault(posixpath.splitext(path)[0], f'the stream "{stream.name}"')
        ending = _ENDINGS.get(field, "")
        if not posixpath.splitext(posixpath.basename(path))[1]:
            yield problem(
                Code.FORMAT,
                stream.node,
                f'The URI {shown(path)} of "{stream.name}" has no name with an extension.',
                f'End it with a name such as "video{ending or ".m3u8"}".',
                at=parameter(field, "URI"),
            )
        elif not path.endswith(ending):
            yield problem(
                Code.FORMAT,
                stream.node,
                f'The URI {shown(path)} of "{stream.name}" does not end with "{ending}".',
                f'End it with "{ending}": some players and servers go by it.',
                at=parameter(field, "URI"),
                severity=Severity.WARNING,
            )
