"""Image tracks: the sprites of a Snapshot in a package, which players show over their time line.

An extension of ours. The sheets stay where the Snapshot puts them; the lists name them from there.
Pure.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from activities.packaging.measure import images_of
from activities.packaging.package import Package
from activities.packaging.streams import Member, Tiles
from workflow_engine.activity import Json, ObjectRef, PlanContext, StepResult

#: the number of a sheet in its name
_DIGITS = 5


@dataclass(frozen=True, kw_only=True)
class ImageTrack:
    """What became of the sprites of a Snapshot: a member of its package, or why there is none."""

    member: Member | None = None
    warnings: Sequence[str] = ()


def image_tracks(package: Package, context: PlanContext, master: ObjectRef) -> Iterator[ImageTrack]:
    """Yield what became of each Snapshot of a package that has sprites, or failed."""
    for node in package.snapshots:
        result = context.results.get(node.name)
        if result is None:
            if node.name not in context.skipped:
                sentence = f'"{node.name}" failed: the package has no pictures of it.'
                yield ImageTrack(warnings=(sentence,))
        elif "Tiles" in result.data:
            yield _track(node.name, result, master)


def _track(name: str, result: StepResult, master: ObjectRef) -> ImageTrack:
    tiles = cast("Mapping[str, Json]", result.data["Tiles"])
    count = cast("int", result.data["TileCount"])
    # the sheets stand behind the pictures, before the WebVTT
    behind = 1 if result.outputs[-1].ref.object.endswith(".vtt") else 0
    sheets = result.outputs[len(result.outputs) - behind - count :][:count]
    if tiles["Kind"] != "jpeg":
        return _none(name, "they are no JPEG")
    if tiles["Gaps"]:
        return _none(name, "they have a Margin or Padding")
    if any(sheet.ref.bucket != master.bucket for sheet in sheets):
        return _none(name, f'they are not in the bucket "{master.bucket}" of the package')
    folder = posixpath.dirname(master.object)
    names = [posixpath.relpath(f"/{one.ref.object}", f"/{folder}") for one in sheets]
    template = _template(names)
    if template is None:
        return _none(name, "their names are not numbered by {TileCount} alone")
    times = cast("Sequence[int]", result.data["Times"])[:: cast("int", tiles["Step"])]
    film = Fraction(str(tiles["Seconds"]))
    each = Fraction(times[1] - times[0], 1000) if len(times) > 1 else film
    stream = images_of(
        [one.digests.size for one in sheets],
        uri=f"{'-'.join(name.split())}-images.m3u8",
        media=template,
        first=1,
        picture=cast("tuple[int, int]", tuple(tiles["Cell"])),
        tiles=Tiles(columns=tiles["Columns"], rows=tiles["Lines"], seconds=each),
        seconds=film,
    )
    return ImageTrack(member=Member(stream=stream, group=name, id="-".join(name.split())))


def _template(names: Sequence[str]) -> str | None:
    """Return the template of DASH for names that differ in their number only, from 1 on."""
    first = f"{1:0{_DIGITS}d}"
    begin, found, end = names[0].rpartition(first)
    expected = [f"{begin}{number:0{_DIGITS}d}{end}" for number in range(1, len(names) + 1)]
    if not found or expected != list(names):
        return None
    return f"{begin.replace('$', '$$')}$Number%0{_DIGITS}d${end.replace('$', '$$')}"


def _none(name: str, reason: str) -> ImageTrack:
    sentence = f'The sprites of "{name}" are left out of the package: {reason}.'
    return ImageTrack(warnings=(sentence,))
