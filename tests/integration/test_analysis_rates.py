"""Analysis ranks real content: what is worth which class, and how near its predictions are."""

import math
import threading
from pathlib import Path

import pytest

from activities.analysis import Analysis, AnalysisParameters
from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from tests.support import media
from tests.support.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult, StepResult
from workflow_engine.errors import InterruptedRunError


def analyse(
    tmp_path: Path,
    source: Path,
    only_highest: bool = False,
    config: dict[str, object] | None = None,
    **context: object,
) -> ActivityResult:
    parameters = AnalysisParameters.model_validate(
        {"KeepOnlyHighestDefinition": only_highest, "AnalysisConfig": config}
    )
    planned = make_plan_context(source, media=MediaInfo.of(source).to_json())
    step = Analysis().plan(parameters, planned)
    return Analysis().run(step, make_context(tmp_path, source, **context))


def classes(result: ActivityResult) -> list[str]:
    names = [entry["Name"] for entry in result.data["TemplateList"]]
    return [name.removeprefix("MP4-") for name in names if name.startswith("MP4-")]


def test_grain_at_720p_is_worth_the_highest_class(tmp_path: Path, media_dir: Path) -> None:
    seen: list[float] = []
    grain = media.noisy(media_dir, 2, strength=18, fps=10)
    result = analyse(tmp_path, grain, progress=seen.append)
    assert classes(result) == ["FHD", "HD", "SD", "LD"]
    assert list(result.data["PredictedBitrates"]) == ["FHD"], "no more than needed is measured"
    assert seen == sorted(seen) and 0 < seen[-1] <= 1


def test_a_flat_picture_at_720p_is_not_worth_hd(tmp_path: Path, media_dir: Path) -> None:
    result = analyse(tmp_path, media.flat(media_dir, 2))
    assert classes(result) == ["LD"]
    assert list(result.data["PredictedBitrates"]) == ["FHD", "HD", "SD"]
    assert len(result.commands) == 2, "FHD and HD of a 720p source are the same encode"
    (table,) = Analysis().artifacts(StepResult(data=result.data))
    assert [row["Usable"] for row in table.content] == ["no", "no", "no", "yes"]


def test_a_real_clip(tmp_path: Path, bunny: Path) -> None:
    result = analyse(tmp_path, bunny, only_highest=True)
    assert classes(result) == ["HD"]
    # what x264 at crf 26 and preset medium makes of it, whole
    assert float(result.data["PredictedBitrates"]["HD"]) == pytest.approx(1110, rel=0.05)


def test_the_quality_that_is_asked_for_is_measured(tmp_path: Path, media_dir: Path) -> None:
    grain = media.noisy(media_dir, 2, strength=18, fps=10)
    rates: list[float] = []
    for quality in ("15", 25, "40"):
        config: dict[str, object] = {"QualityControl": {"RateQuality": quality}}
        result = analyse(tmp_path / f"{quality}", grain, config=config)
        assert result.data["RateQuality"] == f"{quality}"
        crf = {entry["Video"]["Crf"] for entry in result.data["TemplateList"]}
        assert crf == {str(int(quality) + 1)}
        rates.append(float(result.data["PredictedBitrates"]["FHD"]))
    assert rates[0] > 1.5 * rates[1] > 3 * rates[2]


def test_fields_are_measured_as_they_will_be_coded(tmp_path: Path, media_dir: Path) -> None:
    fields = media.clip(
        media_dir,
        1,
        "864x488",
        audio=False,
        name="fields-sd",
        extra=("-vf", "setfield=tff", "-flags", "+ilme+ildct"),
    )
    config: dict[str, object] = {"PropertiesControl": {"Deinterlace": "None"}}
    result = analyse(tmp_path, fields, config=config)
    assert "+ilme+ildct" in result.commands[0]
    modes = {entry["Video"]["ScanMode"] for entry in result.data["TemplateList"]}
    assert modes == {"interlaced"}


def test_a_tiny_source_gets_ld_at_its_own_size(tmp_path: Path, media_dir: Path) -> None:
    result = analyse(tmp_path, media.clip(media_dir, 1, "160x130"))
    assert classes(result) == ["LD"] and result.commands == ()
    picture = result.data["TemplateList"][0]["Video"]
    assert (picture["Width"], picture["Height"]) == ("160", "130")


def test_an_upright_phone_clip_is_measured_upright(tmp_path: Path, media_dir: Path) -> None:
    wide = media.clip(media_dir, 1, "864x486", audio=False)
    turned = media.make(
        media_dir / "upright.mp4",
        *("-display_rotation", "270", "-i", str(wide), "-c", "copy"),
    )
    result = analyse(tmp_path, turned)
    assert "scale=486:864" in result.commands[0][result.commands[0].index("-filter_complex") + 1]
    assert classes(result)[0] == "SD"


def test_samples_predict_what_the_whole_source_needs(tmp_path: Path, media_dir: Path) -> None:
    # quiet and busy stretches; long enough for samples
    source = media.make(
        media_dir / "mixed.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=10:duration=20"),
        *("-vf", "noise=alls=12:allf=t:enable='lt(mod(t,7),3)'"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p"),
    )
    result = analyse(tmp_path, source)
    assert len(result.commands) == 5
    whole = media.make(
        media_dir / "mixed-whole.mp4",
        *("-i", str(source), "-c:v", "libx264", "-crf", "26", "-g", "100"),
    )
    actual = MediaInfo.of(whole).videos[0].bitrate_kbps
    assert actual is not None
    assert math.isclose(float(result.data["PredictedBitrates"]["SD"]), actual, rel_tol=0.25)


def test_it_can_be_cancelled(tmp_path: Path, bunny: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(InterruptedRunError):
        analyse(tmp_path, bunny, cancel=cancel)


def test_the_encoder_is_there() -> None:
    assert ffmpeg_path().exists() and Analysis().tools()["ffmpeg"]
