"""A ladder of renditions by mediaflow, and by the commands that people write for it.

    python -m benchmarks.ladder [--clip generated|real ...] [--preset veryfast|medium ...]

1080/720/480/360, H.264 and AAC, from a generated 1080p clip with motion and from a real clip of
720p, both looped to a minute. The ways take turns: a shell script with one ffmpeg for each
rendition, the best single ffmpeg that we can write by hand, an execution submitted to a running
`mediaflow serve`, and `mediaflow run` in the foreground. Wall time counts from the call to the
end of the execution. CPU time is that of all processes: ffmpeg, engine and Prefect's server.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffmpeg_path
from benchmarks.overhead import MEDIAFLOW, line
from tests.support import media
from tests.support.service import Service, wait_for
from workflow_engine.executor.prefect_server import running_server, stop_server

SECONDS = 60
PRESETS = ("veryfast", "medium")
#: further options of containers
CONTAINERS = {
    "mp4": "-movflags +faststart",
    "m3u8": "-force_key_frames expr:gte(t,n_forced*10) -hls_time 10 -hls_playlist_type vod",
    "flv": "",
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Rung:
    """One rendition: its size, and its bit rates in kbit/s."""

    width: int
    height: int
    video: int
    audio: int


LADDER = (
    Rung(1920, 1080, 4500, 128),
    Rung(1280, 720, 2500, 128),
    Rung(854, 480, 1200, 96),
    Rung(640, 360, 700, 64),
)


@dataclass
class Taken:
    """What one way took, a figure for each round."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])


# --- the clips --------------------------------------------------------------------------------


def generated(work: Path) -> Path:
    """A zoom into a fractal with grain, 1080p."""
    picture = "mandelbrot=size=1920x1080:rate=25:end_scale=0.02:end_pts=250"
    return media.make(
        work / "zoom.mp4",
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=440"),
        *("-vf", "noise=alls=4:allf=t", "-t", "10", "-c:v", "libx264", "-preset", "veryfast"),
        *("-pix_fmt", "yuv420p", "-crf", "20", "-c:a", "aac"),
    )


def real(work: Path) -> Path:
    """Big Buck Bunny, 720p."""
    return media.big_buck_bunny()


CLIPS = {"generated": generated, "real": real}


def looped(clip: Path, work: Path) -> Path:
    """The clip again and again, for a minute."""
    return media.make(
        work / f"long-{clip.name}",
        *("-stream_loop", "-1", "-i", str(clip), "-t", str(SECONDS), "-c", "copy"),
    )


# --- the commands by hand ---------------------------------------------------------------------


def encoders(rung: Rung, preset: str) -> list[str]:
    return [
        *f"-c:v libx264 -preset {preset} -profile:v high -pix_fmt yuv420p".split(),
        *f"-b:v {rung.video}k -maxrate {rung.video * 3 // 2}k -bufsize {rung.video * 2}k".split(),
        *f"-g 250 -c:a aac -b:a {rung.audio}k -ac 2 -ar 44100".split(),
    ]


def container(name: str, file: Path) -> list[str]:
    """The options of a file in a container, and its name."""
    return [*CONTAINERS[name].split(), f"{file}.{name}"]


