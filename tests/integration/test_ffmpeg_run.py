"""Processes under watch: progress, cancel, limits, damage, and nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from activities import ffmpeg
from activities.ffmpeg import graph
from tests.support import media
from tests.support.context import make_context
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code, InterruptedRunError, Transient


def written(file: str, stream: graph.GraphStream, **options: object) -> tuple[str, ...]:
    """A command that writes one stream into a file of the work directory."""
    return graph.argv(graph.output(f"file:{file}", [stream], options))


def encode(context: ActivityContext, **options: object) -> tuple[str, ...]:
    """A command that encodes the source small, as fast as it goes."""
    settings = {"vcodec": "libx264", "vf": "scale=160:-2", "preset": "ultrafast", **options}
    return written("out.mp4", graph.open_input(context.source.name)["v"], **settings)


def in_real_time(seconds: float) -> tuple[str, ...]:
    """A command that runs for so long, at the speed of its clock."""
    source = f"testsrc2=size=64x64:rate=25:duration={seconds:g}"
    return (
        *(str(ffmpeg.ffmpeg_path()), *ffmpeg.GLOBAL_FLAGS, "-f", "lavfi", "-re", "-i", source),
        *("-vcodec", "mpeg4", "file:out.mkv"),
    )


def processes_in(directory: Path) -> list[int]:
    """Return the processes that work in a directory, by /proc."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == directory:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until_empty(directory: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes_in(directory):
        assert time.monotonic() < deadline, f"still there: {processes_in(directory)}"
        time.sleep(0.05)


def test_encodes_and_reports_progress_up_to_one(tmp_path: Path, clip: Path) -> None:
    seen: list[float] = []
    context = make_context(tmp_path, clip, progress=seen.append)
    report = ffmpeg.run(encode(context), context=context, duration=4)
    assert report.frames == 100
    assert report.out_time == pytest.approx(4, abs=0.1)
    assert report.decode_errors == 0 and report.stderr == ()
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert (context.work / "out.mp4").stat().st_size > 1000
    assert processes_in(context.work) == []


def test_progress_grows_while_it_runs(tmp_path: Path, clip: Path) -> None:
    seen: list[float] = []
    context = make_context(tmp_path, clip)
    ffmpeg.run(in_real_time(1.6), context=context, duration=1.6, on_progress=seen.append)
    assert any(0 < share < 1 for share in seen), seen


def test_cancel_ends_the_whole_group_at_once(tmp_path: Path, clip: Path) -> None:
    cancel = threading.Event()
    context = make_context(tmp_path, clip, cancel=cancel)
    threading.Timer(0.5, cancel.set).start()
    start = time.monotonic()
    with pytest.raises(InterruptedRunError):
        ffmpeg.run(in_real_time(600), context=context, duration=600)
    assert 0.4 < time.monotonic() - start < 3
    wait_until_empty(context.work, 2)


def test_cancel_reaches_the_children_of_a_wrapper(tmp_path: Path, clip: Path) -> None:
    cancel = threading.Event()
    context = make_context(tmp_path, clip, cancel=cancel)
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(InterruptedRunError):
        ffmpeg.run(("/bin/sh", "-c", "sleep 61 & sleep 62"), context=context, duration=None)
    wait_until_empty(context.work, 2)


def test_cancelled_before_it_starts_runs_nothing(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    context.cancel.set()
    with pytest.raises(InterruptedRunError):
        ffmpeg.run(encode(context), context=context, duration=4)
    assert not (context.work / "out.mp4").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_killed_from_outside_may_be_tried_again(
    tmp_path: Path, clip: Path, number: signal.Signals
) -> None:
    context = make_context(tmp_path, clip)

    def kill() -> None:
        found: list[int] = []
        while not found:
            names = {
                pid: Path(f"/proc/{pid}/comm").read_text() for pid in processes_in(context.work)
            }
            found = [pid for pid, name in names.items() if "ffmpeg" in name]
        time.sleep(0.3)
        os.kill(found[0], number)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(in_real_time(600), context=context, duration=600)
    thread.join()
    assert caught.value.transient is Transient.KILLED
    assert "killed from outside" in caught.value.message


def test_bad_media_is_not_tried_again(tmp_path: Path, clip: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:2000])
    context = make_context(tmp_path, cut)
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(encode(context), context=context, duration=4)
    assert caught.value.transient is None
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_watchdog_ends_a_process_without_progress(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    command = ("/bin/sh", "-c", "echo frame=1; echo frame=1; sleep 60")
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=4, limits=ffmpeg.Limits(stall=0.6))
    assert caught.value.code == Code.TIMEOUT
    assert "0.6 seconds" in caught.value.message
    wait_until_empty(context.work, 2)


