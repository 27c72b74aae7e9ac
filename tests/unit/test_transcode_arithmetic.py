"""What holds for every size and every length, whatever is asked for: numbers made by hypothesis."""

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from activities.transcode.command.filters import Filter
from activities.transcode.command.rendition import Size
from activities.transcode.model.output import TimeSpan
from activities.transcode.source.geometry import (
    MAX_SIDE,
    Placement,
    SizeSettings,
    SourcePicture,
    place,
)
from activities.transcode.source.segments import common_length
from activities.transcode.source.timeline import length_of
from workflow_engine.errors import ActivityError

RATES = st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60000, 1001)])
SECONDS = st.integers(50, 7_200_000).map(lambda number: number / 1000)
SEEKS = st.just(0.0) | SECONDS
sides = st.integers(min_value=16, max_value=4096)
pictures = st.builds(
    SourcePicture,
    width=sides,
    height=sides,
    sar=st.sampled_from([Fraction(1), Fraction(16, 15), Fraction(64, 45), Fraction(10, 11)]),
)
asked = st.none() | st.integers(min_value=64, max_value=2048).map(lambda side: side * 2)


def placed(source: SourcePicture, wish: SizeSettings) -> Placement:
    """The placement; a size that cannot be is refused, and no other error comes."""
    try:
        return place(source, wish)
    except ActivityError as error:
        assert error.pointer in ("width", "height")
        assume(False)
        raise


def of(name: str, filters: tuple[Filter, ...]) -> dict[str, int] | None:
    found = [one for one in filters if one.name == name]
    return (
        {key: int(str(value)) for key, value in found[0].options if key in "whxy"}
        if found
        else None
    )


def keeps_shape(size: Size, source: SourcePicture) -> bool:
    """Whether one side of a size in square pixels is the source's shape, to an even number."""
    width_off = abs(size[1] * source.aspect - size[0])
    return min(width_off, width_off / source.aspect) <= 2


class TestGeometry:
    @given(pictures, asked, asked, st.booleans(), st.sampled_from([2, 4]))
    def test_a_size_is_even_and_within_the_limit(
        self, source: SourcePicture, width: int | None, height: int | None, edges: bool, lines: int
    ) -> None:
        wish = SizeSettings(width=width, height=height, by_edges=edges, lines=lines)
        size = placed(source, wish).size
        assert all(2 <= side <= MAX_SIDE for side in size)
        assert size[0] % 2 == 0 and size[1] % lines == 0

    @given(pictures, asked)
    def test_one_given_side_keeps_the_shape(self, source: SourcePicture, width: int | None) -> None:
        made = placed(source, SizeSettings(width=width))
        assert made.sar == 1
        assert keeps_shape(made.size, source)

    @given(pictures, asked, asked)
    def test_without_a_method_the_shape_of_the_pixels_tells_the_rest(
        self, source: SourcePicture, width: int | None, height: int | None
    ) -> None:
        made = placed(source, SizeSettings(width=width, height=height))
        shown = Fraction(*made.size) * made.sar
        near = max(Fraction(3, side) for side in made.size)
        assert abs(shown / source.aspect - 1) <= near

    @given(pictures, asked, asked)
    def test_pad_keeps_the_whole_picture_within_the_size(
        self, source: SourcePicture, width: int | None, height: int | None
    ) -> None:
        made = placed(source, SizeSettings(width=width, height=height, method="pad"))
        inner = made.scale or made.part
        border = of("pad", made.after_scale)
        assert made.sar == 1
        if border is None:
            assert inner == made.size
            return
        assert (border["w"], border["h"]) == made.size
        assert keeps_shape(inner, source)
        assert border["x"] + inner[0] <= made.size[0] and border["y"] + inner[1] <= made.size[1]
        # one pair of sides is full, and the bars of the other are alike but for a pair of pixels
        bars = [made.size[n] - inner[n] for n in (0, 1)]
        assert min(bars) == 0
        assert abs(bars[0] - 2 * border["x"]) <= 2 and abs(bars[1] - 2 * border["y"]) <= 2

    @given(pictures, asked, asked)
    def test_crop_fills_the_size(
        self, source: SourcePicture, width: int | None, height: int | None
    ) -> None:
        made = placed(source, SizeSettings(width=width, height=height, method="crop"))
        inner = made.scale or made.part
        assert keeps_shape(inner, source)
        assert inner[0] >= made.size[0] and inner[1] >= made.size[1]
        assert made.size[0] == inner[0] or made.size[1] == inner[1]

    @given(pictures, st.tuples(sides, sides, sides, sides))
    def test_a_crop_lies_within_the_picture_or_is_refused(
        self, source: SourcePicture, box: tuple[int, int, int, int]
    ) -> None:
        inside = box[0] + box[2] <= source.width and box[1] + box[3] <= source.height
        try:
            made = place(source, SizeSettings(crop=box))
        except ActivityError as error:
            assert error.pointer == "width" if inside else "crop"
        else:
            assert inside and made.part == box[:2]

    @given(pictures, asked, asked)
    def test_edges_follow_the_way_a_picture_lies(
        self, source: SourcePicture, long: int | None, short: int | None
    ) -> None:
        assume(long is None or short is None or long >= short)
        turned = SourcePicture(width=source.height, height=source.width, sar=1 / source.sar)
        assume(source.aspect != 1)
        wish = SizeSettings(width=long, height=short, by_edges=True)
        given_sides = wish.sides(source)
        assert wish.sides(turned) == given_sides[::-1]


class TestTime:
    @given(SECONDS, SEEKS, st.none() | SECONDS)
    def test_a_clip_lies_within_its_source(
        self, whole: float, seek: float, length: float | None
    ) -> None:
        assume(seek < whole)
        span = TimeSpan.model_validate(
            {"Seek": seek, "Duration": length} if length else {"Seek": seek}
        )
        taken = length_of(span, whole)
        assert taken is not None and 0 < taken <= whole - span.seek + 1e-9
        assert length is None or taken <= length

    @given(SECONDS, SEEKS, SECONDS)
    def test_an_end_is_counted_from_the_end_or_refused(
        self, whole: float, seek: float, end: float
    ) -> None:
        span = TimeSpan.model_validate({"Seek": seek, "End": end})
        try:
            taken = length_of(span, whole)
        except ActivityError as error:
            assert end >= whole - seek and error.pointer == "/Clip/TimeSpan/End"
        else:
            assert taken is not None and abs(seek + taken + end - whole) < 1e-6

    @given(SECONDS, SEEKS, RATES)
    def test_picture_and_sound_end_together_at_a_frame(
        self, shown: float, heard: float, rate: Fraction
    ) -> None:
        seconds = common_length(shown, heard, rate)
        assert (seconds * rate).denominator == 1 and seconds > 0
        # no frame of either is lost, and nothing is held for longer than a frame
        assert -1 <= (seconds - Fraction(max(shown, heard))) * rate <= 1

    @given(st.lists(st.tuples(SECONDS, SECONDS), min_size=2, max_size=6), RATES)
    def test_parts_that_are_joined_stay_at_frames(
        self, parts: list[tuple[float, float]], rate: Fraction
    ) -> None:
        lengths = [common_length(shown, heard, rate) for shown, heard in parts]
        total = sum(lengths, Fraction(0))
        assert (total * rate).denominator == 1
        truth = sum(max(part) for part in parts)
        assert abs(float(total) - truth) <= len(parts) / float(rate) + 1e-6
