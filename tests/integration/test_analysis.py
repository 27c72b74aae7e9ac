"""Analysis of real clips: what is offered, what it rests on, and what a Transcode makes of it."""

import subprocess
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from activities.analysis import Analysis, AnalysisParameters
from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from activities.transcode import Transcode
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import packets
from workflow_engine.activity import ActivityResult, Step, StepResult
from workflow_engine.errors import ActivityError, InterruptedRunError

CROP = {"PropertiesControl": {"Crop": {"Mode": "None"}}}


def analyse(
    tmp_path: Path, source: Path, config: Any = None, highest: bool = False, **context: Any
) -> ActivityResult:
    parameters = AnalysisParameters.model_validate(
        {"KeepOnlyHighestDefinition": highest, "AnalysisConfig": config}
    )
    planned = make_plan_context(source, media=MediaInfo.of(source, ends=True).to_json())
    step = Analysis().plan(parameters, planned)
    return Analysis().run(step, make_context(tmp_path, source, **context))


def rungs(result: ActivityResult) -> dict[str, Any]:
    return {rung["Class"]: rung for rung in result.data["Rungs"]}


def offered(result: ActivityResult) -> list[str]:
    return [rung["Class"] for rung in result.data["Rungs"] if rung["State"] == "Offered"]


def transcoded(
    tmp_path: Path, source: Path, result: ActivityResult, definition: str
) -> ActivityResult:
    """What a Transcode with the preset of a class makes behind this analysis."""
    template = rungs(result)[definition]["TemplateIds"][-1]
    output = {"OutputObject": definition, "TemplateId": template}
    wire = {"OutputBucket": "out-bucket", "Outputs": [output]}
    context = make_plan_context(
        source,
        media=MediaInfo.of(source, ends=True).to_json(),
        Analysis=StepResult(data=result.data),
    )
    step = Transcode().plan(Transcode.parameters.model_validate(wire), context)
    assert isinstance(step, Step)
    return Transcode().run(step, make_context(tmp_path / definition, source))


def rendition(tmp_path: Path, source: Path, result: ActivityResult, definition: str) -> Path:
    """The file that `transcoded` makes."""
    return transcoded(tmp_path, source, result, definition).outputs[0].path


def average(path: Path) -> float:
    """The kbit/s of the picture, over its packets."""
    sizes = [int(packet["size"]) for packet in packets(path)]
    fps = Fraction(str(MediaInfo.of(path).videos[0].fps))
    return float(sum(sizes) * 8 / 1000 / (len(sizes) / fps))


@pytest.mark.proves("BitrateBnd of results", by="packets")
def test_the_finished_average_of_a_short_clip_is_within_its_class(
    tmp_path: Path, media_dir: Path
) -> None:
    source = media.noisy(media_dir, 6, "480x480", strength=18, fps=5)
    seen: list[float] = []
    config = {"Ladder": {"MinBitrate": 500, "AllowedSizes": [480]}, **CROP}
    result = analyse(tmp_path, source, config, progress=seen.append)
    found = rungs(result)
    assert {name: rung.get("Reason") for name, rung in found.items()} == {
        "FHD": "SourceTooSmall",
        "HD": "SourceTooSmall",
        "SD": None,
        "LD": "BelowMinBitrate",
    }
    # the size does not hold the quality: the rate is the end of the class, a little off it
    assert (found["SD"]["Bitrate"], found["SD"]["TransMode"]) == ("970", "twopass")
    assert 0 < float(found["SD"]["PredictedVmaf"]) <= 100
    assert float(found["SD"]["SampleSeconds"]) >= 12, "what was encoded to find out"
    assert seen == sorted(seen) and 0 < seen[-1] <= 1
    assert 450 <= average(rendition(tmp_path, source, result, "SD")) <= 1020


