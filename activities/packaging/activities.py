"""The activity types of packages. Specification: topology, 5."""

import posixpath
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar, cast

from activities.objects import name_faults
from activities.packaging import master
from activities.packaging.master import PackageList
from activities.packaging.models import (
    GroupParameters,
    MasterPlayListParameters,
    PackageConfigParameters,
)
from activities.packaging.place import PLACEHOLDERS, list_templates
from activities.packaging.rules import problems
from activities.packaging.streams import Member
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Code,
    GraphRule,
    InvalidInputError,
    Neighbourhood,
    ObjectRef,
    PlanContext,
    Problem,
    Skip,
    Step,
    WireModel,
    decode_object,
    shown,
)

P = TypeVar("P", bound=WireModel)


class _Declaration(Activity[P], Generic[P]):
    """Says something of the streams behind it, and does nothing by itself."""

    declares = True
    reusable = False
    graph_rules: ClassVar[tuple[GraphRule, ...]] = (problems,)

    def plan(self, parameters: P, context: PlanContext) -> Step:
        """There is nothing to do."""
        return Step()

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Do nothing."""
        return ActivityResult()


class PackageConfig(_Declaration[PackageConfigParameters]):
    """Begins a package: protocol, segments, and the place of the list over all streams."""

    type_name = "PackageConfig"
    parameters = PackageConfigParameters

    def check(
        self, parameters: PackageConfigParameters, neighbourhood: Neighbourhood
    ) -> Iterator[Problem]:
        """Yield what is wrong with the names of the lists, and what the protocol has no use for."""
        output, hls = parameters.output, parameters.protocol == "hls"
        yield from _name_problems(
            output.master_play_list_name, "MasterPlayListName", ".m3u8" if hls else ".mpd"
        )
        if output.manifest_name is not None and hls:
            yield from _name_problems(output.manifest_name, "ManifestName", ".mpd")
        yield from _unused(parameters)

    def destinations(self, parameters: PackageConfigParameters) -> Iterator[ObjectRef]:
        """The lists over all streams."""
        return list_templates(parameters.output)


class SubtitleGroup(_Declaration[GroupParameters]):
    """A group of subtitle streams."""

    type_name = "SubtitleGroup"
    parameters = GroupParameters


class AudioGroup(_Declaration[GroupParameters]):
    """A group of audio streams."""

    type_name = "AudioGroup"
    parameters = GroupParameters


class VideoGroup(_Declaration[GroupParameters]):
    """A group of DASH video streams."""

    type_name = "VideoGroup"
    parameters = GroupParameters


class GenerateMasterPlayList(Activity[MasterPlayListParameters]):
    """Ends a package: writes the lists over all of its streams."""

    type_name = "GenerateMasterPlayList"
    parameters = MasterPlayListParameters
    gathers = True
    #: what is told of streams that failed is of this run
    reusable = False
    graph_rules: ClassVar[tuple[GraphRule, ...]] = (problems,)

    def plan(self, parameters: MasterPlayListParameters, context: PlanContext) -> Step | Skip:
        """Write the lists; see `master.plan`."""
        return master.plan(context)

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Put the lists into files; see `master.run`."""
        lists, members = cast("tuple[tuple[PackageList, ...], tuple[Member, ...]]", step.resolved)
        return master.run(lists, members, context)


def _unused(parameters: PackageConfigParameters) -> Iterator[Problem]:
    """Yield extensions that do not fit the protocol or each other."""
    dash, manifest = parameters.protocol == "dash", parameters.output.manifest_name is not None
    output = parameters.output
    other = output.manifest_name or ""
    apart = posixpath.dirname(other) != posixpath.dirname(output.master_play_list_name)
    if other.endswith(".mpd") and apart and not dash:
        yield Problem(
            code=Code.FORMAT,
            message="The lists of a package lie in different folders, and streams in one.",
            pointer="/Output/ManifestName",
            remedy="Put both lists into one folder.",
        )
    if dash and manifest:
        yield Problem(
            code=Code.NOT_SUPPORTED,
            message='ManifestName does not belong to the protocol "dash".',
            pointer="/Output/ManifestName",
            remedy='Take it out: MasterPlayListName is the MPD. For both lists use "hls".',
        )
    if parameters.segment_format == "ts" and (dash or manifest):
        yield Problem(
            code=Code.NOT_SUPPORTED,
            message='An MPD cannot list segments of the SegmentFormat "ts".',
            pointer="/SegmentFormat",
            remedy='Take it out, or use "fmp4".',
        )


def _name_problems(name: str, field: str, ending: str) -> Iterator[Problem]:
    pointer = f"/Output/{field}"
    found = list(name_faults(name, PLACEHOLDERS, pointer))
    try:
        path = decode_object(name)
    except InvalidInputError:
        path = name
    wrong, remedy = "", ""
    if path.startswith("/"):
        wrong, remedy = "begins with a slash", "Begin it with the name of a folder or file."
    elif ".." in path.split("/"):
        wrong, remedy = 'has the part ".."', "Use a path below the bucket."
    elif not path.endswith(ending):
        wrong, remedy = f'does not end with "{ending}"', f'End it with "{ending}".'
    if wrong:
        message = f"The {field} {shown(name)} {wrong}."
        yield Problem(code=Code.FORMAT, message=message, pointer=pointer, remedy=remedy)
    else:
        yield from found
