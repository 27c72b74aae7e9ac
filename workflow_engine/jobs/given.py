"""The parameters that every job has: its input (specification, transcode, 1)."""

from typing import Annotated, Any

from pydantic import AfterValidator

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import Json, ObjectRef
from workflow_engine.topology.placeholders import check_key, decode_object, placeholders_in
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import Text, WireModel, wire_error


def _key(name: str) -> str:
    try:
        key = decode_object(name)
        check_key(key)
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    return key


#: placeholders that a job outside of workflows has no value for
_OF_WORKFLOWS = frozenset({"RunId", "MediaId"})


class JobInput(WireModel):
    """`{Bucket, Location, Object}` and what else a job says about its input.

    `object` comes URL-encoded and is kept as the key itself. `referer` is kept and has no effect.
    `container` and `audio` describe raw sound; Start checks them.
    """

    bucket: BucketName
    location: Annotated[str, Text()] = ""
    object: Annotated[str, Text(max_bytes=3 * 1023), AfterValidator(_key)]
    referer: Annotated[str, Text(max_bytes=1024)] = ""
    container: Any = None
    audio: Any = None

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(bucket=self.bucket, object=self.object, location=self.location)

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
