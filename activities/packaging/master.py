"""The lists over all streams of a package: which streams, and in which words. Pure up to `run`.

What came of each stream stands in its result, so nothing is read again. A stream that failed is
left out with a warning, one that a rule skipped without. Specification: topology, 5.4 and 9.
"""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from activities.packaging.dash import package_manifest
from activities.packaging.hls import master_playlist
from activities.packaging.images import image_tracks
from activities.packaging.members import members_of
from activities.packaging.package import Package, StreamNode, package_of
from activities.packaging.place import list_refs
from activities.packaging.streams import Member, Stream, StreamKind
from activities.packaging.trick import image_playlist
from workflow_engine.activity import (
    ActivityContext,
    ActivityError,
    ActivityResult,
    Code,
    ObjectRef,
    PlanContext,
    PlannedOutput,
    Problem,
    Produced,
    Severity,
    Skip,
    Step,
)


@dataclass(frozen=True, kw_only=True)
class PackageList:
    """A list over streams: its text and where it goes."""

    ref: ObjectRef
    text: str


def plan(context: PlanContext) -> Step | Skip:
    """Write the lists of a package from what its streams came to; Skip when all were skipped.

    Raises ActivityError when no picture is left and one failed.
    """
    package = package_of(context.graph, context.activity)
    config = package.parameters
    assert config is not None
    made, warnings = _made(package, context)
    if not made or (_has_pictures(package) and not _pictures(made)):
        return _nothing_left(package, context)
    members = members_of(package, made)
    warnings += _not_aligned([one.stream for one in members if one.stream.kind is StreamKind.VIDEO])
    refs = list_refs(config.output, context.names)
    lists: list[PackageList] = []
    for track in image_tracks(package, context, refs[0]):
        warnings += track.warnings
        if track.member is not None:
            members.append(track.member)
            if config.protocol == "hls":
                lists.append(_image_list(track.member.stream, refs[0]))
    for ref, write in zip(refs, _writers(config.protocol), strict=False):
        text, more = write(members)
        lists.append(PackageList(ref=ref, text=text))
        warnings += more
    return Step(
        outputs=tuple(
            PlannedOutput(ref=one.ref, summary=_summary(members), size_estimate=len(one.text))
            for one in lists
        ),
        identity={"Lists": [one.text for one in lists]},
        warnings=tuple(
            Problem(code=Code.INVALID, message=text, severity=Severity.WARNING) for text in warnings
        ),
        resolved=(tuple(lists), tuple(members)),
    )


def _image_list(stream: Stream, master: ObjectRef) -> PackageList:
    folder = posixpath.dirname(master.object)
    ref = replace(master, object=posixpath.join(folder, stream.uri))
    return PackageList(ref=ref, text=image_playlist(stream))


def run(
    lists: Sequence[PackageList], members: Sequence[Member], context: ActivityContext
) -> ActivityResult:
    """Write the lists that were planned."""
    outputs: list[Produced] = []
    for number, one in enumerate(lists):
        path = context.work / f"{number}"
        path.write_text(one.text, encoding="utf-8")
        outputs.append(Produced(path=path, ref=one.ref, last=True))
    return ActivityResult(
        data={
            "Streams": [
                {
                    "Kind": str(one.stream.kind),
                    "URI": one.stream.uri,
                    "Group": one.group,
                    "Name": one.name,
                    "Segments": len(one.stream.segments),
                    "Peak": one.stream.peak_bps,
                    "Average": one.stream.average_bps,
                }
                for one in members
            ],
            "Notes": [f"The package has {_summary(members)}."],
        },
        outputs=tuple(outputs),
    )


#: what writes a list of members: text and warnings
_Writer = Callable[[Sequence[Member]], tuple[str, Sequence[str]]]


def _writers(protocol: str) -> Sequence[_Writer]:
    """Return the writers of a package's lists, the master list first."""
    return (_dash,) if protocol == "dash" else (_hls, _dash)


def _hls(members: Sequence[Member]) -> tuple[str, Sequence[str]]:
    found = master_playlist(members)
    return found.text, found.warnings


def _dash(members: Sequence[Member]) -> tuple[str, Sequence[str]]:
    return package_manifest(members), ()


def _made(
    package: Package, context: PlanContext
) -> tuple[list[tuple[StreamNode, Stream]], list[str]]:
    """Return the streams that were made, and a warning for each that failed."""
    made: list[tuple[StreamNode, Stream]] = []
    warnings: list[str] = []
    for node in package.streams:
        result = context.results.get(node.name)
        if result is not None and node.place is not None:
            # it may have been made under another name
            stream = replace(Stream.from_json(result.data["Stream"]), uri=node.place[1])
            made.append((node, stream))
        elif node.name not in context.skipped:
            warnings.append(f'The stream "{node.name}" failed and is left out of the package.')
    return made, warnings


def _has_pictures(package: Package) -> bool:
    return bool(package.of_kind(StreamKind.VIDEO))


def _pictures(made: Sequence[tuple[StreamNode, Stream]]) -> list[Stream]:
    return [stream for _, stream in made if stream.kind is StreamKind.VIDEO]


def _nothing_left(package: Package, context: PlanContext) -> Skip:
    needed = package.of_kind(StreamKind.VIDEO) or package.streams
    failed = [one.name for one in needed if one.name not in context.skipped]
    if not failed:
        return Skip(reason="All video streams of the package were skipped: there is none to list.")
    raise ActivityError(
        Code.INVALID_STATE,
        f"No video stream of the package is left: {', '.join(failed)} failed.",
        remedy="See why, and resume the execution when that is mended.",
    )


def _not_aligned(pictures: Sequence[Stream]) -> Iterator[str]:
    """Warn of pictures whose segments do not begin when those of the first do, within a frame."""
    for other in pictures[1:]:
        first = pictures[0]
        frame = max(1 / (one.frame_rate or Fraction(25)) for one in (first, other))
        pairs = list(zip(_begins(first), _begins(other), strict=False))
        if len(first.segments) != len(other.segments) or any(abs(a - b) > frame for a, b in pairs):
            yield (
                f"The segments of {other.uri} do not begin when those of {first.uri} do: players "
                "may stumble when they switch between them."
            )


def _begins(stream: Stream) -> list[Fraction]:
    """Return when each segment begins, in seconds from the first picture."""
    ticks = accumulate((segment.ticks for segment in stream.segments[:-1]), initial=0)
    return [Fraction(one, stream.timescale) for one in ticks]


def _summary(members: Sequence[Member]) -> str:
    """Say what a package has: `3 video, 2 audio, 1 subtitles`."""
    kinds = [one.stream.kind for one in members]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in StreamKind if kind in kinds)
