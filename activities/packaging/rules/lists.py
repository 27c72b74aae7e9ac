"""What the master list names. Specification: topology, 5.2 (last rows) and 5.3."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from activities.packaging.models import MasterStream
from activities.packaging.package import (
    STREAM,
    Package,
    gives,
    group_parameters,
)
from activities.packaging.rules.problem import missing, parameter, problem
from activities.packaging.streams import StreamKind
from workflow_engine.activity import Code, GraphNode, Problem, Severity, shown
from workflow_engine.topology.encoded import decode_json

_LIST = "MasterPlayList"
_ITEMS = "MultiBitrateVideoStreams"


def list_problems(package: Package) -> Iterator[Problem]:
    """Yield what is wrong with the parameters of the master list, and with what it names."""
    for master in package.masters[:1]:
        if package.protocol == "dash":
            if gives(master, _LIST):
                yield problem(
                    Code.NOT_SUPPORTED,
                    master,
                    f'{_LIST} of "{master.name}" does not belong to the protocol "dash".',
                    "Take it out: the MPD lists all streams of the package.",
                    at=parameter(_LIST),
                )
        elif not gives(master, _LIST):
            message = f'The {master.type} "{master.name}" has no {_LIST}.'
            yield missing(master, message, "Add it, with an item for each video stream.", _LIST)
        elif package.master and package.master.master_play_list:
            items = package.master.master_play_list.multi_bitrate_video_streams
            yield from _items(package, master, items)


def _items(
    package: Package, master: GraphNode, items: tuple[MasterStream, ...]
) -> Iterator[Problem]:
    if not items:
        yield problem(
            Code.NULL_VALUE,
            master,
            f'The {_LIST} of "{master.name}" has no item.',
            f"Add one to {_ITEMS} for each video stream.",
            at=parameter(_LIST, _ITEMS),
        )
        return
    named: dict[str, int] = {}
    for index, item in enumerate(items):
        at = parameter(_LIST, _ITEMS, index)
        if item.uri is not None:
            yield problem(
                Code.NOT_SUPPORTED,
                master,
                f"The item {index} of {_ITEMS} has a URI.",
                "Take it out: MultiBitrateVideoStream of the stream itself has it.",
                at=f"{at}/URI",
            )
        yield from _reference(package, master, item, at)
        first = named.setdefault(item.ref_activity_name, index)
        if first != index:
            yield problem(
                Code.INVALID,
                master,
                f'The items {first} and {index} of {_ITEMS} both name "{item.ref_activity_name}".',
                "Name each video stream once.",
                at=at,
            )
        yield from _groups_of_item(package, master, item, at, _spelling(master, index))
    yield from _unnamed(package, items)


def _reference(
    package: Package, master: GraphNode, item: MasterStream, at: str
) -> Iterator[Problem]:
    stream = package.stream(item.ref_activity_name)
    if stream is None or (stream.kind is not StreamKind.VIDEO and stream.kind is not None):
        names = [one.name for one in package.of_kind(StreamKind.VIDEO)]
        listed = ", ".join(names)
        yield problem(
            Code.RESOURCE_NOT_FOUND,
            master,
            f"The RefActivityName {shown(item.ref_activity_name)} is not a video stream of this "
            "package.",
            f"Use one of {listed}."
            if names
            else f"Name a {STREAM} with MultiBitrateVideoStream of this package.",
            at=at,
        )


def _groups_of_item(
    package: Package, master: GraphNode, item: MasterStream, at: str, spelling: str
) -> Iterator[Problem]:
    for field, value, kind in (
        ("Audio", item.ext_x_stream_info.audio, "AudioGroup"),
        ("Subtitles", item.ext_x_stream_info.subtitles, "SubtitleGroup"),
    ):
        known = _group_ids(package, kind)
        if value is not None and value not in known and None not in known:
            yield problem(
                Code.RESOURCE_NOT_FOUND,
                master,
                f"{field} {shown(value)} is not the GroupId of {_article(kind)} of this package.",
                f"Use one of {', '.join(sorted(map(str, known)))}."
                if known
                else f"Add {_article(kind)} to the package, or take {field} out.",
                at=f"{at}/{spelling}/{field}",
            )


def _unnamed(package: Package, items: tuple[MasterStream, ...]) -> Iterator[Problem]:
    """Warn of streams and groups that no item names: they are made, and no player finds them."""
    named = {item.ref_activity_name for item in items}
    for stream in package.of_kind(StreamKind.VIDEO):
        if stream.name not in named:
            yield problem(
                Code.INVALID,
                stream.node,
                f'No item of the {_LIST} names the video stream "{stream.name}".',
                f"Add an item with its name to {_ITEMS}, or remove it.",
                severity=Severity.WARNING,
            )
    infos = [item.ext_x_stream_info for item in items]
    used = {info.audio for info in infos} | {info.subtitles for info in infos}
    for group in package.groups:
        parameters = group_parameters(group)
        group_id = parameters.group_id if parameters else None
        if group_id is not None and group_id not in used:
            yield problem(
                Code.INVALID,
                group,
                f"No item of the {_LIST} names the {group.type} {shown(group_id)}.",
                "Name it in the ExtXStreamInfo of the video streams, or remove it.",
                severity=Severity.WARNING,
            )


def _group_ids(package: Package, kind: str) -> set[str | None]:
    """Return the GroupIds of groups of a type; None among them: one could not be read."""
    found = [group_parameters(group) for group in package.groups if group.type == kind]
    return {parameters.group_id if parameters else None for parameters in found}


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "AEIOU" else f"a {kind}"


def _spelling(master: GraphNode, index: int) -> str:
    """Return how an item spells ExtXStreamInfo, which has an alias (specification, C-4)."""
    value: Any = {_LIST: master.given.get(_LIST)}
    for part in (_LIST, _ITEMS, index):
        value = decode_json(value)[part]
    item = cast("Mapping[str, Any]", decode_json(value))
    return "ExtXStreamInfo" if "ExtXStreamInfo" in item else "ExtXStreamInf"
