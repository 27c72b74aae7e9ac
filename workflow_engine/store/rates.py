"""How long kinds of work took on each machine: the latest measurements of each kind."""

import platform
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from workflow_engine.records.rates import Measurement, Rates, samples_of
from workflow_engine.store.database import Database
from workflow_engine.store.schema import rates

#: measurements that are kept of one kind of work
KEPT = 15
#: measurements that are kept of a machine in all, and how many go at once when there are more
MOST, _LESS = 10_000, 1_000
#: as many as that of how many machines; containers have a new name each time
_MACHINES = 10


class RateTable:
    """What was measured on this machine; other machines that share the store have their own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._machine = platform.node()

    def add(self, measured: Sequence[Measurement]) -> None:
        """Keep measurements, in place of the oldest of their kinds."""
        columns = rates.c
        with self._database.write() as connection:
            rows = [
                {
                    "machine": self._machine,
                    "kind": one.work.kind,
                    "amount": one.work.amount,
                    "seconds": one.seconds,
                }
                for one in measured
            ]
            connection.execute(sa.insert(rates), rows)
            for kind in {one.work.kind for one in measured}:
                own = (columns.machine == self._machine, columns.kind == kind)
                self._forget(connection, own, KEPT)
            self._forget_most(connection)

    def of(self, kinds: Collection[str]) -> Rates:
        """Return the rates of those of some kinds that were measured."""
        columns = rates.c
        query = sa.select(columns.kind, columns.amount, columns.seconds).where(
            columns.machine == self._machine, columns.kind.in_(sorted(kinds))
        )
        with self._database.read() as connection:
            return samples_of(tuple(row) for row in connection.execute(query))

    def _forget(
        self, connection: sa.Connection, own: Sequence[sa.ColumnElement[bool]], kept: int
    ) -> None:
        """Forget the oldest of some rows, but `kept`."""
        oldest = sa.select(rates.c.id).where(*own).order_by(rates.c.id.desc()).offset(kept).limit(1)
        last = connection.scalar(oldest)
        if last is not None:
            connection.execute(sa.delete(rates).where(*own, rates.c.id <= last))

    def _forget_most(self, connection: sa.Connection) -> None:
        for own, most in (((rates.c.machine == self._machine,), MOST), ((), _MACHINES * MOST)):
            if (connection.scalar(sa.select(sa.func.count(rates.c.id)).where(*own)) or 0) > most:
                self._forget(connection, own, most - _LESS)
