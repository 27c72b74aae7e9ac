"""Inspection on clips whose defects were put in, and on clips that have none."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.ffmpeg import capabilities
from activities.inspection import Inspection, InspectionParameters
from activities.probe import MediaInfo
from tests.support import kinds, media
from tests.support.context import make_context, make_plan_context
from tests.support.transcodes import ffprobe
from workflow_engine.activity import ActivityResult, Step
from workflow_engine.errors import ActivityError, Code, InstallationError, InterruptedRunError

#: seconds by which the times of a defect may be off
NEAR = 0.5
TARGET = {"Bucket": "out-bucket", "Location": "local", "Object": "quality%2F{FileName}.txt"}
#: what is done to two seconds of a clip, by the label of what it must be found as
SPOILT = [
    ("image_definition", "gblur=sigma=3"),
    ("brightness black", "drawbox=t=fill:color=black"),
    ("brightness white", "drawbox=t=fill:color=white"),
    ("brightness dark", "lutyuv=y='16+(val-16)*0.2'"),
    ("brightness bright", "eq=brightness=0.5"),
    ("border", "drawbox=t=8:color=black"),
    ("noise", "noise=alls=60:allf=t:all_seed=1"),
    ("blockness", "pixelize=w=16:h=16"),
]


def planned(source: Path, **parameters: Any) -> Step:
    given = InspectionParameters.model_validate({"OutputFile": TARGET, **parameters})
    step = Inspection().plan(given, make_plan_context(source, media=MediaInfo.of(source).to_json()))
    assert isinstance(step, Step)
    return step


def inspected(work: Path, source: Path, **parameters: Any) -> ActivityResult:
    return Inspection().run(planned(source, **parameters), make_context(work, source))


def spans(result: ActivityResult) -> list[tuple[str, float, float]]:
    """Label, begin and end; of brightness with its result."""
    return [
        (row["Label"] + _which(row), _seconds(row["Begin"]), _seconds(row["End"]))
        for row in result.data["Spans"]
    ]


def _which(row: dict[str, str]) -> str:
    first = row["First"].partition(",")[0]
    return first.removeprefix("result") if row["Label"] == "brightness" else ""


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The objects of an output file, which stand one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        found, end = decoder.raw_decode(text)
        yield found
        text = text[end:]


def shown(source: Path, milliseconds: float) -> int:
    """The number of the frame that is shown at a time, counted by ffprobe."""
    found = ffprobe(source, "-select_streams", "v", "-show_entries", "frame=pts_time")
    return sum(float(one["pts_time"]) <= milliseconds / 1000 for one in found["frames"]) - 1


@pytest.fixture(scope="module")
def spoilt(media_dir: Path) -> Path:
    """Two seconds of each defect, two seconds without one before and behind each."""
    steps = [
        f"{how}:enable='between(t,{4 * n + 2},{4 * n + 3.99})'" for n, (_, how) in enumerate(SPOILT)
    ]
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "16", "-pix_fmt", "yuv420p")
    return media.make(
        media_dir / "spoilt.mp4",
        *("-stream_loop", "9", "-i", str(kinds.kind(media_dir, "head"))),
        *("-t", str(4 * len(SPOILT) + 2), "-vf", ",".join(steps), *coded),
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, spoilt: Path) -> ActivityResult:
    return inspected(tmp_path_factory.mktemp("inspection"), spoilt)


@pytest.mark.proves(
    "Quality Blockness",
    "Quality Brightness",
    "Quality ImageDefinition",
    "Quality Border",
    "Quality Noise",
    "Quality LessExpose",
    "Quality OverExpose",
    by="the times of defects that were put in",
)
@pytest.mark.parametrize("place", range(len(SPOILT)), ids=[label for label, _ in SPOILT])
def test_a_defect_is_found_at_its_time(report: ActivityResult, place: int) -> None:
    label = SPOILT[place][0]
    ((begin, end),) = [(begin, end) for name, begin, end in spans(report) if name == label]
    assert abs(begin - (4 * place + 2)) <= NEAR and abs(end - (4 * place + 4)) <= NEAR


def test_nothing_else_is_found(report: ActivityResult) -> None:
    others = {name for name, _, _ in spans(report)} - {label for label, _ in SPOILT}
    assert others == {"less_expose", "over_expose"}
    exposed = {name: (begin, end) for name, begin, end in spans(report) if name in others}
    assert abs(exposed["less_expose"][0] - 14) <= NEAR
    assert abs(exposed["over_expose"][0] - 18) <= NEAR


@pytest.mark.proves("Quality Freeze", by="the times of a film that stops, and of cards that stand")
def test_a_film_that_stops_and_a_card_that_stands(tmp_path: Path, media_dir: Path) -> None:
    # two seconds of film, two at a stand, two of film; a cut to a card of two seconds; film
    film = "testsrc2=size=160x90:rate=15:duration=4"
    graph = (
        f"{film},split[a][b];[a]trim=0:2,tpad=stop_duration=2:stop_mode=clone[c];"
        "[b]trim=2:4,setpts=PTS-STARTPTS[d];color=navy:size=160x90:rate=15:duration=2,"
        "drawbox=x=40:y=30:w=80:h=30:color=white:t=4[e];"
        f"{film}[f];[c][d][e][f]concat=n=4,format=yuv420p"
    )
    source = media.make(
        media_dir / "stops.mp4", "-f", "lavfi", "-i", graph, "-c:v", "libx264", "-preset", "fast"
    )
    ((label, begin, end),) = spans(inspected(tmp_path, source, Labels=["freeze"]))
    assert label == "freeze" and abs(begin - 2) <= NEAR and abs(end - 4) <= NEAR


@pytest.mark.parametrize("rate", [4, 1])
def test_a_film_that_slows_down_does_not_stop(tmp_path: Path, media_dir: Path, rate: int) -> None:
    # from second 3 on, only few of the pictures that are looked at differ from those before
    film = "testsrc2=size=160x90:duration=3:rate"
    graph = f"{film}=25[a];{film}={rate},fps=25[b];[a][b]concat,format=yuv420p"
    source = media.make(
        media_dir / f"slows-{rate}.mp4",
        "-f",
        "lavfi",
        "-i",
        graph,
        "-c:v",
        "libx264",
        "-preset",
        "fast",
    )
    assert spans(inspected(tmp_path, source, Labels=["freeze"])) == []


@pytest.mark.parametrize("name", kinds.KINDS)
def test_clean_clips_of_six_kinds_are_silent(tmp_path: Path, media_dir: Path, name: str) -> None:
    assert spans(inspected(tmp_path, kinds.kind(media_dir, name))) == []


@pytest.mark.long
def test_a_real_clip_is_silent(tmp_path: Path, bunny: Path) -> None:
    assert spans(inspected(tmp_path, bunny)) == []


@pytest.mark.proves("Quality Output", by="the objects of the file, one after the other")
def test_the_output_file(report: ActivityResult, spoilt: Path) -> None:
    (output,) = report.outputs
    assert output.ref.object == "quality/spoilt.txt"
    found = list(documents(output.path.read_text()))
    labels = [next(iter(one)) for one in found]
    assert labels == [
        *("blockness", "brightness", "image_definition"),
        *("less_expose", "over_expose", "border", "noise"),
    ]
    by_label = {label: one[label] for label, one in zip(labels, found, strict=True)}
    blocks = by_label["blockness"][0]
    assert blocks.keys() == {"result", "score", "timestamp", "type"}
    assert (blocks["result"], blocks["type"]) == ("blocking", "blockness")
    assert isinstance(blocks["timestamp"], str) and abs(int(blocks["timestamp"]) - 30_000) <= 500
    assert {one["result"] for one in by_label["brightness"]} == {"black", "white", "dark", "bright"}
    border = by_label["border"][0]
    assert border.keys() == {"border", "id", "timestamp"}
    edges = zip(border["border"], [8, 8, 152, 82], strict=True)
    assert all(abs(one - expected) <= 2 for one, expected in edges)
    assert border["id"] == shown(spoilt, border["timestamp"])
    assert by_label["noise"][0].keys() == {"noise_rate", "id", "timestamp"}
    assert by_label["over_expose"][0].keys() == {"ratio", "id", "timestamp"}
    assert by_label["image_definition"][0].keys() == {"id", "timestamp"}


@pytest.mark.proves("Quality VideoQualityResults", by="its keys and values")
def test_the_summary(report: ActivityResult) -> None:
    summary = report.data["VideoQualityResults"]
    fields = {key: set(items[0]) - {"TimeStamp"} for key, items in summary.items()}
    assert fields == {
        "Blockness": {"Score"},
        "Brightness": {"Score", "Result"},
        "ImageDefinition": set(),
        "LessExpose": {"Ratio"},
        "OverExpose": {"Ratio"},
        "Border": set(),
        "Noise": {"Ratio"},
    }
    values = [value for items in summary.values() for item in items for value in item.values()]
    assert all(isinstance(value, str) for value in values)
    # one for each second, and the last
    assert 3 <= len(summary["Border"]) <= 4 and summary["Border"][0]["TimeStamp"][:7] == "00:00:2"


def test_what_is_asked_for_is_in_the_identity(clip: Path) -> None:
    noise = planned(clip, Labels='["noise"]')
    assert noise.identity != planned(clip).identity
    assert noise.outputs[0].summary == "defects: noise"


def test_fields_bars_of_a_turned_film_and_a_late_picture(tmp_path: Path, media_dir: Path) -> None:
    coded = ("-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ildct+ilme")
    fields = media.make(
        media_dir / "fields-of-sport.mpg",
        *("-i", str(kinds.kind(media_dir, "sport")), "-t", "3"),
        *("-vf", "scale=720:576,fps=50,interlace=scan=tff", *coded),
    )
    assert spans(inspected(tmp_path / "fields", fields)) == []
    bars = media.make(
        media_dir / "bars.mp4",
        *("-i", str(kinds.kind(media_dir, "head")), "-t", "3", "-c:v", "libx264"),
        *("-vf", "drawbox=x=0:y=0:w=iw:h=12:t=fill:color=black"),
    )
    turned = media.make(
        media_dir / "bars-turned.mp4", "-display_rotation", "90", "-i", str(bars), "-c", "copy"
    )
    late = media.make(
        media_dir / "bars-late.mkv",
        *("-itsoffset", "2", "-i", str(turned), "-f", "lavfi", "-i", "sine=duration=5"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy"),
    )
    result = inspected(tmp_path / "bars", late)
    ((label, begin, _),) = spans(result)
    assert label == "border" and abs(begin - 2) <= NEAR
    (found,) = documents(result.outputs[0].path.read_text())
    assert [one["id"] for one in found["border"]] == [
        shown(late, one["timestamp"]) for one in found["border"]
    ]
    left, top, right, bottom = found["border"][0]["border"]
    assert (top, right, bottom) == (0, 90, 160) and abs(left - 12) <= 2


def test_the_grid_of_turned_films(tmp_path: Path, media_dir: Path) -> None:
    # neither side is a multiple of 8, and each has another rest
    blocks = media.make(
        media_dir / "blocks.mp4",
        *("-i", str(kinds.kind(media_dir, "sport")), "-t", "2", "-c:v", "libx264"),
        *("-vf", "crop=156:90:0:0,pixelize=w=8:h=8", "-preset", "fast", "-crf", "10"),
    )
    for degrees in ("0", "90", "180", "270"):
        turned = media.make(
            media_dir / f"blocks-{degrees}.mp4",
            *("-display_rotation", degrees, "-i", str(blocks), "-c", "copy"),
        )
        result = inspected(tmp_path / degrees, turned, Labels=["blockness"])
        assert [label for label, _, _ in spans(result)] == ["blockness"]


def test_a_film_of_one_picture(tmp_path: Path, media_dir: Path) -> None:
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x90", "-frames:v", "1", "-c:v", "ffv1")
    result = inspected(tmp_path, media.make(media_dir / "one-picture.mkv", *source))
    assert spans(result) == [] and result.outputs[0].path.read_text() == ""


def test_what_has_no_picture(audio_clip: Path, media_dir: Path) -> None:
    tiny = media.make(
        media_dir / "tiny.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=16x16:duration=1", "-c:v", "ffv1"),
    )
    for source, said in ((audio_clip, "no video stream"), (tiny, "16x16 pixels")):
        with pytest.raises(ActivityError, match=said) as caught:
            planned(source)
        assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_it_can_be_cancelled(tmp_path: Path, clip: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InterruptedRunError):
        Inspection().run(planned(clip), make_context(tmp_path, clip, cancel=cancel))


def test_the_filters_that_are_asked_for_are_those_of_the_labels(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> None:
        can = replace(found, filters=found.filters - {name})
        monkeypatch.setattr("activities.ffmpeg.capabilities", lambda: can)

    found = capabilities()
    lacking("cropdetect")
    with pytest.raises(InstallationError, match='"cropdetect"'):
        inspected(tmp_path / "all", clip)
    assert inspected(tmp_path / "few", clip, Labels=["brightness"]).outputs
    lacking("signalstats")
    with pytest.raises(InstallationError, match='"signalstats"'):
        inspected(tmp_path / "none", clip, Labels=["brightness"])
