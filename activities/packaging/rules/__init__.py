"""What is wrong with the packages of a topology: every problem at once, before anything runs.

`structure.py` says what stands where, `streams.py` which parameters a group and a stream have,
`lists.py` what the master list names. Pure. Specification: topology, 5.1 to 5.3.
"""

from collections.abc import Iterator

from activities.packaging.package import packages
from activities.packaging.rules.lists import list_problems
from activities.packaging.rules.streams import group_problems, stream_problems, uri_problems
from activities.packaging.rules.structure import package_problems, place_problems
from workflow_engine.activity import GraphView, Problem


def problems(graph: GraphView) -> Iterator[Problem]:
    """Yield every problem of the packages of a topology."""
    yield from place_problems(graph)
    for package in packages(graph):
        yield from package_problems(graph, package)
        if not package.protocol:
            continue  # which is a problem of its own
        yield from group_problems(package)
        yield from stream_problems(package)
        yield from uri_problems(package)
        yield from list_problems(package)
