"""Registered workflows: their life cycle, and those that files own (specification, topology, 2).

Every change is a compare-and-set on the state, so that two processes cannot break the rules
together. `workflow_rules.py` has the rules; `service/workflow_files.py` watches the folder and
calls the file methods. A workflow that a file owns keeps its state and trigger mode over restarts
(decision 15).
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from workflow_engine.activity import Binding, TemplateLookup, no_templates
from workflow_engine.catalog.overlap import clash_warnings, may_share_inputs, overlap_warnings
from workflow_engine.catalog.workflow_rules import (
    check_name,
    defined_elsewhere,
    owned_by_file,
    owned_by_hand,
    problem_text,
    refused_file,
    require_inactive,
    require_not_deleted,
    unknown,
)
from workflow_engine.errors import InvalidInputError, Problem, TopologyError
from workflow_engine.planning.graph import Graph
from workflow_engine.records import new_id, utc_now
from workflow_engine.records.catalog import (
    TriggerMode,
    WorkflowFileRecord,
    WorkflowRecord,
    WorkflowState,
)
from workflow_engine.store import Store

log = logging.getLogger(__name__)

#: other workflows that outputs are compared with
_MOST_OTHERS = 1000


class Workflows:
    """The workflows of a store.

    `parse` reads a topology and raises TopologyError; `templates` finds the custom ones.
    """

    def __init__(
        self,
        store: Store,
        parse: Callable[[str], Graph],
        templates: TemplateLookup = no_templates,
    ) -> None:
        self._rows = store.workflows
        self._services = store.services
        self._parse = parse
        self._templates = templates
        self._lock = threading.Lock()

    # --- by hand -------------------------------------------------------------------------

    def add(
        self,
        name: str,
        topology: str,
        trigger_mode: TriggerMode = TriggerMode.OSS_AUTO_TRIGGER,
    ) -> WorkflowRecord:
        """Register a workflow; it is Active at once.

        Raises InvalidInputError for a name that cannot be or is taken, TopologyError with every
        problem of the topology.
        """
        check_name(name)
        record = _new_record(name, topology, self._parse(topology).binding)
        record = replace(record, trigger_mode=trigger_mode)
        self._rows.add(record)
        self._warn_of_overlaps(record)
        return record

    def get(self, workflow_id: str) -> WorkflowRecord:
        """Return a workflow, deleted or not. Raises InvalidInputError (`ResourceNotFound`)."""
        record = self._rows.get(workflow_id)
        if record is None:
            raise unknown(f'There is no workflow with the id "{workflow_id}".')
        return record

    def find(self, name_or_id: str) -> WorkflowRecord:
        """Return the workflow of an id, or the one of that name that is not deleted.

        Raises InvalidInputError (`ResourceNotFound`).
        """
        record = self._rows.get(name_or_id) or self._rows.named(name_or_id)
        if record is None:
            raise unknown(f'There is no workflow with the name or id "{name_or_id}".')
        return record

    def by_ids(self, workflow_ids: Collection[str]) -> list[WorkflowRecord]:
        """Return those of some workflows that exist, in the order of the ids."""
        return self._rows.by_ids(workflow_ids)

    def search(
        self, states: Iterable[WorkflowState], *, page_number: int, page_size: int
    ) -> tuple[list[WorkflowRecord], int]:
        """Return a page of the workflows in some states, newest first, and how many there are."""
        offset = (page_number - 1) * page_size
        return self._rows.search(tuple(states), offset=offset, limit=page_size)

    def activate(self, workflow_id: str) -> WorkflowRecord:
        """Let a workflow take inputs; it cannot be changed any more.

        Raises InvalidInputError for an unknown and for a deleted workflow.
        """
        record = self._set_state(workflow_id, WorkflowState.ACTIVE)
        self._warn_of_overlaps(record)
        return record

    def deactivate(self, workflow_id: str) -> WorkflowRecord:
        """Let a workflow take no more inputs; runs that exist continue.

        Raises InvalidInputError for an unknown and for a deleted workflow.
        """
        return self._set_state(workflow_id, WorkflowState.INACTIVE)

    def delete(self, workflow_id: str) -> WorkflowRecord:
        """Delete a workflow for good; queries still see it, its name is free again.

        Raises InvalidInputError for an unknown one, and while a file owns it.
        """

        def deleted(record: WorkflowRecord) -> WorkflowRecord:
            if record.file and self._is_in_force(record.file):
                raise owned_by_file(record, "deleted", "Remove the file first.")
            return replace(record, state=WorkflowState.DELETED)

        return self._change(workflow_id, deleted)

    def update(self, workflow_id: str, topology: str) -> WorkflowRecord:
        """Replace the topology of an inactive workflow; runs that exist keep theirs.

        Raises InvalidInputError when the workflow cannot be changed, TopologyError with every
        problem of the topology.
        """

        def require_changeable(record: WorkflowRecord) -> None:
            if record.file:
                raise owned_by_file(record, "given another topology", "Change the file.")
            require_inactive(record)

        def updated(record: WorkflowRecord) -> WorkflowRecord:
            require_changeable(record)
            return replace(record, topology=topology, bucket=binding.bucket, prefix=binding.prefix)

        require_changeable(self.get(workflow_id))
        binding = self._parse(topology).binding
        record = self._change(workflow_id, updated)
        self._warn_of_overlaps(record)
        return record

    def set_trigger_mode(self, workflow_id: str, mode: TriggerMode) -> WorkflowRecord:
        """Say whether a landing file starts an inactive workflow once it is active again.

        Raises InvalidInputError when the workflow cannot be changed.
        """

        def changed(record: WorkflowRecord) -> WorkflowRecord:
            require_inactive(record)
            return replace(record, trigger_mode=mode)

        return self._change(workflow_id, changed)

    def _set_state(self, workflow_id: str, state: WorkflowState) -> WorkflowRecord:
        def changed(record: WorkflowRecord) -> WorkflowRecord:
            require_not_deleted(record)
            return replace(record, state=state, file_removed=False)

        return self._change(workflow_id, changed)

    def _change(
        self, workflow_id: str, change: Callable[[WorkflowRecord], WorkflowRecord]
    ) -> WorkflowRecord:
        """Save what `change` makes of a workflow, again when its state changed in the meantime."""
        with self._lock:
            while True:
                record = self.get(workflow_id)
                changed = change(record)
                if changed == record or self._rows.save(changed, expected=record):
                    return changed

    # --- by files ------------------------------------------------------------------------

    def files(self) -> list[WorkflowFileRecord]:
        """Return what became of each file."""
        return self._rows.files()

    def files_in(self, folder: str) -> list[WorkflowFileRecord]:
        """Return what became of each file of a folder; those of others are not its business."""
        return [file for file in self.files() if os.path.dirname(file.path) == folder]

    def files_without_workflow(self) -> list[WorkflowFileRecord]:
        """Return the broken files that never became a workflow, or whose name another one has."""
        return [file for file in self.files() if file.problem and not self._owns_workflow(file)]

    def _owns_workflow(self, file: WorkflowFileRecord) -> bool:
        record = self._rows.named(file.name)
        return record is not None and record.file == file.path

    def load_file(
        self, path: str, name: str, text: str, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Let the text of a file define the workflow `name`, also while that is Active.

        A workflow that the removal of its file deactivated becomes Active again; any other state
        stays. A file with problems changes nothing but its record, which tells all of them.
        `known` is its record so far.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()
        loaded = WorkflowFileRecord(path=path, name=name, digest=digest, checked=utc_now())
        if known is None:
            # before anything else, so that its removal is noticed whatever happens in between
            known = self._rows.file_saved(loaded, None)
        try:
            check_name(name)
            self._define(path, name, text, self._parse(text).binding)
        except InvalidInputError as error:
            return self._rows.file_saved(replace(loaded, problem=problem_text(path, error)), known)
        return self._rows.file_saved(loaded, known)

    def refuse_file(
        self, path: str, name: str, error: InvalidInputError, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Record why a file cannot be read; its workflow stays as it is."""
        return self._rows.file_saved(refused_file(path, name, error, known), known)

    def remove_file(self, known: WorkflowFileRecord) -> None:
        """Forget a file that is gone and deactivate its workflow."""
        with self._lock:
            while record := self._rows.named(known.name):
                if record.file != known.path or record.state is not WorkflowState.ACTIVE:
                    break
                inactive = replace(record, state=WorkflowState.INACTIVE, file_removed=True)
                if self._rows.save(inactive, expected=record):
                    break
            self._rows.remove_file(known.path)

    def _is_in_force(self, path: str) -> bool:
        """Whether a loaded file is still there, here or for another service that watches it."""
        if not any(file.path == path for file in self.files()):
            return False
        folder = os.path.dirname(path)
        watched = any(one.workflows_dir == folder for one in self._services.living())
        return watched or os.path.exists(path)

    def _define(self, path: str, name: str, text: str, binding: Binding) -> None:
        """Make the workflow of a file what its text says. Raises InvalidInputError.

        What another folder defined stays with that one until its file is gone.
        """
        with self._lock:
            while True:
                record = self._rows.named(name)
                if record is None:
                    record = replace(_new_record(name, text, binding), file=path)
                    if self._add(record):
                        return self._warn_of_overlaps(record)
                    continue
                if not record.file:
                    raise owned_by_hand(name)
                if record.file != path and self._is_in_force(record.file):
                    raise defined_elsewhere(name, record.file)
                changed = replace(
                    record,
                    topology=text,
                    bucket=binding.bucket,
                    prefix=binding.prefix,
                    state=WorkflowState.ACTIVE if record.file_removed else record.state,
                    file=path,
                    file_removed=False,
                )
                if changed == record:
                    return None
                if self._rows.save(changed, expected=record):
                    if record.file != path:
                        self._rows.remove_file(record.file)
                    return self._warn_of_overlaps(changed)

    def _warn_of_overlaps(self, record: WorkflowRecord) -> None:
        """Log which outputs land where files start workflows, and which overwrite each other."""
        try:
            graph = self._parse(record.topology)
        except TopologyError:  # it became invalid since it was added, which its runs will tell
            return
        active, _ = self._rows.search((WorkflowState.ACTIVE,), offset=0, limit=_MOST_OTHERS)
        others = [other for other in active if other.id != record.id]
        triggered = record.trigger_mode is TriggerMode.OSS_AUTO_TRIGGER
        for problem in (
            *overlap_warnings(graph, others, triggered=triggered),
            *self._clashes(record, graph, others),
        ):
            log.warning('workflow "%s": %s', record.name, problem)

    def _clashes(
        self, record: WorkflowRecord, graph: Graph, others: Iterable[WorkflowRecord]
    ) -> Iterator[Problem]:
        for other in others:
            if may_share_inputs(record, other):
                try:
                    theirs = self._parse(other.topology)
                except TopologyError:
                    continue
                yield from clash_warnings(graph, other.name, theirs, self._templates)

    def _add(self, record: WorkflowRecord) -> bool:
        """Add a workflow; false when another process has just taken its name."""
        try:
            self._rows.add(record)
        except InvalidInputError:
            if self._rows.named(record.name) is None:
                raise
            return False
        return True


def _new_record(name: str, topology: str, binding: Binding) -> WorkflowRecord:
    return WorkflowRecord(
        id=new_id(),
        name=name,
        topology=topology,
        created=utc_now(),
        bucket=binding.bucket,
        prefix=binding.prefix,
    )
