"""What outputs keep of the picture of a source: its black borders, its fields.

`decide` takes what AnalysisConfig fixes, `look` finds the rest out by decoding some places of the
source. Specification: analysis, 3.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from activities.analysis.classes import Size, size_of
from activities.analysis.config import AnalysisConfig
from activities.ffmpeg.observe import notes_of_frames
from activities.probe import MediaInfo, VideoStream
from activities.probe.fields import IDET, judge, may_hold_fields, seen
from activities.transcode.source.geometry import cropped, upright
from workflow_engine.errors import ActivityError

#: width, height, left and top in pixels of the upright picture
Box = tuple[int, int, int, int]

#: places that are looked at, and seconds of each
_PLACES, _PLACE_SECONDS = 5, 1.5
#: pictures per second whose borders are looked for
_BORDER_RATE = 4
#: brightness up to which an edge is black, and that a tenth of the picture must have for it to
#: count: in the dark, borders have no end; of 255
_BLACK, _BRIGHT = 24, 48
#: share of an edge up to which borders on both of its sides are left
_NARROW = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureDecision:
    """How outputs show the picture: `crop` None shows all of it.

    `size` is that of the upright, cropped picture in square pixels, both sides even. `scan_mode`
    and `field_order` are those of the result template, None where it does not name them.
    """

    size: Size
    crop: Box | None = None
    scan_mode: str | None = None
    field_order: str | None = None

    def output_size(self, edge: int) -> Size:
        """Return the size of the output with this short edge."""
        width, height = size_of(self.size, edge)
        if self.scan_mode != "interlaced":
            return width, height
        # fields of 4:2:0 need lines in fours
        near = 4 * ((height + 2) // 4)
        return width, near if near <= self.size[1] else 4 * (height // 4)


def decide(video: VideoStream, config: AnalysisConfig) -> PictureDecision:
    """Return what is known without a look at the pictures.

    Raises ActivityError (`InvalidParameter.OutOfRange`) for a forced Crop beyond the picture.
    """
    control = config.properties_control
    decision = _shown(video, control.crop.box)
    if control.deinterlace == "None":
        return replace(decision, scan_mode="interlaced" if video.interlaced else None)
    if control.deinterlace == "Force":
        order = "bff" if video.field_order in ("bb", "tb") else "tff"
        return replace(decision, scan_mode="progressive", field_order=order)
    return replace(decision, scan_mode="progressive" if video.interlaced else None)


def look(
    path: Path,
    media: MediaInfo,
    video: VideoStream,
    config: AnalysisConfig,
    cancel: threading.Event | None = None,
) -> PictureDecision:
    """Return what `decide` does, and what the pictures show where `Auto` asks for it.

    Raises InterruptedRunError, and ActivityError as `decide` does.
    """
    decision, control = decide(video, config), config.properties_control
    places = _places(media)
    if control.crop.mode == "Auto":
        box = _inside_borders(path, media, video, places, cancel)
        if box:
            fields = {"scan_mode": decision.scan_mode, "field_order": decision.field_order}
            decision = replace(_shown(video, box), **fields)
    if control.deinterlace != "None" and not video.interlaced:
        order = _order(path, media, video, places, cancel, forced=control.deinterlace == "Force")
        if order:
            decision = replace(decision, scan_mode="progressive", field_order=order)
    return decision


def _shown(video: VideoStream, box: Box | None) -> PictureDecision:
    try:
        return PictureDecision(size=cropped(upright(video), box).shown, crop=box)
    except ActivityError as error:
        pointer = "/AnalysisConfig/PropertiesControl/Crop"
        raise ActivityError(
            error.code, error.message, pointer=pointer, remedy=error.remedy
        ) from None


def _places(media: MediaInfo) -> list[float]:
    """Return where to look, in seconds from the start: one place where only that can be read."""
    if media.duration is None or media.duration <= _PLACES * _PLACE_SECONDS or not media.seekable:
        return [0.0]
    part = media.duration / _PLACES
    return [(n + 0.5) * part - _PLACE_SECONDS / 2 for n in range(_PLACES)]


def _notes(
    path: Path,
    media: MediaInfo,
    video: VideoStream,
    places: Sequence[float],
    filters: Sequence[tuple[str, Mapping[str, object]]],
    cancel: threading.Event | None,
) -> Iterator[list[dict[str, str]]]:
    """Yield what filters note of the pictures of each place; one place is seen for longer."""
    seconds = _PLACE_SECONDS if len(places) > 1 else _PLACES * _PLACE_SECONDS
    for start in places:
        yield notes_of_frames(
            path,
            video.index,
            filters,
            start=start,
            seconds=seconds,
            opened=dict(media.opened),
            cancel=cancel,
        )


def _inside_borders(
    path: Path,
    media: MediaInfo,
    video: VideoStream,
    places: Sequence[float],
    cancel: threading.Event | None,
) -> Box | None:
    """Return the part inside the black borders that most places show, None for all of it."""
    filters: tuple[tuple[str, dict[str, object]], ...] = (
        ("fps", {"fps": _BORDER_RATE}),
        # deep pictures have more than 255 steps
        ("format", {"pix_fmts": "yuv420p"}),
        ("signalstats", {}),
        ("cropdetect", {"limit": _BLACK, "round": 2, "skip": 0, "reset": 1}),
    )
    boxes = [
        box
        for frames in _notes(path, media, video, places, filters, cancel)
        if (box := _around(frame for frame in frames if _bright(frame)))
    ]
    if not boxes:
        return None
    # of equally frequent ones the largest
    box, count = max(Counter(boxes).items(), key=lambda one: (one[1], one[0][0] * one[0][1]))
    if 2 * count <= len(boxes):
        box = _hull(boxes)
    return without_narrow(box, video.upright_size)


def _bright(frame: Mapping[str, str]) -> bool:
    return float(frame.get("signalstats.YHIGH", 0)) >= _BRIGHT


def _around(frames: Iterator[Mapping[str, str]]) -> Box | None:
    """Return the smallest box that holds what some frames show."""
    boxes: list[Box] = []
    for frame in frames:
        w, h, x, y = (int(frame.get(f"cropdetect.{side}", 0)) for side in "whxy")
        if w > 0 and h > 0:
            boxes.append((w, h, x, y))
    return _hull(boxes) if boxes else None


def _hull(boxes: Sequence[Box]) -> Box:
    left, top = min(box[2] for box in boxes), min(box[3] for box in boxes)
    right = max(box[0] + box[2] for box in boxes)
    bottom = max(box[1] + box[3] for box in boxes)
    return right - left, bottom - top, left, top


def without_narrow(box: Box, size: Size) -> Box | None:
    """Return a box whose narrow borders are left in, None when nothing is left to take off."""
    width, height, left, top = box
    if max(left, size[0] - left - width) < _NARROW * size[0]:
        width, left = size[0], 0
    if max(top, size[1] - top - height) < _NARROW * size[1]:
        height, top = size[1], 0
    return None if (width, height) == size else (width, height, left, top)


def _order(
    path: Path,
    media: MediaInfo,
    video: VideoStream,
    places: Sequence[float],
    cancel: threading.Event | None,
    *,
    forced: bool,
) -> str | None:
    """Return the order of the fields that pictures show, None where they show none."""
    if not (forced or may_hold_fields(video)):
        return None
    stretches = _notes(path, media, video, places, [("idet", IDET)], cancel)
    found = judge([[seen(frame) for frame in frames] for frames in stretches], film=False)
    return None if found is None else "bff" if found.order == "bb" else "tff"
