"""The yardstick: a Prefect flow that runs the same commands as a topology, and nothing else.

    python -m benchmarks.bare_flow PLAN TOPOLOGY WORK CLIP...

PLAN is what `mediaflow plan --json` printed. Each clip gets a flow run, one after another in this
process, with a task for each activity that waits as the topology says. No states are kept, no
output is verified or published; heartbeats are off, as in mediaflow, since the end of a flow
would wait a second for their thread. Prints the seconds of each flow.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from prefect import flow, task
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from activities.ffmpeg import ffprobe_path


@task(persist_result=False)
def run(name: str, commands: list[list[str]], folder: Path, clip: Path) -> None:
    """Run the commands of one activity in a folder of its own."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "source.mp4").symlink_to(clip)
    for command in commands:
        subprocess.run(command, cwd=place, check=True, capture_output=True)


@flow(persist_result=False)
def bare(plan: dict, after: dict, folder: Path, clip: Path) -> None:
    """Run the activities of a plan, each behind those that it waits for."""
    show = ["-v", "error", "-show_format", "-show_streams", "-of", "json", "source.mp4"]
    futures = {}
    for activity in plan["Activities"]:
        name, commands = activity["Name"], activity["Commands"]
        if activity["Type"] == "Start":
            commands = [[str(ffprobe_path()), *show]]
        before = [futures[one] for one, following in after.items() if name in following]
        named = run.with_options(name=name, task_run_name=name)
        futures[name] = named.submit(name, commands, folder, clip, wait_for=before)
    for future in futures.values():
        future.result()


def main() -> None:
    plan, topology, work, *clips = map(Path, sys.argv[1:])
    steps = json.loads(plan.read_text())
    after = json.loads(topology.read_text())["Dependencies"]
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        for clip in clips:
            began = time.perf_counter()
            bare(steps, after, work / clip.stem, clip)
            print(round(time.perf_counter() - began, 3), flush=True)


if __name__ == "__main__":
    main()
