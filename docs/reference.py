"""Writes docs/reference/: every parameter, setting, command, action and code, out of the source.

    make reference

What a page says of a value is what checks it: ranges, words, units and defaults come from the
models, examples are tried on them. `tests/integration/test_reference.py` holds the pages to it.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from workflow_engine.activity.registry import load_registry
from workflow_engine.api.actions import ACTIONS
from workflow_engine.cli import app
from workflow_engine.errors import Code
from workflow_engine.settings.models import Settings
from workflow_engine.topology.wire import Boolean, Choice, ClockTime, Number, Text, WireModel

FOLDER = Path(__file__).parent / "reference"
#: what a text looks like, by the names of parameters; tried on the models like all examples
EXAMPLES: Mapping[str, list[Any]] = {
    "AdaptationSet": ["sound"],
    "AmixURL": ["http://media.oss-cn-hangzhou.aliyuncs.com/music.mp3"],
    "Audio": ["sound"],
    "AudioStreamMap": ["0:a:0"],
    "BlendDuration": ["1.5"],
    "Bucket": ["uploads"],
    "Color": ["#ff8800"],
    "Content": ["5paH5a2X"],
    "Crop": ["1280:720:0:140"],
    "Duration": ["00:00:10.5", "10"],
    "Dx": ["10", "0.05"],
    "Dy": ["10", "0.05"],
    "End": ["5.0"],
    "FontName": ["Noto Sans CJK SC"],
    "Group": ["video"],
    "GroupId": ["sound"],
    "Height": ["0.1", "full"],
    "Id": ["720p"],
    "Key": ["ZW5jcnlwdGlvbmtleTEyMw=="],
    "KeyUri": ["aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk="],
    "Lang": ["en"],
    "Location": ["oss-cn-hangzhou", "local"],
    "ManifestName": ["film/manifest.mpd"],
    "Map": ["0:a:0"],
    "MasterPlayListName": ["film/master.m3u8"],
    "MergeConfigUrl": ["http://media.oss-cn-hangzhou.aliyuncs.com/parts.json"],
    "MergeURL": ["http://media.oss-cn-hangzhou.aliyuncs.com/part.mp4"],
    "Name": ["English"],
    "Object": ["{ObjectPrefix}{FileName}-{Count}.jpg", "incoming/clip.mp4"],
    "ObjectPrefix": ["incoming/"],
    "OpenUrl": ["http://media.oss-cn-hangzhou.aliyuncs.com/opening.mp4"],
    "OutputBucket": ["renditions"],
    "OutputLocation": ["oss-cn-hangzhou"],
    "OutputObject": ["{ObjectPrefix}{FileName}/hd"],
    "Pad": ["1920:1080:320:180"],
    "PipelineId": ["0123456789abcdef0123456789abcdef"],
    "QueueName": ["done"],
    "RefActivityName": ["video-720p"],
    "RoleName": ["AliyunMTSDefaultRole"],
    "Seek": ["00:01:30", "90"],
    "Start": ["00:00:05", "5"],
    "Subtitles": ["subtitles"],
    "TailUrl": ["http://media.oss-cn-hangzhou.aliyuncs.com/tail.mp4"],
    "TemplateId": ["S00000001-200030"],
    "TopicName": ["done"],
    "URI": ["sd/film.m3u8"],
    "URL": ["http://media.oss-cn-hangzhou.aliyuncs.com/film.srt"],
    "UserData": ["order 4711"],
    "VideoStreamMap": ["0:v:0"],
    "WaterMarkTemplateId": ["0123456789abcdef0123456789abcdef"],
    "WebVTTSubtitleURL": ["http://media.oss-cn-hangzhou.aliyuncs.com/film.en.vtt"],
    "Width": ["0.1", "full"],
}
_MADE = "<!-- Made by `make reference` out of the source; changes belong there. -->\n"


def pages() -> Mapping[str, str]:
    """Return the text of every page by its name."""
    return {
        "activities.md": "".join(activity_page()),
        "configuration.md": "".join(configuration_page()),
        "command-line.md": "".join(command_page()),
        "api.md": "".join(api_page()),
        "codes.md": "".join(code_page()),
    }


# --- activities and actions: wire models


def activity_page() -> Iterator[str]:
    """Yield the page of all activity types and their parameters."""
    yield "# Activities and their parameters\n\n" + _MADE
    yield (
        "\nEvery value may be a JSON value or a string that holds one. Optional parameters may be "
        'left out, `null` or `""`. What the parameters do stands in [topologies](../topologies.md) '
        "and in the pages that it names.\n"
    )
    shown: dict[type[WireModel], str] = {}
    for activity in dict.fromkeys(load_registry().values()):
        name = activity.type_name
        yield f"\n## {name}\n\n{_opening(type(activity))}\n"
        waiting: list[type[WireModel]] = [activity.parameters, *activity.documents.values()]
        while waiting:
            model = waiting.pop(0)
            if model in shown:
                continue
            shown[model] = name
            yield from _model(model, top=model is activity.parameters)
            waiting = [*_inner_models(model), *waiting]


def api_page() -> Iterator[str]:
    """Yield the page of all actions of the API."""
    yield "# Actions of the API\n\n" + _MADE
    yield (
        "\nActions are called with GET or POST at `/`, by name in the parameter `Action`; "
        "[the service](../service.md) has signatures, formats and limits. Unknown parameters are "
        "passed over.\n"
    )
    waiting: list[type[WireModel]] = []
    for name, action in ACTIONS.items():
        yield f"\n## {name}\n\n{_opening(action.call)}\n"
        yield f"\nAt most {action.rate} calls per second and account, unless configured.\n"
        yield from _fields(action.request)
        waiting += _inner_models(action.request)
    yield "\n## Objects inside of parameters\n"
    for model in dict.fromkeys(waiting):
        yield from _model(model, top=False)


def _opening(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _model(model: type[WireModel], *, top: bool) -> Iterator[str]:
    if not top:
        yield f"\n### {model.__name__}\n\n{_opening(model)}\n"
    yield from _fields(model)
    if model.later:
        yield f"\nRefused by name: {_words(sorted(model.later))}.\n"
    if model.echoed:
        yield f"\nWithout effect, with a warning: {_words(sorted(model.echoed))}.\n"


def _fields(model: type[BaseModel]) -> Iterator[str]:
    if not model.model_fields:
        yield "\nIt has no parameters.\n"
        return
    told = comments(model)
    yield "\n| parameter | value | default | example |\n|---|---|---|---|\n"
    for name, field in model.model_fields.items():
        wire = field.alias or name
        value = Value.of(field)
        about = f"{told[name]}; " if told.get(name) else ""
        default = "**required**" if field.is_required() else _default(field)
        example = _example(model, wire, value)
        yield f"| `{wire}` | {_cell(about + value.text)} | {default} | {_cell(example)} |\n"


class Value:
    """What may stand in a field: `text` for people, `tries` as examples, `models` inside."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.tries: list[Any] = []
        self.models: list[type[BaseModel]] = []

    @classmethod
    def of(cls, field: FieldInfo) -> "Value":
        """Return what may stand in a field of a model."""
        value = cls()
        value._walk(field.annotation, field.metadata)
        return value

    @property
    def text(self) -> str:
        """The value in words."""
        return "; ".join(dict.fromkeys(part for part in self.parts if part))

    def _walk(self, annotation: Any, metadata: Iterable[Any] = ()) -> None:
        if isinstance(annotation, typing.TypeAliasType if sys.version_info >= (3, 12) else ()):
            annotation = annotation.__value__
        origin, arguments = get_origin(annotation), get_args(annotation)
        if any(one in get_args(ClockTime) for one in metadata):
            self.parts.append("seconds, or hh:mm:ss[.SSS]")
        elif origin is Annotated:
            self._walk(arguments[0], [*arguments[1:], *metadata])
        elif origin in (Union, types.UnionType):
            for one in arguments:
                if one is not types.NoneType:
                    self._walk(one, metadata)
        elif origin is Literal:
            self.parts.append(_words(arguments))
            self.tries += arguments
        elif self._constrained(annotation, metadata):
            pass
        elif origin in (tuple, list):
            inner = Value()
            inner._walk(arguments[0])
            self.parts.append(f"list of {inner.text}" if inner.text else "list")
            self.models += inner.models
            self.tries += [[example] for example in inner.tries]
        elif origin is not None and issubclass(origin, Mapping):
            inner = Value()
            inner._walk(arguments[1])
            self.parts.append(f"{inner.text} by name" if inner.text else "values by name")
            self.models += inner.models
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            self.parts.append(f"[{annotation.__name__}](#{annotation.__name__.lower()})")
            self.models.append(annotation)
        else:
            self._plain(annotation, metadata)

    def _constrained(self, annotation: Any, metadata: Iterable[Any]) -> bool:
        """Take what our own annotations say; return whether there was one."""
        for one in metadata:
            if isinstance(one, Number):
                self.parts.append(_number_text(one, whole=annotation is int))
                self.tries += [*one.allowed[:1], *_inside(one)]
            elif isinstance(one, Choice):
                self.parts.append(_words(one.words))
                self.tries += one.words
            elif isinstance(one, Text):
                limit = f", at most {one.max_bytes} bytes" if one.max_bytes else ""
                self.parts.append((one.form or "text") + limit)
                self.tries += _quoted(one.form)
            elif isinstance(one, Boolean):
                self.parts.append("`true`, `false`")
                self.tries += [True]
            else:
                continue
            return True
        return False

    def _plain(self, annotation: Any, metadata: Iterable[Any]) -> None:
        bounds = [
            f"{word} {getattr(one, name):g}"
            for one in metadata
            for name, word in (("ge", "at least"), ("gt", "more than"), ("le", "at most"))
            if hasattr(one, name)
        ]
        word = {
            bool: "`true`, `false`",
            int: "whole number",
            float: "number",
            str: "text",
            Path: "path",
            SecretStr: "text, a secret",
        }.get(annotation, "")
        self.parts.append(", ".join([word, *bounds]) if word else "")


