"""Pictures of a long film by mediaflow, and by the commands that people write for it.

    python -m benchmarks.snapshots [--seconds 600] [--pictures 60] [--rounds 3]

1080p, H.264, a key frame every 10 s at most, made of a short clip again and again. The ways take
turns: one ffmpeg for each picture, one ffmpeg with `fps` for all of them, and the activity itself
in this process, its ffprobes included. Key frames (FrameType intra), the frames of the moment
(normal), and a sprite of 10 x 10 pictures with its WebVTT. Ratios are against the faster peer.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from benchmarks.overhead import line
from tests.support import media
from tests.support.context import make_context, make_plan_context

#: seconds of the clip that is repeated: not a multiple of the steps, so that pictures fall anywhere
PERIOD = 17
#: milliseconds of the first picture
FIRST = 3000
CELL = (160, 90)
SPRITE = 100

FILE = {"Bucket": "out", "Location": "local", "Object": "p-{Count}.jpg"}


@dataclass
class Taken:
    """What one way took, a figure for each round: seconds, and CPU seconds of all processes."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])


def film(work: Path, seconds: int) -> Path:
    """Big Buck Bunny in 1080p, repeated without encoding it again."""
    short = media.make(
        work / "short.mp4",
        *("-stream_loop", "-1", "-i", str(media.big_buck_bunny()), "-t", str(PERIOD), "-an"),
        *("-vf", "scale=1920:1080", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"),
        # as long as encoders make it: what people have is between one second and this
        *("-sc_threshold", "0"),
    )
    return media.make(
        work / f"film-{seconds}.mp4",
        *("-stream_loop", "-1", "-i", str(short), "-t", str(seconds), "-c", "copy"),
    )


# --- the ways ---------------------------------------------------------------------------------


def ffmpeg(*arguments: object) -> None:
    command = [str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True)


def one_for_each(clip: Path, out: Path, step: float, count: int) -> None:
    """Seek to each picture in a process of its own."""
    for number in range(count):
        at = FIRST / 1000 + number * step
        ffmpeg("-ss", at, "-i", clip, "-frames:v", 1, "-q:v", 2, out / f"{number:05d}.jpg")


def all_in_one(clip: Path, out: Path, step: float, count: int) -> None:
    """Decode everything, and keep a frame for each step."""
    start = ("-ss", FIRST / 1000, "-i", clip)
    ffmpeg(*start, "-vf", f"fps=1/{step}", "-frames:v", count, "-q:v", 2, out / "%05d.jpg")


def tiled_in_one(clip: Path, out: Path, step: float) -> None:
    """The same into one sprite."""
    size = f"scale={CELL[0]}:{CELL[1]}"
    start = ("-ss", FIRST / 1000, "-i", clip)
    graph = f"fps=1/{step},{size},tile=10x10"
    ffmpeg(*start, "-vf", graph, "-frames:v", 1, "-q:v", 2, out / "sprite.jpg")


def tiled_of_each(clip: Path, out: Path, step: float) -> None:
    """Small pictures, each by a seek of its own, and a sprite of them."""
    size = f"scale={CELL[0]}:{CELL[1]}"
    for number in range(SPRITE):
        at = FIRST / 1000 + number * step
        ffmpeg("-ss", at, "-i", clip, "-frames:v", 1, "-vf", size, out / f"{number:05d}.png")
    ffmpeg("-i", out / "%05d.png", "-vf", "tile=10x10", "-frames:v", 1, out / "sprite.jpg")


def ours(clip: Path, info: Any, out: Path, count: int, **config: Any) -> None:
    """The activity, with an equal result."""
    wire = {"OutputFile": FILE, "Time": FIRST, "Num": count, **config}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": wire})
    step = Snapshot().plan(parameters, make_plan_context(clip, media=info))
    result = Snapshot().run(step, make_context(out, clip))  # type: ignore[arg-type]
    assert result.data["Count"] == count, result.data


# --- measuring --------------------------------------------------------------------------------


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime


def compare(
    what: str, work: Path, ways: dict[str, Callable[[Path], None]], rounds: int, limit: float
) -> None:
    """Print the medians of the ways, which take turns, and the ratio of the first to the best."""
    taken = {way: Taken() for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            out = work / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            began, before = time.perf_counter(), cpu()
            run(out)
            taken[way].wall.append(time.perf_counter() - began)
            taken[way].cpu.append(cpu() - before)
    print(f"\n{what}, medians of {rounds} rounds")
    for way, found in taken.items():
        note = f"CPU {statistics.median(found.cpu):.1f} s"
        line(way, statistics.median(found.wall), "s", note)
    first, *peers = taken.values()
    wall = statistics.median(first.wall) / min(statistics.median(peer.wall) for peer in peers)
    used = statistics.median(first.cpu) / min(statistics.median(peer.cpu) for peer in peers)
    line("ratio to the faster one", wall, "x", f"CPU {used:.2f} x; at most {limit:g}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600, help="length of the film")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        clip = film(work, chosen.seconds)
        info = MediaInfo.of(clip, ends=True).to_json()
        count, length = chosen.pictures, chosen.seconds - FIRST / 1000
        step = length / count
        peers: dict[str, Callable[[Path], None]] = {
            "one ffmpeg for each picture": lambda out: one_for_each(clip, out, step, count),
            "one ffmpeg with fps": lambda out: all_in_one(clip, out, step, count),
        }
        for kind, limit in (("intra", 0.3), ("normal", 1.0)):

            def pictures(out: Path, kind: str = kind) -> None:
                ours(clip, info, out / "ours", count, Interval=step, FrameType=kind)

            title = f"{count} {kind} pictures of {chosen.seconds} s"
            compare(title, work, {"Snapshot": pictures, **peers}, chosen.rounds, limit)
        small = length / SPRITE
        tiles = {"CellWidth": CELL[0], "CellHeight": CELL[1], "IsKeepCellPic": "false"}
        sprite = {
            "TileOut": tiles,
            "TileOutputFile": {**FILE, "Object": "t-{TileCount}.jpg"},
            **{"Format": "vtt", "SubOut": {"IsSptFrag": "true"}},
        }
        tiled: dict[str, Callable[[Path], None]] = {
            "one ffmpeg for each, and tile": lambda out: tiled_of_each(clip, out, small),
            "one ffmpeg with fps and tile": lambda out: tiled_in_one(clip, out, small),
        }
        for kind, limit in (("intra", 0.3), ("normal", 1.0)):

            def sheet(out: Path, kind: str = kind) -> None:
                given = {"Interval": small, "FrameType": kind, **sprite}
                ours(clip, info, out / "ours", SPRITE, **given)

            title = f"a sprite of 10 x 10 {kind} pictures with WebVTT"
            compare(title, work, {"Snapshot": sheet, **tiled}, chosen.rounds, limit)


if __name__ == "__main__":
    main()
