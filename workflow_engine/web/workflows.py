"""The registered workflows, and one of them: its graph, its topology and what is wrong with it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.errors import Problem, TopologyError, pointer_to
from workflow_engine.pages.dag import Drawing, draw
from workflow_engine.planning.graph import Graph
from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.store import ExecutionFilter
from workflow_engine.web.executions import rows_of
from workflow_engine.web.serving import Visit

#: workflows of one page
_PAGE_SIZE = 100
#: executions that the page of a workflow shows
_RECENT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class TopologyText:
    """A topology to be read: its lines, and what is wrong with it.

    `numbered` tells whether the lines are those that problems name.
    """

    lines: Sequence[str]
    problems: Sequence[Problem]
    numbered: bool


class WorkflowPages:
    """`/workflows` and `/workflows/ID`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, visit: Visit) -> Response:
        """Show the workflows, and the files that did not become one."""
        states = (WorkflowState.ACTIVE, WorkflowState.INACTIVE)
        number = page_number(visit)
        found, total = self._engine.workflows.search(
            states, page_number=number, page_size=_PAGE_SIZE
        )
        return visit.page(
            "workflows.html",
            here="/workflows",
            workflows=found,
            problems={one.path: one.problem for one in self._engine.workflows.files()},
            broken=self._engine.workflows.files_without_workflow(),
            number=number,
            pages=-(-total // _PAGE_SIZE),
        )

    def show(self, visit: Visit) -> Response:
        """Show a workflow."""
        record = self._engine.workflows.find(visit.request.parts["workflow_id"])
        graph, problems = self._parsed(record)
        files = {one.path: one.problem for one in self._engine.workflows.files()}
        runs = self._engine.store.executions.line_page(
            ExecutionFilter(workflow_id=record.id), limit=_RECENT
        )
        return visit.page(
            "workflow.html",
            here="/workflows",
            record=record,
            file_problem=files.get(record.file, "") if record.file else "",
            triggered=record.trigger_mode is TriggerMode.OSS_AUTO_TRIGGER,
            drawing=_drawing(graph) if graph else None,
            boxes=_boxes(graph) if graph else {},
            topology=_text(record.topology, problems),
            rows=rows_of(runs.items),
        )

    def _parsed(self, record: WorkflowRecord) -> tuple[Graph | None, Sequence[Problem]]:
        try:
            graph = self._engine.parse(record.topology)
        except TopologyError as error:
            return None, error.problems
        return graph, graph.warnings


def page_number(visit: Visit) -> int:
    """Return which page of a list is asked for, from 1."""
    given = visit.request.query.get("page", "1")
    if not (given.isascii() and given.isdigit()):
        return 1
    return min(max(int(given[:9]), 1), 1_000_000)  # the time to read a number grows with it


def _drawing(graph: Graph) -> Drawing:
    return draw({name: list(graph.dag.successors(name)) for name in graph.order})


def _boxes(graph: Graph) -> dict[str, dict[str, str]]:
    """Return what the boxes of a drawing show; each leads to its line of the topology."""
    document = graph.topology.document
    boxes: dict[str, dict[str, str]] = {}
    for name, node in graph.nodes.items():
        line, _ = document.locate(pointer_to("Activities", name), key=True)
        boxes[name] = {
            "class": "",
            "sign": "",
            "line": node.type,
            "title": node.type,
            "link": f"#line-{line}" if _is_numbered(graph.topology.text) else "#topology",
        }
    return boxes


def _text(text: str, problems: Sequence[Problem]) -> TopologyText:
    numbered = _is_numbered(text)
    if not numbered:  # written for machines
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            numbered = True
    return TopologyText(lines=_lines(text), problems=problems, numbered=numbered)


def _lines(text: str) -> list[str]:
    """Return the lines as problems count them: U+2028 and the like do not end one."""
    return text.removesuffix("\n").replace("\r\n", "\n").split("\n")


def _is_numbered(text: str) -> bool:
    """Whether a topology stands in lines that people read."""
    return text.count("\n") > 2