def test_writing_without_reports_is_not_a_stall(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    work = "for i in 1 2 3 4 5 6 7 8; do echo $i >> out; sleep 0.2; done"
    limits = ffmpeg.Limits(stall=0.8)
    ffmpeg.run(("/bin/sh", "-c", work), context=context, duration=4, limits=limits)
    assert (context.work / "out").read_text().endswith("8\n")


def test_writing_elsewhere_is_not_a_stall_either(tmp_path: Path, clip: Path) -> None:
    context, other = make_context(tmp_path, clip), tmp_path / "other"
    other.mkdir()
    script = f"for n in 1 2 3 4 5 6 7 8; do echo $n > {other}/file; sleep 0.2; done"
    command = ("/bin/sh", "-c", script)
    limits = ffmpeg.Limits(stall=0.6)
    ffmpeg.run(command, context=context, duration=1, limits=limits, others=[other])
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=1, limits=limits)
    assert caught.value.code == Code.TIMEOUT


def test_what_a_muxer_refuses_is_not_the_upload(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    source = graph.open_input(context.source.name)
    command = written("out.ts", source["a"], acodec="aac", ac=8)
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=4)
    assert caught.value.code == Code.INTERNAL and "channelConfiguration" in caught.value.message


def test_a_failure_that_the_source_explains_is_the_upload(tmp_path: Path, media_dir: Path) -> None:
    whole = media.clip(media_dir, 1, "160x120", container="ts")
    source = tmp_path / "broken.ts"
    content = bytearray(whole.read_bytes())
    # of each packet of sound only the beginning
    for at in range(0, len(content), 188):
        if int.from_bytes(content[at + 1 : at + 3]) & 0x1FFF == 0x101:
            content[at + 60 : at + 188] = bytes(128)
    source.write_bytes(content)
    context = make_context(tmp_path, source)
    opened = graph.open_input(context.source.name)
    command = written("out.mp4", opened["a"], c="copy")
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=1)
    error = caught.value
    assert error.code == Code.RESOURCE_CONTENT_BAD and "InputFile" in error.message
    assert "ended with status" in error.detail, "the words of the failure are kept"


def test_numbers_that_are_none_are_the_upload(tmp_path: Path, media_dir: Path) -> None:
    whole = media.make(
        media_dir / "floats.wav",
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:a", "pcm_f32le"),
    )
    content = bytearray(whole.read_bytes())
    content[20_000:24_000] = b"\xff\xff\xff\x7f" * 1000
    source = tmp_path / "none.wav"
    source.write_bytes(content)
    for number, (codec, suffix) in enumerate((("aac", "mp4"), ("libmp3lame", "mp3"))):
        context = make_context(tmp_path / str(number), source)
        opened = graph.open_input(context.source.name)
        command = written(f"out.{suffix}", opened["a"], acodec=codec)
        with pytest.raises(ActivityError) as caught:
            ffmpeg.run(command, context=context, duration=1)
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD


def test_a_process_killed_from_outside_is_not_the_upload(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, media.damaged(clip, holes=1, size=200))
    source = graph.open_input(context.source.name, {"re": None})
    command = written("out.mkv", source["v"], vcodec="mpeg4")

    def kill() -> None:
        for process in processes_in(context.work):
            # not the shells that watch it, which may have ended
            with suppress(FileNotFoundError):
                if Path(f"/proc/{process}/cmdline").read_text().startswith(command[0]):
                    os.kill(process, signal.SIGKILL)

    threading.Timer(0.5, kill).start()
    with pytest.raises(ActivityError, match="status 137") as caught:
        ffmpeg.run(command, context=context, duration=4)
    assert caught.value.transient is Transient.KILLED


