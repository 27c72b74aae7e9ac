"""What mediaflow costs beside the work of ffmpeg: start-up, validation, a run, memory.

Every figure is the median of several whole processes, in turn with the bare command that does
the same work, so that ratios hold on a noisy machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from activities.ffmpeg import ffmpeg_path
from workflow_engine.records import ExecutionRecord, ExecutionState
from workflow_engine.store import Store

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "topologies"
MEDIAFLOW = Path(sys.executable).parent / "mediaflow"
ROUNDS = 5


def seconds(command: list[str | Path], cwd: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - began


def median(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    measure()
    return statistics.median(measure() for _ in range(rounds))


def line(what: str, value: float, unit: str = "s", note: str = "") -> None:
    print(f"{what:<58} {value:8.2f} {unit:<3} {note}")


def wide_topology(path: Path, activities: int) -> Path:
    value = json.loads((EXAMPLES / "minimal.json").read_text())
    work, report = value["Activities"].pop("sd"), value["Activities"].pop("report")
    names = [f"sd-{n}" for n in range(activities - 2)]
    for name in names:
        output = {**work["Parameters"]["Outputs"][0], "OutputObject": name}
        output["Video"] = json.dumps({"Bitrate": "800", "Width": "640"})
        parameters = {**work["Parameters"], "Outputs": json.dumps([output])}
        value["Activities"][name] = {**work, "Parameters": parameters}
    value["Activities"]["report"] = report
    value["Dependencies"] = {"start": names, **{n: ["report"] for n in names}, "report": []}
    path.write_text(json.dumps(value, indent=1))
    return path


def start_up(work: Path) -> None:
    bare = median(lambda: seconds([sys.executable, "-c", "pass"], work))
    line("python -c pass", bare)
    for what, arguments in (
        ("mediaflow --help", ["--help"]),
        ("mediaflow validate minimal.json", ["validate", EXAMPLES / "minimal.json"]),
        ("mediaflow graph ladder.json", ["graph", EXAMPLES / "ladder.json"]),
    ):
        line(what, median(lambda a=arguments: seconds([MEDIAFLOW, *a], work)))


def validation(work: Path) -> None:
    times = {}
    for count in (2_500, 5_000, 10_000):
        path = wide_topology(work / f"wide-{count}.json", count)
        times[count] = median(lambda p=path: seconds([MEDIAFLOW, "validate", p], work), 3)
        line(f"mediaflow validate, {count} activities", times[count])
    growth = (times[10_000] - times[5_000]) / (times[5_000] - times[2_500])
    line("time for the last 5,000 against the 2,500 before", growth, "x", "2 is linear")


def runs(work: Path, clip: Path) -> None:
    topology = EXAMPLES / "remux-hls.json"
    command = [MEDIAFLOW, "run", topology, clip, "--fresh", "--json"]
    bare = [ffmpeg_path(), "-v", "error", "-y", "-i", clip, "-c", "copy", "-f", "hls"]
    bare += ["-hls_time", "4", "-hls_playlist_type", "vod", work / "bare.m3u8"]
    alone = median(lambda: seconds(bare, work))
    inline = median(lambda: seconds([*command, "--executor", "inline"], work))
    line("bare ffmpeg, remux to HLS", alone)
    line("mediaflow run, inline executor", inline, "s", f"{inline - alone:.2f} s more")
    again = median(lambda: seconds([*command[:4], "--json"], work))
    line("mediaflow run, everything reused, warm Prefect server", again)


#: a remux, a picture and a report: little work for ffmpeg, so that the rest shows
SMALL = {
    "hls": {
        "Type": "Transcode",
        "Parameters": {
            "OutputBucket": "renditions",
            "Outputs": [{"OutputObject": "{FileName}/stream", "TemplateId": "S00000001-100000"}],
        },
    },
    "cover": {
        "Type": "Snapshot",
        "Parameters": {
            "SnapshotConfig": {
                "OutputFile": {"Bucket": "renditions", "Object": "{FileName}/cover.jpg"},
                "Time": "500",
                "FrameType": "normal",
            }
        },
    },
}


class Small:
    """The small topology, its plan for a bare flow, and clips that share no content."""

    def __init__(self, work: Path, clip: Path, clips: int) -> None:
        value = json.loads((EXAMPLES / "minimal.json").read_text())
        start, report = value["Activities"]["start"], value["Activities"]["report"]
        start["Parameters"]["InputFile"]["ObjectPrefix"] = ""
        self.topology = work / "workflows" / "small.json"
        self.topology.parent.mkdir()
        self.topology.write_text(
            json.dumps(
                {
                    "Activities": {"start": start, **SMALL, "report": report},
                    "Dependencies": {
                        "start": ["hls", "cover"],
                        "hls": ["report"],
                        "cover": ["report"],
                        "report": [],
                    },
                }
            )
        )
        self.work = work
        self.plan = work / "plan.json"
        command = [MEDIAFLOW, "plan", self.topology, clip, "--json"]
        self.plan.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        self.clips = [work / f"clip-{number}.mp4" for number in range(clips)]
        for number, path in enumerate(self.clips):
            comment = ["-map", "0", "-c", "copy", "-metadata", f"comment={number}"]
            subprocess.run([ffmpeg_path(), "-v", "error", "-i", clip, *comment, path], check=True)

    def bare(self, clips: list[Path], environment: dict[str, str]) -> list[float]:
        """Return the seconds of bare flows, one after another in one process."""
        folder = Path(tempfile.mkdtemp(dir=self.work))
        command = [sys.executable, "-m", "benchmarks.bare_flow", self.plan, self.topology, folder]
        done = subprocess.run(
            [*command, *clips], cwd=ROOT, env=environment, check=True, capture_output=True
        )
        return [float(row) for row in done.stdout.split()]


def prefect_url() -> str:
    """Return the API of the local server, which is started when there is none."""
    told = subprocess.run([MEDIAFLOW, "prefect", "status"], check=True, capture_output=True)
    return told.stdout.split()[-1].decode() + "/api"


def quiet(url: str) -> dict[str, str]:
    """Return the environment of a bare script that reports to a server and prints nothing else."""
    own = {"PREFECT_API_URL": url, "PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}
    return {**os.environ, **own}


def beside_prefect(small: Small, clip: Path) -> None:
    """Whole processes in turn: a bare script with the same commands, and `mediaflow run`."""
    command = [MEDIAFLOW, "run", small.topology, clip, "--fresh", "--json"]
    seconds(command, small.work)  # the server is warm
    environment = quiet(prefect_url())
    bare, ours = [], []
    for _ in range(2 * ROUNDS):
        began = time.perf_counter()
        small.bare([clip], environment)
        bare.append(time.perf_counter() - began)
        ours.append(seconds(command, small.work))
    subprocess.run([MEDIAFLOW, "prefect", "stop"], check=True, capture_output=True)
    base, run = statistics.median(bare), statistics.median(ours)
    line("bare Prefect script, remux + snapshot + report", base)
    line("mediaflow run, the same", run, "s", f"{run / base:.2f} x, goal 1.2")


def beside_flows(small: Small) -> None:
    """In long-lived processes: bare flows, and executions of `serve`, one after another.

    Both report to the server that `serve` started. An execution counts from the end of the one
    before it to its own end, with all that lies between; from its own creation where that is later.
    """
    uploads = small.work / "uploads"
    uploads.mkdir()
    config = small.work / "mediaflow.toml"
    config.write_text(
        f"""
