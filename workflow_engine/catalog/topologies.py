"""Reads topologies: of files, of registered workflows, and of executions that exist."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from workflow_engine.activity import Registry
from workflow_engine.catalog.pipelines import pipeline_of
from workflow_engine.catalog.template_lookup import TemplateFinder
from workflow_engine.errors import TopologyError
from workflow_engine.planning import graph as graphs
from workflow_engine.planning.graph import Graph, Workflow
from workflow_engine.settings.files import read_text
from workflow_engine.store import Store
from workflow_engine.topology.overrides import apply_overrides


class TopologyLoader:
    """Makes graphs of topologies, with the activity types and templates that are known.

    `store` gives the store, or None where there is none to ask yet; `strict` refuses pipelines
    that are not known.
    """

    def __init__(
        self,
        registry: Registry,
        templates: TemplateFinder,
        store: Callable[[], Store | None],
        *,
        strict: bool,
    ) -> None:
        self._registry = registry
        self._templates = templates
        self._store = store
        self._strict = strict

    def parse(self, text: str, file: str = "") -> Graph:
        """Return the graph of a topology's text. Raises TopologyError with every problem in it."""
        return graphs.load(text, self._registry, file, templates=self._templates.current)

    def parse_accepted(self, text: str) -> Graph:
        """Return the graph of an execution that exists: its templates may be deleted."""
        return graphs.load(text, self._registry, templates=self._templates.accepted)

    def parse_checked(self, text: str, file: str = "") -> Graph:
        """Return the graph of a topology that may be registered or run.

        Raises TopologyError, also for a PipelineId that the settings do not let pass.
        """
        graph = self.parse(text, file)
        self.pipeline_of(graph)
        return graph

    def load(self, path: Path, overrides: Path | None = None) -> Workflow:
        """Read a topology file, and a file of OverrideParams that changes it for this run.

        Templates in `templates/` beside the file are known, too. Raises TopologyError with every
        problem in it, InvalidInputError for a file that cannot be read and for a PipelineId that
        the settings do not let pass.
        """
        self._templates.know_beside(path.parent)
        graph = self.parse_checked(read_text(path), str(path))
        if overrides is not None:
            graph = self.overridden(graph, read_text(overrides), str(overrides))
        return Workflow(name=path.stem, graph=graph)

    def overridden(self, graph: Graph, overrides: str, file: str = "OverrideParams") -> Graph:
        """Load a topology that was valid before the overrides: its problems are theirs."""

        def judge(activity: str, parameter: str) -> str:
            node = graph.nodes[activity]
            return node.activity.override_fault(activity, parameter, graph.view)

        text = apply_overrides(graph.topology.text, overrides, file, judge)
        try:
            return self.parse(text)
        except TopologyError as error:
            raise TopologyError(
                replace(problem, file=file, line=0, column=0) for problem in error.problems
            ) from None

    def pipeline_of(self, graph: Graph) -> str:
        """Return the id of the pipeline that a graph runs in; see `pipelines.pipeline_of`."""
        return pipeline_of(graph, self._store(), strict=self._strict)
