"""The present values of `/metrics`: what runs and what waits, in this process and in the store."""

from collections.abc import Iterable

from workflow_engine.api.metrics import Present
from workflow_engine.engine import Engine


def gauges(engine: Engine, running: int) -> Iterable[Present]:
    """Yield what stands now; `running` executions are in work in this process."""
    store = engine.store
    yield Present(
        name="executions_running",
        help="Executions in work in this process.",
        values={"": running},
    )
    yield Present(
        name="executions_waiting",
        help="Executions in the queue of the store.",
        values={"": store.queue.waiting()},
    )
    yield Present(
        name="arrivals_waiting",
        help="Objects that were noticed and are not taken in yet.",
        label="bucket",
        values={one.bucket: one.waiting for one in engine.intake.status()},
    )
    yield Present(
        name="messages_waiting",
        help="Messages to queues and topics that are not delivered yet.",
        values={"": store.messages.pending()},
    )
    yield Present(
        name="notifications_waiting",
        help="Ends of executions that a target is to be told now.",
        label="target",
        values={name: store.notifications.waiting(name) for name in engine.settings.notify},
    )
    yield Present(
        name="prediction_median_error",
        help="Median error of the latest predictions: rates in percent, VMAF in points.",
        label="figure",
        values={str(k): v for k, v in store.predictions.median_errors().items()},
    )