def _number_text(number: Number, *, whole: bool) -> str:
    unit = f" {number.unit}" if number.unit else ""
    if number.allowed:
        return ", ".join(f"{n:g}" for n in number.allowed) + unit
    kind = "whole number" if whole else "number"
    if number.low is None and number.high is None:
        return kind + unit
    low = "" if number.low is None else f"{'more than ' if number.low_open else ''}{number.low:g}"
    high = (
        "" if number.high is None else f"{'less than ' if number.high_open else ''}{number.high:g}"
    )
    if low and high:
        return f"{kind}, {low} to {high}{unit}"
    return f"{kind}, {f'at least {low}' if low else f'at most {high}'}{unit}"


def _inside(number: Number) -> Iterator[float]:
    low = 0 if number.low is None else number.low
    high = low + 100 if number.high is None else number.high
    yield from (n for n in (25, 800, 1280, 5, 10, 1, -10, 0.5) if low < n < high)
    yield from (low, high)


def _quoted(form: str) -> list[str]:
    return re.findall(r'"([^"]+)"', form)


def _example(model: type[BaseModel], wire: str, value: Value) -> str:
    """Return a value that the model takes, as JSON; nothing where none is at hand."""
    for one in [*EXAMPLES.get(wire, ()), *value.tries] if not value.models else value.tries:
        try:
            model.model_validate({wire: one})
        except ValueError as error:
            wrong = getattr(error, "errors", list)()
            if any(str(part) == wire for e in wrong for part in e["loc"][:1]):
                continue
        return f"`{json.dumps(one, ensure_ascii=False)}`"
    return ""


