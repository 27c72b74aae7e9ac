"""Makes `docs/conformance.md`: `python -m tests.conformance.table` writes it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.parameters import PARAMETERS, UNPROVEN

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "conformance.md"

_HEAD = """\
# Conformance: what every parameter of an output is proven by

Made by `make conformance` out of the tests' own marks; do not edit. Each test runs the real ffmpeg
and measures the finished file by other means than the command that made it.
"""


@dataclass(frozen=True)
class Proof:
    """A test that proves a parameter, and what it measures."""

    parameter: str
    test: str
    by: str


def proofs() -> list[Proof]:
    """Return the marks of all tests, in the order of files and lines."""
    return [found for path in sorted((ROOT / "tests").rglob("test_*.py")) for found in _read(path)]


def _read(path: Path) -> Iterator[Proof]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.proves":
                assert isinstance(node, ast.FunctionDef)
                by = next(ast.literal_eval(word.value) for word in mark.keywords)
                test = f"{path.relative_to(ROOT / 'tests')}::{node.name}"
                yield from (Proof(ast.literal_eval(arg), test, by) for arg in mark.args)


def table() -> str:
    """Return the text of the file."""
    found: dict[str, list[Proof]] = {}
    for proof in proofs():
        found.setdefault(proof.parameter, []).append(proof)
    lines = [_HEAD]
    for section, parameters in PARAMETERS.items():
        lines += [f"## {section}", "", "| parameter | what it does | proven by |", "|---|---|---|"]
        for name, does in parameters.items():
            told = "; ".join(f"{one.by}: `{one.test}`" for one in found.get(name, ()))
            lines.append(f"| {name} | {does} | {told or f'not proven. {UNPROVEN.get(name)}'} |")
        lines.append("")
    known = sum(map(len, PARAMETERS.values()))
    lines.append(f"{known - len(UNPROVEN)} of {known} rows are proven.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
