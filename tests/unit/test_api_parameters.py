"""What the requests of the actions make of missing and empty values, and of moments."""

from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import ValidationError

from workflow_engine.api.action import Action, Request
from workflow_engine.api.actions import ACTIONS
from workflow_engine.api.pages import NumberedRequest
from workflow_engine.api.parameters import LastMoment, Moment
from workflow_engine.api.shapes import missing
from workflow_engine.topology import problems_of
from workflow_engine.topology.wire import Choice


def required(action: Action) -> dict[str, str]:
    """The required parameters of an action, all empty."""
    fields = action.request.model_fields.items()
    return {field.alias or name: "" for name, field in fields if field.is_required()}


def problems(request: type[Request], **values: str) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        request.model_validate(values)
    return {
        problem.pointer.removeprefix("/"): problem.code for problem in problems_of(caught.value)
    }


CHECKED = [a for a in ACTIONS.values() if required(a) and a.name != "UpdateMediaPublishState"]


@pytest.mark.parametrize("action", CHECKED, ids=lambda action: action.name)
def test_required_parameters_are_neither_missing_nor_empty(action: Action) -> None:
    names = required(action)
    assert problems(action.request) == dict.fromkeys(names, "InvalidParameter.NullValue")
    empty = dict.fromkeys(names, "InvalidParameter.EmptyValue")
    assert problems(action.request, **names) == empty


class Range(Request):
    since: Moment | None = None
    until: LastMoment | None = None


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2024-02-29T12:30:01Z", (12, 30, 1), (12, 30, 1, 999_999)),
        ("2024-02-29T12:30Z", (12, 30), (12, 30, 59, 999_999)),
        ("2024-02-29", (), (23, 59, 59, 999_999)),
    ],
)
def test_the_end_of_a_range_holds_all_that_is_written_like_it(
    text: str, since: tuple[int, ...], until: tuple[int, ...]
) -> None:
    found = Range.model_validate({"Since": text, "Until": text})
    day = (2024, 2, 29)
    assert found.since == datetime(*day, *since, tzinfo=UTC)
    assert found.until == datetime(*day, *until, tzinfo=UTC)


def test_the_last_moment_of_all() -> None:
    found = Range.model_validate({"Until": "9999-12-31"})
    assert found.until == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30T00:00:00Z", "2024-02-29T12:30:01"])
def test_what_is_no_moment(text: str) -> None:
    wrong = {"Since": "InvalidParameter.Format", "Until": "InvalidParameter.Format"}
    assert problems(Range, Since=text, Until=text) == wrong


class Listed(NumberedRequest):
    state: Annotated[str, Choice(("All",))] = "All"


def test_pages_are_counted_from_1_with_10_each() -> None:
    counted = Listed.model_validate({"PageNumber": "", "PageSize": ""}).counted(3)
    assert counted == {"TotalCount": 3, "PageNumber": 1, "PageSize": 10}
    outside = {
        "PageNumber": "InvalidParameter.OutOfRange",
        "PageSize": "InvalidParameter.OutOfRange",
    }
    assert problems(Listed, PageNumber="0", PageSize="101") == outside


def test_what_was_asked_for_and_not_found() -> None:
    assert missing(("c", "a", "b"), iter("ad")) == ["c", "b"]
