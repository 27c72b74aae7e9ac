"""The APIs that the server speaks at one address, told apart by the version of a call.

They share keys, nonces, limits and the forms of answers and errors. Specification: wire, routing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from workflow_engine.api import ims
from workflow_engine.api.action import Action
from workflow_engine.api.actions import ACTIONS
from workflow_engine.api.actions.unsupported import unsupported
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.topology.suggest import Suggester
from workflow_engine.topology.wire import shown


@dataclass(frozen=True, kw_only=True)
class Family:
    """An API: its name in `[service] apis`, its version, its actions by name.

    `refuse` returns the error for an action that is not among the offered ones.
    """

    name: str
    version: str
    actions: Mapping[str, Action]
    refuse: Callable[[str, Collection[str]], InvalidInputError]

    def label(self, action: str) -> str:
        """Return what limits, metrics and the log call an action: one name for each family's.

        >>> FAMILIES[0].label("SubmitMediaInfoJob"), FAMILIES[1].label("SubmitMediaInfoJob")
        ('SubmitMediaInfoJob', 'ims.SubmitMediaInfoJob')
        """
        return action if self.name == MPS else f"{self.name}.{action}"


def _not_offered(name: str, offered: Collection[str]) -> InvalidInputError:
    return InvalidInputError(
        Code.UNSUPPORTED_OPERATION,
        f"This server does not offer the action {shown(name)}.",
        remedy=Suggester(offered).remedy(name),
    )


def mps(actions: Mapping[str, Action]) -> Family:
    """Return the family of MPS with these actions."""
    return Family(name=MPS, version=MPS_VERSION, actions=actions, refuse=unsupported)


MPS = "mps"
MPS_VERSION = "2014-06-18"
FAMILIES = (
    mps(ACTIONS),
    Family(name="ims", version="2020-11-09", actions=ims.ACTIONS, refuse=_not_offered),
)
