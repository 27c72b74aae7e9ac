"""Every setting with its default as text, for people to change.

Made of the models: the docstrings of the sections, and the `#:` comments above their keys.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from workflow_engine.settings.models import Settings

_KEY = re.compile(r"    (\w+): ")
_REMARK = "    #: "
#: for readers of the code
_DECISION = re.compile(r" \(decisions? [^)]*\)")
#: numbers whose digits are grouped
_GROUPED = 100_000
#: columns before a remark behind a key
_WIDTH = 34


def commented_sections() -> str:
    """Return all sections of the configuration with their defaults, every line a comment."""
    return "\n".join(line for name in Settings.model_fields for line in _section(name))


def _section(name: str) -> Iterator[str]:
    field = Settings.model_fields[name]
    model, header = field.annotation, f"[{name}]"
    if get_origin(model) is Mapping:
        model, header = get_args(model)[1], f"[{name}.NAME]"
    assert isinstance(model, type) and issubclass(model, BaseModel)
    about = inspect.getdoc(model) or ""
    summary = about.partition("\n\n")[0].replace("\n", " ").partition(": ")[2]
    yield f"{f'# {header}':<{_WIDTH}}  # {summary}".rstrip(" #.")
    remarks = dict(_remarks(model))
    for key, inner in model.model_fields.items():
        default = inner.get_default(call_default_factory=True)
        if inner.default_factory and isinstance(default, str):
            default = None  # a place on this machine and of this user
        shown = f"# {key} ={_literal(default)}"
        remark = remarks.get(key, "")
        yield f"{shown:<{_WIDTH}}  # {remark}" if remark else shown
    yield ""


def _remarks(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a model that have a `#:` comment above them, with it."""
    remark: list[str] = []
    for line in inspect.getsource(model).splitlines():
        if line.startswith(_REMARK):
            remark.append(line.removeprefix(_REMARK).strip())
        else:
            if (found := _KEY.match(line)) and remark:
                yield found[1], _DECISION.sub("", " ".join(remark)).replace("None:", "unset:")
            remark = []


def _literal(value: Any) -> str:
    """Return a default in TOML behind a space; nothing where there is none."""
    if value is None or value is PydanticUndefined:
        return ""
    if value == {}:
        return " {}"
    if isinstance(value, Path):
        value = value.name
    if isinstance(value, int) and not isinstance(value, bool):
        return f" {value:_}" if value >= _GROUPED else f" {value}"
    return f" {json.dumps(value)}"
