"""What an activity left, for the page of its execution: objects, and what its type shows of them.

Objects of one kind, such as the segments of a playlist, are one group. Pictures come as small
copies inside the page; the outputs themselves are linked.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from workflow_engine.activity import Artifact, Cells, Exhibit, Pictures, Player, Plot, Thumbnail
from workflow_engine.pages.plots import DrawnPlot, drawn
from workflow_engine.records import ActivityRecord, Json, Output

#: objects of one kind from which on they are a group
_GROUP = 6
#: objects of a group whose names are shown
_LISTED = 20
#: rows of a table
_MOST_ROWS = 100
#: from an output to its URL, empty where a browser cannot have it
Link = Callable[[Output], str]


def no_link(output: Output) -> str:
    """Return "": no browser can have the output."""
    return ""


@dataclass(frozen=True, kw_only=True)
class ShownObject:
    """An output, and its URL where there is one."""

    output: Output
    link: str

    @property
    def facts(self) -> list[str]:
        """What its media info says of it in short."""
        media = self.output.media
        found: list[str] = []
        if duration := media.get("Duration"):
            found.append(f"{_rounded(duration)} s")
        if (width := media.get("Width")) and (height := media.get("Height")):
            found.append(f"{width}x{height}")
        return found


@dataclass(frozen=True, kw_only=True)
class Group:
    """Objects whose names differ in numbers: the first of them, how many, bytes of all."""

    objects: tuple[ShownObject, ...]
    count: int
    size: int

    @property
    def first(self) -> ShownObject:
        """The first object."""
        return self.objects[0]

    @property
    def hidden(self) -> int:
        """How many are not listed."""
        return self.count - len(self.objects)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under their columns; `hidden` rows are left out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    hidden: int


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """A picture: its small copy, or the whole where it is `loaded`; the cells of a sprite."""

    object: ShownObject
    caption: str
    thumbnail: Thumbnail | None
    large: bool
    cells: Cells | None
    loaded: bool

    @property
    def source(self) -> str:
        """The small copy as a URL that holds it (RFC 2397), else the whole; "" for neither."""
        if self.thumbnail is None:
            return self.object.link if self.loaded else ""
        content = b64encode(self.thumbnail.content).decode()
        return f"data:{self.thumbnail.media_type};base64,{content}"


@dataclass(frozen=True, kw_only=True)
class ShownPlayer:
    """An output to be played where there is a link to it."""

    object: ShownObject
    title: str
    media_type: str

    @property
    def is_sound(self) -> bool:
        """Whether there is nothing to see."""
        return self.media_type.startswith("audio/")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """All that there is to look at of an activity, each kind in its order."""

    players: tuple[ShownPlayer, ...]
    pictures: tuple[tuple[str, tuple[ShownPicture, ...]], ...]
    plots: tuple[DrawnPlot, ...]
    tables: tuple[Table, ...]
    texts: tuple[Artifact, ...]
    groups: tuple[Group, ...]


def shown_of(
    record: ActivityRecord,
    exhibits: Sequence[Exhibit],
    thumbnails: Mapping[str, Thumbnail],
    link: Link,
    *,
    load_pictures: bool,
) -> Shown | None:
    """Return what an activity left, None for one that left nothing.

    With `load_pictures` those without a small copy are loaded by their links. Exhibits of outputs
    that do not exist are left out.
    """
    if not record.outputs and not exhibits:
        return None
    objects = [ShownObject(output=output, link=link(output)) for output in record.outputs]
    texts = [one for one in exhibits if isinstance(one, Artifact)]
    return Shown(
        players=tuple(
            ShownPlayer(object=objects[one.output], title=one.title, media_type=one.media_type)
            for one in exhibits
            if isinstance(one, Player) and 0 <= one.output < len(objects)
        ),
        pictures=tuple(
            (one.title, tuple(_pictures(one, objects, thumbnails, load_pictures)))
            for one in exhibits
            if isinstance(one, Pictures)
        ),
        plots=tuple(drawn(one) for one in exhibits if isinstance(one, Plot)),
        tables=tuple(
            _table(one.title, cast("Sequence[Mapping[str, Json]]", one.content))
            for one in texts
            if one.kind == "table" and one.content
        ),
        texts=tuple(one for one in texts if one.kind != "table"),
        groups=tuple(_groups(objects)),
    )


def _pictures(
    given: Pictures,
    objects: Sequence[ShownObject],
    thumbnails: Mapping[str, Thumbnail],
    load: bool,
) -> Iterator[ShownPicture]:
    for one in given.pictures:
        if 0 <= one.output < len(objects):
            shown = objects[one.output]
            yield ShownPicture(
                object=shown,
                caption=one.caption,
                thumbnail=thumbnails.get(shown.output.place),
                large=one.large,
                cells=one.cells,
                loaded=load,
            )


def _table(title: str, rows: Sequence[Mapping[str, Json]]) -> Table:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        title=title,
        columns=columns,
        rows=tuple(
            tuple(cell_text(row.get(name)) for name in columns) for row in rows[:_MOST_ROWS]
        ),
        hidden=max(0, len(rows) - _MOST_ROWS),
    )


def cell_text(value: Json) -> str:
    """Return a value of a table for people.

    >>> [cell_text(value) for value in (None, True, 0.25, "a")]
    ['', 'yes', '0.25', 'a']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _rounded(value: Json) -> str:
    """Return a number with a decimal; a value that is none as it is."""
    try:
        return f"{float(value):.1f}"
    except (TypeError, ValueError):
        return str(value)


def _groups(objects: Sequence[ShownObject]) -> Iterator[Group]:
    """Yield the objects, those whose names differ in numbers only together."""
    kinds: dict[tuple[str, str], list[ShownObject]] = {}
    for one in objects:
        ref = one.output.ref
        kinds.setdefault((ref.bucket, re.sub(r"\d+", "0", ref.object)), []).append(one)
    for members in kinds.values():
        if len(members) < _GROUP:
            yield from (_group([one]) for one in members)
        else:
            yield _group(members)


def _group(members: Sequence[ShownObject]) -> Group:
    return Group(
        objects=tuple(members[:_LISTED]),
        count=len(members),
        size=sum(one.output.digests.size for one in members),
    )