def test_wall_limit_ends_a_process_that_goes_on(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(in_real_time(600), context=context, duration=600, limits=ffmpeg.Limits(wall=1))
    assert caught.value.code == Code.TIMEOUT
    wait_until_empty(context.work, 2)


def test_engine_killed_by_sigkill_leaves_no_process(tmp_path: Path, clip: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tests.support.context import make_context
        from tests.integration.test_ffmpeg_run import in_real_time
        from activities import ffmpeg
        context = make_context(Path(sys.argv[1]), Path(sys.argv[2]))
        ffmpeg.run(in_real_time(600), context=context, duration=600)
    """)
    root = Path(__file__).parents[2]
    engine = subprocess.Popen([sys.executable, "-c", program, tmp_path, clip], cwd=root)
    work, deadline = tmp_path / "work", time.monotonic() + 20
    while not (work / "out.mkv").exists():
        assert engine.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    assert processes_in(work), "the encoder does not run"
    engine.kill()
    engine.wait()
    wait_until_empty(work, 2)


def test_output_of_a_process_is_kept_in_bounds(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    flood = (
        "head -c 5000000 /dev/zero | tr '\\0' x >&2; for i in $(seq 5000); do echo l$i >&2; done"
    )
    report = ffmpeg.run(("/bin/sh", "-c", flood), context=context, duration=None)
    assert len(report.stderr) <= 40 and report.stderr[-1] == "l5000"


def test_failure_is_one_sentence_and_keeps_the_last_lines(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(encode(context, vf="scale=oops=1"), context=context, duration=4)
    error = caught.value
    assert error.code == Code.INTERNAL
    assert error.message.startswith("ffmpeg") and error.message.count("\n") == 0
    assert "oops" in error.detail
    assert str(context.work) not in str(error) + error.detail


def test_text_never_shows_the_work_directory(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    command = written("o.mp4", graph.open_input(context.work / "gone.mp4"))
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=4)
    assert "gone.mp4" in caught.value.detail
    assert str(tmp_path) not in str(caught.value) + caught.value.detail


def test_full_disk_has_its_own_code(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, clip)
    (context.work / "out.mkv").symlink_to("/dev/full")
    source = graph.open_input(context.source.name)
    command = written("out.mkv", source["v"], c="copy")
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(command, context=context, duration=4)
    assert caught.value.code == Code.NO_SPACE and "disk is full" in caught.value.message


def test_a_concealed_error_is_counted(tmp_path: Path, clip: Path) -> None:
    context = make_context(tmp_path, media.damaged(clip, holes=1, size=200))
    report = ffmpeg.run(encode(context), context=context, duration=4)
    assert report.decode_errors >= 1
    assert report.frames == 100


def test_too_much_damage_fails(tmp_path: Path, media_dir: Path, clip: Path) -> None:
    context = make_context(tmp_path, media.damaged(clip, holes=60, size=400))
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(encode(context), context=context, duration=4)
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD
    assert caught.value.detail


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_file_that_stops_before_its_end_fails(
    tmp_path: Path, media_dir: Path, container: str
) -> None:
    whole = media.clip(media_dir, container=container)
    source = media.faststart(whole) if container == "mp4" else whole
    context = make_context(tmp_path, media.truncated(source, 0.6))
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(encode(context), context=context, duration=4)
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD


@pytest.mark.parametrize("make", [media.ffconcat_named_video, media.playlist_named_video])
def test_lists_of_other_files_are_not_followed(tmp_path: Path, clip: Path, make: object) -> None:
    (tmp_path / "secret.mp4").write_bytes(clip.read_bytes())
    context = make_context(tmp_path, make(tmp_path, "secret.mp4"))
    os.link(tmp_path / "secret.mp4", context.work / "secret.mp4")
    with pytest.raises(ActivityError) as caught:
        ffmpeg.run(encode(context), context=context, duration=4)
    assert caught.value.code == Code.RESOURCE_CONTENT_BAD
