"""Runs of damaged files: whatever is wrong with a source is told as its fault, or plays.

Every file goes through the engine, with all that may be made of it. The files of a number are
always the same; `damaged_media.case` tells what is wrong with them.
"""

import json
import logging
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from tests.support import damaged_media, transcodes
from workflow_engine import Engine, InlineExecutor, load_settings
from workflow_engine.errors import Code
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord

#: what damage may be told as
BLAMES = {
    Code.RESOURCE_CONTENT_BAD,
    Code.RESOURCE_NOT_SUPPORTED,
    # a stream that cannot be recognised is none
    Code.NO_AUDIO_STREAM,
    # sizes and times that the source claims are beyond what can be made
    Code.OUT_OF_RANGE,
}
#: activities whose outputs are encoded anew, so that nothing is left of the damage in them
ENCODED = ("mp4", "hls", "mp3")
FAST = {"Width": "160", "Preset": "veryfast"}


def transcode(name: str, template: str, **fields: Any) -> dict[str, Any]:
    output = {"OutputObject": f"{{RunId}}/{name}", "TemplateId": template} | fields
    return {"Type": "Transcode", "Parameters": {"OutputBucket": "out", "Outputs": [output]}}


def snapshot(name: str, **fields: Any) -> dict[str, Any]:
    target = {"OutputFile": {"Bucket": "out", "Object": f"{{RunId}}/{name}"}}
    return {"Type": "Snapshot", "Parameters": {"SnapshotConfig": target | fields}}


WORK = {
    "mp4": transcode("mp4", "S00000001-200010", Video=FAST),
    "hls": transcode("hls", "S00000001-100010", Video=FAST),
    "mp3": transcode("mp3", "S00000001-300010"),
    "copy-mp4": transcode("copy-mp4", "S00000001-200000"),
    "copy-ts": transcode("copy-ts", "S00000001-200000", Container={"Format": "ts"}),
    "copy-hls": transcode("copy-hls", "S00000001-100000"),
    "single": snapshot("single.jpg", Time="500", FrameType="normal"),
    "sequence": snapshot("sequence-{Count}.jpg", Time="0", Interval="0.2", FrameType="normal"),
    "cover": snapshot("cover.jpg", Time="0"),
    "analysis": {"Type": "Analysis"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("damaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFLOW_DATA", str(path / "data"))
        patch.setenv("MEDIAFLOW_RUNNER__PROCESSES", "2")
        patch.chdir(path)
        yield path


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    engine = Engine(load_settings(None), output_dir=home / "outputs")
    yield engine
    engine.close()


def run(engine: Engine, home: Path, source: Path) -> ExecutionRecord:
    place = {"PipelineId": "0" * 32, "InputFile": {"Bucket": "in"}}
    start = {"Type": "Start", "Parameters": place}
    report = {"Type": "Report"}
    topology = {
        "Activities": {"start": start, **WORK, "report": report},
        "Dependencies": {"start": list(WORK), **{name: ["report"] for name in WORK}, "report": []},
    }
    path = home / "topology.json"
    path.write_text(json.dumps(topology))
    workflow = engine.load(path)
    given = engine.open_input(workflow, str(source))
    return engine.run(workflow, given, executor=InlineExecutor(), fresh=True)


def complaints(record: ExecutionRecord) -> Iterator[str]:
    """What is wrong with a run: errors that blame nobody, and outputs that do not play."""
    for activity in record.activities:
        if activity.state is ActivityState.FAIL:
            if activity.code not in BLAMES:
                yield f"{activity.name}: {activity.code}: {activity.message} {activity.detail}"
        elif activity.state is ActivityState.SUCCESS and activity.name in ENCODED:
            yield from (f"{activity.name}: {said}" for said in unplayable(activity))


def unplayable(activity: ActivityRecord) -> Iterator[str]:
    """What ffmpeg says of the outputs when it plays them; nothing of whole ones."""
    for output in activity.outputs:
        if output.place.endswith(".ts"):
            continue  # its playlist is played
        command = [str(ffmpeg_path()), "-v", "error", "-nostdin", "-i", output.place]
        done = subprocess.run(
            [*command, "-f", "null", "-progress", "pipe:1", "-"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        if done.returncode or done.stderr or "out_time_us=N/A" in done.stdout:
            yield f"{output.place} does not play: {done.stderr}"


def processes_below(directory: Path) -> list[str]:
    """The processes that work in a directory."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(directory):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def run_all(
    engine: Engine, home: Path, numbers: Sequence[int], caplog: pytest.LogCaptureFixture
) -> None:
    wrong: list[str] = []
    codes: set[str] = set()
    for number in numbers:
        case = damaged_media.case(home / "cases", number)
        record = run(engine, home, case.path)
        codes |= {activity.code for activity in record.activities}
        told = f"{number}, {case.kind}, {case.damage}"
        wrong += (f"{told}: {said}" for said in complaints(record))
        case.path.unlink()
    assert not wrong, "\n".join(wrong)
    # some were refused, and something came out of others
    assert codes >= {"", Code.RESOURCE_CONTENT_BAD}
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    work = home / "data" / "work"
    assert [left for left in processes_below(work) if "/bin/sh" not in left] == []


def test_damage_is_told_as_damage(
    engine: Engine, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # of every kind at least one, and of every damage at least two
    run_all(engine, home, range(0, damaged_media.PAIRS, 11), caplog)


@pytest.mark.long
def test_every_damage_is_told_as_damage(
    engine: Engine, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_all(engine, home, range(damaged_media.PAIRS), caplog)


def test_outputs_of_a_film_with_a_gap_do_not_wait_for_each_other(
    home: Path, tmp_path: Path
) -> None:
    content = damaged_media.whole(home / "cases" / "whole", "film.ts").read_bytes()
    source = tmp_path / "gap.ts"
    source.write_bytes(damaged_media.without_middle(content, random.Random(83)))
    encoded = (transcodes.MP4, transcodes.HLS, transcodes.MP3)
    made = transcodes.run(tmp_path, source, *(transcodes.output(one) for one in encoded))
    assert MediaInfo.of(made[0]).audios and MediaInfo.of(made[2]).audios