[service]
port = 0
[runner]
concurrency = 1
[buckets.uploads]
path = "{uploads}"
events = "watch"
settle_seconds = 0
[buckets.renditions]
path = "{small.work / "renditions"}"
"""
    )
    serve = subprocess.Popen(
        [MEDIAFLOW, "--config", config, "serve"],
        cwd=small.work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = Store.open(f"sqlite:///{os.environ['MEDIAFLOW_DATA']}/mediaflow.db")

    def run(clips: list[Path]) -> list[ExecutionRecord]:
        """Let clips land, and return their executions once all have ended."""
        names = {clip.name for clip in clips}
        for clip in clips:
            os.link(clip, uploads / f".{clip.name}")
            (uploads / f".{clip.name}").rename(uploads / clip.name)
        while True:
            time.sleep(0.5)
            ended = [one for one in store.executions.newest(limit=100) if one.state.ended]
            ended = [one for one in ended if one.input.object in names]
            if len(ended) == len(clips):
                return ended

    try:
        while not prefect_url().startswith("http"):
            time.sleep(0.5)
        warm, *rest = small.clips
        run([warm])
        environment = quiet(prefect_url())
        half = len(rest) // 2
        bare, ours = [], []
        for clips in (rest[:half], rest[half:]):
            bare += small.bare(clips, environment)[1:]
            ended = sorted(run(clips), key=lambda one: one.ended)
            assert all(one.state is ExecutionState.COMPLETED for one in ended)
            for before, one in pairwise(ended):
                ours.append((one.ended - max(before.ended, one.created)).total_seconds())
    finally:
        store.close()
        serve.terminate()
        serve.wait()
    # means: a pause that only some of them meet costs, too
    base, each = statistics.mean(bare), statistics.mean(ours)
    line("bare flow in a long-lived process", base)
    line("execution of serve, one after another", each, "s", f"{each / base:.2f} x, goal 1.3")


def memory(work: Path, clip: Path, long_clip: Path) -> None:
    """Peak resident memory of the engine process alone, read while it runs."""
    for what, given in (("short clip", clip), ("long clip", long_clip)):
        command = [MEDIAFLOW, "run", EXAMPLES / "remux-hls.json", given, "--fresh", "--json"]
        process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL)
        peak = 0.0
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            for row in status.splitlines():
                if row.startswith("VmHWM"):
                    peak = max(peak, int(row.split()[1]) / 1000)
            time.sleep(0.01)
        size = given.stat().st_size / 1e6
        line(f"engine process, peak memory, {what} ({size:.0f} MB)", peak, "MB")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        os.environ["MEDIAFLOW_DATA"] = str(work / "data")
        # else our modules would be compiled in each process, and those of libraries would not
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        clip, long_clip = work / "clip.mp4", work / "long.mp4"
        subprocess.run([sys.executable, ROOT / "examples/make_clip.py", clip], check=True)
        loop = ["-v", "error", "-stream_loop", "200", "-i", clip, "-c", "copy", long_clip]
        subprocess.run([ffmpeg_path(), *loop], check=True)
        start_up(work)
        validation(work)
        memory(work, clip, long_clip)
        runs(work, clip)
        small = Small(work, clip, 21)
        beside_prefect(small, clip)
        beside_flows(small)


if __name__ == "__main__":
    main()
