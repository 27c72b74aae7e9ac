"""Checks of single parameters, by models with wire names, and where errors say they stand."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, TypeVar

from pydantic import ValidationError

from workflow_engine.errors import InvalidInputError, TopologyError
from workflow_engine.topology import problems_of
from workflow_engine.topology.wire import Text, WireModel

#: a character that every answer can hold, XML included
PRINTABLE = r"[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]"

#: UTF-8 bytes of the names of templates and pipelines (specification, api, 3)
MAX_NAME = 128

M = TypeVar("M", bound=WireModel)


class Named(WireModel):
    """The name of a template."""

    name: Annotated[
        str, Text(max_bytes=MAX_NAME, pattern=f"{PRINTABLE}+", form="printable characters")
    ]


def check(model: type[M], **values: object) -> M:
    """Return parameters of wire names, checked. Raises InvalidInputError for the first problem."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = next(iter(problems_of(error)))
        raise InvalidInputError(
            first.code, first.message, pointer=first.pointer, remedy=first.remedy
        ) from None


@contextmanager
def placed(pointer: str) -> Generator[None]:
    """Say of an error that names no place that it stands at `pointer`."""
    try:
        yield
    except InvalidInputError as error:
        if error.pointer or isinstance(error, TopologyError):
            raise
        raise InvalidInputError(
            error.code, error.message, pointer=pointer, remedy=error.remedy
        ) from None
