"""Files as IMS names them: `{Type, Media, Url}` (specification, other_seeds, 2.1)."""

from typing import Annotated, TypeVar
from urllib.parse import quote

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError, Problem
from workflow_engine.jobs import JobInput
from workflow_engine.jobs.given import from_url
from workflow_engine.topology import problems_of
from workflow_engine.topology.wire import Choice, Text, WireModel, shown


class ImsFile(WireModel):
    """An object by its URL (`OSS`), or a media of the library by its id (`Media`)."""

    type: Annotated[str, Choice(("OSS", "Media"), later=("ExternalURL",))]
    media: Annotated[str, Text(max_bytes=3200)]
    url: Annotated[str, Text(max_bytes=3200, empty=True)] = ""


T = TypeVar("T")

_BY_URL: TypeAdapter[JobInput] = TypeAdapter(Annotated[JobInput, BeforeValidator(from_url)])


def job_input(engine: Engine, file: ImsFile, pointer: str) -> JobInput:
    """Return the object that a file is. Raises InvalidInputError about what stands at `pointer`."""
    if file.type != "Media":
        return named(file, pointer)
    try:
        ref = engine.media.get(file.media).file
    except InvalidInputError as error:
        raise _at(pointer, error) from None
    key = quote(ref.object, safe="/")
    return JobInput.model_validate({"Bucket": ref.bucket, "Location": ref.location, "Object": key})


def named(file: ImsFile, pointer: str) -> JobInput:
    """Return the object that the URL of a file names. Raises InvalidInputError as above."""
    if file.type != "OSS" or "://" not in file.media:
        raise InvalidInputError(
            Code.FORMAT,
            f"The value {shown(file.media)} is not a URL.",
            pointer=f"{pointer}/Media",
            remedy='Use the Type "OSS" with oss://BUCKET/KEY, or for an input "Media" with the id '
            "of a media.",
        )
    try:
        return _BY_URL.validate_python(file.media)
    except ValidationError as error:
        raise _at(pointer, next(iter(problems_of(error)))) from None


def inside(folder: ImsFile, name: str, pointer: str) -> JobInput:
    """Return the object of this name in a folder. Raises InvalidInputError as above."""
    any_name = folder.model_copy(update={"media": f"{folder.media.rstrip('/')}/x"})
    ref = named(any_name, pointer).ref
    before, slash, last = ref.object.rpartition("/")
    if last != "x":  # a query or a fragment hides it
        raise InvalidInputError(
            Code.FORMAT,
            f"The value {shown(folder.media)} is not the URL of a folder.",
            pointer=f"{pointer}/Media",
            remedy="Use oss://BUCKET/FOLDER.",
        )
    key = quote(f"{before}{slash}{name}", safe="/")
    given = {"Bucket": ref.bucket, "Location": ref.location, "Object": key}
    return validated(TypeAdapter(JobInput), given, pointer)


def validated(adapter: TypeAdapter[T], value: object, pointer: str) -> T:
    """Return a value of a type. Raises InvalidInputError about the first thing that is wrong."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = next(iter(problems_of(error, pointer)))
    raise InvalidInputError(first.code, first.message, pointer=first.pointer, remedy=first.remedy)


def _at(pointer: str, error: InvalidInputError | Problem) -> InvalidInputError:
    return InvalidInputError(
        error.code, error.message, pointer=f"{pointer}/Media", remedy=error.remedy
    )
