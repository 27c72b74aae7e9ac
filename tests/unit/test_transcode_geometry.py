from fractions import Fraction

import pytest

from activities.transcode.source.geometry import SizeSettings, SourcePicture, place, wanted_size
from workflow_engine.errors import ActivityError, Code

HD = SourcePicture(width=1920, height=1080, sar=Fraction(1))
PHONE = SourcePicture(width=1080, height=1920, sar=Fraction(1))
#: PAL 16:9 in 720x576
PAL = SourcePicture(width=720, height=576, sar=Fraction(64, 45))


@pytest.mark.parametrize(
    ("source", "wish", "size"),
    [
        (HD, SizeSettings(), (1920, 1080)),
        (HD, SizeSettings(width=1280), (1280, 720)),
        (HD, SizeSettings(height=480), (854, 480)),
        (HD, SizeSettings(width=848), (848, 478)),
        (HD, SizeSettings(width=641), (642, 360)),  # half a pixel up, to even sides
        (HD, SizeSettings(width=640, height=640), (640, 640)),
        (PHONE, SizeSettings(width=720), (720, 1280)),
        (PHONE, SizeSettings(width=1280, by_edges=True), (720, 1280)),
        (PHONE, SizeSettings(width=1280, height=720, by_edges=True), (720, 1280)),
        (HD, SizeSettings(width=1280, height=720, by_edges=True), (1280, 720)),
        (PAL, SizeSettings(), (1024, 576)),
        (PAL, SizeSettings(width=640), (640, 360)),
        (SourcePicture(width=1279, height=719, sar=Fraction(1)), SizeSettings(), (1278, 718)),
        (HD, SizeSettings(width=848, lines=4), (848, 476)),
        (HD, SizeSettings(width=640, height=362, lines=4), (640, 364)),
        (HD, SizeSettings(crop=(1080, 1080, 420, 0), width=540), (540, 540)),
    ],
)
def test_sizes_keep_the_shown_aspect(source, wish, size):
    assert place(source, wish).size == size


def test_a_picture_coded_on_its_side_keeps_its_lines():
    lying = SourcePicture(width=576, height=720, sar=Fraction(45, 64), lying=True)
    assert place(lying, SizeSettings()).size == (576, 1024)


def test_nothing_is_scaled_that_has_its_size():
    placement = place(HD, SizeSettings(width=1920))
    assert (placement.scale, placement.before_scale, placement.after_scale) == (None, (), ())


@pytest.mark.parametrize(
    ("method", "scale", "after", "sar"),
    [
        ("rescale", (640, 640), [], Fraction(1)),
        ("none", (640, 640), [], Fraction(16, 9)),
        ("crop", (1138, 640), ["crop=w=640:h=640"], Fraction(1)),
        ("pad", (640, 360), ["pad=w=640:h=640:x=0:y=140:color=black"], Fraction(1)),
    ],
)
def test_adj_dar_method(method, scale, after, sar):
    placement = place(HD, SizeSettings(width=640, height=640, method=method))
    assert placement.scale == scale
    assert [str(step) for step in placement.after_scale] == after
    assert placement.sar == sar
    assert placement.size == (640, 640)


@pytest.mark.parametrize("method", ["rescale", "none", "crop", "pad"])
def test_a_difference_of_rounding_is_no_difference_of_aspect(method):
    placement = place(HD, SizeSettings(width=848, height=478, method=method))
    assert (placement.scale, placement.after_scale) == ((848, 478), ())
    assert placement.sar == 1


def test_bars_on_the_left_and_right_for_a_phone():
    placement = place(PHONE, SizeSettings(width=1280, height=720, method="pad"))
    assert placement.scale == (406, 720)  # 405 rounded to even
    assert [str(f) for f in placement.after_scale] == ["pad=w=1280:h=720:x=436:y=0:color=black"]


def test_pad_is_the_final_canvas_and_the_place_of_the_picture():
    placement = place(HD, SizeSettings(width=640, pad=(801, 601, 81, 120)))
    assert placement.size == (802, 602)
    assert placement.picture == (640, 360)
    assert [str(f) for f in placement.after_scale] == ["pad=w=802:h=602:x=80:y=120:color=black"]


@pytest.mark.parametrize(
    ("wish", "told", "field"),
    [
        (SizeSettings(crop=(1920, 1080, 2, 0)), "1920x1080", "crop"),
        (SizeSettings(width=640, pad=(640, 360, 2, 0)), "640x360", "pad"),
        (SizeSettings(crop=(16, 1080, 0, 0), width=4096), "16x1080", "width"),
    ],
)
def test_what_does_not_fit_is_told_with_the_sizes(wish, told, field):
    with pytest.raises(ActivityError) as caught:
        place(HD, wish)
    assert caught.value.code == Code.OUT_OF_RANGE
    assert told in caught.value.message and caught.value.pointer == field


def test_a_pixel_of_absurd_shape_is_refused():
    with pytest.raises(ActivityError):
        wanted_size(SourcePicture(width=640, height=360, sar=Fraction(10000)), SizeSettings())
