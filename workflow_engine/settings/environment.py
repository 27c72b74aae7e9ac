"""Settings from the environment: `MEDIAFLOW_SECTION__KEY`.

Below `buckets`, `queues`, `topics`, `notify` and `service.access_keys` the name stands between:
`MEDIAFLOW_QUEUES__jobs__FILE`. Bucket names are lower case; other names keep theirs. A table may
be given as JSON. Variables without a double underscore (MEDIAFLOW_DATA, ...) are no settings.
"""

import json
import os
from typing import Any, cast

from workflow_engine.errors import Code, SettingsError

_PREFIX = "MEDIAFLOW_"


def variables() -> dict[tuple[str, ...], str]:
    """Return the names of the variables that are settings, by the path of their key."""
    found: dict[tuple[str, ...], str] = {}
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and "__" in name:
            found[_path(name.removeprefix(_PREFIX).split("__"))] = name
    return found


def environment_values() -> dict[str, Any]:
    """Return the settings of the environment as nested tables.

    Raises SettingsError for a table that is not valid JSON.
    """
    values: dict[str, Any] = {}
    for path, name in sorted(variables().items()):  # tables before their keys
        table = values
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SettingsError(
                    Code.INVALID,
                    f'The variable "{name}" is below another one that is not a table.',
                    remedy="Remove one of the two.",
                )
            table = cast(dict[str, Any], inner)
        table[path[-1]] = _value(name, os.environ[name])
    return values


def _path(parts: list[str]) -> tuple[str, ...]:
    lower = [part.lower() for part in parts]
    if lower[0] in ("queues", "topics", "notify"):
        lower[1] = parts[1]
    elif lower[:2] == ["service", "access_keys"]:
        lower[2:] = parts[2:]
    return tuple(lower)


def _value(name: str, text: str) -> Any:
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(
            Code.JSON_FORMAT,
            f'The variable "{name}" starts like a table but is not valid JSON: {error}.',
            remedy='Write it as {"key": "value"}.',
        ) from error
