"""What stands where in a topology with packages. Specification: topology, 5.1 (P3 to P6)."""

from collections.abc import Iterator, Mapping
from itertools import chain

from activities.packaging.package import (
    GROUPS,
    MASTER,
    PACKAGE_CONFIG,
    STREAM,
    Package,
    StreamKind,
    stream_fields,
)
from activities.packaging.rules.problem import parameter, problem
from workflow_engine.activity import Code, GraphNode, GraphView, Problem


def place_problems(graph: GraphView) -> Iterator[Problem]:
    """Yield groups, streams and master lists without a PackageConfig before them, or with two."""
    configs = graph.of_type(PACKAGE_CONFIG)
    behind = {config.name: graph.behind(config.name) for config in configs}
    finished = frozenset(chain.from_iterable(graph.behind(m.name) for m in graph.of_type(MASTER)))
    for node in graph.nodes.values():
        before = [name for name, names in behind.items() if node.name in names]
        fields = stream_fields(node.given) if node.type == STREAM else []
        if node.type == STREAM and not before:
            yield from _without_package(node, fields)
        elif node.type in (*GROUPS, MASTER) and not before:
            yield problem(
                Code.INVALID,
                node,
                f'There is no PackageConfig before the {node.type} activity "{node.name}".',
                f'Add an edge from a PackageConfig that leads to "{node.name}".',
            )
        streams = node.type == STREAM and (fields or node.name not in finished)
        if len(before) > 1 and (streams or node.type in (*GROUPS, MASTER)):
            yield problem(
                Code.INVALID,
                node,
                f'The activity "{node.name}" stands behind the PackageConfigs '
                f"{', '.join(before)}, and belongs to one package only.",
                "Remove the edges that lead to it from all but one of them.",
            )


def _without_package(node: GraphNode, fields: list[str]) -> Iterator[Problem]:
    for field in fields:
        yield problem(
            Code.NOT_SUPPORTED,
            node,
            f'There is no PackageConfig before "{node.name}", which {field} needs.',
            "Take it out: it belongs to a stream of a package.",
            at=parameter(field),
        )


def package_problems(graph: GraphView, package: Package) -> Iterator[Problem]:
    """Yield what a package lacks, or has too often."""
    yield from _masters(graph, package)
    yield from _groups(graph, package)
    if package.protocol == "hls" and not package.of_kind(StreamKind.VIDEO):
        yield problem(
            Code.INVALID,
            package.config,
            f'The package of "{package.config.name}" has no video stream.',
            "Add a Transcode with MultiBitrateVideoStream directly behind the PackageConfig.",
        )
    if package.protocol == "dash" and not any(stream.groups for stream in package.streams):
        yield problem(
            Code.INVALID,
            package.config,
            f'The package of "{package.config.name}" has no group with a stream.',
            "Add a VideoGroup behind the PackageConfig, and a Transcode behind that.",
        )


def _masters(graph: GraphView, package: Package) -> Iterator[Problem]:
    config = package.config
    if len(package.masters) != 1:
        names = ", ".join(f'"{one.name}"' for one in package.masters)
        yield problem(
            Code.INVALID,
            config,
            f'The PackageConfig "{config.name}" has '
            + (f"{len(package.masters)} master lists: {names}." if names else f"no {MASTER}."),
            f"Keep one {MASTER} behind it."
            if names
            else f"Add a {MASTER} behind the streams of the package.",
        )
        return
    (master,) = package.masters
    for stream in package.streams:
        if master.name not in graph.behind(stream.name):
            yield problem(
                Code.INVALID,
                config,
                f'The stream "{stream.name}" of the package does not lead to its {MASTER} '
                f'"{master.name}".',
                f'Add an edge from "{stream.name}" to "{master.name}".',
            )


def _groups(graph: GraphView, package: Package) -> Iterator[Problem]:
    behind: Mapping[str, frozenset[str]] = {
        group.name: graph.behind(group.name) for group in package.groups
    }
    for group in package.groups:
        outer = [name for name, names in behind.items() if group.name in names]
        if outer:
            yield problem(
                Code.INVALID,
                group,
                f'The {group.type} "{group.name}" stands behind the group "{outer[0]}".',
                "Put it directly behind the PackageConfig: groups hold streams, not groups.",
            )
        if not any(group in stream.groups for stream in package.streams):
            yield problem(
                Code.INVALID,
                group,
                f'The {group.type} "{group.name}" has no stream.',
                "Put a Transcode behind it, or remove it.",
            )
    for stream in package.streams:
        if len(stream.groups) > 1:
            yield problem(
                Code.INVALID,
                stream.node,
                f'The stream "{stream.name}" stands behind the groups '
                f"{', '.join(group.name for group in stream.groups)}, and belongs to one only.",
                "Remove the edges from all but one of them.",
            )
