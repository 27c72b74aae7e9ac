"""`trigger status|replay|why`: what lands in the buckets, and runs for what lies there."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.commands import App
from workflow_engine.cli.common import AsJson, emit, opened_engine, print_json, printable, settings
from workflow_engine.records import Json, utc_now, wire_time

if TYPE_CHECKING:
    from workflow_engine.ingest.explanation import Explanation
    from workflow_engine.records.ingest import BucketStatus

app = App(help="What lands in the buckets: status, replay, why.")

#: what stands before a check that holds, one that does not, and one that decides nothing
_MARKS = {True: "ok", False: "no", None: "-"}


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the listener of each watched bucket, and how much waits to be processed."""
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        found = engine.intake.status()
    if as_json:
        print_json({"Buckets": [_bucket_json(bucket) for bucket in found]})
        return
    if not found:
        emit("no bucket is watched: set events in [buckets.NAME]")
    for bucket in found:
        emit(printable(_line(bucket)))
        for remark in _remarks(bucket):
            emit(printable(f"    {remark}"))


@app.command()
def replay(
    bucket: Annotated[str, typer.Argument(help="A configured bucket.", metavar="BUCKET")],
    prefix: Annotated[
        str, typer.Argument(help="Only keys that begin with it.", metavar="PREFIX")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Queue the runs that objects in a bucket lack, for `serve` to run them.

    Each object version runs once in each workflow that it starts now, whenever it landed.
    """
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        found = engine.intake.replay(bucket, prefix)
    if as_json:
        print_json(
            {
                "Bucket": bucket,
                "Prefix": prefix,
                "Listed": found.listed,
                "Queued": found.new,
                "Seconds": round(found.seconds, 3),
            }
        )
    else:
        emit(f"{found.listed} objects listed, {found.new} runs queued")


@app.command()
def why(
    url: Annotated[
        str,
        typer.Argument(
            help="oss://BUCKET/KEY, s3://BUCKET/KEY, an http URL of it, or a path in the folder of "
            "a bucket.",
            metavar="URL",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say why an object did or did not start runs: the conclusion, then all that was looked at."""
    with opened_engine() as engine:
        found = engine.intake.explain(url)
    if as_json:
        print_json(_explanation_json(found))
    else:
        for line in _explanation_lines(found):
            emit(printable(line))


def _explanation_lines(found: "Explanation") -> Iterator[str]:
    from workflow_engine.ingest.checks import checks

    facts = found.facts
    subject = f"oss://{facts.bucket}/{facts.key}: " if facts else ""
    yield f"{subject}{found.conclusion}"
    if found.remedy:
        yield f"    {found.remedy}"
    if facts is None:
        return
    yield ""
    for check in checks(facts):
        yield f"{_MARKS[check.holds]:<3} {check.subject:<12} {check.text}"
    for verdict in facts.verdicts:
        text = "; ".join(verdict.reasons) or "takes it"
        if verdict.starts and facts.known and not facts.run_of(verdict):
            text = "takes it now, but has no run of this version"
        yield f'{_MARKS[verdict.starts]:<3} workflow "{verdict.workflow.name}": {text}'
    for run in facts.runs:
        parts = (run.run_id, wire_time(run.created), run.state, run.workflow)
        version = "this version" if run in facts.present_runs else "another version"
        yield f"    run {'  '.join(parts)}  {version}"


def _explanation_json(found: "Explanation") -> dict[str, Json]:
    from workflow_engine.ingest.checks import checks

    facts = found.facts
    answer: dict[str, Json] = {
        "Outcome": str(found.outcome),
        "Conclusion": found.conclusion,
        "Remedy": found.remedy,
        "Bucket": facts.bucket if facts else "",
        "Object": facts.key if facts else "",
        "Checks": [],
        "Workflows": [],
        "Runs": [],
    }
    if facts is None:
        return answer
    return answer | {
        "Checks": [
            {"Subject": check.subject, "Holds": check.holds, "Text": check.text}
            for check in checks(facts)
        ],
        "Workflows": [
            {
                "MediaWorkflowId": verdict.workflow.id,
                "Name": verdict.workflow.name,
                "Starts": verdict.starts,
                "Reasons": list(verdict.reasons),
                "RunId": facts.run_of(verdict),
            }
            for verdict in facts.verdicts
        ],
        "Runs": [
            {
                "RunId": run.run_id,
                "Workflow": run.workflow,
                "State": str(run.state),
                "CreationTime": wire_time(run.created),
                "ThisVersion": run in facts.present_runs,
            }
            for run in facts.runs
        ],
    }


def _line(bucket: "BucketStatus") -> str:
    listener = bucket.listener
    parts = [bucket.bucket, bucket.kind or "not watched any more"]
    waiting = f"{bucket.waiting} waiting"
    if bucket.oldest is not None:
        waiting += f", the oldest for {_lag(bucket):.0f} s"
    parts.append(waiting)
    if bucket.empty:
        parts.append(f"{bucket.empty} empty")
    if bucket.incomplete:
        parts.append(f"{bucket.incomplete} incomplete")
    if bucket.watched is not None and bucket.watched.unmatched:
        parts.append(f"{bucket.watched.unmatched} not matched")
    if listener is None:
        parts.append("no serve has watched it yet")
    else:
        parts += [
            f"{listener.seen} notices",
            f"last event {_time(listener.last_event) or 'never'}",
            f"last listing {_time(listener.last_reconcile) or 'never'}",
            f"as of {_time(listener.updated)}",
        ]
    return "  ".join(parts)


def _remarks(bucket: "BucketStatus") -> Iterator[str]:
    """Yield what there is to do something about, a sentence each."""
    if bucket.listener is not None and bucket.listener.problem:
        yield bucket.listener.problem
    watched = bucket.watched
    if watched is not None and watched.skipped:
        yield (
            f"{watched.skipped} skipped as existing: what lay there before {_time(watched.since)}, "
            "when the bucket was first watched. To run what has no run yet: "
            f"mediaflow trigger replay {bucket.bucket}"
        )
    if bucket.incomplete:
        yield f"What one waits for: mediaflow trigger why oss://{bucket.bucket}/KEY"
    if watched is not None and watched.unmatched:
        yield f"Why one is not matched: mediaflow trigger why oss://{bucket.bucket}/KEY"


def _bucket_json(bucket: "BucketStatus") -> dict[str, Json]:
    listener, watched = bucket.listener, bucket.watched
    return {
        "Bucket": bucket.bucket,
        "Events": bucket.kind,
        "Waiting": bucket.waiting,
        "LagSeconds": round(_lag(bucket), 3),
        "Empty": bucket.empty,
        "Incomplete": bucket.incomplete,
        "NotMatched": watched.unmatched if watched else 0,
        "SkippedAsExisting": watched.skipped if watched else 0,
        "WatchedSince": _time(watched.since) if watched else "",
        "Problem": listener.problem if listener else "",
        "Notices": listener.seen if listener else 0,
        "LastEvent": _time(listener.last_event) if listener else "",
        "LastListing": _time(listener.last_reconcile) if listener else "",
        "Updated": _time(listener.updated) if listener else "",
    }


def _lag(bucket: "BucketStatus") -> float:
    """Return for how many seconds the oldest arrival has waited."""
    return max((utc_now() - bucket.oldest).total_seconds(), 0.0) if bucket.oldest else 0.0


def _time(moment: datetime | None) -> str:
    return wire_time(moment) if moment else ""
