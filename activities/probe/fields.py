"""Whether frames hold two fields, and which is first: measured, since containers often lie.

Only streams are looked at of a kind that is recorded in fields, and only a few seconds of them.
What the pictures show is believed; where they show nothing, as still ones do, what the stream
says stands. Specification: transcode, 22.2.

>>> fields, frame = SeenFrame(first="tff", repeats=""), SeenFrame(first="", repeats="")
>>> judge([[fields, frame, fields, fields, frame, fields, fields]], film=False)
FieldOrder(order='tt', pulldown=False)
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from activities.ffmpeg.observe import notes_of_frames
from activities.probe.streams import VideoStream

#: codecs that discs and tapes have; their streams are looked at whatever their rate
_OF_DEVICES = frozenset({"dvvideo", "mpeg2video"})
#: further codecs that cameras, broadcasters and capture cards record fields with
_CODECS = frozenset(
    {
        *("h264", "mpeg4", "vc1", "wmv3", "prores", "dnxhd", "mjpeg", "jpeg2000", "cfhd"),
        *("rawvideo", "v210", "ffv1", "huffyuv", "ffvhuff", "utvideo"),
    }
)
#: how containers begin that the web delivers; `progressive` in them is true
_WEB = (b"\x1a\x45\xdf\xa3", b"FLV")
#: lines of a picture of 480, 576 or 1080 lines, with what some recorders add
_LINES = frozenset({480, 486, 512, 576, 608, 1080, 1088})
_NTSC = Fraction(30000, 1001)
#: frames per second of pictures in fields; the fields may be counted singly
_RATES = (Fraction(25), _NTSC, 2 * Fraction(25), 2 * _NTSC)

#: seconds of one stretch that is looked at, and how many there are; a short file is seen whole
_STRETCH, _STRETCHES = 1.5, 4
#: share of the frames with movement that show combing, above which all are taken for interlaced
_COMBED = 0.3
#: frames that must show something
_ENOUGH = 5
#: share of what is seen that must agree: on one order, or on the places of repeated fields
_AGREED = 0.8
#: frames that telecine makes of four; two of them repeat a field, and of those with movement at
#: least so many are seen to
_CYCLE, _FEWEST = 5, 1.2
#: idet: by how much a field must fit its neighbours in time better. By less, drawn pictures seem
#: interlaced; by more, the repeated fields of coded film are missed
IDET = {"intl_thres": 1.15, "rep_thres": 1.5}


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldOrder:
    """`order` is ffprobe's tt or bb; `pulldown`: film, by repeated fields (3:2)."""

    order: str
    pulldown: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFrame:
    """What a frame shows.

    `first` is which field is older (tff or bff), empty where both are of one time, None where
    nothing moves; `repeats` is the field that the frame before has, too (top or bottom), or empty.
    """

    first: str | None
    repeats: str


def measured_fields(
    path: Path,
    stream: VideoStream,
    duration: float | None,
    *,
    opened: Mapping[str, str],
    cancel: threading.Event | None = None,
) -> FieldOrder | None:
    """Return the fields that a stream's pictures show, None where they show none.

    `duration` (seconds) is that of the file, None when unknown; `opened` are further input
    options. Raises InterruptedRunError.
    """
    if not _possible(path, stream):
        return None
    whole = _STRETCH * _STRETCHES
    places = [(0.0, whole)]
    if duration and duration > whole:
        part = duration / _STRETCHES
        places = [((n + 0.5) * part - _STRETCH / 2, _STRETCH) for n in range(_STRETCHES)]
    stretches = [
        [
            seen(notes)
            for notes in notes_of_frames(
                path,
                stream.index,
                [("idet", IDET)],
                start=start,
                seconds=seconds,
                opened=opened,
                cancel=cancel,
            )
        ]
        for start, seconds in places
    ]
    found = judge(stretches, film=_near(stream.fps, _NTSC))
    if found is None and stream.codec == "dvvideo" and not any(map(_moves, stretches)):
        # camcorders record bottom fields first, whatever stands still for these seconds
        return FieldOrder(order="bb", pulldown=False)
    return found


def judge(stretches: Sequence[Sequence[SeenFrame]], *, film: bool) -> FieldOrder | None:
    """Return the fields that consecutive frames show; `film`: their rate allows for telecine."""
    moving = [frame.first for stretch in stretches for frame in stretch if frame.first is not None]
    orders = Counter(first for first in moving if first)
    if not orders:
        return None
    (first, most), combed = orders.most_common(1)[0], orders.total()
    if combed < max(_ENOUGH, _COMBED * len(moving)) or most < _AGREED * combed:
        return None
    return FieldOrder(
        order="tt" if first == "tff" else "bb", pulldown=film and _telecined(stretches)
    )


def _telecined(stretches: Sequence[Sequence[SeenFrame]]) -> bool:
    """Whether a top and a bottom field are repeated once a cycle, wherever there is movement.

    From stretch to stretch the places in the cycle differ.
    """
    moving = repeats = 0
    for stretch in stretches:
        moved = sum(frame.first is not None for frame in stretch)
        places = {
            field: Counter(n % _CYCLE for n, frame in enumerate(stretch) if frame.repeats == field)
            for field in ("top", "bottom")
        }
        found = sum(places_of.total() for places_of in places.values())
        steady = sum(max(places_of.values(), default=0) for places_of in places.values())
        if moved >= 2 * _CYCLE and steady < max(_AGREED * found, moved / _CYCLE * _FEWEST):
            return False
        moving, repeats = moving + moved, repeats + steady
    return moving > 0 and repeats >= max(_ENOUGH, moving / _CYCLE * _FEWEST)


def _moves(stretch: Sequence[SeenFrame]) -> bool:
    return any(frame.first is not None for frame in stretch)


def seen(notes: Mapping[str, str]) -> SeenFrame:
    """Read what idet noted of a frame."""
    first = {"tff": "tff", "bff": "bff", "progressive": ""}
    repeats = notes.get("idet.repeated.current_frame", "")
    return SeenFrame(
        first=first.get(notes.get("idet.single.current_frame", "")),
        repeats="" if repeats == "neither" else repeats,
    )


def may_hold_fields(stream: VideoStream) -> bool:
    """Whether a stream has the codec, the lines and the rate of those recorded in fields."""
    if not stream.sized or stream.height not in _LINES:
        return False
    near = any(_near(stream.fps, rate) for rate in _RATES)
    return stream.codec in _OF_DEVICES or (stream.codec in _CODECS and near)


def _possible(path: Path, stream: VideoStream) -> bool:
    """Whether such a stream may hold fields that it does not tell of, or film in them."""
    told = stream.field_order == "progressive" and stream.codec not in _OF_DEVICES
    return may_hold_fields(stream) and not (told and _for_the_web(path))


def _for_the_web(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith(_WEB) or (head[4:8] == b"ftyp" and head[8:] != b"qt  ")


def _near(fps: Fraction, rate: Fraction) -> bool:
    return abs(fps - rate) < Fraction(1, 50)
