"""Why an object did or did not start runs: what is known of it, and what follows from that. Pure.

`explaining.py` finds the facts, `checks.py` lists them. The rules: `catalog/matching.py`.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from workflow_engine.buckets import ObjectInfo
from workflow_engine.catalog.matching import (
    Rule,
    Verdict,
    nearest,
    why_nothing_starts,
)
from workflow_engine.ingest.parts import Held
from workflow_engine.records import ExecutionRecord, wire_time
from workflow_engine.records.ingest import Arrival, KnownVersion, ListenerRecord, Watched
from workflow_engine.topology.object_names import name_fault

#: executions that a conclusion names
_NAMED = 5


class ExplanationKind(StrEnum):
    """What became of an object."""

    #: its present version has executions, or had some that retention has removed
    RUNS = "Runs"
    #: it was noticed, and waits until it is complete
    WAITS = "Waits"
    #: nothing has noticed it yet
    NOT_NOTICED = "NotNoticed"
    #: no workflow takes it
    NOT_MATCHED = "NotMatched"
    #: it was processed before a workflow took it
    TAKEN_BEFORE = "TakenBefore"
    #: it lay there before the bucket was first watched
    SKIPPED = "SkippedAsExisting"
    #: a playlist or the like names it
    PART = "PartOfAnother"
    #: what it names has not landed
    INCOMPLETE = "Incomplete"
    #: mediaflow wrote it
    OWN_OUTPUT = "OwnOutput"
    #: no object of its name starts anything
    NAME = "NameExcluded"
    #: it holds nothing
    EMPTY = "Empty"
    #: there is no such object
    MISSING = "DoesNotExist"
    #: it cannot be looked at
    UNREADABLE = "Unreadable"
    #: nothing that lands in its bucket is noticed
    NOT_WATCHED = "BucketNotWatched"
    #: it belongs to no bucket of the configuration
    NO_BUCKET = "BucketNotConfigured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of an object and of its bucket.

    `place` describes the bucket, `kind` the events of it, "" for none. `problem` says why the
    object cannot be looked at. `growing` says why it is not complete, `owner` is the execution
    that wrote it, `held` why it waits for others or is a part of one. `known` are the taken
    versions that are the present one, `runs` its executions
    of any version, the newest first, `removed` the RunIds of those of the present version that
    retention has removed, by workflow id. `skips` tells whether what lies there when the bucket
    is first watched is skipped, `alive` whether a service reports on the bucket.
    """

    bucket: str
    key: str
    place: str
    kind: str
    info: ObjectInfo | None
    problem: str
    growing: str
    owner: str
    held: Held | None
    verdicts: tuple[Verdict, ...]
    known: tuple[KnownVersion, ...]
    arrival: Arrival | None
    runs: tuple[ExecutionRecord, ...]
    removed: Mapping[str, str]
    skips: bool
    watched: Watched | None
    listener: ListenerRecord | None
    alive: bool

    @property
    def present_runs(self) -> tuple[ExecutionRecord, ...]:
        """The executions of the version that lies there now."""
        return tuple(run for run in self.runs if self.info and run.version == self.info.version)

    def run_of(self, verdict: Verdict) -> str:
        """Return the RunId of the present version in a workflow, "" for none."""
        mine = (run for run in self.present_runs if run.workflow_id == verdict.workflow.id)
        return next((run.run_id for run in mine), self.removed.get(verdict.workflow.id, ""))

    @property
    def url(self) -> str:
        """The object as commands take it, quoted for a shell."""
        return shlex.quote(f"oss://{self.bucket}/{self.key}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The answer: `conclusion` in a sentence, `remedy` in another one or "".

    `facts` is None for an object that belongs to no bucket.
    """

    outcome: ExplanationKind
    conclusion: str
    remedy: str = ""
    facts: Facts | None = None


def explain(facts: Facts) -> Explanation:
    """Return what follows from the facts: the first thing that decides, as the intake decides."""
    outcome, conclusion, remedy = _about_object(facts) or _about_intake(facts)
    return Explanation(outcome=outcome, conclusion=conclusion, remedy=remedy, facts=facts)


_Answer = tuple[ExplanationKind, str, str]


def _about_object(facts: Facts) -> _Answer | None:
    """Return what the object itself decides."""
    if facts.present_runs:
        return _runs(facts)
    if facts.removed:
        named = ", ".join(list(facts.removed.values())[:_NAMED])
        return (
            ExplanationKind.RUNS,
            f"It has run, so long ago that its executions were removed from the store: {named}.",
            f"To run it again: mediaflow media add {facts.url} --workflow NAME",
        )
    fault = name_fault(facts.key)
    if fault:
        return ExplanationKind.NAME, f"It starts nothing: {fault}.", "Name a file, or rename it."
    if facts.problem:
        return ExplanationKind.UNREADABLE, f"It cannot be looked at: {facts.problem}", ""
    if facts.info is None:
        before = " Earlier versions of it have run." if facts.runs else ""
        return (
            ExplanationKind.MISSING,
            f'There is no such object in the bucket "{facts.bucket}".{before}',
            "Check the key: it is compared exactly, upper and lower case included.",
        )
    if not facts.info.size:
        return (
            ExplanationKind.EMPTY,
            "It starts nothing: it is empty.",
            "It is taken when it has content.",
        )
    if facts.owner:
        return (
            ExplanationKind.OWN_OUTPUT,
            f"It starts nothing: it is an output of the run {facts.owner}, and outputs of "
            "mediaflow start no runs.",
            f"To run a workflow on it: mediaflow media add {facts.url} --workflow NAME",
        )
    if facts.held is not None and facts.held.named_by:
        return (
            ExplanationKind.PART,
            f"It starts nothing: {facts.held.reason}, and such parts start no runs.",
            f"To run a workflow on it: mediaflow media add {facts.url} --workflow NAME. To let all "
            "parts start runs: [hls] segments_trigger = true",
        )
    return None


def _about_intake(facts: Facts) -> _Answer:
    """Return what the rules and the way of the object through the intake decide."""
    starting = [verdict for verdict in facts.verdicts if verdict.starts]
    reason = why_nothing_starts(facts.bucket, facts.verdicts)
    replay = _replay(facts)
    if facts.known and any(one.existing for one in facts.known):
        since = wire_time(facts.watched.since) if facts.watched else "that"
        also = "" if starting else f" No workflow takes it now either: {reason}."
        return (
            ExplanationKind.SKIPPED,
            f'It was skipped: it lay there before {since}, when the bucket "{facts.bucket}" was '
            f'first watched, and existing = "skip".{also}',
            f"To run it: {replay}" if starting else _remedy(facts, replay),
        )
    if facts.known and starting:
        names = ", ".join(f'"{verdict.workflow.name}"' for verdict in starting)
        return (
            ExplanationKind.TAKEN_BEFORE,
            f"It was processed at {wire_time(facts.known[0].taken)}, when no workflow took it. "
            f"{names} would now, but what changes of workflows starts nothing for older objects.",
            f"To run it: {replay}",
        )
    if not facts.kind:
        return (
            ExplanationKind.NOT_WATCHED,
            f'It starts nothing: the bucket "{facts.bucket}" has no events, so nothing that lands '
            "in it is noticed.",
            f'Set events, such as "watch" or "poll", in [buckets.{facts.bucket}], or run what lies '
            f"there: {replay}",
        )
    if not starting:
        return ExplanationKind.NOT_MATCHED, f"It starts nothing: {reason}.", _remedy(facts, replay)
    if facts.arrival is not None:
        return _waits(facts, facts.arrival)
    return _not_noticed(facts)


def _runs(facts: Facts) -> _Answer:
    runs = facts.present_runs
    named = ", ".join(f'{run.run_id} of "{run.workflow}" ({run.state})' for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    what = "the run" if len(runs) == 1 else f"{len(runs)} runs:"
    show = f"mediaflow execution show {runs[0].run_id}"
    return ExplanationKind.RUNS, f"It started {what} {named}{more}.", f"To see it: {show}"


def _waits(facts: Facts, arrival: Arrival) -> _Answer:
    noticed = f"It was noticed at {wire_time(arrival.first_noticed)}"
    if not facts.alive:
        return (
            ExplanationKind.WAITS,
            f"{noticed} and waits: no mediaflow serve is running that would take it in.",
            "Start it: mediaflow serve",
        )
    if facts.growing:
        return ExplanationKind.WAITS, f"{noticed} and is not finished: {facts.growing}.", ""
    if facts.held is not None:
        kind = ExplanationKind.INCOMPLETE if facts.held.late else ExplanationKind.WAITS
        late = " It has waited for longer than [hls] wait_seconds." if facts.held.late else ""
        remedy = "It is looked at again when one of its parts lands, and at each listing."
        return kind, f"{noticed} and waits: {facts.held.reason}.{late}", remedy
    due = wire_time(arrival.due)
    return ExplanationKind.WAITS, f"{noticed} and is processed at {due} or soon after.", ""


def _not_noticed(facts: Facts) -> _Answer:
    listener = facts.listener
    if not facts.alive:
        if facts.watched is None and facts.skips:
            return (
                ExplanationKind.NOT_NOTICED,
                "It was not noticed: no mediaflow serve has watched the bucket yet. The first one "
                'skips what lies there when it starts, because existing = "skip".',
                f"To run it: {_replay(facts)}",
            )
        seen = f" since {wire_time(listener.updated)}" if listener else " yet"
        return (
            ExplanationKind.NOT_NOTICED,
            f"It was not noticed: no mediaflow serve has watched the bucket{seen}.",
            "Start it: mediaflow serve",
        )
    assert listener is not None
    if listener.problem:
        return ExplanationKind.NOT_NOTICED, f"It was not noticed yet. {listener.problem}", ""
    last = wire_time(listener.last_reconcile) if listener.last_reconcile else "never"
    return (
        ExplanationKind.NOT_NOTICED,
        f"It was not noticed yet. The next event, or the next listing, finds it; the last listing "
        f"was: {last}.",
        "",
    )


def _replay(facts: Facts) -> str:
    return f"mediaflow trigger replay {facts.bucket} {shlex.quote(facts.key)}"


def _remedy(facts: Facts, replay: str) -> str:
    """Return what makes the nearest workflow take the object, which does not now."""
    then = f" Then: {replay}" if facts.known else ""
    closest = nearest([one for one in facts.verdicts if Rule.BUCKET not in one.broken])
    if closest is None:
        return (
            f'Add a workflow whose Start names the bucket "{facts.bucket}": '
            f"mediaflow workflow add NAME TOPOLOGY{then}"
        )
    workflow = closest.workflow
    name = shlex.quote(workflow.name)
    if Rule.PREFIX in closest.broken:
        return (
            f'Write it below "{workflow.prefix}", or change the ObjectPrefix of the workflow '
            f'"{workflow.name}".{then}'
        )
    if Rule.EXTENSION in closest.broken:
        return f"To run it all the same: mediaflow media add {facts.url} --workflow {name}"
    commands: list[str] = []
    if Rule.TRIGGER_MODE in closest.broken:
        if Rule.STATE not in closest.broken:
            commands.append(f"mediaflow workflow deactivate {name}")
        commands.append(f"mediaflow workflow trigger-mode {name} OssAutoTrigger")
    commands.append(f"mediaflow workflow activate {name}")
    return f"Let it start: {' && '.join(commands)}{then}"
