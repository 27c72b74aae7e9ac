"""Sources whose frames hold two fields, told or not: every picture of an output has one time.

A bar moves over black, a step in each field. Where two fields are shown as one picture, its edges
are combs; where they are shown in the wrong order, it jumps back.
"""

from itertools import pairwise

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.samples import sample_of
from tests.support.transcodes import (
    MP4_COPY,
    decoded,
    hashes,
    output,
    packets,
    run,
    similarity,
    stream,
    video,
)

WIDTH = 352
DV = ("-c:v", "dvvideo", "-pix_fmt", "yuv420p")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2")
FIELDS = ("-flags", "+ilme+ildct")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p")


def bar(directory, name, size, rate, filters, *options, seconds=2, tone=False):
    """A grey bar that moves by six points a picture, behind filters that weave or telecine it."""
    width, height = size
    moved = f"[0][1]overlay=x='mod(6*n,{width - 82})':y={height // 5}:shortest=1,format=yuv420p"
    sound = ("-f", "lavfi", "-i", f"sine=d={seconds}") if tone else ()
    return media.make(
        directory / name,
        *("-f", "lavfi", "-i", f"color=black:s={width}x{height}:r={rate}:d={seconds}"),
        *("-f", "lavfi", "-i", f"color=gray:s=60x{height // 2}:r={rate}:d={seconds}", *sound),
        *("-filter_complex", f"{moved}{filters}[v]", "-map", "[v]"),
        *(("-map", "2:a") if tone else ()),
        *options,
    )


def woven(directory, name, height, scan, *options, rate=50, width=WIDTH, **more):
    weave = f",interlace=scan={scan}:lowpass=off"
    return bar(directory, name, (width, height), rate, weave, *options, **more)


def lines(path, size):
    """The grey lines of all frames."""
    width, height = size
    data = decoded(path, "-map", "0:v", "-vf", "format=gray", "-f", "rawvideo")
    rows = [data[at : at + width] for at in range(0, len(data), width)]
    return [rows[at : at + height] for at in range(0, len(rows), height)]


