"""Executors: who calls `Runner.run_activity`, in which order, and who gets to watch.

`inline.py` uses threads and nothing else. `prefect_flow.py` turns the execution into a Prefect
flow run with one task per activity, and `prefect_server.py` finds or starts the local server.
Both executors give the same states, outputs and records. Decisions 1-4.
"""

from typing import Protocol

from workflow_engine.run.runner import Runner


class Executor(Protocol):
    """Runs every activity of an execution.

    `abandoned` tells that threads were left behind which a process that wants to end must not
    wait for.
    """

    abandoned: bool

    def execute(self, runner: Runner) -> None:
        """Call `run_activity` for each activity after all its predecessors have ended.

        Raises InterruptedRunError when the runner's `cancel` was set, LeaseLostError and
        StoreError as `run_activity` does.
        """
        ...
