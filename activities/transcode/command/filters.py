"""Chains of filters, and the inputs that they begin with: the graph of one output as a value.

A chain is a line of filters behind one stream. A filter that takes more than one stream (overlay,
concat, xfade, amix) has the chains of the others in `others`, so a picture of any graph is still
one line, and a stage adds to it at its end. `commands.py` makes ffmpeg graphs of them.

>>> logo = Chain(input=CommandInput(file="side-1f.png"), filters=(filter_of("scale", w=80, h=-2),))
>>> str(filter_of("overlay", logo, x=10, y=10))
'overlay=x=10:y=10[side-1f.png v:0 scale=w=80:h=-2]'
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: seconds
_ROUNDED = 0.0005


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkFile:
    """A file in the work directory as the value of an option.

    `text` is what it holds, where the activity writes it; `face` is the font that it is, by the
    name that `activities.fonts` gives it. Neither: a side input, by its name, or a folder, of
    which `files` are needed.
    """

    name: str
    text: str | None = None
    face: str = ""
    files: tuple["WorkFile", ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandInput:
    """One input of ffmpeg: a side input by its name, or the source (`file` empty)."""

    file: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """A stream of an input (`v:0`, `a:1` or an index) and the filters behind it.

    Without an input the first filter makes the stream itself, as `color` and `anullsrc` do.
    """

    input: CommandInput | None = None
    stream: str = "v:0"
    filters: tuple["Filter", ...] = ()

    def __str__(self) -> str:
        """`side-1f.png v:0 scale=w=80`, for messages."""
        head = [f"{self.input.file or 'source'} {self.stream}"] if self.input else []
        return " ".join([*head, ",".join(map(str, self.filters))]).strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One ffmpeg filter with its options, in order; `others` are its further inputs."""

    name: str
    options: tuple[tuple[str, str | WorkFile], ...] = ()
    others: tuple[Chain, ...] = ()

    def __str__(self) -> str:
        """`scale=w=1280:h=720`, for simple filters as ffmpeg reads it."""
        options = ":".join(
            f"{key}={value.name if isinstance(value, WorkFile) else value}"
            for key, value in self.options
        )
        others = "".join(f"[{chain}]" for chain in self.others)
        return (f"{self.name}={options}" if options else self.name) + others


def filter_of(name: str, *others: Chain, **options: object) -> Filter:
    """Return a filter; options are written with `str`, except files."""
    values = tuple((k, v if isinstance(v, WorkFile) else str(v)) for k, v in options.items())
    return Filter(name=name, options=values, others=others)


def shown_between(start: float, end: float | None) -> str:
    """Return the expression of `enable` for the frames from a second on, and before another.

    Times of frames are rounded to the time base of their stream, hence the half millisecond.
    """
    shown_from = f"gte(t,{start - _ROUNDED:.6f})"
    return shown_from if end is None else f"{shown_from}*lt(t,{end - _ROUNDED:.6f})"


def simple(filters: Iterable[Filter]) -> bool:
    """Whether a line of filters has one input and no files, so that `-af` takes it as text."""
    return not any(
        one.others or any(isinstance(value, WorkFile) for _, value in one.options)
        for one in filters
    )


def work_files(filters: Iterable[Filter]) -> Iterator[WorkFile]:
    """Yield the files that the options of these filters name, those inside `others` too."""
    for one in filters:
        for _, value in one.options:
            if isinstance(value, WorkFile):
                yield from (value, *value.files)
        for chain in one.others:
            yield from work_files(chain.filters)


def filter_names(filters: Iterable[Filter]) -> Iterator[str]:
    """Yield the names of these filters, and of those inside `others`."""
    for one in filters:
        yield one.name
        for chain in one.others:
            yield from filter_names(chain.filters)
