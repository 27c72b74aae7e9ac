"""Media as answers have them: from the records of the library and from what runs made."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from workflow_engine.api.media_shapes import (
    media_info,
    media_shape,
    play_list,
    snapshot_list,
    summary_list,
)
from workflow_engine.api.shapes import flattened, nested_properties
from workflow_engine.records import ObjectRef
from workflow_engine.records.catalog import MediaRecord, PublishState
from workflow_engine.store import Published, PublishedOutput

MOMENT = datetime(2024, 2, 29, 12, 0, 0, 500, tzinfo=UTC)
PROPERTIES = {
    "Width": "640",
    "Height": "360",
    "Duration": "4.000000",
    "Fps": "25.0",
    "Bitrate": "1630.040",
    "FileFormat": "QuickTime / MOV",
    "FileSize": "815020",
    "Format": {"FormatName": "mov", "NumStreams": "2"},
    "Streams": {
        "VideoStreamList": [{"Index": "0", "CodecName": "h264"}],
        "AudioStreamList": [{"Index": "1", "CodecName": "aac"}, {"Index": "2"}],
        "SubtitleStreamList": [],
    },
}
NESTED_STREAMS = {
    "VideoStreamList": {"VideoStream": [{"Index": "0", "CodecName": "h264"}]},
    "AudioStreamList": {"AudioStream": [{"Index": "1", "CodecName": "aac"}, {"Index": "2"}]},
    "SubtitleStreamList": {"SubtitleStream": []},
}


def media(**changes: Any) -> MediaRecord:
    values = {"id": "1" * 32, "file": ObjectRef(bucket="vod", object="a b.mp4"), "created": MOMENT}
    return MediaRecord(**(values | changes))


def output(key: str, media: dict[str, Any] | None = None) -> PublishedOutput:
    return PublishedOutput(ObjectRef(bucket="out", object=key, location="local"), media or {})


def made(activity: str, kind: str, data: dict[str, Any], *outputs: PublishedOutput) -> Published:
    return Published("f" * 32, "ladder", "{}", activity, kind, data, outputs)


def transcode(name: str, *results: tuple[str, int], **outputs: dict[str, Any]) -> Published:
    told = [
        {"Container": container, "Segments": segments, "Size": 1000, "Bitrate": 1.5}
        for container, segments in results
    ]
    files = [output(key.replace("_", "."), found) for key, found in outputs.items()]
    return made(name, "Transcode", {"Outputs": told}, *files)


def snapshot(name: str, config: Any, *keys: str) -> Published:
    """Pictures of an activity with a SnapshotConfig."""
    node = {"Type": "Snapshot", "Parameters": {"SnapshotConfig": config}}
    topology = json.dumps({"Activities": {name: node}, "Dependencies": {}})
    data = {"Count": len(keys), "Times": [0] * len(keys)}
    return made(name, "Snapshot", data, *map(output, keys))._replace(topology=topology)


class TestLists:
    def test_every_list_of_properties_holds_an_array(self) -> None:
        nested = nested_properties(PROPERTIES)
        assert nested == {**PROPERTIES, "Streams": NESTED_STREAMS}

    def test_the_flat_form_has_plain_arrays(self) -> None:
        assert flattened(nested_properties(PROPERTIES)) == PROPERTIES
        answer = {"MediaList": {"Media": [{"Tags": {"Tag": ["a"]}, "File": {"URL": "u"}}]}, "N": 1}
        assert flattened(answer) == {"MediaList": [{"Tags": ["a"], "File": {"URL": "u"}}], "N": 1}


class TestMedia:
    def test_before_any_run(self) -> None:
        assert media_shape(media(), []) == {
            "MediaId": "1" * 32,
            "File": {"URL": "http://vod.local.aliyuncs.com/a%20b.mp4", "State": "Normal"},
            "Title": "",
            "Description": "",
            "Tags": {"Tag": []},
            "CoverURL": "",
            "PublishState": "Initiated",
            "CensorState": "Initiated",
            "RunIdList": {"RunId": []},
            "CreationTime": "2024-02-29T12:00:00Z",
        }

    def test_with_all_that_is_known(self) -> None:
        record = media(
            title="t",
            description="d",
            category_id=0,
            tags=("a", "b"),
            cover_url="http://c/d.jpg",
            publish_state=PublishState.PUBLISHED,
            properties=PROPERTIES,
        )
        shape = media_shape(record, ["2" * 32])
        assert (
            shape.items()
            >= {
                "Title": "t",
                "Description": "d",
                "CateId": 0,
                "Tags": {"Tag": ["a", "b"]},
                "CoverURL": "http://c/d.jpg",
                "PublishState": "Published",
                "RunIdList": {"RunId": ["2" * 32]},
                "Duration": "4.000000",
                "Format": "mov",
                "Size": "815020",
                "Bitrate": "1630.040",
                "Fps": "25.0",
                "Width": "640",
                "Height": "360",
            }.items()
        )

    def test_deleted(self) -> None:
        shape = media_shape(media(deleted=True, publish_state=PublishState.PUBLISHED), [])
        assert (shape["PublishState"], shape["File"]["State"]) == ("Deleted", "Deleted")

    def test_media_info_is_format_and_streams(self) -> None:
        assert media_info(PROPERTIES) == {
            "Format": PROPERTIES["Format"],
            "Streams": NESTED_STREAMS,
        }


class TestPlayList:
    def test_each_output_that_is_media_is_a_play(self) -> None:
        rendition = transcode(
            "hd", ("m3u8", 2), ("mp4", 0), a_mp4=PROPERTIES, s_ts={}, b_m3u8={"Fps": "25.0"}
        )
        first, second = play_list([rendition])
        assert first == {
            "MediaWorkflowId": "f" * 32,
            "MediaWorkflowName": "ladder",
            "ActivityName": "hd",
            "File": {"URL": "http://out.local.aliyuncs.com/a.mp4", "State": "Normal"},
            "Duration": "4.000000",
            "Format": "mp4",
            "Size": "1000",
            "Bitrate": "1.500",
            "Fps": "25.0",
            "Width": "640",
            "Height": "360",
            "Encryption": "0",
        }
        assert second["File"]["URL"].endswith("/b.m3u8")
        assert (second["Format"], second["Size"]) == ("m3u8", "1000")

    def test_an_object_of_several_runs_is_listed_as_the_newest_left_it(self) -> None:
        newer = transcode("hd", ("mp4", 0), a_mp4={"Width": "2"})
        older = transcode("hd", ("mp4", 0), a_mp4={"Width": "1"})
        other = transcode("hd", ("mp4", 0), b_mp4={"Width": "0"})
        assert [play.get("Width") for play in play_list([newer, older, other])] == ["2", "0"]

    def test_the_same_object_of_two_workflows_is_two_plays(self) -> None:
        mine = transcode("hd", ("mp4", 0), a_mp4={"Width": "1"})
        other = mine._replace(workflow_id="e" * 32, workflow="other")
        names = [play["MediaWorkflowName"] for play in play_list([mine, other])]
        assert names == ["ladder", "other"]

    def test_moving_pictures_are_summaries(self) -> None:
        pictures = transcode(
            "gif",
            ("gif", 0),
            ("webp", 0),
            ("mp4", 0),
            a_gif=PROPERTIES,
            b_webp=PROPERTIES,
            c_mp4=PROPERTIES,
        )
        assert [play["File"]["URL"][-5:] for play in play_list([pictures])] == ["c.mp4"]
        summaries = summary_list([pictures])
        assert [summary["Type"] for summary in summaries] == ["Gif", "Gif"]
        assert summaries[0]["File"]["URL"] == "http://out.local.aliyuncs.com/a.gif"

    def test_nothing_of_activities_that_made_nothing(self) -> None:
        found = [
            made("hd", "Transcode", {}),
            made("cover", "Snapshot", {}),
            made("r", "Report", {}, output("r.json")),
        ]
        assert play_list(found) == summary_list(found) == snapshot_list(found) == []


class TestSnapshotList:
    @pytest.mark.parametrize(
        ("config", "kind"),
        [
            ({"Time": "0"}, "Single"),
            ({"Time": "0", "Num": "1", "Interval": "5"}, "Single"),
            ({"Time": "0", "Num": 1}, "Single"),
            ({"Time": "0", "Num": "", "Interval": None}, "Single"),
            ({"Time": "0", "Num": "2"}, "Sequence"),
            ({"Time": "0", "Interval": "10"}, "Sequence"),
            ({"Time": "0", "Interval": 0, "Num": 3}, "Sequence"),
        ],
    )
    @pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
    def test_single_or_sequence(self, config: dict[str, Any], kind: str, encode: Any) -> None:
        (shape,) = snapshot_list([snapshot("cover", encode(config), "1.jpg")])
        assert shape["Type"] == kind
        assert shape.get("Count") == ("1" if kind == "Sequence" else None)

    def test_a_sequence_is_shown_by_its_first_picture(self) -> None:
        pictures = snapshot("strip", {"Time": "0", "Num": "5"}, "1.jpg", "2.jpg", "3.jpg")
        (shape,) = snapshot_list([pictures])
        assert shape == {
            "MediaWorkflowId": "f" * 32,
            "MediaWorkflowName": "ladder",
            "ActivityName": "strip",
            "Type": "Sequence",
            "Count": "3",
            "File": {"URL": "http://out.local.aliyuncs.com/1.jpg", "State": "Normal"},
        }

    def test_pictures_of_several_runs_in_one_place_are_listed_once(self) -> None:
        newer = snapshot("strip", {"Time": "0", "Num": "2"}, "1.jpg", "2.jpg")
        older = snapshot("strip", {"Time": "0", "Num": "2"}, "1.jpg")
        assert [shape.get("Count") for shape in snapshot_list([newer, older])] == ["2"]
