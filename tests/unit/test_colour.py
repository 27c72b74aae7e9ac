"""What samples mean by their tags, and by convention where those are silent."""

from dataclasses import replace
from typing import Any

import pytest

from activities.conversion import SDR, conversion, named, needs_light
from activities.probe import MediaInfo, VideoStream
from workflow_engine.errors import ActivityError


def stream(size: str = "1920x1080", pix_fmt: str = "yuv420p", **words: Any) -> VideoStream:
    width, height = size.split("x")
    tags = {f"color_{name}": words.pop(name) for name in list(words) if name in _NAMES}
    known = {"codec_name": "h264", "width": width, "height": height, "pix_fmt": pix_fmt}
    picture = {"index": 0, "codec_type": "video"} | known | tags | words
    (found,) = MediaInfo.parse({"format": {}, "streams": [picture]}).videos
    return found


_NAMES = ("space", "transfer", "primaries", "range")
DEEP = "yuv420p10le"


@pytest.mark.parametrize(
    ("size", "matrix", "primaries"),
    [
        ("1280x720", "bt709", "bt709"),
        ("720x1280", "bt709", "bt709"),
        ("1280x718", "smpte170m", "smpte170m"),
        ("720x576", "smpte170m", "bt470bg"),
        ("0x0", "smpte170m", "smpte170m"),
    ],
)
def test_the_shorter_edge_says_what_an_untagged_picture_is(size: str, matrix: str, primaries: str):
    found = stream(size).colour
    assert (found.matrix, found.primaries, found.full) == (matrix, primaries, False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # HDR without further tags is BT.2100
        ({"pix_fmt": DEEP, "transfer": "smpte2084"}, ("bt2020nc", "smpte2084", "bt2020", False)),
        # BT.2020 says it once
        ({"space": "bt2020nc"}, ("bt2020nc", "bt709", "bt2020", False)),
        ({"primaries": "bt2020"}, ("bt2020nc", "bt709", "bt2020", False)),
        # what is tagged in part
        ({"space": "smpte170m"}, ("smpte170m", "bt709", "bt709", False)),
        ({"range": "pc"}, ("bt709", "bt709", "bt709", True)),
        ({"pix_fmt": "yuvj420p"}, ("bt709", "bt709", "bt709", True)),
        ({"pix_fmt": "gbrp"}, ("gbr", "bt709", "bt709", True)),
        ({"pix_fmt": "", "codec_name": "png"}, ("gbr", "bt709", "bt709", True)),
        # values that mean nothing
        ({"space": "reserved", "transfer": "7", "primaries": "x"}, ("bt709",) * 3 + (False,)),
    ],
)
def test_what_is_missing_follows_from_convention(given: dict[str, str], expected: tuple[Any, ...]):
    found = stream(**given).colour
    assert (found.matrix, found.transfer, found.primaries, found.full) == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"transfer": "smpte2084"}, "smpte2084"),
        ({"transfer": "smpte2084", "primaries": "bt2020"}, ""),
        ({"pix_fmt": DEEP, "transfer": "arib-std-b67"}, ""),
        ({"pix_fmt": "gbrp", "space": "gbr"}, ""),
        ({"pix_fmt": "gbrp", "space": "bt709"}, "beside RGB"),
        ({"space": "gbr"}, "beside YUV"),
        ({"space": "ictcp"}, "beside YUV"),
        ({"space": "bt2020c"}, ""),
        ({"pix_fmt": DEEP, "space": "bt2020c", "transfer": "smpte2084"}, "bt2020c beside"),
    ],
)
def test_contradictions_are_told(given: dict[str, str], told: str):
    found = stream(**given).contradiction
    assert told in found and bool(told) is bool(found)


@pytest.mark.parametrize(
    ("profile", "base", "hidden"),
    [(5, 0, True), (10, 0, True), (8, 1, False), (8, 4, False), (7, 0, False), (9, 2, False)],
)
def test_dolby_vision_needs_a_base_layer(profile: int, base: int, hidden: bool):
    record = {"dv_profile": profile, "dv_bl_signal_compatibility_id": base}
    found = stream(pix_fmt=DEEP, side_data_list=[record])
    assert found.tags.hidden is hidden
    if hidden:
        with pytest.raises(ActivityError, match="Dolby Vision"):
            list(conversion(found, SDR, "yuv420p"))


@pytest.mark.parametrize(
    ("pix_fmt", "deep"),
    [("nv12", False), ("nv16", False), ("p010le", True), ("gray12le", True), ("gray16le", True)],
)
def test_the_numbers_of_some_formats_are_no_depth(pix_fmt: str, deep: bool):
    assert stream(pix_fmt=pix_fmt).colour.deep is deep


def test_what_is_right_already_is_left_alone():
    assert list(conversion(stream(), SDR, "yuv420p")) == []
    assert [name for name, _ in conversion(stream("640x360"), SDR, "yuv420p")][-1] == "setparams"


@pytest.mark.parametrize(
    ("space", "primaries", "matrix"),
    [("ycgco", "bt709", "bt709"), ("ycgco", "bt2020", "bt2020nc"), ("bt2020c", "", "bt2020nc")],
)
def test_a_matrix_that_scale_does_not_know_is_replaced_at_once(
    space: str, primaries: str, matrix: str
):
    names = dict(named(stream(space=space, primaries=primaries, range="pc")))
    assert names["setparams"]["colorspace"] == space
    assert names["zscale"] == {"m": matrix, "r": "limited"}
    assert [name for name, _ in named(stream())] == ["setparams"]


def test_pq_beside_constant_luminance_stays_hdr():
    found = stream(pix_fmt=DEEP, space="bt2020c", transfer="smpte2084").colour
    assert (found.matrix, found.hdr) == ("bt2020nc", "PQ")
    kept = replace(found, deep=False)
    assert not needs_light(found, kept)
