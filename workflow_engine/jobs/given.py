"""The parameters that every job has: its input (specification, transcode, 1)."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from workflow_engine.buckets.urls import check_bucket_name
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.placeholders import check_key, decode_object, placeholders_in
from workflow_engine.records import ObjectRef
from workflow_engine.topology.wire import Text, WireModel, wire_error


def _bucket(name: str) -> str:
    try:
        check_bucket_name(name)
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    return name


def _key(name: str) -> str:
    try:
        key = decode_object(name)
        check_key(key)
    except InvalidInputError as error:
        raise wire_error(error.code, error.message, error.remedy) from None
    return key


def _raw(value: Any) -> Any:
    raise wire_error(
        Code.NOT_SUPPORTED,
        "Raw ADPCM and PCM inputs, which this parameter describes, are not supported.",
        "Wrap the sound in a container such as wav, and leave the parameter out.",
    )


#: placeholders that a job outside of workflows has no value for
_OF_WORKFLOWS = frozenset({"RunId", "MediaId"})

#: the name of a bucket
BucketName = Annotated[str, Text(), AfterValidator(_bucket)]


class JobInput(WireModel):
    """`{Bucket, Location, Object}` and what else a job says about its input.

    `object` comes URL-encoded and is kept as the key itself. `referer` is kept and has no effect.
    """

    bucket: BucketName
    location: Annotated[str, Text()] = ""
    object: Annotated[str, Text(max_bytes=3 * 1023), AfterValidator(_key)]
    referer: Annotated[str, Text(max_bytes=1024)] = ""
    container: Annotated[Any, BeforeValidator(_raw)] = None
    audio: Annotated[Any, BeforeValidator(_raw)] = None

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(bucket=self.bucket, object=self.object, location=self.location)


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