def script(clip: Path, out: Path, preset: str, containers: Sequence[str]) -> list[list[str]]:
    """One ffmpeg after another."""
    head = [str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", "-i", str(clip)]
    return [
        [
            *(*head, "-map", "0:v:0", "-map", "0:a:0"),
            *("-vf", f"scale={rung.width}:{rung.height},setsar=1"),
            *(*encoders(rung, preset), *container(name, out / str(rung.height))),
        ]
        for rung in LADDER
        for name in containers
    ]


def single(clip: Path, out: Path, preset: str, containers: Sequence[str]) -> list[list[str]]:
    """One decode, each rung scaled from the one above it, an encoder for each output."""
    command = [str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", "-i", str(clip)]
    graph, above = [], "[0:v:0]"
    for rung in LADDER:
        height, below = rung.height, rung is not LADDER[-1]
        outlets = "".join(f"[{name}{height}]" for name in containers)
        if below:
            outlets += f"[s{height}]"
        split = f"split={len(containers) + below}"
        graph.append(f"{above}scale={rung.width}:{height},setsar=1,{split}{outlets}")
        above = f"[s{height}]"
    command += ["-filter_complex", ";".join(graph)]
    for rung in LADDER:
        for name in containers:
            command += ["-map", f"[{name}{rung.height}]", "-map", "0:a:0"]
            command += [*encoders(rung, preset), *container(name, out / str(rung.height))]
    return [command]


# --- mediaflow --------------------------------------------------------------------------------


def topology(preset: str, containers: Sequence[str]) -> str:
    start = {"InputFile": {"Bucket": "uploads"}, "PipelineId": "0" * 32}
    activities: dict[str, Any] = {"start": {"Type": "Start", "Parameters": start}}
    for rung in LADDER:
        video = {
            **{"Codec": "H.264", "Preset": preset, "Profile": "high", "Gop": "250"},
            **{"Width": str(rung.width), "Height": str(rung.height), "Bitrate": str(rung.video)},
            **{"Maxrate": str(rung.video * 3 // 2), "Bufsize": str(rung.video * 2)},
        }
        audio = {"Codec": "AAC", "Bitrate": str(rung.audio), "Channels": "2", "Samplerate": "44100"}
        for name in containers:
            output = {
                **{"OutputObject": f"{{RunId}}/{rung.height}", "TemplateId": "S00000001-200030"},
                **{"Container": {"Format": name}, "Video": video, "Audio": audio},
            }
            parameters = {"OutputBucket": "renditions", "Outputs": [output]}
            activities[f"{name}{rung.height}"] = {"Type": "Transcode", "Parameters": parameters}
    activities["report"] = {"Type": "Report"}
    names = list(activities)[1:-1]
    edges = {"start": names, **{name: ["report"] for name in names}, "report": []}
    return json.dumps({"Activities": activities, "Dependencies": edges})


class Served:
    """A running service that takes one execution after another."""

    def __init__(self, home: Path, containers: Sequence[str]) -> None:
        self.containers = containers
        self.service = Service(home)
        for preset in PRESETS:
            (home / f"workflows/{preset}.json").write_text(topology(preset, containers))
        self.service.start()
        assert self.service.process
        prefect = wait_for(lambda: running_server(self.service.data), 120)
        self.pids = (self.service.process.pid, prefect.pid)
        self._uploads = 0

    def upload(self, clip: Path) -> Path:
        """Put a clip into the bucket as one that was never seen: nothing made of it is reused."""
        self._uploads += 1
        uploaded = self.service.bucket("uploads") / f"{self._uploads}-{clip.name}"
        shutil.copy(clip, uploaded)
        with uploaded.open("ab") as file:
            # an empty box of mp4 with another content each time
            file.write(struct.pack(">I4sQ", 16, b"free", self._uploads))
        return uploaded

    def cpu(self) -> float:
        """CPU seconds of the service, of its children that ended, and of Prefect's server."""
        return sum(consumed(pid) for pid in self.pids)

    def run(self, clip: Path, preset: str) -> None:
        """Submit an uploaded clip by the API, and wait for the end."""
        url = f"http://uploads.local.aliyuncs.com/{clip.name}"
        with self.service.store() as store:
            workflow = store.workflows.named(preset)
            assert workflow is not None
            answer = self.service.legacy()(
                "AddMedia", FileURL=url, MediaWorkflowId=workflow.id, OverrideParams="{}"
            )
            run_id = answer["Media"]["RunIdList"]["RunId"][0]

            def state() -> Any:
                found = store.executions.get(run_id)
                return found.state if found and found.state.ended else None

            assert str(wait_for(state, 600)) == "Completed", store.executions.get(run_id)


def consumed(pid: int) -> float:
    """CPU seconds of a process and of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


# --- measuring --------------------------------------------------------------------------------


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def by_hand(commands: list[list[str]]) -> None:
    for command in commands:
        subprocess.run(command, check=True)


def compare(what: str, clip: Path, preset: str, work: Path, served: Served, rounds: int) -> None:
    """Print the medians of the ways, which take turns, and their ratios."""
    out = work / "by-hand"
    out.mkdir(exist_ok=True)
    (work / "ladder.json").write_text(topology(preset, served.containers))

    def run(uploaded: Path) -> None:
        foreground = [MEDIAFLOW, "run", "ladder.json", uploaded, "--json"]
        subprocess.run(foreground, cwd=work, check=True, capture_output=True)

    run_prefect = running_server(work / "data")
    assert run_prefect is not None
    ways: dict[str, tuple[Callable[[Path], None], Callable[[], float]]] = {
        "a, mediaflow serve": (lambda given: served.run(given, preset), served.cpu),
        "a, mediaflow run": (run, lambda: children() + consumed(run_prefect.pid)),
        "b, one ffmpeg for each": (
            lambda given: by_hand(script(given, out, preset, served.containers)),
            children,
        ),
        "c, one ffmpeg by hand": (
            lambda given: by_hand(single(given, out, preset, served.containers)),
            children,
        ),
    }
    taken = {way: Taken() for way in ways}
    for _ in range(rounds):
        uploaded = served.upload(clip)
        for way, (work_, cpu) in ways.items():
            began, before = time.perf_counter(), cpu()
            work_(uploaded)
            taken[way].wall.append(time.perf_counter() - began)
            taken[way].cpu.append(cpu() - before)
    files = ", ".join(served.containers)
    print(f"\n{what}, {SECONDS} s, {files}, preset {preset}, medians of {rounds} rounds")
    for way, found in taken.items():
        note = f"CPU {statistics.median(found.cpu):.1f} s"
        line(way, statistics.median(found.wall), "s", note)
    for way in list(ways)[:2]:
        for peer in list(ways)[2:]:
            name = f"{way} / {peer}"
            cpu = ratio(taken[way].cpu, taken[peer].cpu)
            line(name, ratio(taken[way].wall, taken[peer].wall), "x", f"CPU {cpu:.2f} x")


def ratio(ours: list[float], peers: list[float]) -> float:
    """The median of the ratios, round by round: the machine's speed drifts."""
    return statistics.median(a / b for a, b in zip(ours, peers, strict=True))


def warm_up(work: Path, served: Served) -> None:
    """Run a short clip in both ways: the first execution starts Prefect's server, or meets it."""
    clip = served.upload(media.clip(work))
    served.run(clip, "veryfast")
    (work / "ladder.json").write_text(topology("veryfast", served.containers))
    command = [MEDIAFLOW, "run", "ladder.json", clip, "--json"]
    subprocess.run(command, cwd=work, check=True, capture_output=True)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Watch the memory of a process and of all below it; the peak, in MB, is in the list."""
    peak, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], sum(map(resident, family(pid))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def resident(pid: int) -> float:
    """Resident memory in MB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    rows = [row for row in status.splitlines() if row.startswith("VmRSS")]
    return int(rows[0].split()[1]) / 1000 if rows else 0.0


def main(containers: Sequence[str] = ("mp4",)) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", choices=PRESETS, nargs="+", default=PRESETS)
    parser.add_argument("--clip", choices=CLIPS, nargs="+", default=list(CLIPS))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        os.environ["MEDIAFLOW_DATA"] = str(work / "data")
        (work / "clips").mkdir()
        folder = work / "clips"
        given = {name: looped(CLIPS[name](folder), folder) for name in chosen.clip}
        served = Served(work / "serve", containers)
        try:
            warm_up(work, served)
            for preset in chosen.preset:
                for name, clip in given.items():
                    compare(f"{name} clip", clip, preset, work, served, chosen.rounds)
            assert served.service.process
            with watched(served.service.process.pid) as peak:
                served.run(served.upload(next(iter(given.values()))), PRESETS[-1])
            line("serve with the ladder at preset medium, peak with ffmpeg", peak[0], "MB")
        finally:
            served.service.close()
            stop_server(work / "data")


if __name__ == "__main__":
    main()
