"""Finds and reads the configuration file, and explains what is wrong with the settings.

The models in `models.py` do the checking; this module turns pydantic's words into one sentence
that names the key, its value, and the line or the variable where it stands.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workflow_engine.errors import Code, SettingsError
from workflow_engine.settings.environment import variables
from workflow_engine.settings.models import Settings
from workflow_engine.topology.suggest import Suggester

_HEADER = re.compile(r"\s*\[\[?([^\]]+)\]")
_KEY = re.compile(r"\s*([^=#\[]+?)\s*=")

#: keys that hold paths; "*" stands for any name
_PATHS = (
    ("workflows", "dir"),
    ("buckets", "*", "path"),
    ("queues", "*", "file"),
    ("topics", "*", "file"),
)


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings of `config`, else MEDIAFLOW_CONFIG, else ./mediaflow.toml, if any.

    The environment wins over the file, the file over the defaults. Relative paths start at the
    file's folder, in the environment at the current one. Raises SettingsError for a file that
    cannot be read, and for the first key or value that is wrong.
    """
    if config is None and (named := os.environ.get("MEDIAFLOW_CONFIG")):
        config = Path(named)
    file = config or Path("mediaflow.toml")
    text = _read(file) if config or file.exists() else None
    values = {} if text is None else _parse(file, text)
    try:
        loaded = Settings(**values)
        return loaded if text is None else loaded.read_from(file)
    except ValidationError as error:
        # an unknown key is often why something else is missing
        first = min(error.errors(), key=lambda details: details["type"] != "extra_forbidden")
        raise _explained(first, file, text or "") from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            Code.RESOURCE_ACCESS,
            f'The configuration "{file}" cannot be read: {reason}.',
            remedy="Correct --config, MEDIAFLOW_CONFIG or the file.",
        ) from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    """Return the tables of the file, its relative paths made absolute."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            Code.FORMAT,
            f'The configuration "{file}" is not valid TOML: {error}.',
            remedy="Correct that line.",
        ) from error
    folder = file.absolute().parent
    workflows = values.setdefault("workflows", {})
    if isinstance(workflows, dict):  # the default, too, stands beside the file
        cast(dict[str, Any], workflows).setdefault("dir", "workflows")
    for path in _PATHS:
        _change(values, path, lambda text: str(folder / Path(text).expanduser()))
    _change(values, ("store", "url"), lambda url: _sqlite_below(folder, url))
    return values


def _change(table: Any, path: tuple[str, ...], change: Callable[[str], str]) -> None:
    """Change the strings at a path of keys, wherever they are."""
    if not isinstance(table, dict):
        return
    inner = cast(dict[str, Any], table)
    for key in list(inner) if path[0] == "*" else [path[0]]:
        if len(path) > 1:
            _change(inner.get(key), path[1:], change)
        elif isinstance(inner.get(key), str):
            inner[key] = change(inner[key])


def _sqlite_below(folder: Path, url: str) -> str:
    scheme, slashes, path = url.partition(":///")
    return f"{scheme}{slashes}{folder / path}" if scheme.startswith("sqlite") and path else url


def _explained(details: ErrorDetails, file: Path, text: str) -> SettingsError:
    path = tuple(str(part) for part in details["loc"])
    key, where = ".".join(path), _where(path, file, text)
    if details["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        nearest = Suggester(known).nearest(path[-1])
        meant = f'Did you mean "{".".join((*path[:-1], nearest))}"? ' if nearest else ""
        return SettingsError(
            Code.INVALID,
            f'The setting "{key}" ({where}) is unknown.',
            remedy=f"{meant}Known there: {', '.join(known)}.",
        )
    reason = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if details["type"] in ("model_type", "dict_type", "mapping_type"):
        reason = "should be a table"
    value = details["input"]
    shown = f' is "{value}", but' if isinstance(value, str | int | float) else ""
    if path[:2] == ("service", "access_keys") or path[-1:] in (("secret",), ("event_token",)):
        shown = ""
    # a URL that stands in the place of the table, or of the variable's name, is as secret
    if path[0] == "notify" and (len(path) == 2 or path[-1] in ("url", "url_env")):
        shown = ""
    return SettingsError(
        Code.INVALID, f'The setting "{key}" ({where}){shown} {reason}.', remedy="Correct the value."
    )


def _where(path: tuple[str, ...], file: Path, text: str) -> str:
    """Return the variable or the file and line where a setting stands."""
    names = variables()
    for length in range(len(path), 0, -1):
        if name := names.get(path[:length]):
            return name
    if line := _line(path, text):
        return f"{file}:{line}"
    below = (name for found, name in names.items() if found[: len(path)] == path)
    return next(below, str(file))


def _line(path: tuple[str, ...], text: str) -> int:
    """Return the line of a key or a table, counted from 1; 0 when it is not found.

    Knows headers and `key = value`; what is inside inline tables gets the line of the table.
    """
    table: tuple[str, ...] = ()
    best, line = 0, 0
    for number, content in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(content):
            table = here = _keys(header[1])
        elif found := _KEY.match(content):
            here = (*table, *_keys(found[1]))
        else:
            continue
        if path[: len(here)] == here and len(here) > best:
            best, line = len(here), number
    return line


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(
        part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted)
    )


def _known_keys(path: tuple[str, ...]) -> list[str]:
    """Return the keys that the table at a path may have."""
    model: type[BaseModel] = Settings
    rest = list(path)
    while rest:
        annotation = model.model_fields[rest.pop(0)].annotation
        if get_origin(annotation) is Mapping:
            annotation = get_args(annotation)[1]
            rest.pop(0)
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
