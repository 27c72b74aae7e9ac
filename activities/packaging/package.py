"""The packages of a topology: which groups, streams and master list belong together. Pure.

A package is a PackageConfig and what stands between it and its GenerateMasterPlayList; a stream is
a Transcode in there, and its group is the group before it. Specification: topology, 5.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from activities.packaging.models import (
    ExtXMedia,
    GroupParameters,
    InputConfig,
    MasterPlayListParameters,
    MultiBitrateVideoStream,
    PackageConfigParameters,
    Representation,
)
from activities.packaging.streams import StreamKind
from workflow_engine.activity import GraphNode, GraphView, Json

PACKAGE_CONFIG = "PackageConfig"
VIDEO_GROUP = "VideoGroup"
MASTER = "GenerateMasterPlayList"
STREAM = "Transcode"
#: its sprites are an image track (an extension of ours)
SNAPSHOT = "Snapshot"
#: what streams below a group of a type are
GROUPS = {
    "SubtitleGroup": StreamKind.SUBTITLES,
    "AudioGroup": StreamKind.AUDIO,
    VIDEO_GROUP: StreamKind.VIDEO,
}
#: parameters of Transcode that belong to streams, by protocol
STREAM_FIELDS = {
    "hls": ("MultiBitrateVideoStream", "ExtXMedia", "WebVTTSubtitleURL", "SubtitleStreamMap"),
    "dash": ("Representation", "InputConfig"),
}
#: all of them
EVERY_STREAM_FIELD = (*STREAM_FIELDS["hls"], *STREAM_FIELDS["dash"])


class StreamParameters(Protocol):
    """What packages read of the parameters of a stream, which is a Transcode."""

    @property
    def outputs(self) -> Sequence[object]: ...  # noqa: D102
    @property
    def multi_bitrate_video_stream(self) -> MultiBitrateVideoStream | None: ...  # noqa: D102
    @property
    def ext_x_media(self) -> ExtXMedia | None: ...  # noqa: D102
    @property
    def representation(self) -> Representation | None: ...  # noqa: D102
    @property
    def web_vtt_subtitle_url(self) -> str | None: ...  # noqa: D102
    @property
    def subtitle_stream_map(self) -> str | None: ...  # noqa: D102
    @property
    def input_config(self) -> InputConfig | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class StreamNode:
    """A stream of a package; `groups` are those before it, of which there should be one at most."""

    node: GraphNode
    protocol: str
    groups: tuple[GraphNode, ...]

    @property
    def name(self) -> str:
        """The name of the activity."""
        return self.node.name

    @property
    def group(self) -> GraphNode | None:
        """Its group."""
        return self.groups[0] if self.groups else None

    @property
    def kind(self) -> StreamKind | None:
        """What it is for; None: it has no role in the package."""
        if self.group is not None:
            return GROUPS[self.group.type]
        video = self.protocol == "hls" and gives(self.node, "MultiBitrateVideoStream")
        return StreamKind.VIDEO if video else None

    @property
    def parameters(self) -> StreamParameters | None:
        """Its parameters, as far as they could be read."""
        return cast("StreamParameters | None", self.node.parameters)

    @property
    def representation(self) -> tuple[str, str, str]:
        """Return Group, Lang and Id of a stream of DASH; empty where there is none."""
        own = self.parameters.representation if self.parameters else None
        parameters = group_parameters(self.group) if self.group else None
        adaptation = parameters.adaptation_set if parameters else None
        return (
            adaptation.group if adaptation else "",
            (adaptation.lang if adaptation else None) or "",
            own.id if own else "",
        )

    @property
    def place(self) -> tuple[str, str] | None:
        """The parameter that holds its URI, and the URI; None while there is none."""
        parameters = self.parameters
        if parameters is None:
            return None
        if self.protocol == "dash":
            found = ("Representation", parameters.representation)
        elif self.kind is StreamKind.VIDEO:
            found = ("MultiBitrateVideoStream", parameters.multi_bitrate_video_stream)
        else:
            found = ("ExtXMedia", parameters.ext_x_media)
        field, value = found
        return (field, posixpath.normpath(value.uri)) if value else None


@dataclass(frozen=True, kw_only=True)
class Package:
    """A PackageConfig and what belongs to it; there should be exactly one master list.

    `snapshots` are those before the master list, whatever they take.
    """

    config: GraphNode
    groups: tuple[GraphNode, ...]
    streams: tuple[StreamNode, ...]
    snapshots: tuple[GraphNode, ...]
    masters: tuple[GraphNode, ...]

    @property
    def protocol(self) -> str:
        """`hls` or `dash`; empty where it is neither."""
        return protocol_of(self.config)

    @property
    def parameters(self) -> PackageConfigParameters | None:
        """The parameters of the PackageConfig, as far as they could be read."""
        return cast("PackageConfigParameters | None", self.config.parameters)

    @property
    def master(self) -> MasterPlayListParameters | None:
        """The parameters of the first master list, as far as they could be read."""
        first = self.masters[0].parameters if self.masters else None
        return cast("MasterPlayListParameters | None", first)

    def of_kind(self, *kinds: StreamKind | None) -> list[StreamNode]:
        """Return the streams of some kinds, in the order of the topology."""
        return [stream for stream in self.streams if stream.kind in kinds]

    def stream(self, name: str) -> StreamNode | None:
        """Return a stream by the name of its activity."""
        return next((one for one in self.streams if one.name == name), None)


def packages(graph: GraphView) -> list[Package]:
    """Return the packages of a topology, in the order of their PackageConfigs."""
    return [_package(graph, config) for config in graph.of_type(PACKAGE_CONFIG)]


def package_of(graph: GraphView, name: str) -> Package:
    """Return the package of a stream or master list of a valid topology."""
    return next(
        package
        for package in packages(graph)
        if package.stream(name) or name in [one.name for one in package.masters]
    )


def protocol_of(config: GraphNode) -> str:
    """Return the protocol that a PackageConfig gives; empty where it gives none of both."""
    protocol = config.given.get("Protocol")
    return protocol if isinstance(protocol, str) and protocol in STREAM_FIELDS else ""


def group_parameters(group: GraphNode) -> GroupParameters | None:
    """Return the parameters of a group, as far as they could be read."""
    return cast("GroupParameters | None", group.parameters)


def gives(node: GraphNode, field: str) -> bool:
    """Whether a parameter is given, be its value right or wrong; an empty one is not."""
    return node.given.get(field) not in (None, "")


def stream_fields(given: Mapping[str, Json]) -> list[str]:
    """Return the parameters of streams that are among those given."""
    return [field for field in EVERY_STREAM_FIELD if given.get(field) not in (None, "")]


def _package(graph: GraphView, config: GraphNode) -> Package:
    behind = graph.behind(config.name)
    masters = tuple(node for node in graph.of_type(MASTER) if node.name in behind)
    inside = behind.difference(*(graph.behind(master.name) for master in masters))
    groups = tuple(node for node in graph.of_type(*GROUPS) if node.name in inside)
    grouped = {group.name: graph.behind(group.name) for group in groups}
    streams = tuple(
        StreamNode(
            node=node,
            protocol=protocol_of(config),
            groups=tuple(group for group in groups if node.name in grouped[group.name]),
        )
        for node in graph.of_type(STREAM)
        if node.name in inside
    )
    snapshots = tuple(
        node
        for node in graph.of_type(SNAPSHOT)
        if node.name in inside and any(one.name in graph.behind(node.name) for one in masters)
    )
    return Package(
        config=config, groups=groups, streams=streams, snapshots=snapshots, masters=masters
    )
