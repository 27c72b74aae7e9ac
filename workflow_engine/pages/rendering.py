"""The templates, and how moments, sizes and lengths of time are written on pages.

>>> text = render("failure.html", title="Not found", message="There is no <such> page.")
>>> "no &lt;such&gt; page" in text
True

Everything that a template is given is text: markup in it is shown, not obeyed. Pages that are
files carry the stylesheet (`standalone`), those of `serve` link it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from workflow_engine.pages.dag import HEIGHT, WIDTH
from workflow_engine.records import wire_time

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = "workflow_engine.pages"
#: bytes in a unit, and its name
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))
#: what URLs begin with that a page may link to: none that runs a script
_LINKS = ("https://", "http://")
#: marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode annex 9)
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: those of them that change the direction of what follows
_TURNING = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")


def render(template: str, /, **values: Any) -> str:
    """Return a page: a template of this package, filled in."""
    return _environment().get_template(template).render(values)


@cache
def stylesheet() -> str:
    """Return the one stylesheet of all pages."""
    return files(_PACKAGE).joinpath("style.css").read_text(encoding="utf-8")


@cache
def script(name: str) -> str:
    """Return a script of this package, without the end of its name: `script("execution")`."""
    return files(_PACKAGE).joinpath(f"{name}.js").read_text(encoding="utf-8")


def label(text: str, most: int = 60) -> str:
    """Return text for places without markup: one line, without what changes its direction.

    >>> label("a\u202egpj.mp4")
    'agpj.mp4'
    """
    line = "".join(
        letter if letter.isprintable() else " " for letter in text if letter not in _DIRECTIONS
    )
    return line if len(line) <= most else f"{line[: most - 1]}…"


def is_link(text: object) -> bool:
    """Whether a text is a URL that a page may have as a link."""
    return isinstance(text, str) and text.startswith(_LINKS)


def size_text(size: float) -> str:
    """Return a number of bytes for people.

    >>> size_text(1_250_000)
    '1.2 MB'
    """
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} B"


def seconds_text(seconds: float) -> str:
    """Return a length of time for people.

    >>> [seconds_text(s) for s in (0.42, 9.7, 75, 3725)]
    ['0.4 s', '9.7 s', '1 min 15 s', '1 h 2 min']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


#: the class of style.css and the sign of each state; the sign tells it without colours
_STATES = {
    "Success": ("good", "✓"),
    "Completed": ("good", "✓"),
    "Fail": ("bad", "✕"),
    "Running": ("busy", "▸"),
    "Skipped": ("skipped", "↷"),
}


def state_class(state: str) -> str:
    """Return the class of the stylesheet for the state of an execution or an activity."""
    return _STATES.get(state, ("", ""))[0]


def state_sign(state: str) -> str:
    """Return the sign of a state, for places that have no room for its word."""
    return _STATES.get(state, ("", "○"))[1]


def _moment(moment: datetime | None) -> Markup:
    """Return a moment in UTC, in a form that programs read as well; nothing for None."""
    if moment is None:
        return Markup("")
    shown = moment.astimezone(UTC).isoformat(" ", "seconds").partition("+")[0]
    # not by `format`: lists have hundreds of these, and there is nothing to escape
    return Markup(f'<time datetime="{wire_time(moment)}">{shown}</time>')


def _isolated(text: object) -> Markup:
    """Return text of others so that its writing direction changes nothing around it.

    What would turn it around in itself is shown by its number: `gpj.exe` is not to look like
    another kind of file.
    """
    shown = str(text)
    if not shown.isascii():
        shown = "".join(f"[U+{ord(one):04X}]" if one in _TURNING else one for one in shown)
    return Markup(f"<bdi>{escape(shown)}</bdi>")


def _inline_script(name: str) -> Markup:
    """Return a script as a page of its own carries it."""
    return Markup(script(name))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "bdi": _isolated,
        "moment": _moment,
        "seconds": seconds_text,
        "size": size_text,
        "state_class": state_class,
        "state_sign": state_sign,
        "label": label,
    }
    environment.filters.update(filters)
    functions: Mapping[str, Any] = {
        "stylesheet": lambda: Markup(stylesheet()),
        "script": _inline_script,
        "is_link": is_link,
        "box_size": (WIDTH, HEIGHT),
    }
    environment.globals.update(functions)
    return environment
