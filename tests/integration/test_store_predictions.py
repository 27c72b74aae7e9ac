"""Predictions in the store: beside what came out, gone with their execution, summed up."""

import pytest

from tests.integration.test_store_activity_jobs import claimed
from tests.integration.test_store_retention import prune, ran
from tests.support.stores import activity, load
from tests.support.topologies import report, start, text, topology, transcode
from workflow_engine.activity import load_registry
from workflow_engine.messages import Outbox
from workflow_engine.planning import graph
from workflow_engine.records import (
    ActivityState,
    Figure,
    Prediction,
    StepResult,
)
from workflow_engine.run.completion import Completion
from workflow_engine.store import Store


def rate(predicted: float, measured: float, position: int = 0) -> Prediction:
    return Prediction(
        position=position, figure=Figure.BITRATE, predicted=predicted, measured=measured
    )


def keep(store: Store, *found: Prediction, name: str = "a") -> str:
    claim = claimed(store)
    store.steps.save(claim, activity(name, state=ActivityState.RUNNING))
    store.predictions.keep(claim.run_id, name, found)
    return claim.run_id


def test_an_activity_has_its_own_in_the_order_of_its_outputs(store: Store) -> None:
    quality = Prediction(position=0, figure=Figure.VMAF, predicted=93.5, measured=94.0)
    run_id = keep(store, rate(900, 1000, position=1), rate(1100, 1000), quality)
    keep(store, rate(1, 2))
    found = store.predictions.of_activity(run_id, "a")
    assert found == [rate(1100, 1000), quality, rate(900, 1000, position=1)]
    assert store.predictions.of_activity(run_id, "b") == []


def test_an_activity_that_runs_again_keeps_the_latest(store: Store) -> None:
    run_id = keep(store, rate(900, 1000), rate(700, 1000, position=1))
    store.predictions.keep(run_id, "a", [rate(990, 1000)])
    assert store.predictions.of_activity(run_id, "a") == [rate(990, 1000)]
    store.predictions.keep(run_id, "a", [])
    assert store.predictions.of_activity(run_id, "a") == []


def test_errors_are_medians_without_sign_for_each_figure(store: Store) -> None:
    assert store.predictions.median_errors() == {}
    keep(store, rate(1030, 1000), rate(900, 1000, position=1), rate(950, 1000, position=2))
    keep(store, Prediction(position=0, figure=Figure.VMAF, predicted=92.0, measured=93.5))
    errors = store.predictions.median_errors()
    assert errors == {Figure.BITRATE: pytest.approx(5.0), Figure.VMAF: pytest.approx(1.5)}


def test_only_the_latest_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_engine.store.predictions._LATEST", 1)
    keep(store, rate(2000, 1000))
    keep(store, rate(1010, 1000))
    assert store.predictions.median_errors() == {Figure.BITRATE: pytest.approx(1.0)}


def test_they_go_with_their_execution(store: Store) -> None:
    claim = ran(store, days=10)
    store.predictions.keep(claim.run_id, "a", [rate(1, 1)])
    assert prune(store, days=5) == 1
    assert store.predictions.median_errors() == {}


def test_a_reused_step_is_not_counted_again(store: Store) -> None:
    flow = topology({"start": start(), "a": transcode(), "report": report(publish="Manual")})
    completion = Completion(store, Outbox({}), graph.load(text(flow), load_registry()))
    facts = {"Encodes": 1, "Predicted": {"bitrate": 900.0}, "PictureBitrate": 1000.0}
    result = StepResult(data={"Outputs": [facts]})
    for reused, found in ((False, [rate(900, 1000)]), (True, [])):
        claim = claimed(store)
        ended = activity("a", state=ActivityState.SUCCESS, reused=reused, result=result)
        store.steps.save(claim, ended)
        completion.activity_ends(load(store, claim), ended)
        assert store.predictions.of_activity(claim.run_id, "a") == found
