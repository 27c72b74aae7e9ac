"""Sprites and their WebVTT as both official client libraries order them, and read what was made."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_mts20140618 import models as tea
from alibabacloud_tea_openapi.exceptions import ClientException
from aliyunsdkcore.acs_exception.exceptions import ServerException

from tests.support import media
from tests.support.service import Service
from tests.support.snapshots import frame_at
from tests.support.waiting import wait_for

SOURCE = {"Bucket": "uploads", "Location": "local", "Object": "in%2Fnumbers.mp4"}
LAYOUT = {
    **{"Lines": "2", "Columns": "3", "CellWidth": "40", "CellHeight": "24", "CellSelStep": "1"},
    **{"Margin": "4", "Padding": "2", "Color": "#0000ff", "IsKeepCellPic": "false"},
}

#: sends an action with its parameters, which may be JSON, and returns the answer
Send = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, media_dir: Path) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("snapshots"))
    (service.bucket("uploads") / "in").mkdir()
    shutil.copy(media.numbered(media_dir), service.bucket("uploads") / "in/numbers.mp4")
    try:
        yield service.start()
    finally:
        service.close()


@pytest.fixture(params=["legacy", "current"])
def send(request: pytest.FixtureRequest, service: Service) -> Send:
    return service.legacy() if request.param == "legacy" else current(service)


def current(service: Service) -> Send:
    """The current library; of an answer, only what its models know."""
    client = service.tea()

    def submit(**given: Any) -> dict[str, Any]:
        texts = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in given.items()}
        request = tea.SubmitSnapshotJobRequest().from_map(texts)
        return client.submit_snapshot_job(request).body.to_map()

    def query(**given: Any) -> dict[str, Any]:
        request = tea.QuerySnapshotJobListRequest().from_map(given)
        return client.query_snapshot_job_list(request).body.to_map()

    actions = {"SubmitSnapshotJob": submit, "QuerySnapshotJobList": query}
    return lambda action, **given: actions[action](**given)


def target(name: str) -> dict[str, str]:
    return {"Bucket": "renditions", "Location": "local", "Object": name}


def done(send: Send, job_id: str) -> dict[str, Any]:
    def look() -> Any:
        answer = send("QuerySnapshotJobList", SnapshotJobIds=job_id)
        (job,) = answer["SnapshotJobList"]["SnapshotJob"]
        assert job["State"] in ("Submitted", "Snapshoting", "Success", "Fail")
        return job if job["State"] in ("Success", "Fail") else None

    return wait_for(look, 60, every=0.2)


@pytest.mark.proves("SnapshotJob", by="both official libraries, and the frame in each cell")
def test_sprites_and_their_index(
    service: Service, send: Send, request: pytest.FixtureRequest
) -> None:
    folder = request.node.callspec.id
    config = {
        "OutputFile": target(f"{folder}%2Fp-{{Count}}.jpg"),
        "TileOutputFile": target(f"{folder}%2Ft-{{TileCount}}.png"),
        "TileOut": LAYOUT,
        **{"Format": "vtt", "SubOut": {"IsSptFrag": "true"}},
        **{"Time": "0", "Interval": "0.2", "Num": "8", "FrameType": "normal"},
    }
    submitted = send("SubmitSnapshotJob", Input=SOURCE, SnapshotConfig=config, UserData="mine")
    queued = submitted["SnapshotJob"]
    assert (queued["State"], queued["Input"]) == (
        "Submitted",
        SOURCE | {"Object": "in/numbers.mp4"},
    )
    job = done(send, queued["Id"])
    assert (job["State"], job["UserData"]) == ("Success", "mine")
    assert (job["Count"], job["TileCount"]) == ("8", "2")
    # what neither library has a field for is left out
    known = {k: v for k, v in config.items() if k not in ("Format", "SubOut")}
    assert job["SnapshotConfig"] == queued["SnapshotConfig"] == known
    made = service.bucket("renditions") / folder
    sprites = ["t-00001.png", "t-00002.png"]
    assert sorted(path.name for path in made.iterdir()) == ["p-.vtt", *sprites]
    cues = re.findall(
        r"00:00:0(\d\.\d{3}) --> .+\n(.+)#xywh=(\d+),(\d+),(\d+),(\d+)\n",
        (made / "p-.vtt").read_text() + "\n",
    )
    found = [
        frame_at(made / name, (int(x), int(y), int(w), int(h))) for _, name, x, y, w, h in cues
    ]
    assert found == [round(25 * float(begin)) for begin, *_ in cues] == [5 * k for k in range(8)]


def test_what_is_refused(send: Send) -> None:
    config = {"OutputFile": target("p-{Count}.jpg"), "Time": "0", "Interval": "0.5"}
    with pytest.raises((ServerException, ClientException)) as refused:
        wrong = config | {"TileOutputFile": target("t-{TileCount}.jpg"), "TileOut": {"Lines": "0"}}
        send("SubmitSnapshotJob", Input=SOURCE, SnapshotConfig=wrong)
    assert "InvalidParameter.OutOfRange" in str(refused.value)
    assert "/SnapshotConfig/TileOut/Lines" in str(refused.value)
