"""Finds the bucket that a topology, a URL or a record names."""

import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workflow_engine.buckets.interface import Bucket, Place
from workflow_engine.buckets.local import LocalBucket, SingleFileBucket
from workflow_engine.buckets.mounts import Mounts
from workflow_engine.buckets.s3 import S3Bucket
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.settings import BucketSettings
from workflow_engine.topology.placeholders import check_key
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.urls import check_bucket_name, parse


class Buckets:
    """The buckets of the configuration and, below `fallback_root`, all others as folders.

    `mounts` keeps which file systems folders lie on. Raises InvalidInputError when the
    configuration has a name that no bucket can have.
    """

    def __init__(
        self,
        settings: Mapping[str, BucketSettings],
        *,
        fallback_root: Path | None,
        mounts: Mounts | None = None,
    ) -> None:
        for name in settings:
            check_bucket_name(name)
        self._settings = settings
        self._fallback_root = fallback_root
        self._mounts = mounts or Mounts()
        self._stores: dict[str, S3Bucket] = {}
        self._lock = threading.Lock()

    def below(self, fallback_root: Path | None) -> "Buckets":
        """Return the same buckets with another folder for those without configuration."""
        other = Buckets(self._settings, fallback_root=fallback_root, mounts=self._mounts)
        other._stores, other._lock = self._stores, self._lock  # and their connections
        return other

    def close(self) -> None:
        """Close the connections to object stores; the next call opens new ones."""
        with self._lock:
            for store in self._stores.values():
                store.close()

    @property
    def locations(self) -> Mapping[str, str]:
        """Where the configured buckets lie, by name: a path, or a URL and its server."""
        return {name: _location(settings) for name, settings in self._settings.items()}

    @property
    def have_access_rules(self) -> bool:
        """Whether `Bucket.set_access` does anything in one of them."""
        return any(settings.acl for settings in self._settings.values())

    def get(self, name: str) -> Bucket:
        """Return the bucket of a name.

        Raises InvalidInputError for a name that is invalid, or that is not known where there is
        no `fallback_root`.
        """
        check_bucket_name(name)
        settings = self._settings.get(name)
        if settings is not None and settings.path is not None:
            return LocalBucket(name, settings.path, self._mounts)
        if settings is not None:
            with self._lock:
                return self._stores.setdefault(name, S3Bucket(name, settings))
        if self._fallback_root is not None:
            return LocalBucket(name, self._fallback_root / name, self._mounts)
        meant = Suggester(self._settings).remedy(name)
        remedy = f"Add [buckets.{name}] with a path or a url to the configuration."
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'The bucket "{name}" is not configured.',
            remedy=f"{meant} {remedy}".lstrip(),
        )

    def at(self, place: str) -> Place:
        """Return what lies at a recorded place: an absolute path, or `s3://NAME/KEY`.

        Raises InvalidInputError when the bucket is not configured any more.
        """
        if place.startswith("/"):
            path = Path(place)
            file = SingleFileBucket(path.parent.name, path.name, path, self._mounts)
            return Place(bucket=file, key=path.name)
        ref = parse(place)
        if ref is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_SUPPORTED,
                f'"{place}" is not the place of an object.',
                remedy="Use an absolute path or s3://BUCKET/KEY.",
            )
        return Place(bucket=self.get(ref.bucket), key=ref.object)

    def parse(self, text: str) -> ObjectRef | None:
        """Return the object that a URL names, or None for a plain path; see `urls.parse`.

        Knows URLs of the configured endpoints besides, with the real name of the bucket in the
        path or in the host.
        """
        try:
            parts = urlsplit(text)
        except ValueError:
            return parse(text)
        if parts.scheme in ("http", "https"):
            for name, settings in self._settings.items():
                key = _key_at(settings, parts.netloc, unquote(parts.path))
                if key:
                    check_key(key)
                    return ObjectRef(bucket=name, object=key)
        return parse(text)


def _location(settings: BucketSettings) -> str:
    if settings.path is not None:
        return str(settings.path)
    server = f" at {settings.endpoint_url}" if settings.endpoint_url else ""
    return f"{(settings.url or '').rstrip('/')}{server}"


def _key_at(settings: BucketSettings, host: str, path: str) -> str:
    """Return the key that host and path of a URL mean in a bucket, "" for none."""
    if settings.url is None or settings.endpoint_url is None:
        return ""
    endpoint = urlsplit(settings.endpoint_url).netloc
    real_name = settings.url.partition("://")[2].rstrip("/")
    if host == f"{real_name}.{endpoint}":
        return path.removeprefix("/")
    if host == endpoint and path.startswith(f"/{real_name}/"):
        return path.removeprefix(f"/{real_name}/")
    return ""
