"""The filters for the words that the API has for the states of jobs."""

from workflow_engine.errors import Code
from workflow_engine.messages.job_states import WORDS
from workflow_engine.records import ExecutionKind, ExecutionState
from workflow_engine.store import ExecutionFilter


def jobs_in(kind: ExecutionKind, word: str) -> ExecutionFilter:
    """Return the filter for the jobs of a kind whose state has this word; "": any state."""
    words = WORDS[kind]
    if word == words.queued == words.running:
        return ExecutionFilter(kind=kind, unfinished=True)
    if word == words.queued:
        return ExecutionFilter(kind=kind, state=ExecutionState.QUEUED)
    if word == words.running:
        return ExecutionFilter(kind=kind, state=ExecutionState.RUNNING)
    if word == words.completed:
        return ExecutionFilter(kind=kind, state=ExecutionState.COMPLETED)
    if word == words.failed:
        other = Code.CANCELLED if words.cancelled != words.failed else ""
        return ExecutionFilter(kind=kind, state=ExecutionState.FAIL, not_code=other)
    if word == words.cancelled:
        return ExecutionFilter(kind=kind, state=ExecutionState.FAIL, code=Code.CANCELLED)
    return ExecutionFilter(kind=kind)
