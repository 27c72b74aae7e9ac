"""Which definitions a source is good for, by its size and the rate that it needs."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.analysis import Analysis, AnalysisParameters
from activities.analysis.classes import DEFINITIONS, judge, template_list
from activities.analysis.config import AnalysisConfig
from activities.analysis.measure import windows
from activities.probe import MediaInfo
from activities.templates import from_analysis, presets
from tests.support.context import make_plan_context
from workflow_engine.errors import ActivityError, Code


def media(width: int = 1920, height: int = 1080, duration: Any = "60", **stream: Any) -> MediaInfo:
    picture = {"codec_type": "video", "width": width, "height": height, "avg_frame_rate": "25/1"}
    return MediaInfo.parse(
        {"format": {"duration": duration, "format_name": "mov"}, "streams": [{**picture, **stream}]}
    )


def usable(size: tuple[int, int], *kbps: float | None) -> str:
    rates = iter(kbps)
    return " ".join(v.definition.name for v in judge(size, lambda _: next(rates)) if v.usable)


@pytest.mark.parametrize(
    ("size", "kbps", "expected"),
    [
        ((1920, 1080), [2000], "FHD HD SD LD"),
        ((1920, 1080), [1800], "FHD HD SD LD"),  # within the slack
        ((1920, 1080), [1799, 900], "HD SD LD"),
        ((1920, 1080), [1000, 500, 450], "SD LD"),
        ((1920, 1080), [100, 80, 60], "LD"),
        ((1920, 1080), [None], "FHD HD SD LD"),  # unknown rates are not held against it
        ((1080, 1920), [2000], "FHD HD SD LD"),  # upright
        ((1278, 719), [1000], "HD SD LD"),
        ((1024, 576), [1000], "HD SD LD"),
        ((854, 480), [600], "SD LD"),
        ((640, 360), [], "LD"),
        ((160, 90), [], "LD"),  # nothing fits, so LD at source size
    ],
)
def test_usable_classes(size: tuple[int, int], kbps: list[float], expected: str) -> None:
    assert usable(size, *kbps) == expected


def test_the_rate_is_asked_from_the_top_and_no_further_than_needed() -> None:
    asked: list[tuple[int, int]] = []

    def rate(size: tuple[int, int]) -> float:
        asked.append(size)
        return 1200

    judge((1920, 1080), rate)
    assert asked == [(1920, 1080), (1280, 720)]


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ((1920, 1080), [(1920, 1080), (1280, 720), (1024, 576), (640, 360)]),
        ((1080, 1920), [(1080, 1920), (720, 1280), (576, 1024), (360, 640)]),
        ((3840, 1608), [(2580, 1080), (1720, 720), (1376, 576), (860, 360)]),
        ((1281, 721), [(1280, 720), (1280, 720), (1024, 576), (640, 360)]),
        ((161, 91), [(160, 90), (160, 90), (160, 90), (160, 90)]),
        # templates name no side above 4096
        ((4400, 300), [(4096, 280)] * 4),
        ((300, 4400), [(280, 4096)] * 4),
        ((8000, 1600), [(4096, 820), (3600, 720), (2880, 576), (1800, 360)]),
    ],
)
def test_output_sizes_keep_the_ratio_even_and_never_enlarge(
    size: tuple[int, int], sizes: list[tuple[int, int]]
) -> None:
    assert [definition.output_size(size) for definition in DEFINITIONS] == sizes


def entries(
    only_highest: bool = False, config: dict[str, Any] | None = None, **stream: Any
) -> list[Any]:
    source = media(**stream)
    assert source.video
    verdicts = judge(source.video.display_size, lambda _: 5000)
    told = AnalysisConfig.model_validate(config or {})
    return template_list(verdicts, source.video, told, only_highest)


def test_each_usable_class_comes_in_three_containers() -> None:
    ids = [entry["Id"] for entry in entries()]
    assert len(ids) == 12 and set(ids) <= set(presets())
    assert all(presets()[entry["Id"]].name == entry["Name"] for entry in entries())
    formats = {entry["Id"][10]: entry["Container"]["Format"] for entry in entries()}
    assert formats == {"0": "flv", "1": "m3u8", "2": "mp4"}


def test_only_the_highest_is_kept_on_request() -> None:
    assert {entry["Name"] for entry in entries(True)} == {"FLV-FHD", "M3U8-FHD", "MP4-FHD"}


def test_entries_hold_strings_that_a_transcode_can_take() -> None:
    def scalars(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [item for inner in value.values() for item in scalars(inner)]
        return [value]

    for entry in entries():
        assert all(isinstance(value, str) for value in scalars(entry))
        template = from_analysis(entry)
        assert template.video and template.video.crf == 26 and template.video.preset == "medium"
    highest = from_analysis(entries()[0])
    assert highest.video and highest.video.maxrate == 4000
    assert (highest.video.width, highest.video.height) == (1920, 1080)


@pytest.mark.parametrize("size", [(4400, 300), (300, 4400), (8192, 128), (64, 9000)])
def test_entries_of_long_strips_have_sizes_that_a_transcode_can_take(size: tuple[int, int]) -> None:
    for entry in entries(width=size[0], height=size[1]):
        video = from_analysis(entry).video
        assert video and 4096 in (video.width, video.height)


def test_entries_of_special_sources() -> None:
    assert "Width" not in entries(width=100, height=80)[0]["Video"], "below what templates allow"
    strip = entries(width=20000, height=200)[0]["Video"]
    assert (strip["Width"], strip.get("Height")) == ("4096", None), "the height follows"
    assert entries(field_order="tt")[0]["Video"]["ScanMode"] == "progressive"
    assert "MuxConfig" in entries()[1] and "MuxConfig" not in entries()[0]


def test_samples_are_spread_over_long_sources_and_cover_short_ones() -> None:
    spread = windows(media(duration="100"))
    assert [window.start for window in spread] == [9, 29, 49, 69, 89]
    assert all(window.length == 2 for window in spread)
    for duration in ("12", "3", "N/A"):
        (whole,) = windows(media(duration=duration))
        assert (whole.start, whole.length) == (0, 12)


def test_plan_is_pure_and_shows_what_would_run(tmp_path: Any) -> None:
    context = make_plan_context(tmp_path / "c.mp4", media=media().to_json())
    step = Analysis().plan(AnalysisParameters(), context)
    assert len(step.commands) == 5 and "file:source.mp4" in step.commands[0]
    other = Analysis().plan(
        AnalysisParameters.model_validate({"KeepOnlyHighestDefinition": "True"}), context
    )
    assert step.identity != other.identity


def test_forecast_judges_by_the_sources_own_rate(tmp_path: Any) -> None:
    source = media(bit_rate="1100000")
    context = make_plan_context(tmp_path / "c.mp4", media=source.to_json())
    step = Analysis().plan(AnalysisParameters(), context)
    names = [entry["Name"] for entry in Analysis().forecast(step, context).data["TemplateList"]]
    assert names[0] == "FLV-HD" and len(names) == 9


def test_sound_alone_cannot_be_analysed(tmp_path: Any) -> None:
    sound = MediaInfo.parse({"streams": [{"codec_type": "audio"}]})
    context = make_plan_context(tmp_path / "c.mp3", media=sound.to_json())
    with pytest.raises(ActivityError) as caught:
        Analysis().plan(AnalysisParameters(), context)
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_the_flag_is_a_boolean() -> None:
    with pytest.raises(ValidationError):
        AnalysisParameters.model_validate({"KeepOnlyHighestDefinition": "yes"})