@pytest.mark.proves("Ladder.MinBitrate, MaxBitrate", by="packets")
def test_a_narrowed_range_is_in_the_template_and_kept_by_the_encode(
    tmp_path: Path, media_dir: Path
) -> None:
    source = media.noisy(media_dir, 2, "270x270", strength=18, fps=5)
    low, high = 150, 200
    ladder = {"MinBitrate": low, "MaxBitrate": high, "AllowedSizes": [270]}
    result = analyse(tmp_path, source, {"Ladder": ladder, **CROP})
    assert offered(result) == ["LD"]
    for entry in result.data["TemplateList"]:
        section = entry["Video"]
        assert section["BitrateBnd"] == {"Min": str(low), "Max": str(high)}
        assert low <= float(section["Bitrate"]) <= float(section["Maxrate"]) == high
    made = transcoded(tmp_path, source, result, "LD")
    (facts,) = made.data["Outputs"]
    assert facts["BitrateBnd"] == {"Min": low, "Max": high} and not made.warnings
    assert 0.9 * low <= average(made.outputs[0].path) <= 1.02 * high


#: filters that make some seconds of a kind, and how long the sound is
KINDS = {
    "still": ("select='eq(n,0)',fps=5", 0),
    "slides": ("select='not(mod(n,15))',fps=5", 0),
    "grain": ("noise=alls=18:allf=t", 0),
    "busy end": ("noise=alls=25:allf=t:enable='gt(t,21)'", 0),
    "long sound": ("noise=alls=12:allf=t", 16),
}


@pytest.mark.proves("BitrateBnd of results", by="packets")
@pytest.mark.parametrize("kind", KINDS)
def test_the_finished_averages_are_within_their_classes_and_apart(
    tmp_path: Path, media_dir: Path, kind: str
) -> None:
    filters, sound = KINDS[kind]
    seconds = {"busy end": 23.8}.get(kind, 4)
    more = ("-f", "lavfi", "-i", f"sine=duration={sound}") if sound else ()
    source = media.make(
        media_dir / f"kind-{kind.replace(' ', '-')}.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=320x270:rate=5:duration={seconds}", *more),
        *("-vf", filters, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    result = analyse(tmp_path, source, CROP)
    (name,) = offered(result)
    assert name == "LD", "no twins: the source has no lines for another class"
    found = rungs(result)[name]
    made = average(rendition(tmp_path, source, result, name))
    assert made <= 510
    assert float(found["PredictedBitrate"]) == pytest.approx(made, rel=0.15, abs=2)
    if sound:
        whole = float(found["PredictedSize"]) * 8 / 1000 / sound
        assert whole == pytest.approx(float(found["PredictedBitrate"]) + 64, rel=0.02)


@pytest.mark.long
@pytest.mark.proves("BitrateBnd of results", by="packets")
@pytest.mark.parametrize("content", ["grain", "bursts", "slides"])
def test_the_finished_average_of_a_minute_is_within_its_class(
    tmp_path: Path, media_dir: Path, content: str
) -> None:
    source = media.make(
        media_dir / f"minute-{content}.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=10:duration=60"),
        *("-vf", MINUTES[content], "-c:v", "libx264", "-preset", "ultrafast", "-crf", "14"),
        *("-pix_fmt", "yuv420p"),
    )
    result = analyse(tmp_path, source, CROP)
    for name in offered(result):
        made = average(rendition(tmp_path, source, result, name))
        section = next(
            entry["Video"] for entry in result.data["TemplateList"] if name in entry["Name"]
        )
        low, high = (float(section["BitrateBnd"][end]) for end in ("Min", "Max"))
        assert 0.9 * low <= made <= 1.02 * high, (name, made)
        assert float(rungs(result)[name]["PredictedBitrate"]) == pytest.approx(made, rel=0.15)


#: filters that make a minute of some kind
MINUTES = {
    "grain": "noise=alls=18:allf=t",
    "bursts": "noise=alls=30:allf=t:enable='lt(mod(t,19),4)'",
    "slides": "select='not(mod(n,80))',fps=10",
}


@pytest.mark.proves("Rungs", by="the result")
def test_a_still_picture_is_one_small_rung_at_its_own_size(tmp_path: Path, media_dir: Path) -> None:
    result = analyse(tmp_path, media.flat(media_dir, 2))
    assert offered(result) == ["LD"]
    found = rungs(result)
    assert (found["LD"]["Width"], found["LD"]["Height"]) == ("1280", "720")
    assert {found[name]["Reason"] for name in ("FHD", "HD", "SD")} == {"RateNotFilled"}
    (table,) = Analysis().artifacts(StepResult(data=result.data))
    assert [row["State"] for row in table.content] == ["Dropped"] * 3 + ["Offered"]


