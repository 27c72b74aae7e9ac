"""Killed processes: nothing half written, nothing done twice, nothing left running."""

import json
import signal
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import media, packages
from tests.support.command_line import CommandLine
from tests.support.package_rules import broken_hls
from tests.support.places import EXAMPLES
from tests.support.processes import media_processes
from tests.support.stores import let_claims_lapse
from tests.support.waiting import wait_for
from workflow_engine.executor.prefect_server import LocalServer
from workflow_engine.store import Store


@pytest.fixture
def large(media_dir: Path) -> Path:
    """Two seconds that the ladder makes three renditions of."""
    return media.clip(media_dir, 2, "1280x720", name="large")


@pytest.mark.long
def test_kill_9_loses_nothing_and_the_next_run_goes_on(alone: CommandLine, large: Path):
    command = ("run", EXAMPLES / "ladder.json", large, "--json", "--executor", "inline")
    process = alone.start(*command)
    cover = alone.cwd / "mediaflow-out/renditions/large/cover.jpg"
    wait_for(cover.exists)  # and then for its success, which is committed after it
    with closing(Store.open(f"sqlite:///{alone.data}/mediaflow.db")) as store:
        wait_for(lambda: store.executions.newest()[0].activity("cover").state.ended)
    wait_for(lambda: list(alone.data.rglob("attempt-*/[!s]*.mp4")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not media_processes(alone.data), seconds=10)
    assert [p.name for p in (alone.cwd / "mediaflow-out").rglob("*") if p.is_file()] == [
        "cover.jpg"
    ]
    ended = alone(*command)
    assert ended.code == 0, ended.err
    reused = {a["Name"]: a["Reused"] for a in ended.json["ActivityList"]}
    assert reused["start"] and reused["analysis"] and reused["cover"]
    assert not reused["hd"]


def test_kill_9_and_resume_under_the_same_run_id(
    alone: CommandLine, large: Path, prefect: LocalServer
):
    shown = {"PREFECT_API_URL": prefect.api_url}
    process = alone.start("run", EXAMPLES / "ladder.json", large, "--json", env=shown)
    wait_for(lambda: list(alone.data.rglob("attempt-*/[!s]*.mp4")), seconds=120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (killed,) = alone("execution", "list", "--json").json
    run_id = killed["RunId"]
    before = {a["Name"]: a for a in killed["ActivityList"] if a["State"] == "Success"}
    assert {"start", "analysis"} <= before.keys()
    let_claims_lapse(alone.data)
    assert "No process runs it" in alone("execution", "show", run_id).out
    ended = alone("execution", "resume", run_id, "--json", env=shown)
    assert ended.code == 0, ended.err
    record = ended.json
    assert (record["RunId"], record["State"]) == (run_id, "Completed")
    after = {a["Name"]: a for a in record["ActivityList"]}
    assert all(after[name] == activity for name, activity in before.items())
    api, _, flow_run = record["PrefectUrl"].partition("/runs/flow-run/")
    assert record["PrefectUrl"] == killed["PrefectUrl"]
    with urllib.request.urlopen(f"{api}/api/flow_runs/{flow_run}", timeout=20) as answer:
        assert json.load(answer)["state"]["type"] == "COMPLETED"


@pytest.mark.long
def test_kill_9_within_a_package_encodes_no_finished_stream_again(alone: CommandLine, large: Path):
    value = packages.hls(SegmentSeconds=1)
    for name in ("high", "low"):
        picture = packages.parameters(value, name)["Outputs"][0]["Video"]
        picture |= {"Width": "640", "Preset": "slower"}
    topology = alone.cwd / "package.json"
    topology.write_text(json.dumps(value))
    one_by_one = {"MEDIAFLOW_RUNNER__FUSE": "false", "MEDIAFLOW_RUNNER__PROCESSES": "1"}
    options = ("--json", "--executor", "inline")
    process = alone.start("run", topology, large, *options, env=one_by_one)
    streams = ("english", "high", "low")
    with closing(Store.open(f"sqlite:///{alone.data}/mediaflow.db")) as store:
        newest = store.executions.newest
        wait_for(lambda: newest() and any(newest()[0].activity(n).state.ended for n in streams))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not media_processes(alone.data), seconds=10)
    (killed,) = alone("execution", "list", "--json").json
    before = {a["Name"]: a for a in killed["ActivityList"] if a["State"] == "Success"}
    finished = before.keys() & set(streams)
    assert 0 < len(finished) < len(streams)
    folder = alone.cwd / "mediaflow-out" / "out" / "large"
    assert not (folder / "master.m3u8").exists()
    let_claims_lapse(alone.data)
    ended = alone("execution", "resume", killed["RunId"], *options, env=one_by_one)
    assert ended.code == 0, ended.err
    after = {a["Name"]: a for a in ended.json["ActivityList"]}
    assert all(after[name] == before[name] for name in finished)
    assert broken_hls(folder / "master.m3u8") == []
