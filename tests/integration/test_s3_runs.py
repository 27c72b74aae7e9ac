"""Whole runs on buckets in object stores: read once, published whole, reused without a read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from activities.transcode import Transcode
from tests.support.bench import states
from tests.support.places import EXAMPLES
from tests.support.playlists import segmented, segments
from tests.support.s3 import ENVIRONMENT, Proxy, S3Server
from tests.support.stores import let_claims_lapse
from workflow_engine.buckets import s3_client
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, StoreError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.planning.plan import Plan
from workflow_engine.records import Digests, ExecutionRecord, ExecutionState
from workflow_engine.service import doctor
from workflow_engine.settings import BucketSettings, Settings
from workflow_engine.store import Claim


class Stores:
    """An engine whose buckets lie on a server, behind a proxy that counts."""

    def __init__(self, server: S3Server, proxy: Proxy, path: Path) -> None:
        self.server = server
        self.proxy = proxy
        self.path = path
        self.key = f"incoming/{path.name}.mp4"
        near = {"endpoint_url": proxy.url}
        self.engines: list[Engine] = []
        self.engine = self.another_engine(
            {
                "uploads": server.settings("test-vod", **near),
                "renditions": server.settings("test-other", **near),
            }
        )

    def another_engine(self, buckets: Mapping[str, BucketSettings]) -> Engine:
        made = Engine(Settings(buckets=buckets), output_dir=self.path / "folders")
        self.engines.append(made)
        return made

    def upload(self, content: bytes) -> None:
        with self.server.client() as client:
            client.put_object(Bucket="test-vod", Key=self.key, Body=content)

    def opened(self, topology: str) -> tuple[Any, Any]:
        workflow = self.engine.load(EXAMPLES / f"{topology}.json")
        return workflow, self.engine.open_input(workflow, f"s3://uploads/{self.key}")

    def run(self, topology: str, **options: Any) -> ExecutionRecord:
        workflow, source = self.opened(topology)
        return self.engine.run(workflow, source, executor=InlineExecutor(), **options)

    def plan(self, topology: str) -> Plan:
        return self.engine.plan(*self.opened(topology))

    def objects(self) -> dict[str, int]:
        """Return key and size of everything that this test made."""
        found = self.engine.buckets.get("renditions").list(self.path.name)
        return {info.key: info.size for info in found}


@pytest.fixture
def stores(
    server: S3Server, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stores]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = Stores(server, proxy, tmp_path)
    yield made
    for engine in made.engines:
        engine.close()


def test_a_run_reads_once_and_publishes_whole(stores: Stores, clip: Path):
    stores.upload(clip.read_bytes())
    record = stores.run("remux-hls")
    assert set(states(record).values()) == {"Success"}, record.to_wire()
    assert stores.proxy.received < 2 * clip.stat().st_size
    outputs = record.activity("hls").outputs
    assert [o.ref.object for o in outputs] == [
        f"{stores.path.name}/stream-00001.ts",
        f"{stores.path.name}/stream.m3u8",
    ]
    assert outputs[0].place == f"s3://renditions/{stores.path.name}/stream-00001.ts"
    wire = outputs[0].to_wire()
    assert wire["URL"] == outputs[0].place and "Path" not in wire
    for output in outputs:
        assert stores.engine.buckets.at(output.place).digests() == output.digests
    assert record.report.startswith("s3://renditions/")
    assert not list((stores.path / "data" / "work").iterdir())
    assert stores.engine.store.digests.get(record.origin, record.version) == Digests.of(clip)


def test_what_is_finished_is_reused_without_reading_it(stores: Stores, clip: Path):
    stores.upload(clip.read_bytes())
    stores.run("remux-hls")
    before = stores.proxy.received
    again = stores.run("remux-hls")
    assert again.activity("start").reused and again.activity("hls").reused
    assert set(stores.plan("remux-hls").reused) == {"start", "hls"}
    assert stores.proxy.received - before < 60_000  # answers without content


def test_outputs_under_another_name_are_copied(stores: Stores, clip: Path):
    stores.upload(clip.read_bytes())
    first = stores.run("minimal")
    second = stores.run("minimal")  # the RunId stands in the name
    assert second.activity("sd").reused
    (old,), (new,) = first.activity("sd").outputs, second.activity("sd").outputs
    assert old.place != new.place
    assert stores.engine.buckets.at(new.place).digests() == old.digests


def test_outputs_that_were_changed_are_made_anew(stores: Stores, clip: Path):
    stores.upload(clip.read_bytes())
    output = stores.run("remux-hls").activity("hls").outputs[0]
    with stores.server.client() as client:
        other = bytes(output.digests.size)
        client.put_object(Bucket="test-other", Key=output.ref.object, Body=other)
    again = stores.run("remux-hls").activity("hls")
    assert not again.reused
    assert stores.engine.buckets.at(output.place).digests() == again.outputs[0].digests


def test_from_a_store_into_a_folder_and_the_other_way_round(
    server: S3Server, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    for stored in ("uploads", "renditions"):
        buckets = {stored: server.settings("test-vod")}
        engine = Engine(Settings(buckets=buckets), output_dir=tmp_path / stored)
        key = f"incoming/{tmp_path.name}-{stored}.mp4"
        given = str(clip)
        if stored == "uploads":
            engine.buckets.get(stored).stage_copy(
                engine.buckets.at(given), key, Digests.of(clip)
            ).publish()
            given = f"oss://{stored}/{key}"
        workflow = engine.load(EXAMPLES / "remux-hls.json")
        source = engine.open_input(workflow, given)
        record = engine.run(workflow, source, executor=InlineExecutor())
        assert set(states(record).values()) == {"Success"}
        assert record.activity("hls").reused == (stored == "renditions")
        for output in record.activity("hls").outputs:
            assert engine.buckets.at(output.place).digests() == output.digests
        engine.close()


def test_an_input_that_is_replaced_is_another_run(stores: Stores, clip: Path):
    stores.upload(clip.read_bytes())
    workflow, source = stores.opened("remux-hls")
    stores.upload(clip.read_bytes() + b"more")
    record = stores.engine.run(workflow, source, executor=InlineExecutor())
    assert record.state is ExecutionState.FAIL
    assert record.code == Code.RESOURCE_CONTENT_BAD
    assert stores.objects().keys() == set()


def test_a_resumed_run_goes_on_with_its_input_in_the_store(
    stores: Stores, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(s3_client, "ATTEMPTS", 1)
    monkeypatch.setenv("MEDIAFLOW_RETRY__ATTEMPTS", "1")
    stores.upload(clip.read_bytes())
    nowhere = stores.server.settings("test-other", endpoint_url="http://127.0.0.1:9")
    wanted = dict(stores.engine.settings.buckets)
    stores.engine = stores.another_engine(wanted | {"renditions": nowhere})
    first = stores.run("remux-hls")
    assert states(first) == {"start": "Success", "hls": "Fail", "report": "Fail"}
    assert "127.0.0.1:9" in first.activity("hls").message
    stores.engine = stores.another_engine(wanted)
    again = stores.engine.resume(first.run_id, executor=InlineExecutor())
    assert set(states(again).values()) == {"Success"}
    assert again.activity("start") == first.activity("start")
    assert stores.objects().keys() == {o.ref.object for a in again.activities for o in a.outputs}


def test_what_is_about_to_be_uploaded_outlives_a_failure_of_the_store(
    stores: Stores, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    """The files stay in the work directory of the run that ended, and of no other one."""
    if stores.server.name != "seaweedfs":
        pytest.skip("nothing of it depends on the server")
    store = stores.engine.store
    stores.upload(clip.read_bytes())

    def fail(claim: Claim) -> None:
        raise StoreError(Code.INTERNAL, "The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store.queue, "check", fail)
        with pytest.raises(StoreError):
            stores.run("remux-hls")
    (left,) = store.executions.newest()
    assert stores.objects() == {}
    let_claims_lapse(stores.path / "data")
    with monkeypatch.context() as patch:
        patch.setattr(Transcode, "run", lambda *_: pytest.fail("it runs again"))
        ended = stores.engine.resume(left.run_id, executor=InlineExecutor())
    assert set(states(ended).values()) == {"Success"}
    assert len(stores.objects()) == 2 + 2  # and both forms of the report
    assert not list((stores.path / "data" / "work").iterdir())


def test_outputs_follow_the_publish_state(stores: Stores, clip: Path):
    if stores.server.name == "rclone":
        pytest.skip("rclone has no access rules")
    stores.upload(clip.read_bytes())
    buckets = stores.engine.settings.buckets
    guarded = stores.server.settings("test-other", acl=True)
    stores.engine = stores.another_engine({**buckets, "renditions": guarded})
    with stores.server.client() as client:
        client.put_bucket_acl(Bucket="test-other", ACL="public-read")
        record = stores.run("remux-hls")
        open_to = [
            {
                grant["Grantee"].get("URI")
                for grant in client.get_object_acl(Bucket="test-other", Key=o.ref.object)["Grants"]
            }
            for o in record.activity("hls").outputs
        ]
        client.put_bucket_acl(Bucket="test-other", ACL="private")
    assert all("http://acs.amazonaws.com/groups/global/AllUsers" in one for one in open_to)


def test_the_input_is_not_overwritten_under_another_name_of_its_bucket(
    server: S3Server, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    same = server.settings("test-vod")
    engine = Engine(Settings(buckets={"uploads": same, "renditions": same}), output_dir=tmp_path)
    key = f"{tmp_path.name}/stream.m3u8"
    clip_place = engine.buckets.at(str(clip))
    engine.buckets.get("uploads").stage_copy(clip_place, key, Digests.of(clip)).publish()
    topology = (EXAMPLES / "remux-hls.json").read_text().replace("{FileName}/", "{ObjectPrefix}")
    (tmp_path / "flow.json").write_text(topology)
    workflow = engine.load(tmp_path / "flow.json")
    source = engine.open_input(workflow, f"s3://uploads/{key}")
    record = engine.run(workflow, source, executor=InlineExecutor())
    assert record.activity("hls").code == Code.OBJECT_KEY
    assert engine.buckets.at(f"s3://uploads/{key}").digests() == Digests.of(clip)
    engine.close()


def test_doctor_looks_into_the_bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    buckets = {"good": server.settings("test-vod"), "bad": server.settings("not-there")}
    findings = {one.name: one for one in doctor.examine(Settings(buckets=buckets))}
    good, bad = findings["bucket good"], findings["bucket bad"]
    assert good.works and good.detail == f"test-vod at {server.url}"
    assert not bad.works and "not-there" in bad.detail and "[buckets.bad]" in bad.remedy


def test_each_segment_of_a_playlist_is_read_once(stores: Stores, clip: Path, tmp_path: Path):
    listed = segmented(tmp_path / "cut", clip)
    names = ["film.m3u8", *segments(listed)]
    stores.key = f"incoming/{stores.path.name}/film.m3u8"
    with stores.server.client() as client:
        for name in names:
            key, content = stores.key.replace("film.m3u8", name), listed.with_name(name)
            client.put_object(Bucket="test-vod", Key=key, Body=content.read_bytes())
    record = stores.run("remux-hls")
    assert set(states(record).values()) == {"Success"}, record.to_wire()
    whole = sum(listed.with_name(name).stat().st_size for name in names)
    assert stores.proxy.received < 1.5 * whole
    before = stores.proxy.received
    again = stores.run("remux-hls")
    assert again.activity("hls").reused
    assert stores.proxy.received - before < whole / 2  # the list, and what versions are there
