"""Every limit of a single field: what is outside is refused before anything runs, by its place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.transcode.model.joined import MergeConfig
from tests.support.limits.judging import errors, field, placed, side_by_side, told
from tests.support.limits.others import OTHERS, PACKAGES, REQUESTS
from tests.support.limits.outputs import (
    ECHOED,
    MARK,
    MP4,
    OUTPUTS,
    PART,
    PLACEMENT,
    REFUSED,
    SECTIONS,
    Limit,
)
from tests.support.limits.rules import (
    BUCKET,
    EMPTY,
    FORMAT,
    INVALID,
    KEY,
    NULL,
    OBJECT,
    RANGE,
    UNSUPPORTED,
    arabic,
)
from workflow_engine.activity import load_registry
from workflow_engine.api.actions import ACTIONS
from workflow_engine.planning.graph import load
from workflow_engine.topology import problems_of

ALL = [*SECTIONS, *PLACEMENT, *OUTPUTS, *OTHERS, *PACKAGES]


@pytest.mark.parametrize("limit", ALL, ids=str)
def test_what_is_inside_is_accepted_and_what_is_outside_refused_by_its_own_name(limit: Limit):
    codes = {"": limit.rule.good, **limit.rule.bad}
    cases = [(value, code) for code, values in codes.items() for value in values]
    cases += [("", EMPTY if limit.needed else ""), (None, NULL if limit.needed else "")]
    for (value, code), found in zip(cases, told(limit, (v for v, _ in cases)), strict=True):
        assert found == ([(code, limit.at)] if code else []), repr(value)


@pytest.mark.parametrize("at", REFUSED)
def test_what_this_version_does_not_do_is_refused_by_its_own_name(at: str):
    assert told(field(at), ["1", {}]) == [[(UNSUPPORTED, f"/Outputs/0{at}")]] * 2


@pytest.mark.parametrize("at", ECHOED)
def test_what_only_answers_have_is_ignored_with_a_warning(at: str):
    for value in ("1", {}):
        topology = side_by_side([("Transcode", placed(field(at), value))])
        warnings = load(json.dumps(topology), load_registry()).warnings
        assert [one.remedy for one in warnings if one.pointer.endswith(at)] == ["Remove it."]


Drawn = st.SearchStrategy[tuple[Limit, Any, str]]
MIDDLE = st.sampled_from([one for one in ALL if one.kind in ("Transcode", "Snapshot", "Analysis")])


def accepted(limit: Limit) -> Drawn:
    return st.tuples(st.just(limit), limit.rule.inside, st.just(""))


def refused(limit: Limit) -> Drawn:
    listed = [(limit, one, code) for code, bad in limit.rule.bad.items() for one in bad]
    beyond = st.tuples(st.just(limit), limit.rule.outside, st.just(RANGE))
    return beyond | st.sampled_from(listed)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(
            MIDDLE.flatmap(accepted) | MIDDLE.flatmap(refused), st.lists(st.booleans(), max_size=8)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_many_at_once_wherever_they_are_encoded(drawn: Any):
    """Any mixture, with JSON inside strings at any level: each bad one is told, and only they."""
    activities, expected = [], []
    for n, ((limit, value, code), strings) in enumerate(drawn):
        activities.append((limit.kind, placed(limit, value, [*strings, *[False] * 9])))
        if code:
            expected.append((code, f"/Activities/a{n}/Parameters{limit.at}"))
    found = [(str(one.code), one.pointer) for one in errors(side_by_side(activities))]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("count", "code"), [(1, ""), (30, ""), (31, RANGE), (0, EMPTY)])
def test_an_activity_has_1_to_30_outputs(count: int, code: str):
    limit = Limit("Transcode", "/Outputs", room={"OutputBucket": "out"})
    outputs = [{"OutputObject": f"{n}", "TemplateId": MP4} for n in range(count)]
    forms = [outputs, json.dumps(outputs), [json.dumps(one) for one in outputs]]
    assert told(limit, forms) == [[(code, "/Outputs")] if code else []] * 3


@pytest.mark.parametrize("name", ["Video", "Audio", "Clip", "Encryption", "DeWatermark"])
def test_what_is_no_object(name: str):
    limit = field(f"/{name}")
    values = ("{", "[]", "null", "7", '{"Crf": NaN}', '{"a":1,"a":2}', [], True, 7, "text")
    assert told(limit, values) == [[(OBJECT, limit.at)]] * len(values)


def test_a_key_of_regions_is_named_itself():
    limit = field("/DeWatermark")
    wrong = {"-1": FORMAT, "1.5": FORMAT, arabic("1"): FORMAT, "9" * 12: RANGE, "x": FORMAT}
    assert told(limit, [{key: []} for key in wrong]) == [
        [(code, f"{limit.at}/{key}")] for key, code in wrong.items()
    ]


LONG = "/".join(["x" * 200] * 6)


@pytest.mark.parametrize("at", ["/OutputObject", "/Object", "/WaterMarks/0/InputFile/Object"])
def test_names_of_objects(at: str):
    limit = field(at, **{"OutputObject": None} if at == "/Object" else {}, WaterMarks=[MARK])
    good = (LONG[:1023], "é" * 127, "{FileName}", "a%2Fb c%2B+", "{ObjectPrefix}/{FileName}")
    assert told(limit, good) == [[]] * len(good)
    bad = (LONG[:1024], f"{LONG[:1020]}%C3%A9%C3%A9", "x" * 256, "a\nb", "a%0Ab", "%ff", "a/../b")
    assert told(limit, bad) == [[(KEY, limit.at)]] * len(bad)
    assert told(limit, ["{Nope}", "{SnapshotTime}"]) == [[(INVALID, limit.at)]] * 2


@pytest.mark.parametrize(
    ("bucket", "code"), [("b" * 64, ""), ("b" * 65, BUCKET), ("a/b", BUCKET), (".", BUCKET)]
)
def test_names_of_buckets(bucket: str, code: str):
    inner = field("/WaterMarks/0/InputFile/Bucket", WaterMarks=[MARK])
    for limit in (inner, Limit("Transcode", "/OutputBucket", room=inner.room)):
        assert told(limit, [bucket]) == [[(code, limit.at)] if code else []]


@pytest.mark.parametrize(("count", "code"), [(50, ""), (51, RANGE), (0, EMPTY)])
def test_a_listed_file_has_1_to_50_parts(count: int, code: str):
    found = faults(MergeConfig, {"MergeList": [PART] * count})
    assert found == ([(code, "/MergeList")] if code else [])


def faults(model: Any, content: Any) -> list[tuple[str, str]]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return [(str(one.code), one.pointer) for one in problems_of(error)]
    return []


@pytest.mark.parametrize(("action", "name"), REQUESTS, ids=".".join)
def test_requests_have_their_limits(action: str, name: str):
    rule, request = REQUESTS[action, name], ACTIONS[action].request
    for code, values in {"": rule.good, **rule.bad}.items():
        for value in values:
            # other parameters are missing
            found = [one for one in faults(request, {name: value}) if one[1] == f"/{name}"]
            assert found == ([(code, f"/{name}")] if code else []), repr(value)
