"""What becomes of a package whose streams were skipped or failed: planned without a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities.packaging import GenerateMasterPlayList
from activities.packaging.streams import Segment, SegmentFormat, Stream, StreamKind
from tests.support import packages
from tests.support.context import make_plan_context
from workflow_engine.activity import (
    ActivityError,
    PlanContext,
    Skip,
    Step,
    StepResult,
    load_registry,
)
from workflow_engine.planning.graph import load


def stream(kind: StreamKind, ticks: tuple[int, ...] = (2000, 2000)) -> StepResult:
    """A stream that was made, its URI that of an earlier run."""
    record = Stream(
        kind=kind,
        uri="earlier.m3u8",
        segment_format=SegmentFormat.TS,
        timescale=1000,
        segments=tuple(Segment(ticks=one, bytes=1000) for one in ticks),
        peak_bps=4000,
        average_bps=4000,
        codecs=("avc1.640015",) if kind is StreamKind.VIDEO else ("mp4a.40.2",),
        width=160,
        height=90,
    )
    return StepResult(data={"Stream": record.to_json()})


SOUND, PICTURE = stream(StreamKind.AUDIO), stream(StreamKind.VIDEO)


def planned(
    skipped: tuple[str, ...] = (), value: dict[str, Any] | None = None, **made: StepResult
) -> Step | Skip:
    graph = load(json.dumps(value or packages.hls()), load_registry())
    base = make_plan_context(Path("film.mp4"))
    context = PlanContext(
        activity="master",
        source=base.source,
        digests=base.digests,
        names=base.names,
        upstream={},
        graph=graph.view,
        results=made,
        skipped=skipped,
    )
    activity = GenerateMasterPlayList()
    parameters = graph.nodes["master"].parameters
    assert isinstance(parameters, GenerateMasterPlayList.parameters)
    return activity.plan(parameters, context)


def text(step: Step | Skip) -> str:
    assert isinstance(step, Step)
    (listed,) = step.identity["Lists"]
    return listed


def test_what_a_rule_skipped_is_left_out_without_a_word():
    step = planned(("low",), high=PICTURE, english=SOUND)
    assert isinstance(step, Step) and step.warnings == ()
    assert "high/video.m3u8" in text(step) and "low/" not in text(step)


def test_what_failed_is_left_out_with_a_warning():
    step = planned(high=PICTURE, english=SOUND)
    assert isinstance(step, Step)
    assert [problem.message for problem in step.warnings] == [
        'The stream "low" failed and is left out of the package.'
    ]


def test_without_the_only_sound_the_pictures_name_none():
    step = planned(high=PICTURE, low=PICTURE)
    assert "AUDIO" not in text(step)


def test_a_package_whose_pictures_were_all_skipped_is_skipped():
    assert isinstance(planned(("high", "low"), english=SOUND), Skip)


def test_a_package_whose_last_picture_failed_fails():
    with pytest.raises(ActivityError) as caught:
        planned(("low",), english=SOUND)
    assert "high failed" in caught.value.message


def test_players_choose_one_stream_of_a_language_by_themselves():
    value = packages.hls()
    value["Activities"]["comments"] = packages.sound(
        ExtXMedia={"Name": "Comments", "Language": "en", "URI": "audio/comments.m3u8"}
    )
    value["Dependencies"]["voices"].append("comments")
    value["Dependencies"]["comments"] = ["master"]
    step = planned(value=value, high=PICTURE, low=PICTURE, english=SOUND, comments=SOUND)
    lines = [line for line in text(step).splitlines() if "TYPE=AUDIO" in line]
    assert ["AUTOSELECT=YES" in line for line in lines] == [True, False]


def test_pictures_that_are_cut_apart_are_told():
    apart = stream(StreamKind.VIDEO, (3000, 1000))
    step = planned(high=PICTURE, low=apart, english=SOUND)
    assert isinstance(step, Step)
    assert ["low/video.m3u8" in problem.message for problem in step.warnings] == [True]
