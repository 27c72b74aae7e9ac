"""What an Analysis foretold of outputs, beside what came out.

Rows are kept as long as their executions. How good predictions are is told by the latest of them.
"""

from collections.abc import Sequence
from statistics import median
from typing import Any

import sqlalchemy as sa

from workflow_engine.records import Figure, Prediction
from workflow_engine.store.database import Database
from workflow_engine.store.schema import predictions

#: the latest predictions of one figure that its error is computed of
_LATEST = 1000


class PredictionTable:
    """The predictions of all executions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, run_id: str, activity: str, found: Sequence[Prediction]) -> None:
        """Keep the predictions of an activity, in place of those that it had."""
        columns = predictions.c
        own = (columns.run_id == run_id, columns.activity == activity)
        with self._database.write() as connection:
            created = self._database.now(connection)
            connection.execute(sa.delete(predictions).where(*own))
            rows = [
                {
                    "run_id": run_id,
                    "activity": activity,
                    "position": one.position,
                    "figure": one.figure,
                    "predicted": one.predicted,
                    "measured": one.measured,
                    "created": created,
                }
                for one in found
            ]
            if rows:
                connection.execute(sa.insert(predictions), rows)

    def of_activity(self, run_id: str, activity: str) -> list[Prediction]:
        """Return the predictions of an activity, in the order of its outputs."""
        columns = predictions.c
        query = sa.select(columns.position, columns.figure, columns.predicted, columns.measured)
        query = query.where(columns.run_id == run_id, columns.activity == activity)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.position, columns.figure))
            return [
                Prediction(
                    position=row.position,
                    figure=row.figure,
                    predicted=row.predicted,
                    measured=row.measured,
                )
                for row in rows
            ]

    def median_errors(self) -> dict[Figure, float]:
        """Return the median error of the latest predictions of each figure that has any.

        Without sign, in the unit of `Figure.error`.
        """
        with self._database.read() as connection:
            found = {
                figure: [
                    abs(figure.error(row.predicted, row.measured))
                    for row in connection.execute(_latest(figure))
                ]
                for figure in Figure
            }
        return {figure: median(errors) for figure, errors in found.items() if errors}


def _latest(figure: Figure) -> sa.Select[Any, Any]:
    columns = predictions.c
    return (
        sa.select(columns.predicted, columns.measured)
        .where(columns.figure == figure)
        .order_by(columns.created.desc())
        .limit(_LATEST)
    )