def _inner_models(model: type[WireModel]) -> list[type[WireModel]]:
    found: list[type[WireModel]] = []
    for field in model.model_fields.values():
        found += [one for one in Value.of(field).models if issubclass(one, WireModel)]
    return found


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel) or value == ():
        return ""
    if isinstance(value, Path):
        value = str(value)
    return f"`{json.dumps(value, ensure_ascii=False, default=str)}`" if value != "" else ""


def _words(words: Iterable[object]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def comments(model: type) -> Mapping[str, str]:
    """Return what the `#:` lines above the fields of a class say, by field."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__[:-1]):
        if not base.__module__.startswith(("workflow_engine", "activities", "triggers")):
            continue
        source = textwrap.dedent(inspect.getsource(base))
        lines = source.splitlines()
        (node,) = ast.parse(source).body
        assert isinstance(node, ast.ClassDef)
        for item in node.body:
            if isinstance(item, ast.AnnAssign | ast.Assign):
                target = item.target if isinstance(item, ast.AnnAssign) else item.targets[0]
                said: list[str] = []
                above = item.lineno - 2
                while above >= 0 and lines[above].strip().startswith("#:"):
                    said.insert(0, lines[above].strip()[2:].strip())
                    above -= 1
                if said:
                    found[ast.unparse(target)] = " ".join(said)
    return found


# --- configuration


#: keys that are different on every machine
_OF_THE_MACHINE = {
    "store.url": "SQLite in the data directory",
    "runner.processes": "one for four cores",
}


def configuration_page() -> Iterator[str]:
    """Yield the page of mediaflow.toml."""
    yield "# Configuration\n\n" + _MADE
    yield (
        "\n`mediaflow.toml` in the working directory, or `--config FILE`, or `MEDIAFLOW_CONFIG`. "
        "Every key is an environment variable, too: `MEDIAFLOW_SECTION__KEY`, in capitals. Unknown "
        "keys are errors that name the nearest known one.\n"
    )
    for section, field in Settings.model_fields.items():
        (model,) = Value.of(field).models
        named = get_origin(field.annotation) is not None
        title = f"[{section}.NAME]" if named else f"[{section}]"
        yield f"\n## {title}\n\n{_opening(model).split(':', 1)[-1].strip().capitalize()}\n"
        yield from _settings(section, model)


def _settings(section: str, model: type[BaseModel]) -> Iterator[str]:
    told = comments(model)
    yield "\n| key | value | default | what it is |\n|---|---|---|---|\n"
    for key, field in model.model_fields.items():
        default = _OF_THE_MACHINE.get(f"{section}.{key}") or _default(field)
        if field.annotation in (Path, Path | None) and default:
            default = f'`"{Path(json.loads(default.strip("`"))).name}"`'
        value = re.sub(r"\[(\w+)\]\(#\w+\)", "table", Value.of(field).text)
        yield f"| `{key}` | {_cell(value)} | {default} | {_cell(told.get(key, ''))} |\n"


# --- command line


def command_page() -> Iterator[str]:
    """Yield the page of the commands."""
    yield "# Command line\n\n" + _MADE
    yield (
        "\nExit codes: 0 every activity succeeded or was skipped by rule; 1 the run or an activity "
        "failed; 2 invalid input or usage; 130 interrupted.\n"
    )
    waiting = [("mediaflow", typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop(0)
        yield f"\n## {words}\n\n{_help(command.help)}\n"
        yield from _parameters(command.params)
        members: Mapping[str, Any] = getattr(command, "commands", {})
        inner = [(f"{words} {name}", one) for name, one in members.items() if not one.hidden]
        if inner and words == "mediaflow":
            yield "\n| command | does |\n|---|---|\n"
            for name, one in inner:
                yield f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(_help(one.help, 1))} |\n"
        waiting = [*inner, *waiting]


def _help(text: str | None, paragraphs: int = 99) -> str:
    parts = inspect.cleandoc(text or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts[:paragraphs])


def _parameters(parameters: Iterable[Any]) -> Iterator[str]:
    rows = [one for one in parameters if not getattr(one, "hidden", False) and one.name != "help"]
    if not rows:
        return
    yield "\n| argument | what it is | default |\n|---|---|---|\n"
    for one in rows:
        if one.param_type_name == "argument":
            name = one.metavar or one.name.upper()
        else:
            name = ", ".join([*one.opts, *one.secondary_opts])
            if not one.is_flag and one.metavar:
                name += f" {one.metavar}"
        plain = isinstance(one.default, str | int | float) and not isinstance(one.default, bool)
        default = f"`{one.default}`" if plain and one.default != "" else ""
        yield f"| `{name}` | {_cell(_help(getattr(one, 'help', '')))} | {default} |\n"


# --- codes


def code_page() -> Iterator[str]:
    """Yield the page of the error codes."""
    yield "# Codes of errors and warnings\n\n" + _MADE
    yield (
        "\nThe codes of MPS, with its meanings, and those of mediaflow. They stand in answers of "
        "the API, in activities and executions that failed, in `validate` and in messages.\n"
    )
    told = comments(Code)
    ours = {name: member for name, member in Code.__members__.items() if name in told}
    yield "\n## Of mediaflow\n\n| code | means |\n|---|---|\n"
    for name, member in ours.items():
        yield f"| `{member}` | {_cell(told[name])} |\n"
    yield "\n## Of MPS\n\n| code |\n|---|\n"
    for name, member in Code.__members__.items():
        if name not in ours:
            yield f"| `{member}` |\n"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
