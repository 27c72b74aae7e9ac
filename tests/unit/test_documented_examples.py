"""What the pages show is taken by what they show it to: topologies, settings, commands.

Walks through several commands are run in `tests/acceptance`; here every single one is parsed by
the command line itself, every topology is loaded, and every piece of JSON and TOML is read.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from click.exceptions import ClickException, Exit, NoArgsIsHelpError

from tests.support.places import ROOT
from workflow_engine.activity import load_registry
from workflow_engine.cli import app
from workflow_engine.planning.graph import load
from workflow_engine.settings import load_settings

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
#: stand for parts that are left out
_LEFT_OUT = re.compile(r"\.\.\.")


def blocks(*languages: str) -> Iterator[object]:
    """Every block in one of some languages, named by its page and line."""
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.M | re.S):
            if match[1] in languages:
                line = text[: match.start()].count("\n") + 1
                yield pytest.param(match[2], id=f"{page.stem}:{line}")


def commands() -> Iterator[object]:
    """Every command of mediaflow in the consoles of the pages."""
    for block in blocks("console"):
        (text,) = block.values
        lines = re.sub(r"\\\n\s*", " ", text).splitlines()
        for line in lines:
            if found := re.match(r"\$ (?:\w+=\S+ )*(?:sudo )?(mediaflow\b.*)", line):
                command = re.split(r"\s(?:#|&(?:\s|$)|\||>|&&)", found[1])[0].strip()
                yield pytest.param(command, id=f"{block.id} {command[:40]}")


@pytest.mark.parametrize("command", [*commands()])
def test_commands_are_understood(command: str):
    _, *words = shlex.split(command)
    parser = typer.main.get_command(app)
    context = None
    with suppress(Exit):  # of --help
        while True:
            try:
                context = parser.make_context(parser.name, words, parent=context)
            except NoArgsIsHelpError:
                return
            except ClickException as error:
                pytest.fail(error.format_message())
            if not (members := getattr(parser, "commands", None)):
                return
            name, *words = context._protected_args + context.args  # what the group leaves
            assert name in members, f"there is no command {name!r}"
            parser = members[name]


@pytest.mark.parametrize("text", [*blocks("json")])
def test_json_is_valid_and_taken(text: str):
    plain = _LEFT_OUT.sub("", text)
    content = json.loads(f"{{{plain}}}" if plain.startswith('"') else plain)
    if not isinstance(content, dict):
        return
    activities = content.get("Activities", content)
    of_activities = [
        one for one in activities.values() if isinstance(one, dict) and "Parameters" in one
    ]
    types = {one["Type"] for one in of_activities}
    if not types <= set(load_registry()):
        assert types - set(load_registry()) == {"Checksum"}  # of the package that a page builds
    elif "Dependencies" in content:
        load(text, load_registry())
    else:
        for activity in of_activities:
            model = load_registry()[activity["Type"]].parameters
            assert not model.model_validate(activity["Parameters"]).model_extra


@pytest.mark.parametrize("text", [*blocks("toml")])
def test_settings_are_taken(text: str, tmp_path: Path):
    content = tomllib.loads(text)
    if {"project", "build-system"} & set(content):
        return  # of a package
    if "spool" in text:
        return  # of the listener that a page builds
    file = tmp_path / "mediaflow.toml"
    file.write_text(text)
    load_settings(file)
