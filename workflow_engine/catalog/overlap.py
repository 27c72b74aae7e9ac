"""Warns of outputs that land where files start workflows, and of outputs that overwrite each other.

An own output starts nothing, whatever its name, but its copies do, and so does what other tools
make of it. Names of files are unknown here: a placeholder stands for any name, but not for the
very folder that is watched.

Two workflows that one file starts overwrite each other's outputs where both give them one name.
That is tried with files of names that stand in no topology. No store, no files.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from workflow_engine.activity import Binding, Role, TemplateLookup
from workflow_engine.errors import Code, Problem, Severity, pointer_to
from workflow_engine.planning.graph import Graph, Node
from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.topology.object_names import starts_a_run
from workflow_engine.topology.placeholders import AFTER_ENCODING, Names, decode_object

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}")
_SLASHES = re.compile(r"/{2,}")
#: names of files below a prefix that two workflows watch
_SAMPLES = ("any-5b0e7c.mp4", "folder-5b0e7c/any-5b0e7c.mp4")


def overlap_warnings(
    graph: Graph, others: Iterable[WorkflowRecord], *, triggered: bool = True
) -> Iterator[Problem]:
    """Yield a warning for each activity and each watched prefix under which it may write.

    `others` are the workflows beside this one; only those that files start count. `triggered`
    says whether files start this one.
    """
    own = graph.binding
    watched = [("this workflow", own)] if triggered else []
    watched += [
        (f'the workflow "{other.name}"', Binding(bucket=other.bucket, prefix=other.prefix))
        for other in others
        if _is_triggered(other)
    ]
    for node in graph.nodes.values():
        targets = list(_targets(node))
        for whom, bound in watched:
            if any(
                bucket == bound.bucket and may_begin(template, own.prefix, bound.prefix)
                for bucket, template in targets
            ):
                yield graph.topology.document.place(_warning(node.name, bound, whom))


def _targets(node: Node) -> Iterator[tuple[str, str]]:
    """Yield bucket and key template of what a node writes and what could start a run."""
    for ref in node.activity.destinations(node.parameters):
        template = _SLASHES.sub("/", decode_object(ref.object)).removeprefix("/")
        extended = node.role is Role.RENDITION  # by the container, whatever stands there
        if extended or "}" in template.rpartition(".")[2] or starts_a_run(template):
            yield ref.bucket, template


def may_begin(template: str, own_prefix: str, wanted: str) -> bool:
    """Tell whether a key that a decoded template gives may begin with `wanted`.

    `own_prefix` is what the keys of the inputs begin with.

    >>> may_begin("{ObjectPrefix}{FileName}-sd", "incoming/", "incoming/a/")
    True
    >>> may_begin("renditions/{FileName}", "incoming/", "incoming/")
    False
    """
    folder = own_prefix[: own_prefix.rfind("/") + 1]
    parts = _PLACEHOLDER.split(template.replace("{ObjectPrefix}/", "{ObjectPrefix}"))
    for index, part in enumerate(parts):
        if not wanted:
            break
        if index % 2 == 0:
            text = part
        elif part == "ObjectPrefix":
            if own_prefix.startswith(wanted) or wanted.startswith(own_prefix):
                return True  # with the folders that may follow
            text = folder
        else:
            return "/" not in wanted
        if text.startswith(wanted):
            return True
        if not wanted.startswith(text):
            return False
        wanted = wanted[len(text) :]
    return not wanted


def may_share_inputs(one: WorkflowRecord, other: WorkflowRecord) -> bool:
    """Tell whether one file may start two workflows."""
    nested = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    return one.bucket == other.bucket and nested and _is_triggered(one) and _is_triggered(other)


def clash_warnings(
    graph: Graph, name: str, other: Graph, templates: TemplateLookup
) -> Iterator[Problem]:
    """Yield a warning for each activity that writes names which the workflow `name` writes, too.

    `other` is its graph; one file starts both (`may_share_inputs`).
    """
    prefix = max(graph.binding.prefix, other.binding.prefix, key=len)
    warned: set[str] = set()
    for sample in _SAMPLES:
        theirs = _written(other, prefix + sample, "other", templates)
        for place, (node, template) in _written(graph, prefix + sample, "one", templates).items():
            if place in theirs and node not in warned:
                warned.add(node)
                problem = _clash(node, template, name, theirs[place][0])
                yield graph.topology.document.place(problem)


def _written(
    graph: Graph, key: str, run: str, templates: TemplateLookup
) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Return what the nodes of a graph write for an input: bucket and name to node and template.

    `run` stands for all that differs from run to run: its RunId, and what encoding gives.
    """
    names = Names.of(key, run_id=run, media_id="of the input")
    written: dict[tuple[str, str], tuple[str, str]] = {}
    for node in graph.nodes.values():
        for ref in node.activity.object_names(node.parameters, templates):
            name = names.fill(ref.object)
            for placeholder in AFTER_ENCODING:
                name = name.replace(f"{{{placeholder}}}", run)
            written.setdefault((ref.bucket, name), (node.name, ref.object))
    return written


def _clash(node: str, template: str, name: str, other: str) -> Problem:
    return Problem(
        code=Code.INVALID,
        message=f'The outputs "{template}" of "{node}" have the same names as those of "{other}" '
        f'in the workflow "{name}", which the same files start: the later run overwrites them.',
        pointer=pointer_to("Activities", node, "Parameters"),
        remedy="Write them to different buckets or folders, or put {RunId} into the names.",
        severity=Severity.WARNING,
    )


def _is_triggered(workflow: WorkflowRecord) -> bool:
    return (
        workflow.state is WorkflowState.ACTIVE
        and workflow.trigger_mode is TriggerMode.OSS_AUTO_TRIGGER
    )


def _warning(name: str, bound: Binding, whom: str) -> Problem:
    where = f'under "{bound.prefix}" in' if bound.prefix else "in"
    return Problem(
        code=Code.INVALID,
        message=f'The outputs of "{name}" may land {where} the bucket "{bound.bucket}", where '
        f"files start {whom}.",
        pointer=pointer_to("Activities", name, "Parameters"),
        remedy="mediaflow's own outputs start nothing, but copies of them would: write them to "
        "another bucket or below another prefix.",
        severity=Severity.WARNING,
    )
