"""A graph as lines of text. Pure."""

from collections.abc import Iterator

from workflow_engine.planning.graph import Graph

#: levels; a long chain would otherwise print as a huge triangle
_MAX_INDENT = 20


def text_lines(graph: Graph) -> Iterator[str]:
    """Yield a line per activity in the order of execution, indented by its depth."""
    depth: dict[str, int] = {}
    for name in graph.order:
        depth[name] = max((depth[p] + 1 for p in graph.predecessors(name)), default=0)
        behind = ", ".join(graph.dag.successors(name))
        arrow = f" -> {behind}" if behind else ""
        indent = "  " * min(depth[name], _MAX_INDENT)
        yield f"{indent}{name} [{graph.nodes[name].type}]{arrow}"
