"""What may be done to a workflow, and the sentences that refuse the rest; no store, no files.

`workflows.py` applies the rules. Specification: topology, 2.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError
from workflow_engine.records import utc_now
from workflow_engine.records.catalog import WorkflowFileRecord, WorkflowRecord, WorkflowState
from workflow_engine.topology.wire import shown

#: characters, not bytes (specification, topology, 2)
MAX_NAME = 64
#: problems of one file that are kept
MAX_PROBLEMS = 100


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a workflow. Raises InvalidInputError."""
    if not name:
        raise InvalidInputError(
            Code.EMPTY_VALUE,
            "The name of the workflow is empty.",
            pointer="/Name",
            remedy="Give it a name.",
        )
    if len(name) > MAX_NAME:
        raise InvalidInputError(
            Code.OUT_OF_RANGE,
            f"The workflow name {shown(name)} has {len(name)} characters.",
            pointer="/Name",
            remedy=f"Use at most {MAX_NAME}.",
        )
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff" for c in name):
        raise InvalidInputError(
            Code.FORMAT,
            f"The workflow name {shown(name)} is not printable UTF-8.",
            pointer="/Name",
            remedy="Use letters, digits and punctuation.",
        )


def require_inactive(record: WorkflowRecord) -> None:
    """Refuse to change a workflow that is not Inactive. Raises InvalidInputError."""
    if record.state is WorkflowState.INACTIVE:
        return
    active = record.state is WorkflowState.ACTIVE
    raise InvalidInputError(
        Code.INVALID_STATE,
        f'The workflow "{record.name}" is {record.state} and cannot be changed.',
        pointer="/MediaWorkflowId",
        remedy="Deactivate it first." if active else "Add it again.",
    )


def require_not_deleted(record: WorkflowRecord) -> None:
    """Refuse a deleted workflow. Raises InvalidInputError (`ResourceDeleted`)."""
    if record.state is WorkflowState.DELETED:
        raise InvalidInputError(
            Code.RESOURCE_DELETED,
            f'The workflow "{record.name}" has been deleted.',
            pointer="/MediaWorkflowId",
            remedy="Add it again.",
        )


def unknown(message: str) -> InvalidInputError:
    """Return the error of a workflow that does not exist."""
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        message,
        pointer="/MediaWorkflowId",
        remedy="See mediaflow workflow list.",
    )


def owned_by_file(record: WorkflowRecord, what: str, remedy: str) -> InvalidInputError:
    """Return the error of a workflow that cannot be `what` because a file says what it is."""
    return InvalidInputError(
        Code.INVALID_STATE,
        f'The workflow "{record.name}" belongs to the file "{record.file}" and cannot be {what}.',
        pointer="/MediaWorkflowId",
        remedy=remedy,
    )


def owned_by_hand(name: str) -> InvalidInputError:
    """Return the error of a file whose name belongs to a workflow that no file owns."""
    return InvalidInputError(
        Code.INVALID_STATE,
        f'The name "{name}" belongs to a workflow that was added by hand.',
        remedy="Rename the file, or delete that workflow.",
    )


def defined_elsewhere(name: str, file: str) -> InvalidInputError:
    """Return the error of a file whose name belongs to a file of another folder."""
    return InvalidInputError(
        Code.INVALID_STATE,
        f'The workflow "{name}" is defined by the file "{file}" already.',
        remedy="Rename one of the files, or remove the other one.",
    )


def problem_text(path: str, error: InvalidInputError) -> str:
    """Return every problem of a file, one line each, as `validate` prints them."""
    problems: Iterable[Problem] = (
        error.problems if isinstance(error, TopologyError) else (error.problem(),)
    )
    lines = [str(replace(problem, file=path)) for problem in problems]
    if len(lines) > MAX_PROBLEMS:
        lines[MAX_PROBLEMS:] = [f"{path}: {len(lines) - MAX_PROBLEMS} more problems"]
    return "\n".join(lines)


def refused_file(
    path: str, name: str, error: InvalidInputError, known: WorkflowFileRecord | None
) -> WorkflowFileRecord:
    """Return the record of a file that cannot be read; what it defined stays as it is."""
    return WorkflowFileRecord(
        path=path,
        name=name,
        digest=known.digest if known else "",
        problem=problem_text(path, error),
        checked=utc_now(),
    )
