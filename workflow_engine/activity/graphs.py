"""A topology as activity types see it: what stands where, and with which parameters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from workflow_engine.records import Json
from workflow_engine.topology.wire import WireModel

#: from an id to a custom template as it was added, None when there is none: Name and sections, or
#: Name and Config of a watermark
TemplateLookup = Callable[[str], Mapping[str, Json] | None]


def no_templates(template_id: str) -> Mapping[str, Json] | None:
    """Return None: the lookup of a place without custom templates."""
    return None


@dataclass(frozen=True, kw_only=True)
class GraphNode:
    """An activity of a topology.

    `given` are its parameters as they were written, `parameters` what was read of them: None where
    a value is wrong that nothing can do without. `type` is the canonical name.
    """

    name: str
    type: str
    given: Mapping[str, Json]
    parameters: WireModel | None


@dataclass(frozen=True, kw_only=True)
class GraphView:
    """All activities of known types, by name, and the names that follow each directly.

    `templates` finds the custom templates that they name.
    """

    nodes: Mapping[str, GraphNode] = field(default_factory=dict[str, GraphNode])
    successors: Mapping[str, Iterable[str]] = field(default_factory=dict[str, Iterable[str]])
    templates: TemplateLookup = no_templates

    def of_type(self, *types: str) -> list[GraphNode]:
        """Return the activities of some types, in their order."""
        return [node for node in self.nodes.values() if node.type in types]

    def behind(self, name: str) -> frozenset[str]:
        """Return the names of all descendants of an activity; of a cycle itself, too."""
        found = set[str]()
        waiting = [name]
        while waiting:
            for successor in self.successors.get(waiting.pop(), ()):
                if successor in self.nodes and successor not in found:
                    found.add(successor)
                    waiting.append(successor)
        return frozenset(found)
