"""The activity types of packages. Specification: topology, 5."""

import posixpath
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from activities.objects import name_faults
from activities.packaging import master
from activities.packaging.models import (
    GroupParameters,
    MasterPlayListParameters,
    PackageConfigParameters,
    PackageOutput,
)
from activities.packaging.place import PLACEHOLDERS
from activities.packaging.rules import problems
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Code,
    GraphRule,
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
        return master.lists(parameters.output)


def _name_problems(name: str, field: str, ending: str) -> Iterator[Problem]:
    pointer = f"/Output/{field}"
    found = list(name_faults(name, PLACEHOLDERS, pointer))
    try:
        path = decode_object(name)
    except ValueError:
        path = name
    wrong = ""
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
