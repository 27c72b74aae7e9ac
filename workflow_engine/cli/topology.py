"""`validate`, `graph` and `schema`: topology files without any run."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.common import EXIT_INVALID, emit, print_json, print_problems
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError

if TYPE_CHECKING:
    from workflow_engine.activity import Registry
    from workflow_engine.graph import Graph

#: levels; a long chain would otherwise print as a huge triangle
_MAX_INDENT = 20

TopologyFile = Annotated[
    Path, typer.Argument(help="MediaWorkflow topology, a JSON file.", metavar="TOPOLOGY")
]


class GraphFormat(StrEnum):
    """How `graph` prints."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Topology files, or folders of *.json.", metavar="PATH..."),
    ],
) -> None:
    """Report every problem as file:line:column: Code: sentence (JSON pointer).

    Exit code 2 when there is any error; warnings alone leave it at 0. Needs no store, and so
    knows the presets, but no templates of your own: `plan` and `workflow add` do.
    """
    from workflow_engine.activity import load_registry

    registry = load_registry()
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f"There is no *.json in {', '.join(map(str, paths))}.",
            remedy="Name topology files, or a folder that holds some.",
        )
    broken = 0
    for file in files:
        problems, found = _check(file, registry)
        broken += found is None
        print_problems(problems)
        if found is not None:
            emit(f"{file}: valid, {len(found.nodes)} activities")
    if broken:
        raise typer.Exit(EXIT_INVALID)


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def _check(path: Path, registry: "Registry") -> "tuple[list[Problem], Graph | None]":
    from dataclasses import replace

    from workflow_engine.files import load_graph

    try:
        graph = load_graph(path, registry)
    except TopologyError as error:
        return list(error.problems), None
    except InvalidInputError as error:
        return [replace(error.problem(), file=str(path))], None
    return list(graph.warnings), graph


def graph(
    path: TopologyFile,
    form: Annotated[
        GraphFormat, typer.Option("--format", help="text, mermaid (Markdown) or dot (Graphviz).")
    ] = GraphFormat.TEXT,
) -> None:
    """Print the DAG of a topology, which may name presets but no templates of your own."""
    from workflow_engine.activity import load_registry
    from workflow_engine.files import load_graph

    found = load_graph(path, load_registry())
    drawing = {
        GraphFormat.TEXT: _as_text,
        GraphFormat.MERMAID: _as_mermaid,
        GraphFormat.DOT: _as_dot,
    }
    emit("\n".join(drawing[form](found)))


def _as_text(graph: "Graph") -> list[str]:
    """One line per activity in the order of execution, indented by its depth."""
    depth: dict[str, int] = {}
    lines: list[str] = []
    for name in graph.order:
        depth[name] = max((depth[p] + 1 for p in graph.predecessors(name)), default=0)
        behind = ", ".join(graph.dag.successors(name))
        arrow = f" -> {behind}" if behind else ""
        indent = "  " * min(depth[name], _MAX_INDENT)
        lines.append(f"{indent}{name} [{graph.nodes[name].type}]{arrow}")
    return lines


def _as_mermaid(graph: "Graph") -> list[str]:
    numbers = {name: f"n{index}" for index, name in enumerate(graph.order)}
    lines = ["flowchart LR"]
    for name, number in numbers.items():
        label = name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        lines.append(f'    {number}["{label}<br/><i>{graph.nodes[name].type}</i>"]')
    lines += [f"    {numbers[a]} --> {numbers[b]}" for a, b in graph.dag.edges]
    return lines


def _as_dot(graph: "Graph") -> list[str]:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph workflow {", "    rankdir=LR;", "    node [shape=box];"]
    for name in graph.order:
        label = quoted(f"{name}\n{graph.nodes[name].type}").replace("\n", "\\n")
        lines.append(f"    {quoted(name)} [label={label}];")
    lines += [f"    {quoted(a)} -> {quoted(b)};" for a, b in graph.dag.edges]
    return [*lines, "}"]


def schema() -> None:
    """Print a JSON Schema of topology files, for editors."""
    from workflow_engine.activity import load_registry
    from workflow_engine.topology.schema import topology_schema

    models = {name: activity.parameters for name, activity in load_registry().items()}
    print_json(topology_schema(models))
