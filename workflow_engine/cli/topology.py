"""`validate`, `graph` and `schema`: topology files without any run."""

from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_engine.cli.annotations import annotation
from workflow_engine.cli.common import (
    EXIT_INVALID,
    emit,
    print_json,
    print_problems,
    problem_json,
)
from workflow_engine.cli.known_templates import KnownTemplates
from workflow_engine.errors import Code, InvalidInputError, Problem, Severity, TopologyError
from workflow_engine.records import Json

if TYPE_CHECKING:
    from workflow_engine.activity import Registry
    from workflow_engine.planning.graph import Graph

TopologyFile = Annotated[
    Path, typer.Argument(help="MediaWorkflow topology, a JSON file.", metavar="TOPOLOGY")
]


class ProblemFormat(StrEnum):
    """How `validate` prints."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


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
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Take templates that cannot be looked up for errors."),
    ] = False,
    form: Annotated[
        ProblemFormat,
        typer.Option("--format", help="text, json, or github: annotations of a pull request."),
    ] = ProblemFormat.TEXT,
) -> None:
    """Report every problem as file:line:column: Code: sentence (JSON pointer).

    Exit code 2 when there is any error; warnings alone leave it at 0. With --format github each
    problem is an annotation of its line, with json all of them are one array. Templates of your
    own are looked for in templates/ beside each file, whose files are checked, too, and in the
    store of the configuration. Where there is no store, a template that is not found is a warning.
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
    found: list[_Checked] = []
    with closing(KnownTemplates(registry)) as templates:
        for file in files:
            problems, valid = _checked(file, registry, templates)
            if not strict and not valid:
                problems = templates.forgiven(problems)
                only_warnings = all(one.severity is Severity.WARNING for one in problems)
                valid = "valid" if only_warnings else ""
            found.append(_Checked(file=file, problems=problems, valid=valid))
            _print(found[-1], form)
    if form is ProblemFormat.JSON:
        print_json([one.to_json() for one in found])
    if not all(one.valid for one in found):
        raise typer.Exit(EXIT_INVALID)


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """What was found in a file; `valid` says what it is, empty where there are errors."""

    file: Path
    problems: list[Problem]
    valid: str

    def to_json(self) -> dict[str, Json]:
        problems = [problem_json(problem) for problem in self.problems]
        return {"File": str(self.file), "Valid": bool(self.valid), "Problems": problems}


def _print(checked: _Checked, form: ProblemFormat) -> None:
    """Print what was found in one file, where the format does not collect all of it."""
    if form is ProblemFormat.JSON:
        return
    if form is ProblemFormat.GITHUB:
        for problem in checked.problems:
            emit(annotation(problem))
    else:
        print_problems(checked.problems)
    if checked.valid:
        emit(f"{checked.file}: {checked.valid}")


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def _checked(
    path: Path, registry: "Registry", templates: KnownTemplates
) -> tuple[list[Problem], str]:
    """Return the problems of a file and, unless there are errors, what it is."""
    from workflow_engine.catalog.template_files import FOLDER, template_of_file
    from workflow_engine.settings.files import read_text

    try:
        if path.absolute().parent.name == FOLDER:
            _, warnings = template_of_file(str(path), read_text(path), registry)
            return warnings, "valid template"
        graph = _loaded(path, registry, templates)
    except TopologyError as error:
        return list(error.problems), ""
    except InvalidInputError as error:
        return [replace(error.problem(), file=str(path))], ""
    return list(graph.warnings), f"valid, {len(graph.nodes)} activities"


def _loaded(path: Path, registry: "Registry", templates: KnownTemplates) -> "Graph":
    from workflow_engine.planning import graph
    from workflow_engine.settings.files import read_text

    text = read_text(path)
    return graph.load(text, registry, str(path), templates=templates.beside(path))


def graph(
    path: TopologyFile,
    form: Annotated[
        GraphFormat, typer.Option("--format", help="text, mermaid (Markdown) or dot (Graphviz).")
    ] = GraphFormat.TEXT,
) -> None:
    """Print the DAG of a topology."""
    from workflow_engine.activity import load_registry
    from workflow_engine.planning.drawing import text_lines

    registry = load_registry()
    with closing(KnownTemplates(registry)) as templates:
        found = _loaded(path, registry, templates)
    drawing = {
        GraphFormat.TEXT: text_lines,
        GraphFormat.MERMAID: _as_mermaid,
        GraphFormat.DOT: _as_dot,
    }
    emit("\n".join(drawing[form](found)))


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
