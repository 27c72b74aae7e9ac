"""Commands are hardened, tools are found, output is bounded: nothing is started here."""

from pathlib import Path

import pytest

from activities.ffmpeg import (
    GLOBAL_FLAGS,
    Capabilities,
    ffmpeg_path,
    ffprobe_path,
    graph,
    input_guards,
)
from activities.ffmpeg.process import TAIL_BYTES, TAIL_LINES, LastLines, supervise
from activities.ffmpeg.run import _Progress
from activities.ffmpeg.tools import _names
from workflow_engine.errors import ActivityError, Code, InstallationError


def test_a_command_carries_every_guard() -> None:
    source = graph.open_input("a.mp4")
    command = graph.argv(graph.output("file:b.mp4", [source], {"vcodec": "libx264"}))
    assert command[0] == str(ffmpeg_path())
    assert command[1 : 1 + len(GLOBAL_FLAGS)] == GLOBAL_FLAGS
    before_input = command[: command.index("-i")]
    for flag in ("-nostdin", "-max_error_rate", "-protocol_whitelist", "-max_pixels"):
        assert flag in before_input
    assert before_input[before_input.index("-protocol_whitelist") + 1] == "file"
    assert command[-1] == "file:b.mp4"


@pytest.mark.parametrize("name", ["hls", "concat", "image2", "tty", "dash", "lavfi", "sdp"])
def test_formats_that_open_other_files_are_not_allowed(name: str) -> None:
    assert name not in input_guards()["format_whitelist"].split(",")


def test_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "mine"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", str(tool))
    monkeypatch.setenv("MEDIAFLOW_FFPROBE", str(tool))
    assert ffmpeg_path() == ffprobe_path() == tool


def test_a_wrong_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(InstallationError, match='MEDIAFLOW_FFMPEG names "/nowhere/ffmpeg"'):
        ffmpeg_path()


def test_path_is_used_where_no_wheel_has_a_binary(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("activities.ffmpeg.tools._wheel_ffmpeg", lambda: None)
    monkeypatch.delenv("MEDIAFLOW_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallationError) as caught:
        ffmpeg_path()
    assert caught.value.code == Code.INSTALLATION and "imageio-ffmpeg" in caught.value.remedy
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    assert ffmpeg_path() == tmp_path / "ffmpeg"


def test_a_missing_encoder_or_filter_names_the_remedy() -> None:
    can = Capabilities(encoders=frozenset({"aac"}), filters=frozenset({"scale"}))
    can.require_encoder("aac")
    can.require_filter("scale")
    with pytest.raises(InstallationError, match='filter "drawtext" is missing'):
        can.require_filter("drawtext")
    with pytest.raises(InstallationError, match='encoder "libx264" is missing') as caught:
        can.require_encoder("libx264")
    assert "MEDIAFLOW_FFMPEG" in caught.value.remedy


def test_listings_are_read() -> None:
    encoders = " V..... = Video\n ------\n V....D libx264   H.264 (codec h264)\n A....D aac  AAC\n"
    assert _names(encoders) == {"libx264", "aac"}
    filters = (
        "Filters:\n  T.. = Timeline support\n ------\n .. fps   V->V  Rate\n TSC scale V->V x\n"
    )
    assert _names(filters) == {"fps", "scale"}


def test_the_tail_is_bounded_and_clean() -> None:
    tail = LastLines(Path("/private/work"), Path("/private/other"))
    for n in range(1000):
        tail.add(f"[h264 @ 0x55aa{n:04x}] line {n} of file:/private/work/source.mp4\n")
    assert len(tail.lines) == TAIL_LINES
    assert tail.lines[-1] == "[h264] line 999 of file:source.mp4"
    tail.add("[out#1/mp4] cannot open /private/other/1.mp4")
    assert tail.lines[-1] == "[out#1/mp4] cannot open 1.mp4"
    tail.add("x" * 100_000)
    assert sum(map(len, tail.lines)) <= TAIL_BYTES


def test_progress_reads_what_ffmpeg_prints() -> None:
    progress = _Progress(10.0)
    before = progress.signature
    for line in ("frame=12\n", "out_time_us=N/A\n", "out_time_us=2500000\n", "progress=continue\n"):
        progress.read(line)
    assert (progress.frames, progress.out_time, progress.fraction) == (12, 2.5, 0.25)
    assert progress.signature != before
    progress.read("out_time_us=99000000")
    assert progress.fraction == 1.0
    assert _Progress(None).fraction == 0.0


def test_a_command_that_the_system_refuses_is_an_error_of_the_activity(tmp_path: Path) -> None:
    with pytest.raises(ActivityError, match="ffmpeg cannot be started: Argument list too long"):
        supervise(
            ["ffmpeg", "x" * (1 << 18)], cwd=tmp_path, on_line=print, stderr=LastLines(tmp_path)
        )
