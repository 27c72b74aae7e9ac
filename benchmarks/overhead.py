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
from pathlib import Path

from activities.ffmpeg import ffmpeg_path

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
    prefect = median(lambda: seconds(command, work))
    line("bare ffmpeg, remux to HLS", alone)
    line("mediaflow run, inline executor", inline, "s", f"{inline - alone:.2f} s more")
    line("mediaflow run, warm Prefect server", prefect, "s", f"{prefect - alone:.2f} s more")
    again = median(lambda: seconds([*command[:4], "--json"], work))
    line("mediaflow run, everything reused", again)
    subprocess.run([MEDIAFLOW, "prefect", "stop"], check=True, capture_output=True)


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
        clip, long_clip = work / "clip.mp4", work / "long.mp4"
        subprocess.run([sys.executable, ROOT / "examples/make_clip.py", clip], check=True)
        loop = ["-v", "error", "-stream_loop", "200", "-i", clip, "-c", "copy", long_clip]
        subprocess.run([ffmpeg_path(), *loop], check=True)
        start_up(work)
        validation(work)
        memory(work, clip, long_clip)
        runs(work, clip)


if __name__ == "__main__":
    main()
