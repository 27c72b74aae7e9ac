"""A folder of workflow files, its store, and what watches it."""

from pathlib import Path

from tests.support.topologies import minimal, report, start, text, topology
from workflow_engine.activity import load_registry
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.planning import graph
from workflow_engine.records.catalog import WorkflowRecord, WorkflowState
from workflow_engine.service.workflow_files import WorkflowFiles
from workflow_engine.store import Store

REGISTRY = load_registry()

GOOD = text(minimal())
BROKEN = '{"Activities": {\n  "start": {}}'


def parsed(text: str) -> graph.Graph:
    return graph.load(text, REGISTRY)


def bound_to(prefix: str) -> str:
    given = {"Bucket": "uploads", "ObjectPrefix": prefix}
    return text(topology({"start": start(InputFile=given), "report": report()}))


class Folder:
    """A folder of workflow files, its store, and what watches it."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.store = store
        self.workflows = Workflows(store, parsed)
        self.watcher = WorkflowFiles(self.workflows, path)

    def restart(self) -> None:
        """Watch anew, as the next process does."""
        self.watcher = WorkflowFiles(self.workflows, self.path)
        self.watcher.scan()

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.watcher.scan()

    def write(self, name: str, content: str = GOOD) -> Path:
        """Replace a file as git does."""
        self.path.mkdir(exist_ok=True)
        new = self.path / f".{name}.new"
        new.write_text(content)
        return new.replace(self.path / f"{name}.json")

    def __getitem__(self, name: str) -> WorkflowRecord:
        found = self.store.workflows.named(name)
        assert found is not None, name
        return found

    @property
    def states(self) -> dict[str, str]:
        records, _ = self.workflows.search(WorkflowState, page_number=1, page_size=1000)
        return {record.name: str(record.state) for record in records}

    @property
    def problems(self) -> dict[str, str]:
        return {file.name: file.problem for file in self.workflows.files() if file.problem}
