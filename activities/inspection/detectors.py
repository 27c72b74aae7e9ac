"""What the measures of a picture mean: which defects it has, and how strong they are.

The numbers were found with clips of six kinds (slides, talking heads, grain, sport, animation,
screens) at three sizes, with real films, and with the same clips spoilt: `docs/inspection.md` has
the figures. Where a measure cannot decide, a picture counts as good.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from activities.inspection.freeze import FreezeTracker
from activities.inspection.labels import Label
from activities.inspection.measure import GAIN, GRID, STEP_GAIN
from activities.inspection.notes import Sample
from activities.inspection.spans import Bounds, Reading, Span, SpanTracker

#: seconds that a whole picture must be black, white, too dark or too bright: cuts and fades
#: through black are shorter
_TONE_SHORTEST = 0.75
#: seconds of the others, which a viewer takes for a part of the scene when they are shorter
_SHORTEST = 0.75
#: seconds that bars must stand: lines of a picture are dark by chance for shorter
_BORDER_SHORTEST = 1.5

#: levels: of black pictures none is above, and their average is below; of films' dark scenes
#: something is always brighter
_BLACK_MOST, _BLACK_AVERAGE = 40, 24
#: the same for white
_WHITE_LEAST, _WHITE_AVERAGE = 215, 228
#: levels: dark pictures have nothing brighter, and an average below; the second pair is for what
#: has few shades. Dark slides and terminals have bright letters
_DARK_MOST, _DARK_AVERAGE = 160, 45
_DIM_MOST, _DIM_AVERAGE = 80, 60
#: levels: bright pictures have nothing darker than the first, a tenth of them is darker than the
#: second, and their average is above the third. White slides have dark letters
_BRIGHT_LEAST, _BRIGHT_LOW, _BRIGHT_AVERAGE = 100, 130, 175
#: share of clipped highlights without which a bright picture is a bright thing, such as the sky
_BRIGHT_CLIPPED = 0.03
#: shares of shadows and of clipped highlights that the exposure is blamed for
_LESS_EXPOSED, _OVER_EXPOSED = 0.5, 0.2
#: how far the tone may go back before a span ends, in levels
_TONE_SLACK = 8

#: levels between the darkest and the brightest pixel of what is one colour: it has no details that
#: could be blurred, and no edges
_FLAT = 24

#: steps over lines of the grid against all steps: 0.5 to 1.1 without a grid, by chance up to 1.35
#: in tiny pictures; 1.4 to 4 with one
_BLOCKS = Bounds(enter=1.4, leave=1.2, shortest=_SHORTEST)
#: levels that are added to both: where next to nothing steps, chance decides
_STEP_FLOOR = 0.25
#: levels of noise in the flattest tenth of a picture: film grain has up to 6, snow from 11 on
_NOISE = Bounds(enter=8.0, leave=6.0, shortest=_SHORTEST)
#: what a fine blur takes away, against what a coarser one does: negative, so that more is worse
_BLUR = Bounds(enter=-0.34, leave=-0.38, shortest=_SHORTEST)
#: levels that the coarser blur must take away: of less nothing can be said. Where the picture has
#: this contrast, in levels, there are edges, and only a strong blur leaves so little of them
_BLUR_CONTENT, _CONTRAST, _BLUR_CONTENT_OF_CONTRAST = 0.1, 60, 0.04
#: share of a side, and pixels, from which on a bar is one
_BAR, _BAR_PIXELS = 0.015, 3
#: share of a picture's pixels that may be of the colour of the bars, beside these
_PAGE = 0.25
#: share of a side by which two thresholds may differ on where a bar ends, and pixels
_AGREED, _AGREED_PIXELS = 0.01, 2


@dataclass(kw_only=True)
class Detectors:
    """All defects of one stream: give it one sample after the other, then `finish`.

    `size` is that of its upright pictures, `step` the seconds between two samples.
    """

    size: tuple[int, int]
    step: float
    _trackers: dict[str, SpanTracker] = field(default_factory=dict[str, SpanTracker])
    _bars: dict[str, Sequence[int] | None] = field(
        default_factory=dict[str, "Sequence[int] | None"]
    )
    _freeze: FreezeTracker = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        self._freeze = FreezeTracker(step=self.step)

    def feed(self, sample: Sample) -> Iterator[tuple[Label, Span]]:
        """Yield the spans that have ended by the next picture."""
        tone = Tone.of(sample)
        if tone is None:
            return
        for result in ("black", "white", "dark", "bright"):
            yield from self._follow(
                Label.BRIGHTNESS, result, sample, _brightness(tone, result), _TONE
            )
        yield from self._follow(Label.LESS_EXPOSE, "", sample, _less_exposed(tone), _TONE)
        yield from self._follow(Label.OVER_EXPOSE, "", sample, _over_exposed(tone), _TONE)
        yield from self._follow(Label.BLOCKNESS, "", sample, _blocks(sample), _BLOCKS)
        yield from self._follow(Label.NOISE, "", sample, _noise(sample), _NOISE)
        yield from self._follow(Label.IMAGE_DEFINITION, "", sample, _blur(sample, tone), _BLUR)
        yield from self._borders(sample, tone)
        if frozen := self._freeze.feed(sample, flat=tone.flat):
            yield Label.FREEZE, frozen

    def finish(self) -> Iterator[tuple[Label, Span]]:
        """Yield the spans that go on to the end."""
        for name, tracker in self._trackers.items():
            if span := tracker.close():
                yield Label(name.partition("/")[0]), span
        if frozen := self._freeze.close():
            yield Label.FREEZE, frozen

    def _follow(
        self, label: Label, part: str, sample: Sample, reading: Reading | None, bounds: Bounds
    ) -> Iterator[tuple[Label, Span]]:
        name = f"{label}/{part}"
        tracker = self._trackers.get(name)
        if tracker is None:
            tracker = self._trackers[name] = SpanTracker(bounds=bounds, step=self.step)
        if span := tracker.feed(sample.time, reading):
            yield label, span

    def _borders(self, sample: Sample, tone: "Tone") -> Iterator[tuple[Label, Span]]:
        for colour in ("black", "white"):
            reading = _border(sample, colour, self.size, tone)
            if reading and self._moved(colour, reading.told.get("border")):
                reading = Reading(value=0.0)
            yield from self._follow(Label.BORDER, colour, sample, reading, _BORDER)

    def _moved(self, colour: str, inner: Sequence[int] | None) -> bool:
        """Whether bars stand elsewhere than in the picture before; then they are none."""
        before = self._bars.get(colour)
        if inner is None or before is None:
            self._bars[colour] = inner
            return False
        self._bars[colour] = inner
        return any(abs(a - b) > _AGREED_PIXELS for a, b in zip(inner, before, strict=True))


_TONE = Bounds(enter=0.0, leave=-_TONE_SLACK, shortest=_TONE_SHORTEST)
_BORDER = Bounds(enter=1.0, leave=1.0, shortest=_BORDER_SHORTEST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tone:
    """Levels of a picture: darkest, a tenth is darker than `low`, average, brightest; and shares.

    `clipped` and `shadows` are the shares of pixels at the two ends, from 0 to 1.
    """

    least: float
    low: float
    average: float
    most: float
    clipped: float
    shadows: float

    @classmethod
    def of(cls, sample: Sample) -> "Tone | None":
        """Return the tone of a sample, None where it was not measured."""
        names = ("YMIN", "YLOW", "YAVG", "YMAX", "UAVG", "VAVG")
        values = [number for name in names if (number := sample.get("tone", name)) is not None]
        if len(values) < len(names):
            return None
        least, low, average, most, clipped, shadows = values
        return cls(
            least=least,
            low=low,
            average=average,
            most=most,
            clipped=clipped / 255,
            shadows=shadows / 255,
        )

    @property
    def flat(self) -> bool:
        """Whether the whole picture is one colour."""
        return self.most - self.least <= _FLAT

    @property
    def black(self) -> float:
        """By how many levels it is black; below 0 it is not."""
        return min(_BLACK_MOST - self.most, _BLACK_AVERAGE - self.average)

    @property
    def white(self) -> float:
        """By how many levels it is white."""
        return min(self.least - _WHITE_LEAST, self.average - _WHITE_AVERAGE)

    @property
    def dark(self) -> float:
        """By how many levels it is too dark."""
        return max(
            min(_DARK_MOST - self.most, _DARK_AVERAGE - self.average),
            min(_DIM_MOST - self.most, _DIM_AVERAGE - self.average),
        )

    @property
    def bright(self) -> float:
        """By how many levels it is too bright."""
        if self.clipped < _BRIGHT_CLIPPED:
            return -255.0
        return min(
            self.least - _BRIGHT_LEAST, self.low - _BRIGHT_LOW, self.average - _BRIGHT_AVERAGE
        )


def _brightness(tone: Tone, result: str) -> Reading:
    values: Mapping[str, float] = {
        "black": tone.black,
        "white": tone.white,
        "dark": tone.dark if tone.black < 0 else -255.0,
        "bright": tone.bright if tone.white < 0 else -255.0,
    }
    # from 0 to 1: how far the average is from the middle
    score = min(1.0, abs(tone.average - 126) / 110)
    return Reading(value=values[result], told={"result": result, "score": round(score, 4)})


def _less_exposed(tone: Tone) -> Reading:
    found = tone.dark if tone.black < 0 and tone.shadows >= _LESS_EXPOSED else -255.0
    return Reading(value=found, told={"ratio": round(tone.shadows, 4)})


def _over_exposed(tone: Tone) -> Reading:
    found = tone.bright if tone.white < 0 and tone.clipped >= _OVER_EXPOSED else -255.0
    return Reading(value=found, told={"ratio": round(tone.clipped, 4)})


def _blocks(sample: Sample) -> Reading | None:
    """Compare lines of the grid with all others, in the direction that shows it less."""
    ratios: list[float] = []
    for side in ("across", "down"):
        lines, every = sample.get(f"{side}-grid", "YAVG"), sample.get(f"{side}-all", "YAVG")
        if lines is None or every is None:
            return None
        ratios.append(lines / (every + STEP_GAIN * _STEP_FLOOR))
    score = min(ratios)
    # GRID: no other step than those over the lines
    return Reading(value=score, told={"score": round(min(1.0, score / GRID * 2), 4)})


def _noise(sample: Sample) -> Reading | None:
    cells = sample.get("noise", "YLOW")
    if cells is None:
        return None
    levels = cells / GAIN
    return Reading(value=levels, told={"ratio": round(levels / 255, 4)})


def _blur(sample: Sample, tone: Tone) -> Reading | None:
    fine, coarse = sample.get("sharpness", "YAVG"), sample.get("sharpness", "UAVG")
    if fine is None or coarse is None:
        return None
    content = _BLUR_CONTENT if tone.most - tone.least < _CONTRAST else _BLUR_CONTENT_OF_CONTRAST
    if tone.flat or coarse < GAIN * content:
        return Reading(value=-1.0)
    return Reading(value=-fine / coarse)


def _border(sample: Sample, colour: str, size: tuple[int, int], tone: Tone) -> Reading | None:
    """Return whether there are bars, and what is inside of them; None where it cannot be told."""
    if tone.flat:
        return None
    inner, stricter = (_rectangle(sample, f"{colour}-{place}") for place in (0, 1))
    if inner is None or stricter is None:
        return None
    width, height = size
    sides = (width, height, width, height)
    bars = [abs(one - edge) for one, edge in zip(inner, (0, 0, width, height), strict=True)]
    differ = [abs(one - other) for one, other in zip(inner, stricter, strict=True)]
    agreed = [
        gap <= max(_AGREED_PIXELS, _AGREED * side)
        for gap, bar, side in zip(differ, bars, sides, strict=True)
        if bar >= max(_BAR_PIXELS, _BAR * side)
    ]
    outside = 1 - (inner[2] - inner[0]) * (inner[3] - inner[1]) / (width * height)
    alike = tone.shadows if colour == "black" else tone.clipped
    if not any(agreed) or alike > outside + _PAGE:
        # a page of one colour has margins, not bars
        return Reading(value=0.0)
    # where thresholds differ on another side, the picture inside is dark there
    return Reading(value=1.0, told={"border": list(inner)}) if all(agreed) else None


def _rectangle(sample: Sample, branch: str) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of what is inside, the last two exclusive."""
    found = [sample.get(branch, name) for name in ("x1", "y1", "x2", "y2")]
    if any(one is None for one in found):
        return None
    left, top, right, bottom = (int(one or 0) for one in found)
    return (left, top, right + 1, bottom + 1) if right > left and bottom > top else None
