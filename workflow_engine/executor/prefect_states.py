"""What Prefect is told about executions and activities that have ended.

The same words whether a run tells its own end (`prefect_flow.py`) or somebody tells it later
(`prefect_ends.py`). Nothing in here imports prefect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workflow_engine.errors import Code
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, ExecutionState

#: failed activities that the message of a flow run names
_NAMED = 20


class StateType(StrEnum):
    """Prefect's types of final states; its UI draws them in different colours."""

    #: green
    COMPLETED = "COMPLETED"
    #: red
    FAILED = "FAILED"
    #: grey
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, kw_only=True)
class EndState:
    """The final state of a flow run or a task run."""

    type: StateType
    name: str
    message: str = ""


def task_state(activity: ActivityRecord) -> EndState:
    """Return the state of the task run of an activity; one that has not ended was cancelled."""
    match activity.state:
        case ActivityState.SUCCESS:
            message = "Reused" if activity.reused else ""
            return EndState(type=StateType.COMPLETED, name="Completed", message=message)
        case ActivityState.SKIPPED:
            # not of the type Completed: what was not done must not be drawn as done
            return EndState(type=StateType.CANCELLED, name="Skipped", message=activity.message)
        case ActivityState.FAIL:
            return _failed(f"{activity.code}: {activity.message}")
        case _:
            return cancelled("The activity was not run.")


def flow_state(record: ExecutionRecord) -> EndState:
    """Return the state of the flow run of an execution, of which every activity has ended.

    Failed activities make it Failed, although the execution itself may be `Completed`.
    """
    if record.code in (Code.CANCELLED, Code.INTERRUPTED):
        return cancelled(record.message)
    failed = [one for one in record.activities if one.state is ActivityState.FAIL]
    if failed:
        return _failed(_failures(failed, len(record.activities)))
    if record.state is ExecutionState.FAIL:
        return _failed(f"{record.code}: {record.message}")
    return EndState(type=StateType.COMPLETED, name="Completed")


def cancelled(message: str) -> EndState:
    """Return the state of what was stopped."""
    return EndState(type=StateType.CANCELLED, name="Cancelled", message=message)


def _failed(message: str) -> EndState:
    return EndState(type=StateType.FAILED, name="Failed", message=message)


def _failures(failed: Sequence[ActivityRecord], total: int) -> str:
    """`2 of 5 activities failed: hd (InvalidParameter.NoAudioStream), cover (NoSpace)`."""
    names = ", ".join(f"{one.name} ({one.code})" for one in failed[:_NAMED])
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    why = f": {failed[0].message}" if len(failed) == 1 else ""
    return f"{len(failed)} of {total} activities failed: {names}{more}{why}"
