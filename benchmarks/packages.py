"""A package of thousands of segments into an object store, beside boto3 in the same run.

    python -m benchmarks.packages [--server moto|seaweedfs|rclone] [--segments 2000] [--rounds 3]

An activity leaves so many segments and their playlist, as the stream of a package does; the engine
commits and publishes them. boto3 uploads the same files with `upload_file`, as many at once as the
engine does. Each round runs both, in processes of their own, whose time of the processor and peak
memory are read at their end, the server's left out.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support import s3
from workflow_engine import Engine, InlineExecutor, load_settings
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    ObjectRef,
    PlanContext,
    PlannedOutput,
    Produced,
    Step,
    WireModel,
)
from workflow_engine.buckets.parallel import AT_ONCE
from workflow_engine.testing import FakeRegistry

BUCKET = "bench"
#: bytes of one segment
SIZE = 100_000


class Segments(Activity[WireModel]):
    """Leaves the files of a folder, as a stream of a package does."""

    type_name = "Segments"
    parameters = WireModel

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def plan(self, parameters: WireModel, context: PlanContext) -> Step:
        """Publish the playlist, and the segments with it."""
        ref = ObjectRef(bucket=BUCKET, object="engine/video.m3u8")
        return Step(outputs=(PlannedOutput(ref=ref, summary="segments"),))

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Name the files; the playlist is last."""
        return ActivityResult(
            outputs=tuple(
                Produced(
                    path=path,
                    ref=ObjectRef(bucket=BUCKET, object=f"engine/{path.name}"),
                    last=path.suffix == ".m3u8",
                )
                for path in sorted(self._folder.iterdir())
            )
        )


def by_engine(folder: Path, url: str, home: Path) -> float:
    """Run a workflow that publishes the files; return how long its activity took, in seconds."""
    settings = s3.S3Server("any", url).settings(BUCKET).model_dump(exclude_unset=True)
    values = "\n".join(f"{key} = {json.dumps(str(value))}" for key, value in settings.items())
    (home / "mediaflow.toml").write_text(f"[buckets.{BUCKET}]\n{values}\n")
    clip, flow = home / "clip.txt", home / "flow.json"
    clip.write_text("content ")
    flow.write_text(
        json.dumps(
            {
                "Activities": {
                    "start": {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "in"}}},
                    "work": {"Type": "Segments"},
                    "report": {"Type": "Report"},
                },
                "Dependencies": {"start": ["work"], "work": ["report"], "report": []},
            }
        )
    )
    registry = {**FakeRegistry().registry, "Segments": Segments(folder)}
    kept = load_settings(home / "mediaflow.toml").kept_in(home / "data")
    engine = Engine(kept, output_dir=home, registry=registry)
    workflow = engine.load(flow)
    source = engine.open_input(workflow, str(clip))
    began = time.perf_counter()
    record = engine.run(workflow, source, executor=InlineExecutor(), fresh=True)
    took = time.perf_counter() - began
    work = record.activity("work")
    assert str(work.state) == "Success", work
    return took


def by_boto3(folder: Path, url: str) -> float:
    """Upload the files with boto3, as many at once as the engine does; return the seconds."""
    files = sorted(folder.iterdir())
    with s3.S3Server("any", url).client() as client:
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for one in [
                pool.submit(client.upload_file, str(path), BUCKET, f"boto3/{path.name}")
                for path in files
            ]:
                one.result()
        return time.perf_counter() - began


def measured(way: str, folder: Path, url: str) -> dict[str, float]:
    """Run one way in a process of its own; return its seconds, cpu seconds and peak MB."""
    command = [sys.executable, "-m", "benchmarks.packages", "--way", way]
    done = subprocess.run(
        [*command, "--folder", str(folder), "--url", url],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | s3.ENVIRONMENT,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Compare, or be one of the processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="seaweedfs")
    parser.add_argument("--segments", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=("engine", "boto3"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.way:
        with tempfile.TemporaryDirectory() as home:
            took = (
                by_engine(options.folder, options.url, Path(home))
                if options.way == "engine"
                else by_boto3(options.folder, options.url)
            )
        used = resource.getrusage(resource.RUSAGE_SELF)
        figures = {"seconds": took, "cpu": used.ru_utime + used.ru_stime}
        print(json.dumps(figures | {"megabytes": used.ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path, "files")
        folder.mkdir()
        for number in range(1, options.segments + 1):
            (folder / f"video-{number:05}.ts").write_bytes(os.urandom(SIZE))
        (folder / "video.m3u8").write_text("#EXTM3U\n")
        server_folder = Path(path, "server")
        server_folder.mkdir()
        with s3.running(options.server, server_folder) as server:
            server.create(BUCKET)
            rounds: list[dict[str, dict[str, Any]]] = [
                {way: measured(way, folder, server.url) for way in ("engine", "boto3")}
                for _ in range(options.rounds)
            ]
    print(f"{options.segments} segments of {SIZE} bytes, {options.server}, medians of rounds")
    medians = {
        (way, figure): statistics.median(one[way][figure] for one in rounds)
        for way in ("engine", "boto3")
        for figure in ("seconds", "cpu", "megabytes")
    }
    for way in ("engine", "boto3"):
        print(
            f"{way:7} {medians[way, 'seconds']:7.2f} s {medians[way, 'cpu']:7.2f} cpu s"
            f" {medians[way, 'megabytes']:7.0f} MB at most"
        )
    ratios = {figure: medians["engine", figure] / medians["boto3", figure] for _, figure in medians}
    print(f"ratio   {ratios['seconds']:7.2f}   {ratios['cpu']:7.2f}")


if __name__ == "__main__":
    main()
