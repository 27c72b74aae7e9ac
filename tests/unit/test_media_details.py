"""The limits of what people say about a media, and the publish states."""

import pytest

from workflow_engine.catalog.media_details import Details, check_submission, checked, checked_tag
from workflow_engine.catalog.publish_states import Caller, allowed
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records.catalog import PublishState


def test_nothing_given_is_nothing_said() -> None:
    details = checked({})
    assert (details.title, details.description, details.cover_url) == ("", "", "")
    assert (details.tags, details.category_id) == ((), None)


def test_texts_are_taken_up_to_their_limits_in_bytes() -> None:
    details = checked({"title": "ä" * 64, "description": "d" * 1024, "category_id": 0})
    assert (len(details.title), len(details.description), details.category_id) == (64, 1024, 0)


@pytest.mark.parametrize(
    ("details", "code", "pointer"),
    [
        ({"title": "ä" * 64 + "a"}, Code.OUT_OF_RANGE, "/Title"),
        ({"description": "d" * 1025}, Code.OUT_OF_RANGE, "/Description"),
        ({"cover_url": "http://a/" + "c" * 3192}, Code.OUT_OF_RANGE, "/CoverURL"),
        ({"cover_url": "oss://vod/cover.jpg"}, Code.FORMAT, "/CoverURL"),
        ({"cover_url": "cover.jpg"}, Code.FORMAT, "/CoverURL"),
        ({"cover_url": "http:///cover.jpg"}, Code.FORMAT, "/CoverURL"),
        ({"cover_url": "http://[::/cover.jpg"}, Code.FORMAT, "/CoverURL"),
        ({"category_id": -1}, Code.OUT_OF_RANGE, "/CateId"),
        ({"category_id": 2**53}, Code.OUT_OF_RANGE, "/CateId"),
        ({"tags": [f"tag {n}" for n in range(17)]}, Code.OUT_OF_RANGE, "/Tags"),
        ({"tags": ["t" * 33]}, Code.OUT_OF_RANGE, "/Tags"),
        ({"tags": ["a,b"]}, Code.FORMAT, "/Tags"),
    ],
)
def test_beyond_the_limits(details: Details, code: Code, pointer: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked(details)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_tags_are_trimmed_and_merged_in_their_order() -> None:
    assert checked({"tags": ["b", " a ", "", "b", "a"]}).tags == ("b", "a")
    repeated = [f"tag {n % 16}" for n in range(40)]
    assert len(checked({"tags": repeated}).tags) == 16


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://a.b/c.jpg?Signature=x&Expires=1", "http://a.b/c.jpg"),
        ("https://a.b/c.jpg", "https://a.b/c.jpg"),
        ("HTTP://a.b/c.jpg?", "HTTP://a.b/c.jpg"),
    ],
)
def test_a_cover_is_kept_without_its_query_string(url: str, kept: str) -> None:
    assert checked({"cover_url": url}).cover_url == kept


@pytest.mark.parametrize(
    ("tag", "code"),
    [("", Code.EMPTY_VALUE), ("t" * 33, Code.OUT_OF_RANGE), ("a,b", Code.FORMAT)],
)
def test_one_tag(tag: str, code: Code) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_tag(tag)
    assert (caught.value.code, caught.value.pointer) == (code, "/Tag")


def test_a_submission_has_limits_too() -> None:
    check_submission("u" * 3200, "d" * 1024)
    for url, data, code, pointer in (
        ("", "", Code.EMPTY_VALUE, "/FileURL"),
        ("u" * 3201, "", Code.OUT_OF_RANGE, "/FileURL"),
        ("u", "d" * 1025, Code.OUT_OF_RANGE, "/MediaWorkflowUserData"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            check_submission(url, data)
        assert (caught.value.code, caught.value.pointer) == (code, pointer)


INITIATED, PUBLISHED, UNPUBLISHED = PublishState


@pytest.mark.parametrize(
    ("caller", "state", "wanted", "may"),
    [
        (Caller.API, INITIATED, PUBLISHED, False),
        (Caller.API, INITIATED, UNPUBLISHED, False),
        (Caller.API, PUBLISHED, UNPUBLISHED, True),
        (Caller.API, UNPUBLISHED, PUBLISHED, True),
        (Caller.WORKFLOW, INITIATED, PUBLISHED, True),
        (Caller.WORKFLOW, INITIATED, UNPUBLISHED, True),
        (Caller.WORKFLOW, PUBLISHED, UNPUBLISHED, False),
        (Caller.WORKFLOW, UNPUBLISHED, PUBLISHED, False),
        (Caller.API, PUBLISHED, PUBLISHED, True),
        (Caller.WORKFLOW, UNPUBLISHED, UNPUBLISHED, True),
    ],
)
def test_moves_between_publish_states(
    caller: Caller, state: PublishState, wanted: PublishState, may: bool
) -> None:
    assert allowed(caller, state, wanted) is may