@pytest.mark.proves("RateQuality", by="packets of another encode")
def test_the_rates_are_those_of_the_encoder(tmp_path: Path, media_dir: Path) -> None:
    source = media.clip(media_dir, 2, "640x480", fps=10, audio=False)
    result = analyse(tmp_path, source, {"QualityControl": {"RateQuality": 20}, **CROP})
    whole = media.make(
        media_dir / "whole-at-20.mp4",
        *("-i", str(source), "-c:v", "libx264", "-crf", "20", "-g", "100"),
    )
    (top,) = [rung for name, rung in rungs(result).items() if name == offered(result)[0]]
    own = MediaInfo.of(source).videos[0].bitrate_kbps
    assert own is not None
    assert float(top["PredictedBitrate"]) == pytest.approx(min(average(whole), own), rel=0.03)


def test_samples_predict_what_the_whole_source_needs(tmp_path: Path, media_dir: Path) -> None:
    # quiet and busy stretches; long enough for samples
    source = media.make(
        media_dir / "mixed.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=48"),
        *("-vf", "noise=alls=12:allf=t:enable='lt(mod(t,17),5)'"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p"),
    )
    result = analyse(tmp_path, source, {"QualityControl": {"RateQuality": 38}, **CROP})
    whole = media.make(
        media_dir / "mixed-whole.mp4",
        *("-i", str(source), "-c:v", "libx264", "-crf", "38", "-g", "100"),
        *("-force_key_frames", "expr:gte(t,n_forced*10)"),
    )
    told = rungs(result)["LD"]
    assert len(result.commands) > 6, "samples, and not all of it"
    assert float(told["PredictedBitrate"]) == pytest.approx(average(whole), rel=0.1)


@pytest.mark.proves("Ladder.TargetVmaf", by="VMAF of the samples")
def test_a_target_quality_is_reached(tmp_path: Path, media_dir: Path) -> None:
    source = media.clip(media_dir, 2, "480x270", fps=10, audio=False)
    config = {"Ladder": {"TargetVmaf": 85}, **CROP}
    found = rungs(analyse(tmp_path, source, config))["LD"]
    assert float(found["PredictedVmaf"]) == pytest.approx(85, abs=1.5), found


def test_a_target_quality_of_what_borders_leave_is_refused(tmp_path: Path, media_dir: Path) -> None:
    source = media.make(
        media_dir / "sliver.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x24:rate=10:duration=1"),
        *("-vf", "pad=160:90:0:34:black", "-c:v", "libx264", "-preset", "ultrafast"),
    )
    with pytest.raises(ActivityError, match="160x24") as caught:
        analyse(tmp_path, source, {"Ladder": {"TargetVmaf": 85}})
    assert caught.value.pointer == "/AnalysisConfig/Ladder/TargetVmaf"


def letterboxed(media_dir: Path, extra: str = "") -> Path:
    return media.make(
        media_dir / f"letterboxed{len(extra)}.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=640x268:rate=10:duration=2"),
        *("-vf", f"pad=640:360:0:46:black{extra}", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-crf", "10", "-pix_fmt", "yuv420p"),
    )


