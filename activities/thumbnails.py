"""Small copies of the pictures that came out of an execution, for its page.

Each is made by an ffmpeg of its own, which takes some hundredths of a second. One that cannot be
made is left out, and said so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.snapshot.pictures import jpeg_size
from workflow_engine.activity import (
    ActivityContext,
    ActivityRecord,
    Exhibit,
    InterruptedRunError,
    MediaflowError,
    Output,
    Picture,
    Pictures,
    Thumbnail,
)

#: pixels of the longer side: of a thumbnail, and of what is to be looked at closely
_SMALL, _LARGE = 360, 1280
#: of mjpeg; 2 is the best, 31 the worst
_QUALITY = 5
#: pictures of one page, and bytes of all of them
_MOST, _MOST_BYTES = 48, 1_900_000
#: bytes of an output that is looked at
_MOST_READ = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Thumbnails:
    """Small copies by the places of their outputs, and what could not be made."""

    small: Mapping[str, Thumbnail]
    warnings: tuple[str, ...]


def pictures_of(
    records: Sequence[ActivityRecord], exhibits: Callable[[str], Sequence[Exhibit]]
) -> Iterator[tuple[Output, Picture]]:
    """Yield the pictures that activities show, one of each activity in turn."""
    rows = [
        [
            (record.outputs[picture.output], picture)
            for one in exhibits(record.name)
            if isinstance(one, Pictures)
            for picture in one.pictures
        ]
        for record in records
    ]
    for number in range(max(map(len, rows), default=0)):
        yield from (row[number] for row in rows if number < len(row))


def thumbnails(
    pictures: Iterable[tuple[Output, Picture]],
    fetch: Callable[[Output, Path], None],
    context: ActivityContext,
) -> Thumbnails:
    """Make small copies until there are enough of them; `fetch` as in `PageMaker`.

    Raises InterruptedRunError on `context.cancel`.
    """
    small: dict[str, Thumbnail] = {}
    warnings: list[str] = []
    size = left_out = 0
    for output, picture in pictures:
        if len(small) == _MOST or size >= _MOST_BYTES:
            left_out += 1
            continue
        try:
            made = _thumbnail(output, picture, fetch, context)
        except InterruptedRunError:
            raise
        except (MediaflowError, OSError) as error:
            warnings.append(f'The page does not show "{output.ref.object}": {error}')
        else:
            small[output.place] = made
            size += len(made.content)
    if left_out:
        warnings.append(f"{left_out} more pictures are not shown, to keep the page small.")
    return Thumbnails(small=small, warnings=tuple(warnings))


def _thumbnail(
    output: Output,
    picture: Picture,
    fetch: Callable[[Output, Path], None],
    context: ActivityContext,
) -> Thumbnail:
    """Return a copy of a picture within a square. Raises MediaflowError and OSError."""
    if output.digests.size > _MOST_READ:
        raise ffmpeg.content_bad(f"a picture of {output.digests.size} bytes is too large")
    source, target = context.work / "picture", context.work / "thumbnail.jpg"
    try:
        fetch(output, source)
        ffmpeg.run(
            command(source.name, _LARGE if picture.large else _SMALL, target.name),
            context=context,
            duration=None,
            on_progress=lambda share: None,
        )
        size = jpeg_size(target)
        if size is None:
            raise ffmpeg.content_bad("it is not a picture")
        return Thumbnail(content=target.read_bytes(), size=size, media_type="image/jpeg")
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)


def command(source: str, side: int, target: str) -> tuple[str, ...]:
    """Return the command that makes a copy of a picture of at most `side` pixels each way."""
    small = (
        graph.open_input(source)["v:0"]
        .filter(
            "scale",
            f"min({side},iw)",
            f"min({side},ih)",
            # never larger than it was
            force_original_aspect_ratio="decrease",
            out_range="full",
            flags="area",
        )
        .filter("format", "yuvj420p")
    )
    options = {"f": "image2", "c:v": "mjpeg", "q:v": _QUALITY, "frames:v": 1, "update": 1}
    return graph.argv(graph.output(f"file:{target}", [small], options))
