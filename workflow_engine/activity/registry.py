"""Finds the installed activity types, by the entry points of `mediaflow.activities`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from workflow_engine.activity.base import Activity
from workflow_engine.errors import Code, InstallationError
from workflow_engine.topology.wire import WireModel

ENTRY_POINT_GROUP = "mediaflow.activities"

Registry = Mapping[str, Activity[WireModel]]


@cache
def load_registry() -> Registry:
    """Return every installed activity type by name and alias.

    Raises InstallationError when a plug-in cannot be imported or two claim one name.
    """
    registry: dict[str, Activity[WireModel]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            activity: Activity[WireModel] = entry.load()()
        except Exception as error:
            raise InstallationError(
                Code.INSTALLATION,
                f'The activity plug-in "{entry.value}" cannot be loaded: {error}.',
                remedy="Reinstall the package that provides it, or remove it.",
            ) from error
        for name in (activity.type_name, *activity.aliases):
            if name in registry:
                raise InstallationError(
                    Code.INSTALLATION,
                    f'Two packages provide the activity type "{name}".',
                    remedy="Uninstall one of them.",
                )
            registry[name] = activity
    return registry
