"""What every kind of bucket says of objects that are not what was asked for."""

from workflow_engine.buckets.interface import Place
from workflow_engine.errors import Code, InvalidInputError, MediaflowError, Transient


class LostHandleError(MediaflowError):
    """The storage does not have what was staged under a handle: stage it under a new one."""

    def __init__(self, bucket: str, key: str) -> None:
        """Name the object."""
        super().__init__(
            Code.STORAGE,
            f'The store does not have what was uploaded for the object "{key}" of the bucket '
            f'"{bucket}".',
            remedy="Check that nothing ends uploads of the bucket early, and run the step again.",
            transient=Transient.STORAGE,
        )


def not_found(bucket: str, key: str) -> InvalidInputError:
    """Return the error for an object that does not exist."""
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        f'The object "{key}" of the bucket "{bucket}" does not exist.',
        remedy="Check the key, which is compared exactly, and the bucket's configuration.",
    )


def changed(bucket: str, key: str) -> InvalidInputError:
    """Return the error for an object that is another version than the one asked for."""
    return InvalidInputError(
        Code.RESOURCE_CONTENT_BAD,
        f'The object "{key}" of the bucket "{bucket}" changed while it was being read.',
        remedy="Run the workflow on the new version.",
    )


def other_content(origin: Place) -> InvalidInputError:
    """Return the error for a finished output that does not hold what was recorded of it."""
    return InvalidInputError(
        Code.RESOURCE_CONTENT_BAD,
        f'The object "{origin}" does not hold what was recorded of it.',
        remedy="Run the workflow again: the step then runs again.",
    )
