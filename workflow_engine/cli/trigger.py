"""`trigger status|replay`: what lands in the buckets, and runs for what lies there."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.common import emit, print_json, printable, settings
from workflow_engine.cli.execution import AsJson
from workflow_engine.records import Json, utc_now, wire_time

if TYPE_CHECKING:
    from workflow_engine.catalog.landing import BucketStatus

app = typer.Typer(help="What lands in the buckets: status, replay.", no_args_is_help=True)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the listener of each watched bucket, and how much waits to be taken in."""
    from workflow_engine.engine import Engine

    with closing(Engine(settings())) as engine:
        found = engine.landing.status()
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
        found = engine.landing.replay(bucket, prefix)
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


def _line(bucket: "BucketStatus") -> str:
    listener = bucket.listener
    parts = [bucket.bucket, bucket.kind or "not watched any more"]
    waiting = f"{bucket.waiting} waiting"
    if bucket.oldest is not None:
        waiting += f", the oldest for {_lag(bucket):.0f} s"
    parts.append(waiting)
    if bucket.empty:
        parts.append(f"{bucket.empty} empty")
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
            f"{watched.skipped} skipped: they lay there before {_time(watched.since)}, when the "
            f"bucket was first watched. To run them: mediaflow trigger replay {bucket.bucket}"
        )
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
