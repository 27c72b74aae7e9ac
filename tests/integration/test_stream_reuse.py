"""What is encoded already is not encoded again: another container is muxed from a finished mp4."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.support import media, packages
from tests.support.package_runs import joined
from tests.support.topologies import report, start, text, topology, transcode
from tests.support.transcodes import decoded, ffprobe
from workflow_engine.cli.plan_view import plan_json, plan_lines
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityRecord, ActivityState, ExecutionRecord, Output
from workflow_engine.run.reuse import Finished
from workflow_engine.settings import load_settings

SMALL = {"Width": "160", "Crf": "30", "Preset": "veryfast"}
MP4, HLS = "S00000001-200010", "S00000001-100010"


def work(template: str, name: str, **more: Any) -> dict[str, Any]:
    return transcode(name, template, **({"Video": SMALL} | more))


class Home:
    """An engine that keeps its store, and one clip."""

    def __init__(self, path: Path, clip: Path) -> None:
        self.path = path
        self.clip = str(clip)
        settings = load_settings().kept_in(path / "data")
        self.engine = Engine(settings, output_dir=path / "out")
        self.out = path / "out/out"

    def load(self, edges: dict[str, list[str]] | None, **activities: dict[str, Any]):
        flow = self.path / "flow.json"
        found = {"start": start(), **activities, "report": report()}
        flow.write_text(text(topology(found, edges) if edges else topology(found)))
        workflow = self.engine.load(flow)
        return workflow, self.engine.open_input(workflow, self.clip)

    def run(self, edges: Any = None, *, fresh: bool = False, **activities: Any) -> ExecutionRecord:
        workflow, source = self.load(edges, **activities)
        return self.engine.run(workflow, source, executor=InlineExecutor(), fresh=fresh)


@pytest.fixture
def home(tmp_path: Path, clip: Path) -> Iterator[Home]:
    made = Home(tmp_path, clip)
    with closing(made.engine):
        yield made


def encoders(record: ActivityRecord) -> list[str]:
    assert record.state is ActivityState.SUCCESS, record
    words = [word for command in record.result.commands for word in command]
    return sorted(word for word in words if word in ("libx264", "aac"))


def segments(path: Path) -> list[str]:
    """The hashes of the sound, and of the decoded pictures, of an HLS output."""
    whole = path.with_name("whole.ts")
    whole.write_bytes(b"".join(one.read_bytes() for one in sorted(path.parent.glob("hls-0*.ts"))))
    return pictures(whole)


def pictures(path: Path) -> list[str]:
    shown = decoded(path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "streamhash")
    return shown.decode().split()


def test_a_playlist_is_muxed_from_the_mp4_of_an_earlier_run(home: Home):
    first = home.run(mp4=work(MP4, "film"))
    assert encoders(first.activity("mp4")) == ["aac", "libx264"]
    workflow, source = home.load(None, hls=work(HLS, "hls"))
    plan = home.engine.plan(workflow, source)
    times = home.engine.forecast(workflow, plan)
    told = plan_json("w", source.ref, plan, times)["Activities"][1]  # type: ignore[index]
    assert "libx264" not in json.dumps(told["Commands"])  # type: ignore[index]
    assert told["Streams"]["0.picture"]["Object"] == "film.mp4"  # type: ignore[index]
    lines = "\n".join(plan_lines("w", source.ref, plan, times))
    assert "mux hls.m3u8 of a finished output" in lines and "<- out/film.mp4" in lines
    hls = home.run(hls=work(HLS, "hls")).activity("hls")
    assert encoders(hls) == [] and not hls.reused
    assert segments(home.out / "hls.m3u8") == pictures(home.out / "film.mp4")
    # the copy of a reused mp4 serves as well as the first one did
    again = home.run(mp4=work(MP4, "copy"))
    assert again.activity("mp4").reused
    (home.out / "film.mp4").unlink()
    ts = work(MP4, "ts", Container={"Format": "ts"})
    assert encoders(home.run(ts=ts).activity("ts")) == []


def test_streams_are_copied_side_by_side_and_each_once(home: Home, monkeypatch: pytest.MonkeyPatch):
    other = {"Video": SMALL | {"Crf": "31"}}
    home.run(mp4=work(MP4, "film"), small=work(MP4, "small", **other))
    fetch, together, copied = Finished.fetch, threading.Barrier(2, timeout=20), list[str]()

    def together_only(finished: Finished, output: Output, target: Path, cancel: Event) -> bool:
        copied.append(output.ref.object)
        together.wait()
        return fetch(finished, output, target, cancel)

    monkeypatch.setattr(Finished, "fetch", together_only)
    record = home.run(
        hls=work(HLS, "hls"),
        ts=work(MP4, "ts", Container={"Format": "ts"}),
        less=work(HLS, "less", **other),
    )
    assert all(encoders(record.activity(name)) == [] for name in ("hls", "ts", "less"))
    assert sorted(copied) == ["film.mp4", "small.mp4"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"Audio": {"Bitrate": "48"}}, ["aac"]),
        ({"Audio": {"Remove": "true"}}, []),
        ({"Video": SMALL | {"Crf": "31"}}, ["aac", "libx264"]),
        ({"MuxConfig": {"Segment": {"Duration": "3"}}}, ["aac", "libx264"]),
        ({"Clip": {"TimeSpan": {"Seek": "1"}}}, ["aac", "libx264"]),
    ],
)
def test_only_what_differs_is_encoded(home: Home, more: dict[str, Any], expected: list[str]):
    home.run(mp4=work(MP4, "film"))
    hls = home.run(hls=work(HLS, "hls", **more)).activity("hls")
    assert encoders(hls) == expected


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("change", [damage, Path.unlink], ids=["changed", "gone"])
def test_a_file_that_is_not_what_it_was_is_encoded_again(
    home: Home, change: Callable[[Path], object]
):
    home.run(mp4=work(MP4, "film"))
    change(home.out / "film.mp4")
    assert encoders(home.run(hls=work(HLS, "hls")).activity("hls")) == ["aac", "libx264"]


def test_a_fresh_run_encodes(home: Home):
    home.run(mp4=work(MP4, "film"))
    hls = home.run(hls=work(HLS, "hls"), fresh=True).activity("hls")
    assert encoders(hls) == ["aac", "libx264"]


def test_some_streams_are_there_and_some_are_encoded_together(home: Home):
    home.run(mp4=work(MP4, "film"))
    other = SMALL | {"Crf": "31"}
    made = home.run(
        hls=work(HLS, "hls"),
        low=work(HLS, "low", Audio={"Bitrate": "48"}),
        other=work(HLS, "other", Video=other),
        mp4=work(MP4, "other", Video=other),
    )
    assert encoders(made.activity("hls")) == []
    # one process has all that is left, and each of the others is muxed
    for name in ("low", "other", "mp4"):
        assert encoders(made.activity(name)) == ["aac", "aac", "libx264"]


def test_a_resumed_execution_takes_what_it_has_published(home: Home):
    blocked = home.out / "hls.m3u8"
    blocked.mkdir(parents=True)
    edges = {"start": ["mp4"], "mp4": ["hls"], "hls": ["report"], "report": []}
    first = home.run(edges, mp4=work(MP4, "film"), hls=work(HLS, "hls"))
    assert first.activity("hls").state is ActivityState.FAIL
    blocked.rmdir()
    again = home.engine.resume(first.run_id, executor=InlineExecutor())
    assert encoders(again.activity("hls")) == []
    assert segments(home.out / "hls.m3u8") == pictures(home.out / "film.mp4")


@pytest.mark.parametrize("segments", ["ts", "fmp4"])
def test_a_stream_of_a_package_is_muxed_as_it_would_be_encoded(home: Home, segments: str):
    gop = {"Width": "160", "Preset": "veryfast", "Gop": "2s"}
    found = packages.hls(SegmentFormat=segments, SegmentSeconds=2)
    (output,) = found["Activities"]["high"]["Parameters"]["Outputs"]
    output["Video"] |= gop
    edges, activities = found["Dependencies"], found["Activities"]
    inner = {name: one for name, one in activities.items() if name not in ("start", "report")}
    encoded = home.run(edges, **inner)
    assert "libx264" in encoders(encoded.activity("high"))
    own = packets_of(home.out)
    home.run(mp4=work(MP4, "film", Video=gop), fresh=True)
    # under other names nothing of it is there
    activities["high"]["Parameters"]["MultiBitrateVideoStream"]["URI"] = "high/again.m3u8"
    muxed = home.run(edges, **inner)
    assert encoders(muxed.activity("high")) == []
    assert packets_of(home.out, "again") == own and own[0]


def test_a_file_beside_a_package_has_the_encoder_of_its_stream(home: Home):
    found = packages.hls(SegmentFormat="fmp4", SegmentSeconds=2)
    edges, activities = found["Dependencies"], found["Activities"]
    gop = {"Width": "160", "Preset": "veryfast", "Gop": "2s"}
    (output,) = activities["high"]["Parameters"]["Outputs"]
    output["Video"] |= gop
    edges |= {"start": ["package", "mp4"], "mp4": ["report"]}
    inner = {name: one for name, one in activities.items() if name not in ("start", "report")}
    record = home.run(edges, **inner, mp4=work(MP4, "film", Video=gop))
    assert record.activity("mp4").state is ActivityState.SUCCESS
    commands = {command for one in record.activities for command in one.result.commands}
    # of the two pictures of the package
    assert sum(command.count("libx264") for command in commands) == 2
    (playlist,) = home.out.rglob("high/video.m3u8")
    assert pictures(joined(playlist))[-1] == pictures(home.out / "film.mp4")[-1]


def packets_of(out: Path, name: str = "video") -> tuple[list[dict[str, Any]], list[str]]:
    """The time stamps of the packets of a stream, and the lengths in its playlist."""
    (playlist,) = out.rglob(f"high/{name}.m3u8")
    text = playlist.read_text()
    init = sorted(playlist.parent.glob(f"{name}-init.mp4"))
    files = [one for one in playlist.parent.glob(f"{name}-0*") if one.suffix in (".ts", ".m4s")]
    whole = out / f"{name}.whole"
    whole.write_bytes(b"".join(one.read_bytes() for one in (*init, *sorted(files))))
    shown = ffprobe(whole, "-show_entries", "packet=pts,dts,duration,flags")["packets"]
    return shown, [line for line in text.splitlines() if line.startswith("#EXTINF")]


def test_a_picture_that_is_there_keeps_its_key_frames(home: Home):
    home.run(mp4=work(MP4, "film"))
    both = work(MP4, "silent", Audio={"Remove": "true"})
    hls = work(HLS, "hls", MuxConfig={"Segment": {"Duration": "3"}})
    both["Parameters"]["Outputs"] += hls["Parameters"]["Outputs"]
    made = home.run(both=both).activity("both")
    assert encoders(made) == ["aac", "libx264"]
    text = (home.out / "hls.m3u8").read_text()
    assert [line for line in text.splitlines() if line.startswith("#EXTINF")] == [
        *("#EXTINF:3.000000,", "#EXTINF:1.000000,")
    ]


@pytest.mark.parametrize("sound", [0.0, 3.0])
def test_what_an_analysis_encodes_of_a_short_source_is_what_its_transcodes_have(
    tmp_path: Path, media_dir: Path, sound: float
) -> None:
    # behind the picture, its last one is held until the sound ends
    source = media.noisy(media_dir, 2, "320x270", strength=3, fps=5)
    if sound:
        picture, source = source, media_dir / "long-sound-of-noise.mp4"
        media.make(
            source,
            *("-i", str(picture), "-f", "lavfi", "-i", f"sine=duration={sound}"),
            *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"),
        )
    home = Home(tmp_path, source)
    activities = {
        "analysis": {"Type": "Analysis", "Parameters": {}},
        "mp4": transcode("mp4", "S00000000-200020"),
        "hls": transcode("hls", "S00000000-100020"),
    }
    edges = {"start": ["analysis"], "analysis": ["mp4", "hls"], "mp4": ["report"]}
    with closing(home.engine):
        record = home.run(edges | {"hls": ["report"]}, **activities)
        found = {one.name: one for one in record.activities}
        again = {word for name in ("mp4", "hls") for word in encoders(found[name])}
        assert again <= {"aac"}, "the sound alone"
    hashed = ("-map", "0:v", "-fps_mode", "passthrough", "-f", "framehash")
    mp4, hls = (decoded(home.out / name, *hashed).splitlines() for name in ("mp4.mp4", "hls.m3u8"))
    digests = [[line.split(b",")[-1] for line in file if line[:1] != b"#"] for file in (mp4, hls)]
    # outputs have at least ten pictures a second
    assert digests[0] == digests[1] and len(digests[0]) == max(2, sound) * 10
