"""Bad input: a clear sentence, the right exit code and states, nothing half written."""

import json
import os
from pathlib import Path

import pytest

from tests.support import media
from tests.support.command_line import CommandLine, Ended
from tests.support.places import EXAMPLES


def visible(mediaflow: CommandLine) -> list[str]:
    """Everything under the output folder but reports, temporary files included."""
    files = (mediaflow.cwd / "mediaflow-out").rglob("*")
    return [p.name for p in files if p.is_file() and p.name not in ("report.json", "report.html")]


def inline(mediaflow: CommandLine, topology: str, given: str | Path) -> Ended:
    return mediaflow.run(topology, given, "--executor", "inline", "--json")


def damaged(kind: str, directory: Path, clip: Path) -> Path:
    path = directory / f"{kind}.mp4"
    whole = clip.read_bytes()
    contents = {
        "empty": b"",
        "text": b"this is not a video\n" * 100,
        "cut": whole[: len(whole) // 2],
        "header": whole[:40],
        "zeros": bytes(100_000),
        "playlist": b"#EXTM3U\n#EXTINF:4,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile secret.ts\n",
    }
    path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "header", "zeros", "playlist", "concat"])
def test_what_is_no_media_fails_at_start(
    mediaflow: CommandLine, clip: Path, tmp_path: Path, kind: str
):
    ended = inline(mediaflow, "minimal", damaged(kind, tmp_path, clip))
    assert ended.code == 1
    record = ended.json
    assert record["State"] == "Fail"
    start, work, report = record["ActivityList"]
    assert start["State"] == "Fail"
    assert start["Code"].startswith("InvalidParameter.Resource")
    assert "InputFile" in start["Message"] and start["Message"].count(".") >= 1
    assert (work["State"], report["State"]) == ("Skipped", "Success")
    assert visible(mediaflow) == []
    assert json.loads(Path(record["Report"]).read_text())


def test_a_cut_faststart_file_is_no_silent_success(
    mediaflow: CommandLine, media_dir: Path, tmp_path: Path
):
    whole = media.faststart(media.clip(media_dir))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    ended = inline(mediaflow, "minimal", cut)
    assert ended.code == 1 and "ResourceContentBad" in ended.out
    assert visible(mediaflow) == []


def test_audio_only_in_a_video_workflow(mediaflow: CommandLine, audio_clip: Path):
    ended = inline(mediaflow, "minimal", audio_clip)
    assert ended.code == 1
    record = ended.json
    states = {a["Name"]: a["State"] for a in record["ActivityList"]}
    assert states == {"start": "Success", "sd": "Fail", "report": "Success"}
    assert record["State"] == "Completed"
    assert visible(mediaflow) == []


def test_no_sound_for_an_audio_workflow(mediaflow: CommandLine, media_dir: Path):
    ended = inline(mediaflow, "audio", media.clip(media_dir, audio=False))
    codes = {a.get("Code") for a in ended.json["ActivityList"] if a["Type"] == "Transcode"}
    assert ended.code == 1 and codes == {"InvalidParameter.NoAudioStream"}


@pytest.mark.parametrize("given", ["missing.mp4", ".", "oss://uploads/clip.mp4", "http://x/y.mp4"])
def test_an_input_that_cannot_be_opened(mediaflow: CommandLine, given: str):
    ended = mediaflow.run("minimal", given, "--executor", "inline")
    assert ended.code == 2 and ended.out == ""
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("error: InvalidParameter")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_input(mediaflow: CommandLine, tmp_path: Path):
    path = tmp_path / "secret.mp4"
    path.touch(mode=0)
    ended = mediaflow.run("minimal", path, "--executor", "inline")
    assert ended.code == 2 and "PermissionDenied.ResourceAccess" in ended.err


BROKEN = {
    "broken": '{"Activities": {',
    "list": "[]",
    "number": "7",
    "empty": "",
    "nesting": "[" * 5_000_000,
    "nested objects": '{"a":' * 1_000_000,
    "binary": "\0\1\2",
    "types": '{"Activities": [], "Dependencies": 3}',
    "cycle": '{"Activities": {"a": {"Type": "Start"}}, "Dependencies": {"a": ["a"]}}',
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", ["run", "plan", "validate", "graph"])
def test_broken_topologies(
    mediaflow: CommandLine, clip: Path, tmp_path: Path, kind: str, command: str
):
    path = tmp_path / "broken.json"
    path.write_text(BROKEN[kind])
    ended = mediaflow(command, path, *([clip] if command in ("run", "plan") else []))
    assert ended.code == 2
    first = (ended.out + ended.err).splitlines()[0]
    assert first.startswith(f"{path}:1:") and "InvalidParameter" in first
    assert len(first) < 600
    assert not (mediaflow.cwd / "mediaflow-out").exists()


def test_errors_with_json_are_one_object(mediaflow: CommandLine):
    ended = mediaflow.run("minimal", "missing.mp4", "--json")
    assert ended.code == 2
    assert ended.json["Error"]["Code"] == "InvalidParameter.ResourceNotFound"


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "quote'\".mp4",
        "100%.mp4",
        "%2e%2e%2f.mp4",
        "émoji 😀 中文.mp4",
        "-dash.mp4",
        "no extension",
        "two..dots.mp4",
        "semi;colon$HOME`x`.mp4",
        "brackets[0]{x}:=,.mp4",
        "back\\slash.mp4",
    ],
)
def test_hostile_file_names(mediaflow: CommandLine, clip: Path, tmp_path: Path, name: str):
    given = tmp_path / "in" / name
    given.parent.mkdir()
    given.write_bytes(clip.read_bytes())
    ended = inline(mediaflow, "remux-hls", given)
    assert ended.code == 0, ended.err
    record = ended.json
    assert record["Input"]["InputFile"]["Object"] == f"incoming/{name}"
    stem = name.rpartition(".")[0] or name
    playlist = mediaflow.cwd / "mediaflow-out/renditions" / stem / "stream.m3u8"
    assert playlist.exists()


@pytest.mark.parametrize(
    "key", ["../clip.mp4", "/etc/clip.mp4", "a//b.mp4", "a/./b.mp4", "", "x" * 1024]
)
def test_hostile_object_keys(mediaflow: CommandLine, clip: Path, key: str):
    ended = mediaflow.run("minimal", clip, f"--object={key}", "--executor", "inline")
    assert ended.code == 2 and "InvalidParameter.ObjectKeyInvalid" in ended.err


def test_a_workflow_may_not_overwrite_its_input(mediaflow: CommandLine, clip: Path, tmp_path: Path):
    value = json.loads((EXAMPLES / "minimal.json").read_text())
    value["Activities"]["sd"]["Parameters"] |= {"OutputBucket": "uploads"}
    value["Activities"]["sd"]["Parameters"]["Outputs"][0]["OutputObject"] = (
        "{ObjectPrefix}{FileName}"
    )
    path = tmp_path / "loop.json"
    path.write_text(json.dumps(value))
    ended = mediaflow.run(path, clip, "--executor", "inline", "--json")
    assert ended.code == 1 and "overwrite the input" in ended.out


def test_too_much_user_data(mediaflow: CommandLine, clip: Path):
    ended = mediaflow.run("minimal", clip, "--user-data", "ä" * 513)
    assert ended.code == 2 and "InvalidParameter.OutOfRange" in ended.err
