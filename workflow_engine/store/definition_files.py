"""What became of the files that define workflows or templates: one table for each kind."""

from dataclasses import replace

import sqlalchemy as sa

from workflow_engine.records.catalog import WorkflowFileRecord
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.mapping import WORKFLOW_FILE


class FileTable:
    """The files of one kind."""

    def __init__(self, database: Database, files: sa.Table) -> None:
        self._database = database
        self._table = files

    def files(self) -> list[WorkflowFileRecord]:
        """Return what became of each file, by their paths."""
        query = sa.select(self._table).order_by(self._table.c.path)
        with self._database.read() as connection:
            found = connection.execute(query).mappings().all()
        return list(map(WORKFLOW_FILE.record, found))

    def save_file(self, record: WorkflowFileRecord) -> None:
        """Add or replace what became of a file."""
        row = WORKFLOW_FILE.row(record)
        with self._database.write() as connection:
            connection.execute(
                upsert(connection.dialect.name, self._table)
                .values(row)
                .on_conflict_do_update(index_elements=[self._table.c.path], set_=row)
            )

    def file_saved(
        self, record: WorkflowFileRecord, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Save a record that says something new; return the one that is in the store."""
        if known is not None and replace(record, checked=known.checked) == known:
            return known
        self.save_file(record)
        return record

    def remove_file(self, path: str) -> None:
        """Forget a file."""
        with self._database.write() as connection:
            connection.execute(sa.delete(self._table).where(self._table.c.path == path))
