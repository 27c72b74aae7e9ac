"""The jobs of activities in the store: their states, lists of them by index only, their end."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.test_store_pages import JOBS, RANGE, add, after, noted, plan
from tests.integration.test_store_retention import ago, prune
from tests.support.stores import activity, execution, success
from workflow_engine.errors import InvalidInputError
from workflow_engine.records import (
    ActivityJob,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    new_id,
)
from workflow_engine.store import Claim, ExecutionFilter, Store

__all__ = ["noted"]

KIND = ExecutionKind.TRANSCODE
QUEUED, RUNNING = ExecutionState.QUEUED, ExecutionState.RUNNING
COMPLETED, FAIL = ExecutionState.COMPLETED, ExecutionState.FAIL


def claimed(store: Store, **changes: object) -> Claim:
    record = execution("a", "b", **changes)
    return store.queue.add_claimed(record, owner="me", lease_seconds=60)


def begun(store: Store, claim: Claim, name: str = "a", **changes: object) -> ActivityJob:
    job = ActivityJob(
        job_id=new_id(),
        run_id=claim.run_id,
        activity=name,
        position=0,
        kind=KIND,
        pipeline_id="7" * 32,
        created=after(0),
        state=RUNNING,
    )
    job = replace(job, **changes)
    running = activity(name, state=ActivityState.RUNNING, job_id=job.job_id)
    store.steps.save(claim, running, jobs=[job])
    return job


def state(store: Store, job: ActivityJob) -> tuple[ExecutionState, bool] | None:
    found = store.activity_jobs.by_ids(job.kind, [job.job_id])
    return (found[0].state, found[0].cancelled) if found else None


class TestStates:
    def test_those_of_the_activity(self, store: Store) -> None:
        claim = claimed(store)
        job, other = begun(store, claim), begun(store, claim, "b")
        assert store.activity_jobs.by_ids(KIND, [job.job_id]) == [job]
        assert store.activity_jobs.by_ids(ExecutionKind.SNAPSHOT, [job.job_id]) == []
        store.steps.finish(claim, success("a", job_id=job.job_id), step_key=None)
        assert state(store, job) == (COMPLETED, False)
        store.steps.reset(claim, "a")
        assert state(store, job) == (QUEUED, False)
        failed = activity("a", state=ActivityState.FAIL, code="C")
        store.steps.save(claim, failed)
        assert state(store, job) == (FAIL, False)
        store.steps.save(claim, replace(failed, code="Cancelled"))
        assert state(store, job) == (FAIL, True)
        store.steps.save(claim, replace(failed, state=ActivityState.SKIPPED))
        assert state(store, job) is None
        assert state(store, other) == (RUNNING, False)

    def test_it_keeps_when_it_was_created(self, store: Store) -> None:
        claim = claimed(store)
        job = begun(store, claim)
        store.steps.reset(claim, "a")
        begun(store, claim, job_id=job.job_id, created=after(9))
        assert store.activity_jobs.by_ids(KIND, [job.job_id]) == [job]

    @pytest.mark.parametrize("code", ["Cancelled", "C"])
    def test_what_ends_with_its_execution(self, store: Store, code: str) -> None:
        claim = claimed(store)
        job, done = begun(store, claim), begun(store, claim, "b")
        store.steps.finish(claim, success("b", job_id=done.job_id), step_key=None)
        store.executions.save(claim, state=FAIL, code=code, ended=after(1))
        assert state(store, job) == (FAIL, code == "Cancelled")
        assert state(store, done) == (COMPLETED, False)

    def test_what_nobody_runs_is_cancelled_with_its_execution(self, store: Store) -> None:
        claim = claimed(store, state=RUNNING)
        job = begun(store, claim)
        store.queue.release(claim)
        store.queue.request_cancel(claim.run_id)
        assert state(store, job) == (FAIL, True)

    def test_old_ones_go_with_their_execution(self, store: Store) -> None:
        claim = claimed(store, created=ago(100))
        job = begun(store, claim, created=ago(100))
        store.executions.save(claim, state=COMPLETED, ended=ago(100))
        store.queue.release(claim)
        assert prune(store) == 1
        assert state(store, job) is None
        assert store.upkeep.check().problems == ()


class TestPages:
    def test_every_filter_finds_both_kinds_of_jobs(self, store: Store) -> None:
        chance = random.Random(7)
        pipelines = ["7" * 32, "8" * 32]
        outcomes = [(QUEUED, ""), (RUNNING, ""), (COMPLETED, ""), (FAIL, "C"), (FAIL, "Cancelled")]
        every: list[ExecutionRecord] = []
        for _ in range(60):
            state, code = chance.choice(outcomes)
            record = execution(
                kind=chance.choice([KIND, ExecutionKind.SNAPSHOT]),
                state=state,
                code=code,
                pipeline_id=chance.choice(pipelines),
                created=after(chance.randrange(20)),
            )
            every.append(record)
            if chance.random() < 0.5:
                store.queue.add_claimed(record, owner="me", lease_seconds=60)
                continue
            claim = claimed(store, created=record.created)
            begun(
                store,
                claim,
                job_id=record.run_id,
                kind=record.kind,
                pipeline_id=record.pipeline_id,
                created=record.created,
            )
            if state is QUEUED:
                store.steps.reset(claim, "a")
            elif state is COMPLETED:
                store.steps.finish(claim, success("a"), step_key=None)
            elif state is FAIL:
                failed = activity("a", state=ActivityState.FAIL, code=code)
                store.steps.save(claim, failed)
        for kind in (KIND, ExecutionKind.SNAPSHOT):
            for chosen, matches in (
                (ExecutionFilter(kind=kind), lambda one: True),
                (ExecutionFilter(kind=kind, state=RUNNING), lambda one: one.state is RUNNING),
                (ExecutionFilter(kind=kind, state=FAIL), lambda one: one.state is FAIL),
                (
                    ExecutionFilter(kind=kind, state=FAIL, code="Cancelled"),
                    lambda one: one.code == "Cancelled",
                ),
                (
                    ExecutionFilter(kind=kind, state=FAIL, not_code="Cancelled"),
                    lambda one: one.code == "C",
                ),
                (
                    ExecutionFilter(kind=kind, pipeline_id="7" * 32, state=COMPLETED),
                    lambda one: one.pipeline_id == "7" * 32 and one.state is COMPLETED,
                ),
                (
                    ExecutionFilter(kind=kind, since=after(5), until=after(15)),
                    lambda one: after(5) <= one.created <= after(15),
                ),
            ):
                expected = [one for one in every if one.kind is kind and matches(one)]
                expected.sort(key=lambda one: (one.created, one.run_id), reverse=True)
                found, token = [], ""
                while not found or token:
                    page = store.activity_jobs.page(chosen, limit=3, after=token)
                    found += page.items
                    token = page.next_token
                assert expected and found == [one.run_id for one in expected], chosen

    def test_a_token_of_no_job(self, store: Store) -> None:
        with pytest.raises(InvalidInputError):
            store.activity_jobs.page(ExecutionFilter(kind=KIND), limit=3, after="0" * 32)

    @pytest.mark.parametrize(
        ("filter", "index"),
        [
            ({}, "kind"),
            ({"state": QUEUED}, "outcome"),
            ({"state": FAIL, "not_code": "Cancelled"}, "outcome"),
            ({"pipeline_id": "7" * 32}, "pipeline"),
            ({"pipeline_id": "7" * 32, "state": FAIL, "code": "Cancelled"}, "pipeline_outcome"),
        ],
    )
    @pytest.mark.parametrize("deep", [False, True])
    def test_a_page_is_read_off_two_indexes(
        self,
        noted: tuple[Store, list[str]],
        tmp_path: Path,
        filter: dict[str, object],
        index: str,
        deep: bool,
    ) -> None:
        store, queries = noted
        token = add(store, created=after(50)).run_id if deep else ""
        store.activity_jobs.page(ExecutionFilter(**(JOBS | RANGE | filter)), limit=10, after=token)
        others, own = plan(tmp_path / "m.db", queries[-2:])
        assert others.split(" (")[0].endswith(f"INDEX executions_by_{index}")
        assert own.split(" (")[0].endswith(f"INDEX activity_jobs_by_{index}")
        assert ("(created,job_id)<(?,?)" in own) is deep
