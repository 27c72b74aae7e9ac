"""A distorted picture held against its reference: the figures of ffmpeg itself, and their times."""

import re
import subprocess
import tracemalloc
from fractions import Fraction
from pathlib import Path

import pytest

from activities.ffmpeg import ffmpeg_path, graph
from activities.quality import Comparison, Metric, Statistic, compare, comparison
from activities.quality.metrics import model_of
from activities.quality.scores import summed_up
from tests.integration.test_analysis import analyse
from tests.support import media
from tests.support.context import make_context
from workflow_engine.errors import ActivityError

SIZE = (192, 108)
RATE = Fraction(25)
SECONDS = 3.0


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    return media.clip(tmp_path_factory.mktemp("clips"), SECONDS, "192x108", audio=False)


def distorted(reference: Path, name: str, *arguments: str) -> Path:
    """A bad encode of the reference, with further options."""
    bad = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "40")
    return media.make(reference.with_name(name), "-i", str(reference), *bad, *arguments)


def measured(
    tmp_path: Path, output: Path, reference: Path, metric: Metric = Metric.SSIM, subsample: int = 1
) -> Comparison:
    streams = [graph.open_input(path)["v:0"] for path in (output, reference)]
    command = comparison(*streams, metric, SIZE, subsample=subsample)
    context = make_context(tmp_path, reference)
    found = compare(
        *(command, metric, SIZE),
        rate=RATE,
        subsample=subsample,
        context=context,
        duration=SECONDS,
    )
    assert sorted(path.name for path in context.work.iterdir()) == ["source.mp4"]
    return found


def told_by_ffmpeg(output: Path, reference: Path, name: str, pattern: str) -> float:
    command = [str(ffmpeg_path()), "-i", str(output), "-i", str(reference), "-lavfi", name]
    done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, check=True)
    return float(re.findall(pattern, done.stderr.decode())[-1])


@pytest.mark.parametrize(
    ("metric", "pattern", "by"),
    [
        (Metric.VMAF, r"VMAF score: ([\d.]+)", 0.001),
        (Metric.SSIM, r"All:([\d.]+)", 0.0001),
        # ffmpeg averages the errors, and tells their logarithm
        (Metric.XPSNR, r"XPSNR +y: ([\d.]+)", 1.0),
    ],
)
def test_the_mean_is_what_ffmpeg_says(tmp_path, reference, metric, pattern, by):
    output = distorted(reference, "bad.mp4")
    found = measured(tmp_path, output, reference, metric)
    assert found.mean == pytest.approx(
        told_by_ffmpeg(output, reference, metric.filter, pattern), abs=by
    )
    assert found.pictures == 75
    assert found.lowest <= found.p5 <= found.mean < metric.best


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("late.mkv", ("-output_ts_offset", "3.337")),
        ("late.ts", ("-muxdelay", "1")),
        (
            "behind-sound.mkv",
            (
                *("-filter_complex", "sine=duration=4[sound];[0:v]setpts=PTS+0.5/TB[late]"),
                *("-map", "[late]", "-map", "[sound]"),
            ),
        ),
        # whole milliseconds
        ("rounded.flv", ()),
    ],
)
def test_a_container_that_begins_later_or_rounds_changes_nothing(
    tmp_path, reference, name, arguments
):
    plain = measured(tmp_path / "plain", distorted(reference, "bad.mp4"), reference)
    assert measured(tmp_path, distorted(reference, name, *arguments), reference) == plain


@pytest.mark.parametrize(
    ("name", "filters", "words"),
    [
        ("first.mp4", "select=gt(n\\,0)", "the output has 74 pictures and its reference 75"),
        ("middle.mp4", "select=not(eq(n\\,40))", "the output has 74 pictures"),
        ("gap.mp4", "setpts=PTS+if(gt(N\\,40)\\,1/TB\\,0)", "1.000 s away"),
    ],
)
def test_a_missing_or_late_picture_is_no_bad_quality(tmp_path, reference, name, filters, words):
    output = distorted(reference, name, "-vf", filters, "-fps_mode", "passthrough")
    with pytest.raises(ActivityError, match=words):
        measured(tmp_path, output, reference)


@pytest.mark.parametrize("metric", Metric)
def test_the_worst_moment_is_where_the_picture_is_damaged(tmp_path, reference, metric):
    damaged = distorted(
        reference, "damaged.mp4", "-crf", "18", "-vf", "boxblur=8:enable='between(t,1.2,1.6)'"
    )
    subsample = 5 if metric is Metric.VMAF else 1
    found = measured(tmp_path, damaged, reference, metric, subsample=5)
    assert 1.1 <= found.worst <= 1.7
    assert found.pictures == 75 / subsample


def test_the_statistics():
    values = [*([50.0] * 95), 10.0, 20.0, 5.0, 30.0, 40.0]
    found = summed_up(values, Metric.VMAF, SIZE, rate=RATE, subsample=2)
    assert found is not None
    assert [found.value(one) for one in Statistic] == [pytest.approx(48.55), 40.0, 5.0]
    assert found.worst == pytest.approx(97 * 2 / 25)
    assert summed_up([], Metric.VMAF, SIZE, rate=RATE, subsample=1) is None


def test_values_are_not_held_as_objects():
    count = 200_000
    values = (float(n % 1000) for n in range(count))
    tracemalloc.start()
    try:
        found = summed_up(values, Metric.VMAF, SIZE, rate=RATE, subsample=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None and found.p5 == 49
    assert peak < 16 * count


def test_pictures_of_4k_have_a_model_of_their_own():
    assert model_of((3840, 2160)) == model_of((2160, 3840)) == "vmaf_4k_v0.6.1"
    assert model_of((1920, 1080)) == "vmaf_v0.6.1"


def test_an_analysis_of_a_picture_too_small_for_vmaf(tmp_path, caplog):
    tiny = media.clip(tmp_path, 1, "16x16", audio=False)
    words = " ".join(word for command in analyse(tmp_path, tiny).commands for word in command)
    assert "ssim=" in words and "libvmaf" not in words
    assert "quality of a sample is unknown" not in caplog.text