def gray(path: Path) -> bytes:
    """The luma of an early picture."""
    command = [str(ffmpeg_path()), "-v", "error", "-ss", "0.5", "-i", str(path), "-frames:v", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def borders(path: Path) -> tuple[float, float]:
    """The brightness of the first and the last lines of a decoded picture."""
    raw, lines = gray(path), 4 * MediaInfo.of(path).videos[0].width
    return sum(raw[:lines]) / lines, sum(raw[-lines:]) / lines


@pytest.mark.proves("Crop Auto", "Crop Force", "Crop None", by="decoded pictures")
@pytest.mark.parametrize(
    ("crop", "size", "black"),
    [
        ({}, ("640", "268"), False),
        ({"Mode": "None"}, ("640", "360"), True),
        (
            {"Mode": "Force", "Width": 320, "Height": 160, "Top": 100, "Left": 100},
            ("320", "160"),
            False,
        ),
    ],
)
def test_borders_go_as_they_are_told_to(
    tmp_path: Path, media_dir: Path, crop: Any, size: tuple[str, str], black: bool
) -> None:
    source = letterboxed(media_dir)
    result = analyse(tmp_path, source, {"PropertiesControl": {"Crop": crop}})
    assert offered(result)[-1] == "LD"
    found = rungs(result)["LD"]
    assert (found["Width"], found["Height"]) == size
    made = rendition(tmp_path, source, result, "LD")
    assert (max(borders(made)) < 20) is black and (min(borders(made)) < 20) is black


def test_narrow_borders_and_dark_pictures_are_left(tmp_path: Path, media_dir: Path) -> None:
    dark = letterboxed(media_dir, ",eq=brightness=-0.9")
    assert "Crop" not in analyse(tmp_path / "dark", dark).data
    narrow = media.make(
        media_dir / "narrow.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=640x352:rate=10:duration=1"),
        *("-vf", "pad=640:360:0:4:black", "-c:v", "libx264", "-preset", "ultrafast"),
    )
    assert "Crop" not in analyse(tmp_path / "narrow", narrow).data


def combed(media_dir: Path) -> Path:
    """Frames of two fields each, in a file that says that they are whole pictures."""
    return media.make(
        media_dir / "combed.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=480x480:rate=50:duration=1"),
        *("-vf", "scroll=h=0.02,interlace=scan=bff:lowpass=off,setfield=prog", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p"),
    )


def comb_of(path: Path, distance: int = 1) -> float:
    """The mean difference of lines of one picture that are so far apart: combing shows at 1."""
    info = MediaInfo.of(path).videos[0]
    raw = gray(path)
    lines = [raw[n * info.width : (n + 1) * info.width] for n in range(info.height)]
    pairs = zip(lines, lines[distance:], strict=False)
    differences = [sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in pairs]
    return sum(differences) / len(differences) / info.width


@pytest.mark.proves(
    "Video.FieldOrder",
    "Deinterlace Auto",
    "Deinterlace Force",
    "Deinterlace None",
    by="decoded pictures",
)
@pytest.mark.parametrize(("how", "order"), [("Auto", "bff"), ("Force", "bff"), ("None", None)])
def test_fields_that_the_file_hides(
    tmp_path: Path, media_dir: Path, how: str, order: str | None
) -> None:
    source = combed(media_dir)
    result = analyse(
        tmp_path,
        source,
        {"PropertiesControl": {"Deinterlace": how}, "Ladder": {"AllowedSizes": [480]}},
    )
    sections = [entry["Video"] for entry in result.data["TemplateList"]]
    assert {section.get("FieldOrder") for section in sections} == {order}
    assert {section.get("ScanMode") for section in sections} == {order and "progressive"}
    made = rendition(tmp_path, source, result, offered(result)[0])
    assert (comb_of(made) > comb_of(made, 2)) is (order is None)


def test_an_upright_phone_clip_is_measured_upright(tmp_path: Path, media_dir: Path) -> None:
    wide = media.clip(media_dir, 1, "864x486", fps=10, audio=False)
    turned = media.make(
        media_dir / "upright.mp4",
        *("-display_rotation", "270", "-i", str(wide), "-c", "copy"),
    )
    result = analyse(tmp_path, turned, {"Ladder": {"AllowedSizes": [480]}, **CROP})
    assert (found := rungs(result)[offered(result)[0]])["Height"] > found["Width"] == "480"


def test_a_tiny_source_gets_ld_at_its_own_size(tmp_path: Path, media_dir: Path) -> None:
    source = media.clip(media_dir, 1, "160x130")
    result = analyse(tmp_path, source)
    assert offered(result) == ["LD"]
    assert (rungs(result)["LD"]["Width"], rungs(result)["LD"]["Height"]) == ("160", "130")


def test_it_can_be_cancelled(tmp_path: Path, bunny: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(InterruptedRunError):
        analyse(tmp_path, bunny, cancel=cancel)
