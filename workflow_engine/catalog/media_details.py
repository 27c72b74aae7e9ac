"""What people say about a media, with its limits (specification, api, 12; topology, 12).

`media.py` keeps it. Pointers of errors name the parameters of the API.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypedDict
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from workflow_engine.buckets import parse
from workflow_engine.catalog.checks import check, placed
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.topology.wire import Number, Text, WireModel, shown, wire_error

#: bytes of UTF-8
MAX_URL = 3200
MAX_TAG = 32
#: tags of one media
MAX_TAGS = 16
#: the largest category whose number every JSON parser keeps
MAX_CATEGORY = 2**53 - 1

_CLOUD = ".aliyuncs.com"


def media_file(url: str, pointer: str = "/FileURL") -> ObjectRef:
    """Return the object that a URL names, with the location that stands in it, if any.

    Raises InvalidInputError for what is not the URL of an object; `pointer` names the parameter.
    """
    with placed(pointer):
        ref = parse(url)
    if ref is None:
        raise InvalidInputError(
            Code.INVALID,
            f"The value {shown(url)} is not the URL of an object.",
            pointer=pointer,
            remedy=f"Use http://BUCKET.REGION{_CLOUD}/KEY or oss://BUCKET/KEY.",
        )
    host = urlsplit(url).hostname if url[:4].lower() == "http" else None
    region = (host or "").removeprefix(f"{ref.bucket}.").removesuffix(_CLOUD)
    return replace(ref, location=region)


class Details(TypedDict, total=False):
    """What people say about a media; what is left out is empty."""

    title: str
    description: str
    cover_url: str
    tags: Sequence[str]
    category_id: int | None


def _without_query(url: str) -> str:
    """Return an http URL without its query string, where a signature would expire."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # a host such as "[::"
        is_http = False
    if not is_http:
        raise wire_error(
            Code.FORMAT, f"The value {shown(url)} is not an http URL.", "Use http://HOST/PATH."
        )
    return url.partition("?")[0]


def _one_tag(value: Any) -> str:
    tag = Text(max_bytes=MAX_TAG).check(value)
    if "," in tag:
        raise wire_error(
            Code.FORMAT, f"The tag {shown(tag)} holds a comma.", "Give each tag on its own."
        )
    return tag


def _merged(values: Sequence[str]) -> tuple[str, ...]:
    stripped = (value.strip() for value in values)
    tags = tuple(dict.fromkeys(_one_tag(value) for value in stripped if value))
    if len(tags) > MAX_TAGS:
        raise wire_error(
            Code.OUT_OF_RANGE,
            f"The tag {shown(tags[MAX_TAGS])} is one too many.",
            f"Use at most {MAX_TAGS} tags.",
        )
    return tags


class CheckedDetails(WireModel):
    """The limits of `Details`; the fields are named as those of MediaRecord."""

    title: Annotated[str, Text(max_bytes=128)] = ""
    description: Annotated[str, Text(max_bytes=1024)] = ""
    cover_url: Annotated[str, Text(max_bytes=MAX_URL), AfterValidator(_without_query)] = Field(
        default="", alias="CoverURL"
    )
    tags: Annotated[tuple[str, ...], BeforeValidator(_merged)] = ()
    category_id: Annotated[int, Number(0, MAX_CATEGORY)] | None = Field(
        default=None, alias="CateId"
    )


class _Tag(WireModel):
    tag: Annotated[str, BeforeValidator(_one_tag)]


class _Submission(WireModel):
    file_url: Annotated[str, Text(max_bytes=MAX_URL)] = Field(alias="FileURL")
    media_workflow_user_data: Annotated[str, Text(max_bytes=1024)] = ""


def checked(details: Details) -> CheckedDetails:
    """Return details, without repeated tags. Raises InvalidInputError for the first fault."""
    return check(
        CheckedDetails,
        Title=details.get("title"),
        Description=details.get("description"),
        CoverURL=details.get("cover_url"),
        Tags=details.get("tags"),
        CateId=details.get("category_id"),
    )


def checked_tag(tag: str) -> str:
    """Return one tag. Raises InvalidInputError for what cannot be one."""
    return check(_Tag, Tag=tag).tag


def check_submission(file_url: str, user_data: str) -> None:
    """Raise InvalidInputError for parameters of AddMedia that are empty or too long."""
    check(_Submission, FileURL=file_url, MediaWorkflowUserData=user_data)
