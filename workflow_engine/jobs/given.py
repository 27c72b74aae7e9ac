"""The objects that jobs name: their input (specification, transcode, 1), and outputs."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import Json, ObjectRef
from workflow_engine.topology.placeholders import check_key, decode_object, placeholders_in
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.urls import object_url, parse
from workflow_engine.topology.wire import Text, WireModel, shown, wire_error


def _key(name: str) -> str:
    try:
        key = decode_object(name)
        check_key(key)
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    return key


def from_url(value: Any) -> Any:
    """Return the members of a JobObject for the URL of one, and anything else as it is.

    Raises PydanticCustomError for a URL that names no object of a bucket.
    """
    if not isinstance(value, str) or not _URL.match(value):
        return value
    try:
        ref = parse(value)
    except InvalidInputError as error:
        if error.code != Code.RESOURCE_NOT_SUPPORTED:
            raise wire_error(error.code, error.message, error.remedy) from None
        ref = None
    if ref is None:
        raise wire_error(
            Code.RESOURCE_NOT_SUPPORTED,
            f"The value {shown(value)} names no object of a bucket.",
            "Use oss://BUCKET/KEY, https://BUCKET.REGION.aliyuncs.com/KEY, or a JSON object with "
            "Bucket, Location and Object.",
        )
    return {"Bucket": ref.bucket, "Object": quote(ref.object, safe=_UNQUOTED), "Url": value}


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
#: what object names are told apart by, and placeholders
_UNQUOTED = "/{}"

#: placeholders that a job outside of workflows has no value for
_OF_WORKFLOWS = frozenset({"RunId", "MediaId"})


class JobObject(WireModel):
    """`{Bucket, Location, Object}`; `url` is what was given in its place, empty otherwise.

    `object` comes URL-encoded and is kept as the key itself.
    """

    bucket: BucketName
    location: Annotated[str, Text()] = ""
    object: Annotated[str, Text(max_bytes=3 * 1023), AfterValidator(_key)]
    url: str = ""

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(bucket=self.bucket, object=self.object, location=self.location)

    @property
    def shown_url(self) -> str:
        """The URL, as it was given where it was."""
        return self.url or object_url(self.ref)


class JobInput(JobObject):
    """An object and what else a job says about its input.

    `referer` is kept and has no effect. `container` and `audio` describe raw sound; Start checks
    them.
    """

    referer: Annotated[str, Text(max_bytes=1024)] = ""
    container: Any = None
    audio: Any = None

    @property
    def input_file(self) -> dict[str, Json]:
        """What Start gets as its InputFile."""
        bound: dict[str, Json] = {"Bucket": self.bucket, "Location": self.location}
        raw = {"Container": self.container, "Audio": self.audio}
        return {**bound, **{name: value for name, value in raw.items() if value is not None}}


def refuse_workflow_placeholders(name: str, pointer: str) -> None:
    """Refuse an object name with placeholders that only workflows have.

    Specification: topology, 11. Raises InvalidInputError.
    """
    for placeholder in placeholders_in(name):
        if placeholder in _OF_WORKFLOWS:
            raise InvalidInputError(
                Code.INVALID,
                f'The placeholder "{{{placeholder}}}" is known in workflows only.',
                pointer=pointer,
                remedy="Leave it out.",
            )
