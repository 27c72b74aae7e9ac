"""Quality of an output: what may not stand beside it, and the settings of a second encode."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.quality import Metric
from activities.transcode import Transcode
from activities.transcode.command.filters import CommandInput
from activities.transcode.command.rendition import Picture, Rendition, VideoEncoding
from activities.transcode.result.second import outside, with_quality, with_rate
from tests.support.transcode_plans import COPY, MP3, MP4, media, plan
from workflow_engine.activity import Neighbourhood
from workflow_engine.errors import ActivityError, Code, Problem
from workflow_engine.records import StepResult

HDR = {"Codec": "H.265", "PixFmt": "yuv420p10le", "Hdr": "Keep"}


def problems_of(**output) -> list[Problem]:
    wire = {"OutputObject": "a", "TemplateId": MP4} | output
    parameters = Transcode.parameters.model_validate({"OutputBucket": "out", "Outputs": [wire]})
    return list(Transcode().check(parameters, Neighbourhood(name="sd", ancestor_types=())))


@pytest.mark.parametrize(
    ("quality", "fields", "pointer", "words"),
    [
        ({}, {"TemplateId": MP3}, "/Quality", "the output has none"),
        ({}, {"TemplateId": COPY}, "/Quality", "copies the streams"),
        (
            {},
            {"Container": {"Format": "gif"}, "Video": {"Codec": "GIF"}},
            "/Quality",
            "cannot be measured of GIF",
        ),
        ({}, {"Video": HDR}, "/Quality/Metric", "VMAF has no model for HDR"),
        ({"Metric": "ssim", "Minimum": "1.5"}, {}, "/Quality/Minimum", 'the best "ssim" is 1'),
        ({"Metric": "ssim", "Subsample": "2"}, {}, "/Quality/Subsample", '"vmaf" only'),
        ({"OnLow": "fail"}, {}, "/Quality/Minimum", 'OnLow "fail" needs a Minimum'),
    ],
)
def test_refusals(quality, fields, pointer, words):
    (problem,) = problems_of(**fields, Quality=quality)
    assert problem.pointer == f"/Outputs/0{pointer}"
    assert words in problem.message and problem.remedy


@pytest.mark.parametrize("metric", ["ssim", "xpsnr"])
def test_hdr_has_other_metrics(metric):
    assert not problems_of(Video=HDR, Quality={"Metric": metric, "Minimum": "0.9"})


def encoded(**rates) -> Rendition:
    """A rendition of H.264, or of another `codec`, with these rates."""
    plain = {"bitrate": None, "crf": None, "maxrate": None}
    encoding = VideoEncoding(
        codec=rates.pop("codec", "H.264"),
        filters=(),
        rate=Fraction(25),
        bufsize=6000,
        profile=None,
        preset=None,
        gop=250,
        key_every=None,
        key_times=(),
        pix_fmt="yuv420p",
        fields=False,
        hdr=False,
        **plain | rates,
    )
    picture = Picture(stream=0, codec="h264", size=(2, 2), part=(2, 2), encoding=encoding)
    return Rendition(
        container="mp4",
        origin=CommandInput(),
        picture=picture,
        sound=None,
        mode="onepass",
        segment=None,
        cuts=(),
        mux=(),
        key=None,
        playlist_tags=(),
        duration=None,
        exact=True,
        limit=1.0,
        bytes=None,
    )


def test_what_is_outside_of_bounds():
    inside = [outside(rate, (1000, 2000)) for rate in (900, 1500, 2040)]
    assert inside == [0, 0, 0]
    assert outside(899, (1000, 2000)) > 0 < outside(2041, (1000, 2000))
    assert outside(None, (1000, 2000)) == outside(1, None) == 0
    # 10 is the lowest that there is
    assert outside(3, (10, 500)) == 0 < outside(3, (11, 500)) and outside(520, (10, 500)) > 0


def test_vmaf_of_a_picture_that_is_too_small_for_it():
    small = media(width=64, height=30)
    plain = {"OutputObject": "a", "TemplateId": MP4}
    with pytest.raises(ActivityError, match="VMAF cannot measure a picture of 64x30") as refused:
        plan(plain | {"Quality": {}}, source=small)
    assert refused.value.code == Code.NOT_SUPPORTED
    assert refused.value.pointer == "/Outputs/0/Quality/Metric"
    plan(plain | {"Quality": {"Metric": "ssim"}}, source=small)
    plan(plain | {"Quality": {}}, source=media(width=64, height=32))


@given(st.floats(20, 40_000), st.floats(20, 20_000), st.floats(1.5, 4))
def test_an_encoder_that_errs_alike_again_is_brought_inside(bitrate, least, ratio):
    bounds = (least, least * ratio)
    for error in (0.5, 0.8, 1.3):
        rate = bitrate * error
        if outside(rate, bounds):
            second = with_rate(encoded(bitrate=bitrate), rate, bounds)
            again = second.picture.encoding.bitrate
            assert not outside(again * error, bounds) or again in (10, 50_000)
            assert second.mode == "twopass"


#: VMAF, SSIM and XPSNR of two films of 640 pixels, by codec and Crf
MEASURED = {
    "H.264": [
        {20: (95.0, 0.9865, 37.6), 26: (90.1, 0.9709, 33.6), 32: (79.7, 0.9370, 29.1)},
        {20: (99.0, 0.9931, 39.4), 26: (96.0, 0.9855, 35.5), 32: (84.2, 0.9693, 31.3)},
    ],
    "H.265": [
        {20: (95.4, 0.9883, 38.1), 26: (91.5, 0.9763, 34.6), 32: (82.9, 0.9504, 30.6)},
        {20: (98.9, 0.9912, 38.4), 26: (96.2, 0.9842, 35.4), 32: (86.8, 0.9708, 31.9)},
    ],
    "AV1": [
        {20: (96.7, 0.9894, 38.8), 32: (94.7, 0.9838, 36.6), 44: (91.2, 0.9747, 34.1)},
        {20: (99.3, 0.9912, 38.6), 32: (97.8, 0.9865, 36.3), 44: (91.3, 0.9767, 33.3)},
    ],
}


@pytest.mark.parametrize("codec", MEASURED)
def test_what_films_lost_is_given_back_and_not_much_more(codec):
    for film in MEASURED[codec]:
        for aim, crf in itertools.pairwise(film):
            for place, metric in enumerate((Metric.VMAF, Metric.SSIM, Metric.XPSNR)):
                found = with_quality(
                    *(encoded(crf=float(crf), codec=codec), metric, film[crf][place]),
                    *(film[aim][place],),
                    best=metric.best,
                    bounds=None,
                ).picture.encoding.crf
                assert found <= aim, "it reaches the quality"
                spent = (crf - found) / (crf - aim)
                assert spent < (3.1 if codec == "AV1" else 2.5)


@pytest.mark.parametrize("metric", Metric)
def test_more_is_missing_more_is_given(metric):
    best = metric.best if metric is not Metric.XPSNR else 60
    steps = []
    for share in (0.5, 0.7, 0.88):
        second = with_quality(
            *(encoded(crf=40.0), metric, share * best, 0.9 * best), best=metric.best, bounds=None
        )
        steps.append(40 - second.picture.encoding.crf)
    assert steps == sorted(steps, reverse=True) and 0 < steps[-1] <= steps[0] <= 15.5


def test_what_limits_a_better_encode():
    low = (Metric.VMAF, 50.0, 90.0)
    best = {"best": 100.0, "bounds": None}
    assert with_quality(encoded(crf=1.0), *low, **best) is None
    av1 = with_quality(encoded(crf=50.0, codec="AV1"), *low, **best)
    assert av1.picture.encoding.crf == int(av1.picture.encoding.crf) < 40
    capped = encoded(bitrate=1000.0, maxrate=1200.0)
    assert with_quality(capped, *low, **best).picture.encoding.bitrate == 1200
    assert with_quality(encoded(bitrate=1200.0, maxrate=1200.0), *low, **best) is None
    bounded = with_quality(encoded(bitrate=1000.0), *low, best=100.0, bounds=(500.0, 1500.0))
    assert bounded.picture.encoding.bitrate == pytest.approx(1455)
    constant = replace(encoded(bitrate=1000.0), mode="CBR")
    assert with_quality(constant, *low, **best).mode == "CBR"


def test_the_plan_shows_how_an_output_is_measured():
    plain = {"OutputObject": "a", "TemplateId": MP4}
    encode, compare = plan(plain | {"Quality": {}}).commands
    assert "libvmaf" in " ".join(compare) and "libvmaf" not in " ".join(encode)
    # the source at its own size; a mark has that of the output
    assert "scale=flags=bicubic:h=1080:w=1920" in " ".join(compare)
    text = {"Type": "Text", "TextWaterMark": {"Content": "aGVsbG8="}}
    marked = plan(plain | {"Quality": {}, "WaterMarks": [text]})
    assert "scale=flags=bicubic:h=720:w=1280" in " ".join(marked.commands[1])


def test_only_a_measured_output_has_another_key():
    plain = {"OutputObject": "a", "TemplateId": MP4}
    measured = plan(plain | {"Quality": {"Minimum": "80"}}).identity
    higher = plan(plain | {"Quality": {"Minimum": "90"}}).identity
    assert len({str(one) for one in (plan(plain).identity, measured, higher)}) == 3


def test_bounds_come_from_an_analysis_only():
    entry = {
        "Id": "S00000000-200040",
        "Container": {"Format": "mp4"},
        "Video": {"Crf": "26", "BitrateBnd": {"Min": "1000", "Max": "2000"}},
    }
    upstream = {"Analysis": StepResult(data={"TemplateList": [entry]})}
    output = {"OutputObject": "a", "TemplateId": "S00000000-200040"}
    cases = [({}, (1000, 2000)), ({"Rotate": "90"}, (1000, 2000))]
    # another picture than the one that was judged
    cases += [({"Video": own}, None) for own in ({"Crf": "20"}, {"Width": "640"}, {"Fps": "10"})]
    cases += [({"Clip": {"TimeSpan": {"Seek": "3"}}}, None)]
    for own, bounds in cases:
        (job,) = plan(output | own, source=media(), upstream=upstream).resolved
        assert job.rate_bounds == bounds, own
