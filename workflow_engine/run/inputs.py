"""Finds, pins and reads the inputs of runs (decision 12).

A run that begins names a file or an object URL; one that continues, or comes out of the queue, has
its input in its record and must meet the version that was accepted.
"""

from collections.abc import Callable
from pathlib import Path

from workflow_engine.activity import Binding
from workflow_engine.buckets import Bucket, Buckets, ObjectInfo, SingleFileBucket, plain_path
from workflow_engine.errors import Code, InvalidInputError, file_error
from workflow_engine.records import Digests, ExecutionRecord, ObjectRef, content_version
from workflow_engine.run.source import Source
from workflow_engine.settings.files import readable_file
from workflow_engine.store import Store
from workflow_engine.topology.placeholders import check_key


class Inputs:
    """Opens inputs. `store` gives the store, or None where there is none to ask yet."""

    def __init__(self, configured: Buckets, store: Callable[[], Store | None]) -> None:
        self._configured = configured
        self._store = store

    def open(self, binding: Binding, given: str, key: str | None = None) -> Source:
        """Return what a user names: the URL of an object in a configured bucket, or a file.

        `binding` is that of the graph; `key` the object key that a file gets, by default
        the prefix and the file's name. Raises InvalidInputError when there is no such input or
        it cannot be read.
        """
        found = self._configured.parse(given)
        if found is not None:
            if key is not None:
                raise InvalidInputError(
                    Code.INVALID,
                    f'The object URL "{given}" has a key already.',
                    remedy="Use --object only with files.",
                )
            bucket = self._configured.get(found.bucket)
            ref = ObjectRef(bucket=found.bucket, object=found.object, location=binding.location)
            return self._pinned(ref, bucket)
        path = readable_file(plain_path(given))
        name = key if key is not None else binding.prefix + path.name
        check_key(name)
        ref = ObjectRef(bucket=binding.bucket, object=name, location=binding.location)
        return self._pinned(ref, SingleFileBucket(ref.bucket, name, path))

    def version(self, given: str) -> str | None:
        """Return the version that lies under an object URL now; None for nothing, and for files.

        Raises as `Bucket.head` does.
        """
        found = self._configured.parse(given)
        info = self._configured.get(found.bucket).head(found.object) if found else None
        return info.version if info else None

    def again(self, record: ExecutionRecord) -> Source:
        """Return the input of an execution, in the version that it began with.

        Raises InvalidInputError when it is not there any more or was changed.
        """
        ref = record.input
        in_place = record.origin.startswith("/")
        if record.output_root and in_place:  # a file of its own, or that of a bucket
            bucket: Bucket = SingleFileBucket(ref.bucket, ref.object, readable_file(record.origin))
        else:
            bucket = self._configured.get(ref.bucket)
        return self._pinned(ref, bucket, version=record.version)

    def opener(self, buckets: Buckets) -> Callable[[ObjectRef], Source]:
        """Return what finds and pins an object beside the input; it raises as `side` does."""
        return lambda ref: self.side(ref, buckets.get)

    def side(self, ref: ObjectRef, find: Callable[[str], Bucket]) -> Source:
        """Return an object that an activity reads beside its input; `find` knows the buckets.

        Raises InvalidInputError (`InvalidParameter.ResourceNotFound`) that names it.
        """
        try:
            bucket = find(ref.bucket)
        except InvalidInputError as error:
            raise InvalidInputError(
                error.code,
                f'The object "{ref.object}" of the bucket "{ref.bucket}" cannot be read: '
                f"{error.message[0].lower()}{error.message[1:]}",
                remedy=error.remedy,
            ) from None
        opened = self._pinned(ref, bucket)
        store = self._store()
        if store is not None and opened.digests is not None:
            info = opened.info
            store.digests.save(
                bucket.place(ref.object), info.version, opened.digests, info.fingerprint
            )
        return opened

    def _pinned(self, ref: ObjectRef, bucket: Bucket, version: str = "") -> Source:
        info = bucket.head(ref.object)
        if info is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The object "{ref.object}" does not exist in the bucket "{ref.bucket}".',
                remedy=f'Check the key; "{bucket.place(ref.object)}" is looked for exactly.',
            )
        place = bucket.place(ref.object)
        if version and not version.startswith(info.version):
            raise _changed(place)
        digests = self._digests(bucket, place, info)
        if version not in ("", info.version, digests and content_version(info.version, digests)):
            raise _changed(place)
        return Source(ref=ref, bucket=bucket, info=info, digests=digests)

    def _digests(self, bucket: Bucket, place: str, info: ObjectInfo) -> Digests | None:
        """Return the digests of an object version, computed once per version and file.

        None for what would have to be downloaded: that is left to whoever needs the content.
        """
        store = self._store()
        known = store.digests.get(place, info.version, info.fingerprint) if store else None
        if known is not None or bucket.remote:
            return known
        try:
            return Digests.of(Path(place))
        except OSError as error:
            raise file_error(
                error,
                f'The input "{place}" cannot be read',
                check="Check its permissions.",
                room="",
            ) from None


def _changed(place: str) -> InvalidInputError:
    return InvalidInputError(
        Code.RESOURCE_CONTENT_BAD,
        f'The input "{place}" is not what it was when the execution began.',
        remedy="Run the workflow on it again.",
    )
