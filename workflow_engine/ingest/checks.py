"""What was looked at to explain an object, in the order of its way through the intake. Pure."""

from dataclasses import dataclass

from workflow_engine.ingest.explanation import Facts
from workflow_engine.records import wire_time
from workflow_engine.topology.object_names import name_fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at: whether it lets the object start runs; None: either way."""

    subject: str
    holds: bool | None
    text: str


def checks(facts: Facts) -> list[Check]:
    """Return what was looked at, in the order of the object's way."""
    fault = name_fault(facts.key)
    listener = facts.listener
    found = [
        Check(subject="bucket", holds=True, text=facts.place),
        Check(subject="events", holds=bool(facts.kind), text=facts.kind or "none"),
    ]
    if facts.kind:
        since = wire_time(facts.watched.since) if facts.watched else "never"
        heard = wire_time(listener.updated) if listener else "never"
        problem = f"; {listener.problem}" if listener and listener.problem else ""
        silent = "" if facts.alive else "; no mediaflow serve is running"
        found.append(
            Check(
                subject="listener",
                holds=facts.alive and not problem,
                text=f"watched since {since}, last report {heard}{problem}{silent}",
            )
        )
    told = fault or "not a folder, not hidden, not unfinished"
    found.append(Check(subject="name", holds=not fault, text=told))
    if not fault:
        found.append(_object_check(facts))
    if facts.info is not None:
        owner = f"of the run {facts.owner}" if facts.owner else "no"
        found.append(Check(subject="own output", holds=not facts.owner, text=owner))
        if facts.held is not None:
            found.append(Check(subject="parts", holds=False, text=facts.held.reason))
        found.append(_seen_check(facts))
    return found


def _object_check(facts: Facts) -> Check:
    if facts.problem:
        return Check(subject="object", holds=False, text=facts.problem)
    if facts.info is None:
        return Check(subject="object", holds=False, text="does not exist")
    text = f"{facts.info.size} bytes, changed {wire_time(facts.info.modified)}"
    if facts.growing:
        text += f"; not finished: {facts.growing}"
    return Check(subject="object", holds=bool(facts.info.size) and not facts.growing, text=text)


def _seen_check(facts: Facts) -> Check:
    if facts.known:
        one = facts.known[0]
        how = "skipped as existing" if one.existing else "processed"
        return Check(
            subject="seen before",
            holds=None if facts.present_runs else False,
            text=f"this version, {how} {wire_time(one.taken)}",
        )
    if facts.arrival is not None:
        one = facts.arrival
        text = f"noticed {wire_time(one.first_noticed)} by {one.source}, due {wire_time(one.due)}"
        return Check(subject="seen before", holds=None, text=text)
    return Check(subject="seen before", holds=None, text="not this version")
