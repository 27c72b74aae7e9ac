"""Which objects start which workflows, and why others do not (specification, topology, 10).

The intake, its log and `mediaflow trigger why` all ask here. `topology/object_names.py` says what
names alone tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.topology.object_names import starts_a_run


class Rule(IntEnum):
    """What must hold for an object to start a workflow, in the order of what narrows most."""

    #: the Start of the workflow names the bucket
    BUCKET = 1
    #: the key begins with its ObjectPrefix
    PREFIX = 2
    #: the name has no extension, or one of audio or video
    EXTENSION = 3
    #: the workflow is Active
    STATE = 4
    #: its trigger mode is OssAutoTrigger
    TRIGGER_MODE = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether an object starts a workflow: it does when no rule is broken."""

    workflow: WorkflowRecord
    key: str
    broken: tuple[Rule, ...]

    @property
    def starts(self) -> bool:
        """Whether the object starts the workflow."""
        return not self.broken

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not: a clause for each rule that is broken."""
        return tuple(_reason(rule, self.workflow, self.key) for rule in self.broken)


def verdict(workflow: WorkflowRecord, bucket: str, key: str) -> Verdict:
    """Judge an object by every rule. Its name must be one of `is_candidate`."""
    broken: list[Rule] = []
    if workflow.bucket != bucket:
        broken.append(Rule.BUCKET)
    # as it is: no slash is implied, and `a/clip` matches `a/clip2.mp4`
    if not key.startswith(workflow.prefix):
        broken.append(Rule.PREFIX)
    if not starts_a_run(key):
        broken.append(Rule.EXTENSION)
    if workflow.state is not WorkflowState.ACTIVE:
        broken.append(Rule.STATE)
    if workflow.trigger_mode is not TriggerMode.OSS_AUTO_TRIGGER:
        broken.append(Rule.TRIGGER_MODE)
    return Verdict(workflow=workflow, key=key, broken=tuple(broken))


def nearest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the verdict that lacks least for a start: the fewest rules, and the last of them."""
    return min(verdicts, key=lambda v: (len(v.broken), [-rule for rule in v.broken]), default=None)


def why_nothing_starts(bucket: str, verdicts: Sequence[Verdict]) -> str:
    """Return a clause that says why an object starts none of the workflows that were judged."""
    closest = nearest([one for one in verdicts if Rule.BUCKET not in one.broken])
    if closest is None:
        return f'no workflow is bound to the bucket "{bucket}"'
    return " and ".join(closest.reasons)


def _reason(rule: Rule, workflow: WorkflowRecord, key: str) -> str:
    match rule:
        case Rule.BUCKET:
            return f'the workflow "{workflow.name}" is bound to the bucket "{workflow.bucket}"'
        case Rule.PREFIX:
            prefix = workflow.prefix
            clause = f'the prefix "{prefix}" of the workflow "{workflow.name}" does not match'
            if key.casefold().startswith(prefix.casefold()):
                return f"{clause}: upper and lower case differ"
            if prefix.startswith("/") and key.startswith(prefix.lstrip("/")):
                return f"{clause}: object keys do not begin with a slash"
            return clause
        case Rule.EXTENSION:
            extension = key.rpartition(".")[2]
            return f'the extension ".{extension}" is not one of audio or video'
        case Rule.STATE:
            return f'the workflow "{workflow.name}" is {workflow.state}'
        case Rule.TRIGGER_MODE:
            mode = workflow.trigger_mode
            return f'the trigger mode of the workflow "{workflow.name}" is {mode}'
