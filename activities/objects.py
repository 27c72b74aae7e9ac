"""Object names as parameters: what Start, Transcode and Snapshot share.

Specification: topology, 4.1 and 11; snapshot, 2.
"""

from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import AfterValidator

from workflow_engine.buckets import parse
from workflow_engine.errors import Code, InvalidInputError, Problem
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import Names, check_key, unknown_placeholders
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import Text, WireModel, shown, wire_error

#: placeholders of objects that belong to the input
SOURCE_NAMES = frozenset({"ObjectPrefix", "FileName", "ExtName"})
_SHORTEST = Names(object_prefix="", file_name="x", ext_name="x", run_id="0" * 32, media_id="0" * 32)


def check_object_url(url: str) -> str:
    """Refuse what is not the URL of an object of a bucket; for validation."""
    try:
        named = parse(url) is not None
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    if not named:
        raise wire_error(
            Code.RESOURCE_NOT_SUPPORTED,
            f"The value {shown(url)} is not an object URL.",
            "Use oss://BUCKET/KEY, s3://BUCKET/KEY or https://BUCKET.REGION.aliyuncs.com/KEY.",
        )
    return url


#: the URL of an object of a bucket; other addresses are refused, nothing is downloaded from them
ObjectUrl = Annotated[str, Text(max_bytes=3200), AfterValidator(check_object_url)]


def object_of(url: str) -> ObjectRef:
    """Return the object that an `ObjectUrl` names."""
    ref = parse(url)
    assert ref is not None
    return ref


class ObjectTarget(WireModel):
    """`{Bucket, Location, Object}`: what is written, or read. `object` is URL-encoded."""

    bucket: BucketName
    location: Annotated[str, Text()] = ""
    object: Annotated[str, Text(max_bytes=3200)]

    def template(self) -> ObjectRef:
        """The object with its placeholders, for looking at what could be written."""
        return ObjectRef(bucket=self.bucket, object=self.object, location=self.location)

    def ref(self, names: Names) -> ObjectRef:
        """Return the object for one run; placeholders of single pictures stay.

        Raises InvalidInputError (`InvalidParameter.ObjectKeyInvalid`).
        """
        key = names.fill(self.object)
        check_key(key)
        return ObjectRef(bucket=self.bucket, object=key, location=self.location)


def name_faults(name: str, allowed: Collection[str], pointer: str) -> Iterator[Problem]:
    """Yield what is wrong with an object name; `allowed` are the placeholders it may hold."""
    try:
        unknown = unknown_placeholders(name, allowed)
    except InvalidInputError as error:
        yield Problem(code=error.code, message=error.message, pointer=pointer, remedy=error.remedy)
        return
    for placeholder in unknown:
        yield Problem(
            code=Code.INVALID,
            message=f'The placeholder "{{{placeholder}}}" is not known here.',
            pointer=pointer,
            remedy=f"Use {', '.join(f'{{{known}}}' for known in sorted(allowed))}.",
        )
    try:
        check_key(_shortest_key(name))
    except InvalidInputError as error:
        yield Problem(code=error.code, message=error.message, pointer=pointer, remedy=error.remedy)


def _shortest_key(name: str) -> str:
    """Return the shortest key that a name may become: what is wrong with it always will be."""
    key = _SHORTEST.fill(name)
    # an extension may follow
    return key if key and not key.endswith("/") else f"{key}x"
