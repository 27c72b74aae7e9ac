"""The form of the problems of packages."""

from workflow_engine.activity import Code, GraphNode, Problem, Severity, pointer_to


def problem(
    code: Code,
    node: GraphNode,
    message: str,
    remedy: str,
    *,
    at: str = "",
    severity: Severity = Severity.ERROR,
) -> Problem:
    """Return a problem of an activity; `at` is a pointer relative to it."""
    return Problem(
        code=code,
        message=message,
        pointer=pointer_to("Activities", node.name) + at,
        remedy=remedy,
        severity=severity,
    )


def missing(node: GraphNode, message: str, remedy: str, field: str) -> Problem:
    """Return the problem of a parameter that an activity needs; `message` says so."""
    code = Code.NULL_VALUE if node.given.get(field) is None else Code.EMPTY_VALUE
    return problem(code, node, message, remedy, at=parameter(field))


def parameter(*path: str | int) -> str:
    """Return the pointer of a parameter, relative to its activity."""
    return pointer_to("Parameters", *path)
