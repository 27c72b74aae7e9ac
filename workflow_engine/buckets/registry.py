"""Finds the bucket that a topology or a URL names."""

from collections.abc import Mapping
from pathlib import Path

from workflow_engine.buckets.interface import Bucket
from workflow_engine.buckets.local import LocalBucket
from workflow_engine.buckets.urls import check_bucket_name
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.settings import BucketSettings
from workflow_engine.topology.suggest import Suggester


class Buckets:
    """The buckets of the configuration and, below `fallback_root`, all others as folders.

    Raises InvalidInputError when the configuration has a name that no bucket can have.
    """

    def __init__(
        self, settings: Mapping[str, BucketSettings], *, fallback_root: Path | None
    ) -> None:
        for name in settings:
            check_bucket_name(name)
        self._settings = settings
        self._fallback_root = fallback_root

    def get(self, name: str) -> Bucket:
        """Return the bucket of a name.

        Raises InvalidInputError for a name that is invalid, that is not known where there is no
        `fallback_root`, and for object stores, which this version does not support.
        """
        check_bucket_name(name)
        settings = self._settings.get(name)
        if settings is not None and settings.path is not None:
            return LocalBucket(name, settings.path)
        if settings is not None:
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f'The bucket "{name}" at "{settings.url}" is an object store; object-store '
                "buckets are not supported by this version.",
                remedy=f"Give [buckets.{name}] a path instead of a url.",
            )
        if self._fallback_root is not None:
            return LocalBucket(name, self._fallback_root / name)
        meant = Suggester(self._settings).remedy(name)
        remedy = f"Add [buckets.{name}] with a path to the configuration."
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The bucket "{name}" is not configured.',
            remedy=f"{meant} {remedy}".lstrip(),
        )
