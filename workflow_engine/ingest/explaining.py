"""Finds out why an object did or did not start runs: `mediaflow trigger why`.

Every fact comes from the code and the records by which the intake decides; `explanation.py` says
what follows from them.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from workflow_engine.buckets import Bucket, Buckets, ObjectInfo, plain_path
from workflow_engine.catalog.matching import Rule, Verdict, verdict
from workflow_engine.errors import MediaflowError
from workflow_engine.ingest.admission import OwnOutputs, WorkflowMatcher
from workflow_engine.ingest.explanation import Explanation, ExplanationKind, Facts, explain
from workflow_engine.ingest.parts import Held, Parts
from workflow_engine.ingest.stability import known_as, look_at
from workflow_engine.records import (
    ExecutionKind,
    ExecutionRecord,
    content_version,
    run_id_of,
    utc_now,
)
from workflow_engine.records.catalog import WorkflowState
from workflow_engine.records.ingest import Arrival, KnownVersion, ListenerRecord
from workflow_engine.settings import BucketSettings
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.topology.object_names import is_candidate
from workflow_engine.topology.suggest import Suggester

#: executions of one object that are looked at
_MOST_RUNS = 100
#: workflows that are looked at
_MOST_WORKFLOWS = 1000
#: a listener that has not reported for so long has no service any more: they do each half minute
_SILENT = timedelta(seconds=90)


class Explainer:
    """Explains single objects. `matcher` says what they start."""

    def __init__(
        self,
        *,
        store: Store,
        buckets: Buckets,
        settings: Mapping[str, BucketSettings],
        matcher: WorkflowMatcher,
        own_outputs: OwnOutputs,
        parts: Parts,
    ) -> None:
        """`settings` are those of the buckets."""
        self._store = store
        self._buckets = buckets
        self._settings = settings
        self._matcher = matcher
        self._own_outputs = own_outputs
        self._parts = parts

    def explain(self, given: str) -> Explanation:
        """See `Intake.explain`."""
        found = self._named(given)
        if isinstance(found, Explanation):
            return found
        name, key = found
        settings = self._settings.get(name)
        if settings is None:
            return self._without_bucket(name)
        return explain(self._facts(name, key, settings))

    # --- which object is meant -----------------------------------------------------------

    def _named(self, given: str) -> tuple[str, str] | Explanation:
        """Return bucket and key; that of a folder ends in a slash."""
        ref = self._buckets.parse(given.rstrip("/"))
        if ref is None:
            return self._of_path(Path(plain_path(given)))
        key = ref.object + "/" * given.endswith("/")
        return self._configured_name(ref.bucket), key

    def _configured_name(self, name: str) -> str:
        """Return how the configuration calls a bucket that may be named as its store does."""
        buckets = self._settings
        if name in buckets:
            return name
        real = [
            ours
            for ours, settings in buckets.items()
            if settings.url and settings.url.partition("://")[2].rstrip("/") == name
        ]
        return real[0] if len(real) == 1 else name

    def _of_path(self, path: Path) -> tuple[str, str] | Explanation:
        """Return bucket and key of a path in the folder of a bucket, the innermost one."""
        roots = {
            name: settings.path
            for name, settings in self._settings.items()
            if settings.path is not None
        }
        # as it is written first: links inside of a bucket are objects, too
        for resolve in (os.path.abspath, os.path.realpath):
            wanted = Path(resolve(path))
            inside = [n for n, root in roots.items() if wanted.is_relative_to(resolve(root))]
            if inside:
                name = max(inside, key=lambda one: len(os.fspath(resolve(roots[one]))))
                key = wanted.relative_to(resolve(roots[name])).as_posix()
                return name, "/" if key == "." else key + "/" * wanted.is_dir()
        folders = ", ".join(f'"{root}" ({name})' for name, root in sorted(roots.items()))
        return Explanation(
            outcome=ExplanationKind.NO_BUCKET,
            conclusion=f'"{path}" lies in the folder of no configured bucket.',
            remedy=f"The folders are: {folders or 'none'}.",
        )

    def _without_bucket(self, name: str) -> Explanation:
        meant = Suggester(self._settings).remedy(name)
        return Explanation(
            outcome=ExplanationKind.NO_BUCKET,
            conclusion=f'The bucket "{name}" is not configured, so nothing that lands in it is '
            "noticed.",
            remedy=f"{meant} Add [buckets.{name}] to the configuration.".strip(),
        )

    # --- what is known of it -------------------------------------------------------------

    def _facts(self, name: str, key: str, settings: BucketSettings) -> Facts:
        store, bucket = self._store, self._buckets.get(name)
        info, problem = self._head(bucket, key)
        arrival = store.arrivals.get(name, key)
        growing = ""
        if info is not None and info.size and not problem:
            growing = self._growing(bucket, info, settings, arrival.seen if arrival else "")
        known = store.intake.known(name, [key]).get(key, [])
        if info is not None:
            info = self._as_taken(bucket, info, known)
        kind = settings.events or ""
        verdicts = self._verdicts(name, key)
        listener = next((one for one in store.listeners.all() if one.bucket == name), None)
        return Facts(
            bucket=name,
            key=key,
            place=f'"{name}" is {self._described(settings)}',
            kind=kind if isinstance(kind, str) else kind.kind,
            info=info,
            problem=problem,
            growing=growing,
            owner=self._owner(bucket, info),
            held=self._held(bucket, info, arrival, settings),
            verdicts=verdicts,
            known=tuple(known_as(info, known)) if info is not None else (),
            arrival=arrival,
            runs=tuple(self._runs(name, key)),
            removed=self._removed(name, info, verdicts),
            skips=settings.existing == "skip",
            watched=store.intake.watched(name),
            listener=listener,
            alive=_is_alive(listener),
        )

    def _described(self, settings: BucketSettings) -> str:
        if settings.path is not None:
            return f'the folder "{settings.path}"'
        at = f" at {settings.endpoint_url}" if settings.endpoint_url else ""
        return f'"{settings.url}"{at}'

    def _head(self, bucket: Bucket, key: str) -> tuple[ObjectInfo | None, str]:
        """Return what lies under a key, and why it cannot be looked at."""
        if not is_candidate(key):
            return None, ""
        try:
            return bucket.head(key), ""
        except MediaflowError as error:
            return None, error.message

    def _as_taken(
        self, bucket: Bucket, info: ObjectInfo, known: Sequence[KnownVersion]
    ) -> ObjectInfo:
        """Return an object with the version of its content, if that was taken as one."""
        last = self._store.digests.last_read([bucket.place(info.key)])
        read = last.get(bucket.place(info.key))
        if read is None or read.fingerprint != info.fingerprint:
            return info
        version = content_version(info.version, read.digests)
        taken = any(one.version == version for one in known)
        return replace(info, version=version) if taken else info

    def _growing(
        self, bucket: Bucket, info: ObjectInfo, settings: BucketSettings, before: str
    ) -> str:
        """Return a clause that says why an object is not finished, "" when it is."""
        seconds = settings.settle_seconds
        (look,) = look_at(bucket, [(info.key, before)], settle_seconds=seconds)
        if look.complete:
            return ""
        if bucket.settled(info.key) is False:
            return "a program has it open for writing"
        age = (utc_now() - info.modified).total_seconds()
        if age < seconds:
            return f"it changed {age:.1f} s ago, and is finished when it stays so for {seconds:g} s"
        return "nobody can tell who writes it, so it must stay the same from one look to the next"

    def _owner(self, bucket: Bucket, info: ObjectInfo | None) -> str:
        """Return the execution whose output an object is, "" for none."""
        if info is None:
            return ""
        starts = self._matcher.starts(self._matcher.verdicts(bucket.name, [info.key]))
        return self._own_outputs.owners(bucket, [info], starts, wait=True).get(info.key, "")

    def _held(
        self,
        bucket: Bucket,
        info: ObjectInfo | None,
        arrival: Arrival | None,
        settings: BucketSettings,
    ) -> Held | None:
        """Return why an object is held back, or a part of another one."""
        if info is None:
            return None
        noticed = {info.key: arrival.first_noticed} if arrival else {}
        try:
            judged = self._parts.judge(bucket, [info], noticed, settings.settle_seconds)
        except MediaflowError:
            return None  # what cannot be read is told of the object itself
        return judged.get(info.key)

    def _verdicts(self, bucket: str, key: str) -> tuple[Verdict, ...]:
        """Judge the object by every workflow, those of its bucket first."""
        states = (WorkflowState.ACTIVE, WorkflowState.INACTIVE)
        found, _ = self._store.workflows.search(states, offset=0, limit=_MOST_WORKFLOWS)
        judged = [verdict(workflow, bucket, key) for workflow in found]
        return tuple(sorted(judged, key=lambda one: (Rule.BUCKET in one.broken, len(one.broken))))

    def _runs(self, bucket: str, key: str) -> Sequence[ExecutionRecord]:
        chosen = ExecutionFilter(kind=ExecutionKind.WORKFLOW, bucket=bucket, object=key)
        return self._store.executions.page(chosen, limit=_MOST_RUNS).items

    def _removed(
        self, bucket: str, info: ObjectInfo | None, verdicts: Sequence[Verdict]
    ) -> Mapping[str, str]:
        """Return the RunIds of triggered runs that retention has removed, by workflow id."""
        if info is None:
            return {}
        ids = {
            v.workflow.id: run_id_of(v.workflow.id, bucket, info.key, info.version)
            for v in verdicts
        }
        removed = self._store.intake.removed(ids.values())
        return {workflow: run_id for workflow, run_id in ids.items() if run_id in removed}


def _is_alive(listener: ListenerRecord | None) -> bool:
    return listener is not None and utc_now() - listener.updated < _SILENT