def combs(path, size) -> float:
    """The share, in percent, of points beside the bar that stand out of the lines around them."""
    most = 0.0
    for frame in lines(path, size):
        band = frame[size[1] // 3 : size[1] // 2]
        hits = sum(
            abs(2 * b - a - c) > 40
            for above, here, below in zip(band, band[1:], band[2:], strict=False)
            for a, b, c in zip(above, here, below, strict=True)
        )
        most = max(most, 100 * hits / (size[0] * len(band)))
    return most


def places(path, size) -> list[int]:
    """Where the bar begins in each frame."""
    row = size[1] // 3
    return [next(x for x, grey in enumerate(one[row]) if grey > 70) for one in lines(path, size)]


UNTOLD = {
    "dv": (576, "bff", 720, DV, "dv"),
    "mpeg2": (576, "tff", WIDTH, MPEG2, "ts"),
    "mpeg2-ntsc": (480, "bff", WIDTH, MPEG2, "mpg"),
    "h264-1080": (1080, "tff", WIDTH, X264, "ts"),
    "h264-quicktime": (576, "bff", WIDTH, X264, "mov"),
    "capture": (576, "tff", WIDTH, ("-c:v", "ffvhuff"), "avi"),
}
#: those that the quick tests try
QUICK = ("dv", "h264-quicktime", "capture")
LONG = pytest.mark.long


@pytest.mark.proves("fields that nothing tells of", by="decoded pictures")
@pytest.mark.parametrize(
    "form", [pytest.param(one, marks=() if one in QUICK else LONG) for one in UNTOLD]
)
def test_fields_that_nothing_tells_of(tmp_path, media_dir, form):
    height, scan, width, options, container = UNTOLD[form]
    rate = "60000/1001" if height == 480 else 50
    source = woven(
        media_dir, f"untold-{form}.{container}", height, scan, *options, rate=rate, width=width
    )
    assert stream(source).get("field_order") in (None, "unknown", "progressive")
    size = (width, height)
    assert combs(source, size) > 1
    made = run(
        tmp_path,
        source,
        video(Width=str(width), Height=str(height), Crf="10"),
        video(Width="256", Height="144", Crf="10"),
        video(Width=str(width), Height=str(height), Crf="10", Fps="50"),
    )
    for n, shape in enumerate((size, (256, 144), size)):
        assert combs(made[n], shape) < 0.3, n
        assert stream(made[n])["field_order"] == "progressive"
    assert len(packets(made[0])) == len(packets(source))
    # a picture for each field, and none before the one that was taken before it
    fast = places(made[2], size)[2:35]
    steps = [later - earlier for earlier, later in pairwise(fast)]
    assert min(steps) >= 0 and max(steps) <= 12, fast


@pytest.mark.proves("fields that are told", by="decoded pictures")
def test_fields_that_are_told(tmp_path, media_dir):
    size = (WIDTH, 1080)
    source = woven(
        media_dir, "told.mkv", 1080, "tff", *X264, *FIELDS, "-c:a", "aac", seconds=1, tone=True
    )
    assert stream(source)["field_order"] in ("tt", "tb") and combs(source, size) > 0.5
    made = run(
        tmp_path,
        source,
        video(Width=str(WIDTH), Height="1080", Crf="10"),
        video(Width=str(WIDTH), Height="1080", Crf="10", ScanMode="interlaced"),
        output(MP4_COPY),
    )
    orders = [stream(made[n])["field_order"] for n in range(3)]
    assert orders == ["progressive", "tt", "tt"]
    assert combs(made[0], size) < 0.3
    assert combs(made[1], size) > 0.5
    assert hashes(made[2], "v") == hashes(source, "v")


@pytest.mark.proves("telecined film", by="decoded pictures")
@pytest.mark.parametrize("pattern", ["23", "2332"])
@pytest.mark.parametrize(
    ("field", "options", "container"),
    [
        ("top", (*MPEG2, *FIELDS), "ts"),
        pytest.param("bottom", (*X264, *FIELDS), "mkv", marks=LONG),
    ],
)
def test_film_in_fields(tmp_path, media_dir, pattern, field, options, container):
    size = (WIDTH, 480)
    telecine = f",telecine=first_field={field}:pattern={pattern}"
    name = f"film-{pattern}-{field}.{container}"
    source = bar(media_dir, name, size, "24000/1001", telecine, *options, seconds=3)
    shape = {"Width": str(WIDTH), "Height": "480", "Crf": "10"}
    made = run(tmp_path, source, video(**shape), video(**shape, ScanMode="interlaced"))
    assert stream(made[0])["avg_frame_rate"] == "24000/1001"
    assert combs(made[0], size) < 0.3 < combs(source, size)
    found = places(made[0], size)
    # every picture of the film, and each once
    assert {later - earlier for earlier, later in pairwise(found)} <= {6, -264}
    assert abs(len(found) - 72) <= 1
    # who asks for fields gets those of the source
    assert stream(made[1])["avg_frame_rate"] == "30000/1001" and combs(made[1], size) > 0.3


@pytest.mark.proves("fields that do not keep time", by="decoded pictures")
def test_a_mixture_of_film_and_fields_is_deinterlaced(tmp_path, media_dir):
    size = (WIDTH, 480)
    film = f"telecine,setsar=1,trim=end_frame=45[a];color=black:s={WIDTH}x480:r=60000/1001:d=3"
    live = f"[2][1]overlay=x='mod(4*n,{WIDTH - 80})':y=96:shortest=1,interlace=lowpass=off"
    mixture = f",{film}[2];{live},setsar=1[b];[a][b]concat"
    source = bar(
        media_dir,
        "mixture.ts",
        size,
        "24000/1001",
        mixture.replace("[1]overlay", "[3]overlay").replace(
            "[2];", "[2];color=gray:s=60x240:r=60000/1001:d=3[3];"
        ),
        *MPEG2,
        seconds=3,
    )
    made = run(tmp_path, source, video(Width=str(WIDTH), Height="480", Crf="10"))
    assert stream(made[0])["avg_frame_rate"] == "30000/1001"
    assert combs(made[0], size) < 0.3 < combs(source, size)


@pytest.mark.proves("whole pictures", by="similarity")
@pytest.mark.parametrize(
    ("container", "height"),
    [("ts", 576), pytest.param("ts", 1080, marks=LONG), pytest.param("mp4", 1080, marks=LONG)],
)
def test_pictures_without_fields_stay_sharp(tmp_path, media_dir, container, height):
    size = f"{WIDTH}x{height}"
    options = X264 if height == 1080 else MPEG2
    source = media.make(
        media_dir / f"whole-{height}.{container}",
        # every line differs from the next, so that half of them do not tell the rest
        *("-f", "lavfi", "-i", f"mandelbrot=s={size}:r=25", "-t", "2"),
        *("-vf", "geq=lum='mod(Y+floor(X/9+N),2)*180+30':cb=128:cr=128", *options),
    )
    made = run(tmp_path, source, video(Width=str(WIDTH), Height=str(height), Crf="8"))
    assert similarity(made[0], source) > 0.97


def test_a_film_of_the_web_is_not_looked_at(monkeypatch, media_dir):
    source = media.clip(media_dir, 1, "352x576")
    # nothing can be decoded with it
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/bin/false")
    info = MediaInfo.of(source, ends=True)
    assert info.video is not None and not info.video.measured and "fields" not in info.probe


@pytest.mark.proves("snapshots of fields", by="decoded pictures")
@pytest.mark.parametrize("form", ["dv", pytest.param("h264-1080", marks=LONG), "told"])
def test_snapshots_of_fields(tmp_path, media_dir, form):
    if form == "told":
        size = (WIDTH, 576)
        source = woven(media_dir, "told.mpg", 576, "bff", *MPEG2, *FIELDS)
    else:
        height, scan, width, options, container = UNTOLD[form]
        size = (width, height)
        name = f"untold-{form}.{container}"
        source = woven(media_dir, name, height, scan, *options, rate=50, width=width)
    info = MediaInfo.of(source, ends=True).to_json()
    kinds = (
        {"FrameType": "normal", "Time": "1020"},
        {"FrameType": "intra", "Time": "1020"},
        {"FrameType": "normal", "Time": "200", "Num": "3", "Interval": "0.5"},
    )
    for n, config in enumerate(kinds):
        target = {"Bucket": "out-bucket", "Object": "{FileName}-{Count}.jpg"}
        sides = {"Width": str(size[0]), "Height": str(size[1])}
        wire = {"SnapshotConfig": {"OutputFile": target, **sides, **config}}
        step = Snapshot().plan(
            SnapshotParameters.model_validate(wire), make_plan_context(source, media=info)
        )
        taken = Snapshot().run(step, make_context(tmp_path / str(n), source)).outputs
        assert taken
        for picture in taken:
            assert combs(picture.path, size) < 0.3, config


@pytest.mark.proves("merged parts in fields", by="decoded pictures")
def test_merged_parts_in_fields(tmp_path, media_dir):
    size = (WIDTH, 576)
    whole = bar(media_dir, "whole.mp4", size, 25, "", *X264, seconds=1)
    height, scan, width, options, container = UNTOLD["mpeg2"]
    part = woven(media_dir, f"untold-mpeg2.{container}", height, scan, *options, width=width)
    merged = {"MergeList": [{"MergeURL": "oss://uploads/part.ts"}]}
    shape = {"Width": str(WIDTH), "Height": "576", "Crf": "10"}
    made = run(tmp_path, whole, video(**shape) | merged, objects={"uploads/part.ts": part})
    assert len(packets(made[0])) == 75 and combs(made[0], size) < 0.3


def test_an_analysis_measures_pictures_as_they_are_encoded(tmp_path, media_dir):
    height, scan, width, options, container = UNTOLD["mpeg2"]
    source = woven(media_dir, f"untold-mpeg2.{container}", height, scan, *options, width=width)
    sample = sample_of(tmp_path, source, WIDTH)
    assert combs(sample, (WIDTH, 576)) < 0.3
