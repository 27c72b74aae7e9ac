"""Problems as annotations of GitHub Actions, which shows each at its line of a pull request.

The form is `::error file=NAME,line=LINE,col=COLUMN,title=CODE::MESSAGE` (GitHub Actions, workflow
commands).
"""

from workflow_engine.errors import Problem, Severity

_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_MESSAGE, ":": "%3A", ",": "%2C"}


def annotation(problem: Problem) -> str:
    """Return the line that makes a problem an annotation."""
    kind = "warning" if problem.severity is Severity.WARNING else "error"
    places = {
        "file": problem.file,
        "line": problem.line or "",
        "col": problem.column or "",
        "title": problem.code,
    }
    properties = ",".join(
        f"{name}={_escaped(str(value), _PROPERTY)}" for name, value in places.items() if value
    )
    pointer = f" ({problem.pointer})" if problem.pointer else ""
    remedy = f" {problem.remedy}" if problem.remedy else ""
    return f"::{kind} {properties}::{_escaped(problem.message + pointer + remedy, _MESSAGE)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return text.translate(str.maketrans(escapes))
