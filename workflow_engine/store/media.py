"""The media of the library, one for each input object."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import Json
from workflow_engine.records.catalog import MediaRecord, PublishState
from workflow_engine.store.catalog_schema import media
from workflow_engine.store.database import Database, Upsert, upsert
from workflow_engine.store.fast_queries import Select, each, one_of, write_all
from workflow_engine.store.mapping import MEDIA, Row, in_order
from workflow_engine.store.schema import executions


@cache
def _by_ids(count: int) -> Select:
    return sa.select(media).where(one_of(media.c.id, count))


class MediaTable:
    """Media, deleted ones too; `catalog/media.py` has the rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, media_id: str) -> MediaRecord | None:
        """Return a media, deleted or not."""
        found = self.by_ids([media_id])
        return found[0] if found else None

    def by_ids(self, media_ids: Collection[str]) -> list[MediaRecord]:
        """Return those of some media that exist, deleted or not, in the order of the ids."""
        found = self._database.rows(_by_ids(len(media_ids)), each(media.c.id, media_ids))
        return in_order(media_ids, map(MEDIA.record_of, found))

    def add(self, record: MediaRecord) -> MediaRecord:
        """Add a media, in the place of a deleted one; return the one that is in the store now."""
        with self._database.write() as connection:
            put_media(connection, [record])
            return _stored(connection, record.id)

    def save(self, record: MediaRecord) -> MediaRecord | None:
        """Save title, description, category, tags and cover; return what is in the store now.

        The rest belongs to the runs and is left alone. None when there is no such media or it is
        deleted.
        """
        update = sa.update(media).where(media.c.id == record.id, media.c.deleted.is_(False))
        with self._database.write() as connection:
            if connection.execute(update.values(_details(record))).rowcount == 0:
                return None
            return _stored(connection, record.id)

    def set_publish_state(self, media_id: str, state: PublishState) -> None:
        """Save who may read the outputs of a media."""
        self._set([media_id], publish_state=state)

    def set_cover(self, media_id: str, url: str) -> None:
        """Save the cover of a media."""
        self._set([media_id], cover_url=url)

    def mark_deleted(self, media_ids: Collection[str]) -> None:
        """Delete media; they are still found by their ids."""
        self._set(media_ids, deleted=True)

    def search(self, *, offset: int, limit: int) -> tuple[list[MediaRecord], int]:
        """Return media that are not deleted, the newest first, and how many there are in all."""
        chosen = media.c.deleted.is_(False)
        age = (media.c.created.desc(), media.c.id.desc())
        query = sa.select(media).where(chosen).order_by(*age).offset(offset).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
            total = connection.scalar(sa.select(sa.func.count()).select_from(media).where(chosen))
        return list(map(MEDIA.record, found)), total or 0

    def _set(self, media_ids: Collection[str], **changes: object) -> None:
        with self._database.write() as connection:
            connection.execute(sa.update(media).where(media.c.id.in_(media_ids)).values(changes))


def _details(record: MediaRecord) -> Row:
    row = MEDIA.row(record)
    return {name: row[name] for name in _DETAILS}


#: what the users of a media write
_DETAILS = ("title", "description", "category_id", "tags", "cover_url")


def _stored(connection: sa.Connection, media_id: str) -> MediaRecord:
    found = connection.execute(_by_ids(1), each(media.c.id, [media_id]))
    return MEDIA.record(found.mappings().one())


def put_media(connection: sa.Connection, records: Iterable[MediaRecord]) -> None:
    """Add each media when there is none, or a deleted one."""
    added = [MEDIA.row(record) for record in records]
    if added:
        write_all(connection, _put(connection.dialect.name), added)


def describe_media(connection: sa.Connection, run_id: str, properties: Mapping[str, Json]) -> None:
    """Save what an execution found out about its input."""
    of_run = sa.select(executions.c.media_id).where(executions.c.run_id == run_id)
    connection.execute(
        sa.update(media)
        .where(media.c.id == of_run.scalar_subquery())
        .values(properties=dict(properties))
    )


@cache
def _put(dialect: str) -> Upsert:
    insert: Any = upsert(dialect, media)
    new: Row = {column.name: insert.excluded[column.name] for column in media.c}
    return insert.on_conflict_do_update(
        index_elements=[media.c.id], set_=new, where=media.c.deleted.is_(True)
    )
