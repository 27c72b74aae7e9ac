"""Quality of outputs and the rates of result templates, measured on the files by other commands."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from activities.ffmpeg import ffmpeg_path
from activities.predictions import predictions
from activities.probe import MediaInfo
from activities.transcode import Transcode
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import Made, decoded, kbps, output, plan, run, stream
from workflow_engine.activity import ActivityResult, Produced, Step
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Digests, Output, StepResult

SIZE = "192x108"
#: seconds within which the source is hardest to encode
HARD = (1.6, 2.0)
#: what an output has, so that no colour is converted
BT709 = "setparams=colorspace=bt709:color_trc=bt709:color_primaries=bt709:range=tv"


@pytest.fixture(scope="module")
def hard(media_dir) -> Path:
    """A moving picture with noise for less than half a second."""
    noise = f"noise=alls=60:allf=t:enable='between(t,{HARD[0]},{HARD[1]})'"
    return media.make(
        media_dir / "hard-stretch.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25:duration=3"),
        *("-vf", f"{noise},{BT709}", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"),
        *("-pix_fmt", "yuv420p"),
    )


def judged(crf: float, **quality) -> dict:
    return output(Video={"Width": "192", "Crf": f"{crf:g}"}, Quality=quality)


def qualities(made: Made) -> list[dict]:
    outputs: list[dict] = list(made.result.data["Outputs"])
    return [one["Quality"] for one in outputs]


def told_by_ffmpeg(path: Path, source: Path, name: str) -> float:
    """The mean VMAF or SSIM of a file against its source of equal size."""
    command = [str(ffmpeg_path()), "-i", str(path), "-i", str(source), "-lavfi", name]
    done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, check=True)
    return float(re.findall(r"(?:VMAF score: |All:)([\d.]+)", done.stderr.decode())[-1])


@pytest.mark.proves("Quality.Metric", by="ffmpeg's own figures")
@pytest.mark.proves("Quality.Statistic", by="ffmpeg's own figures")
@pytest.mark.proves("Quality.Subsample", by="how many pictures were measured")
def test_good_and_bad_encodes_and_the_worst_moment(tmp_path, hard):
    made = run(
        tmp_path,
        hard,
        *(judged(crf, Metric="ssim", Statistic="p5") for crf in (18, 45)),
        *(judged(crf, Subsample="1") for crf in (18, 45)),
        *(judged(crf, Metric="xpsnr", Statistic="min") for crf in (18, 45)),
        judged(45),
    )
    found = qualities(made)
    for good, bad in zip(found[0:6:2], found[1:6:2], strict=True):
        assert good["Value"] > bad["Value"] and good["Mean"] > bad["Mean"]
        assert bad["Value"] == bad[{"ssim": "P5", "vmaf": "Mean", "xpsnr": "Min"}[bad["Metric"]]]
        assert bad["Min"] <= bad["P5"] <= bad["Mean"] and bad["Size"] == SIZE
    # (of a good one, VMAF likes the first picture least: it knows no motion yet)
    for one in (*found[1:6:2], found[6]):
        assert HARD[0] - 0.5 <= one["Worst"] <= HARD[1] + 0.5
    assert found[1]["Mean"] == pytest.approx(told_by_ffmpeg(made[1], hard, "ssim"), abs=0.001)
    assert found[3]["Mean"] == pytest.approx(told_by_ffmpeg(made[3], hard, "libvmaf"), abs=0.1)
    # every picture, or each fifth
    assert [one["Pictures"] for one in found] == [75] * 6 + [15]
    assert not made.result.warnings


def test_a_smaller_picture_is_judged_at_the_size_of_its_source(tmp_path, hard):
    smaller = output(Video={"Width": "128", "Crf": "10"}, Quality={"Metric": "ssim"})
    made = run(tmp_path, hard, smaller, judged(10, Metric="ssim"))
    small, whole = qualities(made)
    assert small["Size"] == SIZE and small["Mean"] < whole["Mean"] - 0.02
    scaled = "[0:v]scale=192:108[d];[d][1:v]ssim"
    assert small["Mean"] == pytest.approx(told_by_ffmpeg(made[0], hard, scaled), abs=0.001)


@pytest.mark.long
@pytest.mark.proves("Quality.Metric", by="ffmpeg's own figures, of 1440 lines")
def test_from_1440_lines_on_the_model_is_that_of_4k(tmp_path, media_dir):
    source = media.make(
        media_dir / "1440-lines.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=2560x1440:rate=10:duration=0.4"),
        *("-vf", f"noise=alls=6,{BT709}", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"),
        *("-pix_fmt", "yuv420p"),
    )
    video = {"Width": "2560", "Crf": "35", "Preset": "veryfast"}
    made = run(tmp_path, source, output(Video=video, Quality={"Subsample": "1"}))
    (found,) = qualities(made)
    assert (found["Size"], found["Pictures"]) == ("2560x1440", 4)
    of_4k = told_by_ffmpeg(made[0], source, "libvmaf=model=version=vmaf_4k_v0.6.1")
    assert found["Mean"] == pytest.approx(of_4k, abs=0.1)
    assert of_4k > told_by_ffmpeg(made[0], source, "libvmaf") + 2


WAYS = {
    "clip": {"Clip": {"TimeSpan": {"Seek": "0.73", "Duration": "1.1"}}},
    "rotate": {"Rotate": "180"},
    "crop and pad": {
        "Video": {"Width": "160", "Crop": "160:80:16:8", "Pad": "200:120:20:20"},
    },
    "frame rate": {"Video": {"Fps": "50"}},
    "fields": {"Video": {"ScanMode": "interlaced"}},
    "text": {
        "WaterMarks": [
            {"Type": "Text", "TextWaterMark": {"Content": "aGVsbG8=", "FontSize": "30"}},
        ]
    },
    "transport stream": {"Container": {"Format": "ts"}},
    "playlist": {"Container": {"Format": "m3u8"}, "MuxConfig": {"Segment": {"Duration": "1"}}},
    "forced cuts": {
        "Container": {"Format": "m3u8"},
        "MuxConfig": {"Segment": {"ForceSegTime": "0.6,2"}},
    },
    "dash": {"Container": {"Format": "mpd"}, "MuxConfig": {"Segment": {"Duration": "1"}}},
}


def test_the_source_goes_the_way_of_the_output(tmp_path, hard):
    """A picture that is a frame late, elsewhere, or without the text, is far from its source.

    The noise is another one in every picture.
    """
    picture = {"Width": "192", "Crf": "8"}
    ways = [
        output(**way | {"Video": picture | way.get("Video", {}), "Quality": {"Metric": "ssim"}})
        for way in WAYS.values()
    ]
    made = run(tmp_path, hard, *ways)
    lowest = {name: one["Min"] for name, one in zip(WAYS, qualities(made), strict=True)}
    assert min(lowest.values()) > 0.97, lowest
    assert not made.result.warnings


@pytest.mark.proves("Quality.OnLow retry", by="ffmpeg's own figures")
@pytest.mark.proves("Quality.Minimum", by="ffmpeg's own figures, warnings, errors")
def test_a_low_output_is_encoded_once_more(tmp_path, hard):
    wanted = {"Metric": "ssim", "Minimum": "0.93", "OnLow": "retry"}
    made = run(
        tmp_path,
        hard,
        judged(45, Metric="ssim"),
        judged(45, **wanted),
        output(Video={"Width": "192", "Bitrate": "20"}, Quality=wanted),
        judged(18, **wanted),
    )
    low, crf, rate, good = qualities(made)
    encodes = [one.get("Encodes") for one in made.result.data["Outputs"]]
    assert low["Value"] < 0.93 < crf["Value"] and rate["Value"] > low["Value"]
    assert encodes == [1, 2, 2, 1] and good["Value"] > 0.93
    (again,) = [one.path for one in made.result.outputs if one.path.name == "again-1.mp4"]
    assert crf["Mean"] == pytest.approx(told_by_ffmpeg(again, hard, "ssim"), abs=0.001)
    # the files of the other encodes are gone
    assert not made.result.outputs[0].path.with_name("1.mp4").exists()


@pytest.mark.proves("Quality.OnLow warn", by="warnings")
def test_what_no_encode_reaches_is_said(tmp_path, hard):
    smaller = output(
        Video={"Width": "128", "Crf": "30"},
        Quality={"Metric": "ssim", "Minimum": "0.999", "OnLow": "retry"},
    )
    made = run(tmp_path, hard, smaller, judged(45, Minimum="90"))
    assert [one["Encodes"] for one in made.result.data["Outputs"]] == [1, 1]
    unreachable, low, warned = made.result.warnings
    assert "No encode of mp4 128x72" in unreachable
    assert low.startswith("QualityTooLow: The mean ssim of mp4 128x72")
    assert re.search(
        r"The mean vmaf of mp4 192x108 .* and the Minimum 90; .* worst at [12]\.\d", warned
    )


@pytest.mark.proves("Quality.OnLow fail", by="the error")
def test_a_low_output_fails(tmp_path, hard):
    with pytest.raises(ActivityError, match="vmaf of mp4 192x108") as failed:
        run(tmp_path, hard, judged(45, Minimum="90", OnLow="fail"))
    assert failed.value.code == Code.LOW_QUALITY


def test_the_picture_of_the_worst_moment(tmp_path, hard):
    made = run(tmp_path, hard, judged(45, Metric="ssim"))
    film, moment = made.result.outputs
    assert moment.ref.object == f"{film.ref.object}.worst.jpg"
    assert (stream(moment.path)["width"], stream(moment.path)["height"]) == (384, 108)
    grey = decoded(moment.path, "-vf", "format=gray", "-f", "rawvideo")
    rows = [grey[at : at + 384] for at in range(0, len(grey), 384)]
    # the noise is in the source, on the left, and the encoder has lost it

    def rough(begin: int) -> float:
        pairs = [abs(row[x] - row[x + 1]) for row in rows for x in range(begin, begin + 191)]
        return sum(pairs) / len(pairs)

    assert rough(0) > 2 * rough(192)


def test_what_fails_behind_a_good_encode_keeps_it(tmp_path, hard):
    """Directories stand where files would be written, and a link leads nowhere."""
    low = {"Metric": "ssim", "Minimum": "0.9999", "OnLow": "retry"}
    dash = WAYS["dash"] | {"Video": {"Width": "192", "Crf": "45"}}
    step = plan(hard, judged(45, **low), output(**dash, Quality={"Metric": "ssim"}))
    context = make_context(tmp_path, hard)
    for name in ("again-0.mp4", "moment-1.jpg"):
        (context.work / name).mkdir()
    made = Transcode().run(step, context)
    second, too_low, moment = made.warnings
    assert second.startswith("There is no second encode of mp4 192x108")
    assert too_low.startswith("QualityTooLow")
    assert moment.startswith("There is no picture of the worst moment of mpd 192x108")
    assert [one["Encodes"] for one in made.data["Outputs"]] == [1, 1]
    assert [one["Quality"]["Moment"] for one in made.data["Outputs"]] == [True, False]
    assert not list(context.work.glob("*picture*"))


def test_what_cannot_be_measured_leaves_its_siblings(tmp_path, hard):
    asked = judged(30, Metric="ssim", Minimum="0.5", OnLow="fail")
    members = [(plan(hard, asked), make_context(tmp_path / name, hard)) for name in "ab"]
    (members[1][1].work / "compared.log").symlink_to(tmp_path / "nowhere/at-all")
    good, bad = Transcode().run_shared(members)
    assert isinstance(good, ActivityResult) and good.outputs[0].path.is_file()
    assert isinstance(bad, ActivityError)


def test_a_reused_step_keeps_its_pictures(hard, tmp_path):
    made = run(tmp_path, hard, judged(45, Metric="ssim"), judged(40, Metric="ssim"))
    finished = StepResult(
        data=made.result.data,
        outputs=tuple(published(one) for one in made.result.outputs),
    )
    names = [one.object for one in Transcode().renamed(made.step, finished)]
    assert names == [one.ref.object for one in made.result.outputs]


def published(produced: Produced) -> Output:
    digests = Digests.of(produced.path)
    return Output(ref=produced.ref, place=str(produced.path), digests=digests, media={})


def behind_analysis(
    tmp_path: Path, source: Path, video: dict, trans: str = "onepass", **fields
) -> ActivityResult:
    """The result of a Transcode whose template is what an Analysis gave."""
    entry = {
        "Id": "S00000000-200040",
        "Name": "MP4-HD",
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264", "Width": "192", "Preset": "veryfast"} | video,
        "Audio": {"Codec": "AAC"},
        "TransConfig": {"TransMode": trans},
    }
    rung = {"TemplateIds": [entry["Id"]], "State": "Offered", "PredictedBitrate": "350"}
    analysis = StepResult(data={"TemplateList": [entry], "Rungs": [rung]})
    context = make_plan_context(
        source, media=MediaInfo.of(source, ends=True).to_json(), Analysis=analysis
    )
    outputs = [{"OutputObject": "hd", "TemplateId": entry["Id"]} | fields]
    wire = {"OutputBucket": "out", "Outputs": json.dumps(outputs)}
    step = Transcode().plan(Transcode.parameters.model_validate(wire), context)
    assert isinstance(step, Step)
    return Transcode().run(step, make_context(tmp_path, source))


@pytest.mark.proves("Video.BitrateBnd", by="packets")
@pytest.mark.parametrize(
    ("video", "trans"),
    [
        ({"Crf": "10"}, "onepass"),
        ({"Crf": "40"}, "onepass"),
        ({"Bitrate": "900"}, "twopass"),
    ],
)
def test_an_average_outside_its_bounds_is_encoded_once_more(tmp_path, media_dir, video, trans):
    grain = media.noisy(media_dir, 3, SIZE)
    bounds = {"BitrateBnd": {"Min": "300", "Max": "400"}}
    made = behind_analysis(tmp_path, grain, video | bounds, trans)
    (facts,) = made.data["Outputs"]
    assert facts["Encodes"] == 2 and not made.warnings
    rate = kbps(made.outputs[0].path)
    assert 0.9 * 300 <= rate <= 1.02 * 400
    assert facts["PictureBitrate"] == pytest.approx(rate, rel=0.01)
    # what was foretold is held against the first encode, which was outside of the bounds
    (foretold,) = predictions(StepResult(data=made.data))
    assert foretold.predicted == 350
    assert not 0.9 * 300 <= foretold.measured <= 1.02 * 400


def test_bounds_that_are_kept_or_not_to_be_kept(tmp_path, media_dir):
    grain = media.noisy(media_dir, 3, SIZE)
    kept = {"Crf": "30", "BitrateBnd": {"Min": "10", "Max": "4000"}}
    (facts,) = behind_analysis(tmp_path / "kept", grain, kept).data["Outputs"]
    assert facts["Encodes"] == 1
    # what the output says itself outweighs them
    own = {"Crf": "30", "BitrateBnd": {"Min": "10", "Max": "20"}}
    made = behind_analysis(tmp_path / "own", grain, own, Video={"Crf": "20"})
    assert "Encodes" not in made.data["Outputs"][0]
    still = media.flat(media_dir, 2, SIZE)
    least = {"Crf": "45", "BitrateBnd": {"Min": "10", "Max": "500"}}
    made = behind_analysis(tmp_path / "least", still, least)
    (facts,) = made.data["Outputs"]
    assert facts["PictureBitrate"] < 9 and facts["Encodes"] == 1 and not made.warnings
    empty = {"Crf": "30", "BitrateBnd": {"Min": "2000", "Max": "4000"}}
    made = behind_analysis(tmp_path / "still", still, empty)
    (warning,) = made.warnings
    assert re.search(r"kbit/s on average, outside of its BitrateBnd 2000 to 4000", warning)
