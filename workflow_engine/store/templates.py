"""The custom templates of outputs and of watermarks, and the files that define some of them."""

from collections.abc import Collection

import sqlalchemy as sa

from workflow_engine.records.catalog import TemplateKind, TemplateRecord, TemplateState
from workflow_engine.store.catalog_schema import template_files, templates
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.definition_files import FileTable
from workflow_engine.store.mapping import TEMPLATE, in_order


class TemplateTable(FileTable):
    """Custom templates; `catalog/templates.py` has the rules."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, template_files)

    def add(self, record: TemplateRecord) -> None:
        """Add a template."""
        with self._database.write() as connection:
            connection.execute(sa.insert(templates).values(TEMPLATE.row(record)))

    def put(self, record: TemplateRecord) -> None:
        """Add or replace a template."""
        row = TEMPLATE.row(record)
        with self._database.write() as connection:
            connection.execute(
                upsert(connection.dialect.name, templates)
                .values(row)
                .on_conflict_do_update(index_elements=[templates.c.id], set_=row)
            )

    def get(self, template_id: str) -> TemplateRecord | None:
        """Return a template of any kind, deleted or not."""
        query = sa.select(templates).where(templates.c.id == template_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return TEMPLATE.record(row) if row else None

    def by_ids(self, template_ids: Collection[str], kind: TemplateKind) -> list[TemplateRecord]:
        """Return those of some templates that exist and are of a kind, in the order of the ids."""
        query = sa.select(templates).where(
            templates.c.id.in_(template_ids), templates.c.kind == kind
        )
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return in_order(template_ids, map(TEMPLATE.record, found))

    def search(
        self, kind: TemplateKind, state: TemplateState | None, *, offset: int, limit: int
    ) -> tuple[list[TemplateRecord], int]:
        """Return templates of a kind, newest first, and how many there are in all."""
        chosen = templates.c.kind == kind
        if state is not None:
            chosen &= templates.c.state == state
        age = (templates.c.created.desc(), templates.c.id.desc())
        query = sa.select(templates).where(chosen).order_by(*age).offset(offset).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
            total = connection.scalar(
                sa.select(sa.func.count()).select_from(templates).where(chosen)
            )
        return [TEMPLATE.record(row) for row in found], total or 0

    def save(self, record: TemplateRecord) -> bool:
        """Save a template; false when there is none."""
        update = sa.update(templates).where(templates.c.id == record.id)
        with self._database.write() as connection:
            return connection.execute(update.values(TEMPLATE.row(record))).rowcount > 0
