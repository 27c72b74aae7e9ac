"""The buckets that are bound to the media library."""

import sqlalchemy as sa

from workflow_engine.records import stable_id
from workflow_engine.records.catalog import BucketType, MediaBucketRecord
from workflow_engine.store.catalog_schema import media_buckets
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.mapping import MEDIA_BUCKET
from workflow_engine.store.pages import Page, unknown_token


class MediaBucketTable:
    """Media buckets; `catalog/media_buckets.py` has the rules, and how few there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bind(self, record: MediaBucketRecord) -> None:
        """Bind a bucket; one that is bound gets the new referer and role."""
        row = MEDIA_BUCKET.row(record)
        with self._database.write() as connection:
            connection.execute(
                upsert(connection.dialect.name, media_buckets)
                .values(row)
                .on_conflict_do_update(
                    index_elements=[media_buckets.c.bucket, media_buckets.c.type], set_=row
                )
            )

    def unbind(self, bucket: str, type: BucketType) -> bool:
        """Unbind a bucket; false when it is not bound."""
        delete = sa.delete(media_buckets).where(
            media_buckets.c.bucket == bucket, media_buckets.c.type == type
        )
        with self._database.write() as connection:
            return connection.execute(delete).rowcount > 0

    def page(self, limit: int, after: str = "") -> Page[MediaBucketRecord]:
        """Return a page of the buckets, by their names and types.

        Raises InvalidInputError when no bucket belongs to the token `after`.
        """
        records = self.all()
        tokens = ["", *map(_token, records)]
        if after not in tokens:
            raise unknown_token(after)
        start = tokens.index(after)
        end = start + limit
        return Page(items=records[start:end], next_token=tokens[end] if end < len(records) else "")

    def all(self) -> list[MediaBucketRecord]:
        """Return every bucket, by their names and types."""
        query = sa.select(media_buckets).order_by(media_buckets.c.bucket, media_buckets.c.type)
        with self._database.read() as connection:
            return list(map(MEDIA_BUCKET.record, connection.execute(query).mappings()))


def _token(record: MediaBucketRecord) -> str:
    return stable_id("media-bucket", record.bucket, str(record.type))
