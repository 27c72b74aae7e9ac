"""How commands look and what they all take: whole help lines, usage errors, -q and -v.

`App` is what every group of commands is made with, `call` runs one.
"""

import logging
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from workflow_engine.cli.common import EXIT_INVALID, options, print_json, problem_json
from workflow_engine.cli.log_lines import OURS
from workflow_engine.errors import Code, InvalidInputError

#: what typer writes behind the name of an argument, as in "TOPOLOGY <path>"
_TYPE = re.compile(r" <[^>]*>$")
_SENTENCE = re.compile(r"(.*?)\.(\s|$)", re.DOTALL)
_NO_OPTION = re.compile(r"No such option: (\S+)")
#: global options that stand before the command
_BEFORE = ("--config", "--version", "--install-completion", "--show-completion")


class _Plain:
    """The parts of help that typer cuts, or fills with the names of Python's types."""

    help: str | None
    options_metavar: str | None
    get_params: Callable[[Any], Sequence[Any]]

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence, whole; the formatter wraps it."""
        sentence = _SENTENCE.match(self.help or "")
        return " ".join(sentence[1].split()) if sentence else self.help or ""

    def usage_pieces(self, ctx: Any) -> list[str]:
        """Return options and arguments as people write them: TOPOLOGY, [RUNID]..."""
        pieces = [self.options_metavar or ""]
        for param in self.get_params(ctx):
            if param.param_type_name == "argument":
                name = str(param.metavar or param.name.upper()).removesuffix("...").strip("[]")
                shown = name if param.required else f"[{name}]"
                pieces.append(shown if param.nargs == 1 else f"{shown}...")
        return pieces

    def write_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options without types."""
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            params = [one for one in self.get_params(ctx) if one.param_type_name == kind]
            records = [record for one in params if (record := one.get_help_record(ctx))]
            if kind == "argument":
                records = [(_TYPE.sub("", name), text) for name, text in records]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Plain, TyperCommand):
    """A command; each takes -q and -v."""

    def __init__(self, *args: Any, params: Any = None, **more: Any) -> None:
        """Add the options that all commands have."""
        super().__init__(*args, params=[*(params or ()), *_shared()], **more)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return self.usage_pieces(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        self.write_options(ctx, formatter)


class Group(_Plain, TyperGroup):
    """A group of commands."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return [*self.usage_pieces(ctx), self.subcommand_metavar]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options and commands."""
        self.write_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class App(typer.Typer):
    """A group of commands that look as above."""

    def __init__(self, **settings: Any) -> None:
        """Take what typer takes."""
        super().__init__(cls=Group, no_args_is_help=True, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """Register a command."""
        return super().command(name, cls=Command, **settings)


def _quiet(given: bool) -> None:
    options.quiet = options.quiet or given


def _verbose(given: bool) -> None:
    if given:
        options.verbose = True
        for name in OURS:
            logger = logging.getLogger(name)
            logger.setLevel(min(logger.level, logging.INFO))


QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_quiet,
        expose_value=False,
        help="No progress: only results and errors.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_verbose,
        expose_value=False,
        help="Say more about what happens, on stderr.",
    ),
]


@cache
def _shared() -> list[Any]:
    """Return the options of all commands as typer makes them."""

    def all_commands(quiet: QuietOption = False, verbose: VerboseOption = False) -> None:
        del quiet, verbose

    app = typer.Typer(add_completion=False)
    app.command()(all_commands)
    return list(typer.main.get_command(app).params)


def call(app: App) -> int:
    """Run the command that the arguments name; return the exit code.

    An error of usage goes to stderr, and to stdout as one object where JSON was asked for.
    """
    try:
        return app(standalone_mode=False) or 0
    except TyperException as error:
        _explain(error)
        return EXIT_INVALID


def _explain(error: Any) -> None:
    error.message = error.message.removeprefix("Value error, ")
    error.show()
    message = " ".join(error.format_message().split())
    remedy = f"See {error.ctx.command_path} --help." if error.ctx else "See --help."
    found = _NO_OPTION.match(message)
    if found and found[1] in _BEFORE:
        remedy = f"It stands before the command: mediaflow {found[1]} ..."
        typer.echo(remedy, err=True)
    if "--json" in sys.argv[1:]:
        sentence = f"Invalid command line: {message}"
        usage = InvalidInputError(Code.INVALID, sentence, remedy=remedy)
        print_json({"Error": problem_json(usage.problem())})
