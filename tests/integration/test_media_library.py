"""The media library on a real store: what people, AddMedia and runs make of it."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_mts20140618 import models as tea
from click.testing import Result
from typer.testing import CliRunner

from tests.support import media as clips
from workflow_engine.api.action import actions_of
from workflow_engine.api.actions import media as media_actions
from workflow_engine.api.actions import media_buckets as bucket_actions
from workflow_engine.buckets import LocalBucket
from workflow_engine.catalog import publish_states
from workflow_engine.catalog.media import media_id
from workflow_engine.cli import media as cli
from workflow_engine.engine import Engine
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.records import ExecutionRecord, ExecutionState, ObjectRef
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID, BucketType, PublishState
from workflow_engine.settings import load_settings
from workflow_engine.settings.models import BucketSettings

ACTIONS = {a.name: a for module in (media_actions, bucket_actions) for a in actions_of(module)}
UNKNOWN = "0" * 32
URL = "http://uploads.oss-cn-hangzhou.aliyuncs.com/vod/my%20clip.mp4"
REF = ObjectRef(bucket="uploads", object="vod/my clip.mp4", location="oss-cn-hangzhou")
EVERYTHING = dict.fromkeys(
    ("IncludePlayList", "IncludeSnapshotList", "IncludeMediaInfo", "IncludeSummaryList"), "true"
)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("uploads", "renditions"):
        (tmp_path / name).mkdir()
    config = tmp_path / "mediaflow.toml"
    config.write_text("".join(f'[buckets.{n}]\npath = "{n}"\n' for n in ("uploads", "renditions")))
    with closing(Engine(load_settings(config))) as opened:
        yield opened


@pytest.fixture
def upload(tmp_path: Path, engine: Engine, media_dir: Path) -> Path:
    """A small clip in the bucket."""
    target = tmp_path / "uploads" / "vod" / "my clip.mp4"
    target.parent.mkdir()
    target.write_bytes(clips.clip(media_dir, 2, "160x90").read_bytes())
    return target


def call(engine: Engine, name: str, **parameters: Any) -> Any:
    action = ACTIONS[name]
    return action.call(engine, action.request.model_validate(parameters))


def refusal(engine: Engine, name: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call(engine, name, **parameters)
    return caught.value.code, caught.value.pointer


def added(engine: Engine, **parameters: Any) -> dict[str, Any]:
    return call(engine, "AddMedia", **{"FileURL": URL, **parameters})["Media"]


def queried(engine: Engine, media: str, **parameters: Any) -> dict[str, Any]:
    (found,) = call(engine, "QueryMediaList", MediaIds=media, **parameters)["MediaList"]["Media"]
    return found


def topology(publish: str = "Manual", outputs: list[dict[str, Any]] | None = None) -> str:
    """A small workflow; without `outputs` it only takes pictures."""
    target = {"Bucket": "renditions", "Location": "local"}
    pictures = {"OutputFile": {**target, "Object": "{FileName}/{Count}.jpg"}, "Time": "0"}
    one = {"OutputFile": {**target, "Object": "{FileName}/cover.jpg"}, "Time": "0"}
    activities = {
        "start": {
            "PipelineId": DEFAULT_PIPELINE_ID,
            "InputFile": {"Bucket": "uploads", "Location": "local", "ObjectPrefix": "vod%2F"},
        },
        "cover": {"SnapshotConfig": json.dumps(one), "MediaCover": "true"},
        "strip": {"SnapshotConfig": {**pictures, "Interval": "1", "Num": "2"}},
        "report": {"PublishType": publish},
    }
    types = {"start": "Start", "cover": "Snapshot", "strip": "Snapshot", "report": "Report"}
    if outputs:
        activities["renditions"] = {"OutputBucket": "renditions", "Outputs": json.dumps(outputs)}
        types["renditions"] = "Transcode"
    middle = [name for name in activities if name not in ("start", "report")]
    return json.dumps(
        {
            "Activities": {n: {"Type": types[n], "Parameters": activities[n]} for n in types},
            "Dependencies": {
                "start": middle,
                **{name: ["report"] for name in middle},
                "report": [],
            },
        }
    )


def run_next(engine: Engine) -> ExecutionRecord:
    claim = engine.store.queue.claim_next(owner="test", lease_seconds=60)
    assert claim is not None
    return engine.runs.run_claimed(claim, executor=InlineExecutor())


class TestDetails:
    def test_what_is_added_is_found_by_id_and_by_url(self, engine: Engine) -> None:
        shape = added(
            engine,
            Title="t",
            Description="d",
            CoverURL="http://c.d/e.jpg?Signature=x",
            Tags="a, b,a",
            CateId="7",
        )
        assert shape["MediaId"] == media_id(REF)
        assert shape["File"] == {"URL": URL, "State": "Normal"}
        assert (shape["Title"], shape["Description"], shape["CateId"]) == ("t", "d", 7)
        assert (shape["CoverURL"], shape["Tags"]) == ("http://c.d/e.jpg", {"Tag": ["a", "b"]})
        assert (shape["PublishState"], shape["RunIdList"]) == ("Initiated", {"RunId": []})
        assert queried(engine, shape["MediaId"]) == shape
        other = "http://uploads.local.aliyuncs.com/other.mp4"
        answer = call(
            engine, "QueryMediaListByURL", FileURLs=f"{other},oss://uploads/vod/my clip.mp4"
        )
        assert answer["MediaList"]["Media"] == [shape]
        assert answer["NonExistFileURLs"] == {"FileURL": [other]}

    def test_unknown_ids_are_told(self, engine: Engine) -> None:
        shape = added(engine)
        answer = call(engine, "QueryMediaList", MediaIds=f"{UNKNOWN},{shape['MediaId']}")
        assert answer["MediaList"]["Media"] == [shape]
        assert answer["NonExistMediaIds"] == {"MediaId": [UNKNOWN]}
        assert "NonExistMediaIds" not in call(engine, "QueryMediaList", MediaIds=shape["MediaId"])

    def test_adding_again_keeps_what_is_not_given(self, engine: Engine) -> None:
        added(engine, Title="first", Tags="a", CateId="0")
        shape = added(engine, Title="second")
        assert (shape["Title"], shape["Tags"], shape["CateId"]) == ("second", {"Tag": ["a"]}, 0)

    def test_an_update_clears_what_is_not_given(self, engine: Engine) -> None:
        media = added(engine, Title="t", Description="d", Tags="a", CateId="1")["MediaId"]
        shape = call(engine, "UpdateMedia", MediaId=media, Title="new")["Media"]
        assert (shape["Title"], shape["Description"], shape["Tags"]) == ("new", "", {"Tag": []})
        assert "CateId" not in shape
        assert queried(engine, media) == shape

    def test_single_details(self, engine: Engine) -> None:
        media = added(engine, Title="t")["MediaId"]
        assert call(engine, "UpdateMediaCategory", MediaId=media, CateId="3") == {}
        call(engine, "UpdateMediaCover", MediaId=media, CoverURL="http://a.b/c.jpg?d")
        call(engine, "AddMediaTag", MediaId=media, Tag="one")
        call(engine, "AddMediaTag", MediaId=media, Tag="two")
        call(engine, "AddMediaTag", MediaId=media, Tag="one")
        shape = queried(engine, media)
        assert (shape["Title"], shape["CateId"]) == ("t", 3)
        assert (shape["CoverURL"], shape["Tags"]["Tag"]) == ("http://a.b/c.jpg", ["one", "two"])
        for _ in range(2):
            call(engine, "DeleteMediaTag", MediaId=media, Tag="one")
        assert queried(engine, media)["Tags"]["Tag"] == ["two"]

    def test_a_seventeenth_tag_is_refused(self, engine: Engine) -> None:
        media = added(engine, Tags=",".join(f"t{n}" for n in range(16)))["MediaId"]
        call(engine, "AddMediaTag", MediaId=media, Tag="t3")
        wanted = (Code.OUT_OF_RANGE, "/Tag")
        assert refusal(engine, "AddMediaTag", MediaId=media, Tag="t16") == wanted
        assert len(queried(engine, media)["Tags"]["Tag"]) == 16

    def test_tags_of_several_callers_are_all_kept(self, engine: Engine) -> None:
        media = added(engine)["MediaId"]
        threads = [
            threading.Thread(target=engine.media.add_tag, args=(media, f"tag {n}"))
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(queried(engine, media)["Tags"]["Tag"]) == 12

    @pytest.mark.parametrize(
        ("action", "parameters"),
        [
            ("UpdateMedia", {}),
            ("UpdateMediaCategory", {"CateId": "1"}),
            ("UpdateMediaCover", {"CoverURL": "http://a.b/c"}),
            ("AddMediaTag", {"Tag": "t"}),
            ("DeleteMediaTag", {"Tag": "t"}),
            ("UpdateMediaPublishState", {"Publish": "true"}),
        ],
    )
    def test_a_media_that_is_not_there(
        self, engine: Engine, action: str, parameters: dict[str, str]
    ) -> None:
        missing = refusal(engine, action, MediaId=UNKNOWN, **parameters)
        assert missing == (Code.RESOURCE_NOT_FOUND, "/MediaId")
        media = added(engine)["MediaId"]
        call(engine, "DeleteMedia", MediaIds=media)
        deleted = refusal(engine, action, MediaId=media, **parameters)
        assert deleted == (Code.RESOURCE_DELETED, "/MediaId")


class TestDeletion:
    def test_deleted_media_can_still_be_looked_at(self, engine: Engine) -> None:
        media = added(engine, Title="t")["MediaId"]
        call(engine, "DeleteMedia", MediaIds=media)
        call(engine, "DeleteMedia", MediaIds=media)
        shape = queried(engine, media)
        assert (shape["PublishState"], shape["File"]["State"]) == ("Deleted", "Deleted")
        assert engine.media.search(offset=0, limit=10) == ([], 0)

    def test_unknown_ids_delete_nothing(self, engine: Engine) -> None:
        media = added(engine)["MediaId"]
        told = refusal(engine, "DeleteMedia", MediaIds=f"{media},{UNKNOWN}")
        assert told == (Code.RESOURCE_NOT_FOUND, "/MediaIds")
        assert queried(engine, media)["File"]["State"] == "Normal"

    def test_a_deleted_media_that_is_added_again_is_new(self, engine: Engine) -> None:
        media = added(engine, Title="old", Tags="old")["MediaId"]
        publish_states.workflow_ended(engine.store, media, True)
        call(engine, "DeleteMedia", MediaIds=media)
        shape = added(engine, Description="new")
        assert (shape["MediaId"], shape["PublishState"]) == (media, "Initiated")
        assert (shape["Title"], shape["Tags"], shape["Description"]) == ("", {"Tag": []}, "new")


class TestPublishing:
    def test_the_first_run_decides_then_only_people(self, engine: Engine) -> None:
        media = added(engine)["MediaId"]
        told = refusal(engine, "UpdateMediaPublishState", MediaId=media, Publish="true")
        assert told == (Code.INVALID_STATE, "/Publish")
        publish_states.workflow_ended(engine.store, media, False)
        assert queried(engine, media)["PublishState"] == "UnPublish"
        publish_states.workflow_ended(engine.store, media, True)
        assert queried(engine, media)["PublishState"] == "UnPublish"
        for _ in range(2):
            call(engine, "UpdateMediaPublishState", MediaId=media, Publish="True")
            assert queried(engine, media)["PublishState"] == "Published"
        publish_states.workflow_ended(engine.store, media, False)
        assert queried(engine, media)["PublishState"] == "Published"
        call(engine, "UpdateMediaPublishState", MediaId=media, Publish="false")
        assert queried(engine, media)["PublishState"] == "UnPublish"

    def test_runs_change_nothing_about_what_is_deleted_or_unknown(self, engine: Engine) -> None:
        media = added(engine)["MediaId"]
        call(engine, "DeleteMedia", MediaIds=media)
        publish_states.workflow_ended(engine.store, media, True)
        publish_states.workflow_ended(engine.store, UNKNOWN, True)
        assert engine.media.get(media).publish_state is PublishState.INITIATED

    def test_the_outputs_follow(self, engine: Engine, upload: Path) -> None:
        record = engine.workflows.add("pictures", topology())
        media = added(engine, MediaWorkflowId=record.id)["MediaId"]
        run_next(engine)
        seen: list[tuple[str, list[str], bool]] = []

        def note(bucket: str, keys: Sequence[str], published: bool) -> None:
            seen.append((bucket, list(keys), published))

        publish_states.workflow_ended(engine.store, media, True, note)
        keys = {"my clip/cover.jpg", "my clip/00001.jpg", "my clip/00002.jpg"}
        ((bucket, found, published),) = seen  # all at once
        assert (bucket, published) == ("renditions", False)
        assert keys < set(found) and len(set(found)) == len(found)

    def test_a_failure_of_the_access_leaves_the_state(self, engine: Engine, upload: Path) -> None:
        record = engine.workflows.add("pictures", topology())
        media = added(engine, MediaWorkflowId=record.id)["MediaId"]
        run_next(engine)

        def broken(bucket: str, keys: Sequence[str], published: bool) -> None:
            raise InvalidInputError(Code.RESOURCE_ACCESS, "No.")

        with pytest.raises(InvalidInputError):
            publish_states.set_published(engine.store, media, True, broken)
        assert queried(engine, media)["PublishState"] == "UnPublish"

    def test_only_buckets_with_access_rules_are_asked(self, engine: Engine) -> None:
        class Guarded(LocalBucket):
            def set_access(self, keys: Sequence[str], published: bool) -> None:
                asked.append((keys, published))

        asked: list[tuple[Sequence[str], bool]] = []
        plain = engine.buckets.get
        engine.buckets.get = lambda name: (
            Guarded(name, Path("/x")) if name == "guarded" else plain(name)
        )
        assert publish_states.access_in(engine.buckets) is None
        engine.buckets._settings = {"guarded": BucketSettings(url="s3://x", acl=True)}
        access = publish_states.access_in(engine.buckets)
        assert access is not None
        for bucket in ("guarded", "renditions", "unknown"):
            access(bucket, ["k"], True)
        assert asked == [(["k"], True)]


class TestAddMedia:
    def test_an_active_workflow_runs(self, engine: Engine, upload: Path) -> None:
        workflow = engine.workflows.add("pictures", topology())
        shape = added(
            engine,
            Title="t",
            MediaWorkflowId=workflow.id,
            MediaWorkflowUserData="u",
            InputUnbind="true",
        )
        (run_id,) = shape["RunIdList"]["RunId"]
        record = engine.store.executions.get(run_id)
        assert record is not None
        assert (record.user_data, record.input, record.state) == ("u", REF, ExecutionState.QUEUED)
        assert (record.workflow_id, record.media_id) == (workflow.id, shape["MediaId"])
        assert shape["Title"] == queried(engine, shape["MediaId"])["Title"] == "t"
        again = added(engine, MediaWorkflowId=workflow.id)
        assert again["RunIdList"]["RunId"][1:] == [run_id]

    @pytest.mark.parametrize("end", ["deactivate", "delete"])
    def test_any_other_workflow_runs_nothing(self, engine: Engine, upload: Path, end: str) -> None:
        workflow = engine.workflows.add("pictures", topology())
        getattr(engine.workflows, end)(workflow.id)
        assert added(engine, MediaWorkflowId=workflow.id)["RunIdList"] == {"RunId": []}

    @pytest.mark.parametrize(
        ("parameters", "code", "pointer"),
        [
            ({"FileURL": "oss://uploads/vod/none.mp4"}, Code.RESOURCE_NOT_FOUND, "/FileURL"),
            ({"FileURL": "oss://nowhere/vod/a.mp4"}, Code.RESOURCE_NOT_FOUND, "/FileURL"),
            ({"FileURL": "http://example.org/a.mp4"}, Code.RESOURCE_NOT_SUPPORTED, "/FileURL"),
            ({"FileURL": "vod/a.mp4"}, Code.INVALID, "/FileURL"),
            ({"FileURL": "oss://uploads/" + "a" * 3200}, Code.OUT_OF_RANGE, "/FileURL"),
            ({"MediaWorkflowId": UNKNOWN}, Code.RESOURCE_NOT_FOUND, "/MediaWorkflowId"),
            ({"Title": "t" * 129}, Code.OUT_OF_RANGE, "/Title"),
            ({"Tags": "t" * 33}, Code.OUT_OF_RANGE, "/Tags"),
            ({"CoverURL": "ftp://a/b"}, Code.FORMAT, "/CoverURL"),
            ({"OverrideParams": "{"}, Code.JSON_FORMAT, ""),
            ({"OverrideParams": '{"nobody":{"InputConfig":{}}}'}, Code.INVALID, "/nobody"),
        ],
    )
    def test_a_refused_call_leaves_nothing(
        self, engine: Engine, upload: Path, parameters: dict[str, str], code: Code, pointer: str
    ) -> None:
        workflow = engine.workflows.add("pictures", topology())
        given = {"FileURL": URL, "MediaWorkflowId": workflow.id, **parameters}
        assert refusal(engine, "AddMedia", **given) == (code, pointer)
        assert engine.media.search(offset=0, limit=10) == ([], 0)
        assert engine.store.executions.newest() == []

    @pytest.mark.parametrize("url", ["oss://uploads/other/a.mp4", "oss://renditions/vod/a.mp4"])
    def test_a_file_that_the_workflow_is_not_bound_to(
        self, engine: Engine, tmp_path: Path, upload: Path, url: str
    ) -> None:
        target = tmp_path / url.removeprefix("oss://")
        target.parent.mkdir(parents=True)
        target.write_bytes(upload.read_bytes())
        workflow = engine.workflows.add("pictures", topology())
        given = {"FileURL": url, "MediaWorkflowId": workflow.id}
        told = refusal(engine, "AddMedia", **given, InputUnbind="true")
        assert told == (Code.INVALID, "/FileURL")
        assert engine.media.search(offset=0, limit=10) == ([], 0)
        assert len(added(engine, **given, InputUnbind="false")["RunIdList"]["RunId"]) == 1


class TestWhatRunsMade:
    @pytest.fixture
    def media(self, engine: Engine, upload: Path) -> dict[str, Any]:
        """A media after two runs, with everything that is to be told of it."""
        custom = {"OutputObject": "{FileName}/play", "TemplateId": "S00000001-200010"}
        hls = {"OutputObject": "{FileName}/hls", "TemplateId": "S00000001-100010"}
        workflow = engine.workflows.add("ladder", topology("Auto", [hls, custom]))
        for _ in range(2):
            shape = added(engine, MediaWorkflowId=workflow.id)
            run_next(engine)
        return queried(engine, shape["MediaId"], **EVERYTHING)

    def test_the_basics(self, media: dict[str, Any], upload: Path) -> None:
        assert len(media["RunIdList"]["RunId"]) == 2
        assert (media["PublishState"], media["Format"]) == ("Published", "mov")
        assert (media["Width"], media["Height"], media["Fps"]) == ("160", "90", "25.0")
        assert media["Size"] == str(upload.stat().st_size)
        assert float(media["Duration"]) == pytest.approx(2, abs=0.1)
        assert media["CoverURL"] == "http://renditions.local.aliyuncs.com/my%20clip/cover.jpg"

    def test_media_info(self, media: dict[str, Any]) -> None:
        info = media["MediaInfo"]
        assert sorted(info) == ["Format", "Streams"]
        (video,) = info["Streams"]["VideoStreamList"]["VideoStream"]
        assert (video["CodecName"], video["Width"]) == ("h264", "160")

    def test_plays(self, media: dict[str, Any], tmp_path: Path) -> None:
        mp4, hls = media["PlayList"]["Play"]
        file = tmp_path / "renditions/my clip/play.mp4"
        assert mp4["File"]["URL"].endswith("/my%20clip/play.mp4")
        assert (mp4["Format"], mp4["Size"]) == ("mp4", str(file.stat().st_size))
        assert hls["File"]["URL"].endswith("/my%20clip/hls.m3u8")
        segments = (tmp_path / "renditions/my clip").glob("hls-*.ts")
        total = sum(segment.stat().st_size for segment in segments)
        assert (hls["Format"], hls["Size"]) == ("m3u8", str(total))
        for play in (mp4, hls):
            assert (play["MediaWorkflowName"], play["ActivityName"]) == ("ladder", "renditions")
            assert float(play["Bitrate"]) > 0 and int(play["Height"]) > 0
        assert media["SummaryList"] == {"Summary": []}

    def test_snapshots(self, media: dict[str, Any]) -> None:
        by_activity = {one["ActivityName"]: one for one in media["SnapshotList"]["Snapshot"]}
        assert len(media["SnapshotList"]["Snapshot"]) == 2
        assert by_activity["cover"]["Type"] == "Single" and "Count" not in by_activity["cover"]
        strip = by_activity["strip"]
        assert (strip["Type"], strip["Count"]) == ("Sequence", "2")
        assert strip["File"]["URL"].endswith("/00001.jpg")

    def test_the_official_client_takes_all_of_it(self, media: dict[str, Any]) -> None:
        answer = {"MediaList": {"Media": [media]}, "RequestId": "r"}
        for model in (tea.QueryMediaListResponseBody, tea.QueryMediaListByURLResponseBody):
            assert_kept(model().from_map(answer).to_map(), answer)


def assert_kept(kept: Any, given: Any) -> None:
    """Everything that a client knows is what the server sent; it may know less."""
    if isinstance(given, dict):
        assert set(kept) <= set(given)
        assert kept or not given
        for key, value in kept.items():
            assert_kept(value, given[key])
    elif isinstance(given, list):
        assert len(kept) == len(given)
        for one, other in zip(kept, given, strict=True):
            assert_kept(one, other)
    else:
        assert kept == given


class TestCommandLine:
    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.app, arguments, catch_exceptions=False)

    def test_what_is_added_is_listed_and_shown(self, engine: Engine, upload: Path) -> None:
        workflow = engine.workflows.add("pictures", topology())
        options = ("--title", "t", "--tag", "a", "--tag", "b", "--workflow", "pictures")
        shape = json.loads(self.run("add", URL, *options, "--json").stdout)
        assert (shape["Title"], shape["Tags"], shape["File"]["URL"]) == ("t", ["a", "b"], URL)
        assert json.loads(self.run("list", "--json").stdout) == [shape]
        assert self.run("list").stdout.startswith(shape["MediaId"])
        run_next(engine)
        shown = json.loads(self.run("show", URL, "--json").stdout)
        assert [one["ActivityName"] for one in shown["SnapshotList"]] == ["cover", "strip"]
        assert shown["SnapshotList"][0]["MediaWorkflowId"] == workflow.id
        assert shown["MediaInfo"]["Streams"]["VideoStreamList"][0]["Width"] == "160"
        text = self.run("show", shape["MediaId"]).stdout
        assert "UnPublish" in text and "/my%20clip/00001.jpg  (2 pictures; strip)" in text

    def test_a_workflow_that_does_not_run_is_told(self, engine: Engine, upload: Path) -> None:
        engine.workflows.deactivate(engine.workflows.add("pictures", topology()).id)
        ended = self.run("add", URL, "--workflow", "pictures")
        assert ended.stdout == f"media {media_id(REF)}\n"
        assert 'the workflow "pictures" is Inactive' in ended.stderr

    def test_an_empty_library(self, engine: Engine) -> None:
        assert self.run("list").stdout == "no media yet\n"
        with pytest.raises(InvalidInputError, match=UNKNOWN):
            self.run("show", UNKNOWN)


class TestBuckets:
    def test_bound_buckets_are_listed_in_pages(self, engine: Engine) -> None:
        call(engine, "BindOutputBucket", Bucket="renditions")
        for referer in ("http://old", "http://new"):
            bind = {"Bucket": "uploads", "RoleArn": "role", "Referer": referer}
            assert call(engine, "BindInputBucket", **bind) == {}
        output = {"Bucket": "renditions", "Type": "Output"}
        uploads = {"Bucket": "uploads", "Type": "Input", "Referer": "http://new"}
        whole = call(engine, "ListAllMediaBucket")
        assert whole == {"MediaBucketList": {"MediaBucket": [output, uploads]}}
        first = call(engine, "ListAllMediaBucket", MaximumPageSize="1")
        assert first["MediaBucketList"]["MediaBucket"] == [output]
        token = first["NextPageToken"]
        rest = call(engine, "ListAllMediaBucket", MaximumPageSize="1", NextPageToken=token)
        assert rest == {"MediaBucketList": {"MediaBucket": [uploads]}}
        assert ACTIONS["ListAllMediaBucket"].rate == 10

    def test_a_bucket_is_not_both(self, engine: Engine) -> None:
        call(engine, "BindInputBucket", Bucket="uploads")
        told = (Code.INVALID_STATE, "/Bucket")
        assert refusal(engine, "BindOutputBucket", Bucket="uploads") == told
        call(engine, "UnbindInputBucket", Bucket="uploads")
        call(engine, "BindOutputBucket", Bucket="uploads")

    def test_what_is_not_bound_cannot_be_unbound(self, engine: Engine) -> None:
        call(engine, "BindInputBucket", Bucket="uploads")
        told = (Code.RESOURCE_NOT_FOUND, "/Bucket")
        assert refusal(engine, "UnbindOutputBucket", Bucket="uploads") == told
        assert refusal(engine, "UnbindInputBucket", Bucket="other") == told

    @pytest.mark.parametrize(
        "name", ["ab", "a" * 64, "Upper", "-ab", "ab-", "a.b", "a b", "_ab", "ab\n", "bücket"]
    )
    def test_names(self, engine: Engine, name: str) -> None:
        for action in ("BindInputBucket", "BindOutputBucket"):
            assert refusal(engine, action, Bucket=name) == (Code.BUCKET_NAME, "/Bucket")

    def test_no_more_than_a_hundred(self, engine: Engine) -> None:
        for number in range(100):
            engine.media_buckets.bind(
                f"bucket-{number}", BucketType(("Input", "Output")[number % 2])
            )
        told = refusal(engine, "BindInputBucket", Bucket="one-more")
        assert told == (Code.QUOTA_EXCEEDED, "/Bucket")
        call(engine, "BindInputBucket", Bucket="bucket-0", Referer="http://still")
        call(engine, "UnbindOutputBucket", Bucket="bucket-1")
        call(engine, "BindInputBucket", Bucket="one-more")
