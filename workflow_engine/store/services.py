"""Which processes serve the store: each says so again and again, until it ends or is killed."""

from datetime import timedelta

import sqlalchemy as sa

from workflow_engine.records.catalog import ServiceRecord
from workflow_engine.store.catalog_schema import services
from workflow_engine.store.database import Database, upsert
from workflow_engine.store.mapping import SERVICE

#: seconds after which a process that said nothing counts as dead
SILENCE = 30.0


class ServiceTable:
    """The processes that serve the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def here(self, record: ServiceRecord) -> None:
        """Say that a process lives; those that said nothing for long are forgotten."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            row = SERVICE.row(record) | {"seen": now}
            connection.execute(
                upsert(connection.dialect.name, services)
                .values(row)
                .on_conflict_do_update(index_elements=[services.c.id], set_=row)
            )
            silent = services.c.seen < now - timedelta(seconds=SILENCE)
            connection.execute(sa.delete(services).where(silent))

    def gone(self, identifier: str) -> None:
        """Forget a process that ends."""
        with self._database.write() as connection:
            connection.execute(sa.delete(services).where(services.c.id == identifier))

    def living(self) -> list[ServiceRecord]:
        """Return the processes that live, the oldest first."""
        with self._database.read() as connection:
            oldest = self._database.now(connection) - timedelta(seconds=SILENCE)
            query = sa.select(services).where(services.c.seen >= oldest)
            found = connection.execute(query.order_by(services.c.started, services.c.id))
            return list(map(SERVICE.record, found.mappings()))
