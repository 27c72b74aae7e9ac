"""Runs of playlists through a whole engine, on a folder or as a file of the command line."""

from pathlib import Path
from typing import Any

from tests.support.topologies import report, snapshot, start, text, topology, transcode
from workflow_engine.engine import Engine
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ActivityRecord, ExecutionRecord
from workflow_engine.settings import load_settings

CONFIGURATION = """
[buckets.uploads]
path = "uploads"
[buckets.out]
path = "out"
"""
COPY = "S00000001-200000"
SMALL = {"Video": {"Width": "160", "Preset": "veryfast"}}


def works(**more: Any) -> dict[str, Any]:
    """An encode at the size of the source, and a picture for each second."""
    shot = snapshot("{FileName}-{Count}.jpg", Interval="1", Num="4", FrameType="normal")
    return {"mp4": transcode("{FileName}.mp4", **SMALL), "shot": shot, **more}


class PlaylistRuns:
    """An engine with a bucket `uploads` for lists and a bucket `out`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uploads = path / "uploads" / "incoming"
        self.uploads.mkdir(parents=True)
        (path / "mediaflow.toml").write_text(CONFIGURATION)
        self.engine = Engine(load_settings(None))

    def run(self, given: Path | str, activities: dict[str, Any] | None = None) -> ExecutionRecord:
        """Run activities beside each other on a list: a file, or the URL of an object."""
        file = self.path / "flow.json"
        activities = works() if activities is None else activities
        file.write_text(text(topology({"start": start(), **activities, "report": report()})))
        workflow = self.engine.load(file)
        source = self.engine.open_input(workflow, str(given))
        return self.engine.run(workflow, source, executor=InlineExecutor())

    def refused(self, given: Path | str) -> ActivityRecord:
        """Run a list that Start must refuse; everything else is skipped, and nothing appears."""
        record = self.run(given)
        begun, *others, told = record.activities
        assert begun.state == "Fail", begun
        assert {one.state for one in others} == {"Skipped"} and told.state == "Success"
        assert not list((self.path / "out").rglob("*.mp4"))
        return begun

    def output(self, record: ExecutionRecord, name: str, number: int = 0) -> Path:
        """The file that an activity published."""
        activity = record.activity(name)
        assert activity.state == "Success", activity
        return Path(activity.outputs[number].place)
