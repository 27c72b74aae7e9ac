"""Media buckets: which buckets are bound to the media library (specification, api, 13).

Binding a bucket says what it is for; workflows read and write every configured bucket.
"""

import re
import threading

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records.catalog import BucketType, MediaBucketRecord
from workflow_engine.store import Page, Store

#: media buckets of both types
MAX_BUCKETS = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,61}[a-z0-9_]")


class MediaBuckets:
    """The media buckets of a store."""

    def __init__(self, store: Store) -> None:
        self._rows = store.media_buckets
        self._lock = threading.Lock()

    def bind(self, bucket: str, type: BucketType, *, referer: str = "", role: str = "") -> None:
        """Bind a bucket; one that is bound gets the new referer and role.

        Raises InvalidInputError for an invalid name, a bucket of the other type, and one too
        many.
        """
        if not _NAME.fullmatch(bucket):
            raise InvalidInputError(
                Code.BUCKET_NAME,
                f'The bucket name "{bucket}" is invalid.',
                pointer="/Bucket",
                remedy="Use 3 to 63 lower-case letters, digits, '-' and '_', no '-' at the ends.",
            )
        with self._lock:
            bound = {record.bucket: record.type for record in self._rows.all()}
            if bound.get(bucket, type) is not type:
                raise InvalidInputError(
                    Code.INVALID_STATE,
                    f'The bucket "{bucket}" is bound as {bound[bucket]} already.',
                    pointer="/Bucket",
                    remedy="Unbind it first, or take another bucket.",
                )
            if bucket not in bound and len(bound) >= MAX_BUCKETS:
                raise InvalidInputError(
                    Code.QUOTA_EXCEEDED,
                    f'The bucket "{bucket}" would be one more than {MAX_BUCKETS}.',
                    pointer="/Bucket",
                    remedy="Unbind another one first.",
                )
            self._rows.bind(MediaBucketRecord(bucket=bucket, type=type, referer=referer, role=role))

    def unbind(self, bucket: str, type: BucketType) -> None:
        """Undo `bind`; nothing in the bucket changes.

        Raises InvalidInputError (`InvalidParameter.ResourceNotFound`) when it is not bound so.
        """
        if not self._rows.unbind(bucket, type):
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The bucket "{bucket}" is not bound as {type}.',
                pointer="/Bucket",
                remedy="ListAllMediaBucket tells which are.",
            )

    def page(self, *, limit: int, after: str = "") -> Page[MediaBucketRecord]:
        """Return some of the media buckets, ordered by name; `after` is a page's token."""
        return self._rows.page(limit, after)
