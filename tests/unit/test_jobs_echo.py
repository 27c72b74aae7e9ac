"""What answers repeat of a request: the forms that clients parse."""

import json
from typing import Any

from workflow_engine.jobs.echo import analysis_echo, output_echo, snapshot_echo


def test_numbers_and_booleans_come_back_as_strings():
    video = {"Codec": "H.264", "Bitrate": 1500, "Fps": 29.97, "Crf": "23"}
    asked = {"TemplateId": "T", "Video": video, "TransConfig": {"IsCheckReso": True}}
    assert output_echo(asked) == {
        "TemplateId": "T",
        "Video": {"Codec": "H.264", "Bitrate": "1500", "Fps": "29.97", "Crf": "23"},
        "TransConfig": {"IsCheckReso": "true"},
    }


def test_documents_in_strings_come_back_as_objects():
    volume = json.dumps({"Method": "auto", "Level": "-20"})
    asked = {"Audio": json.dumps({"Codec": "AAC", "Volume": volume})}
    echo = {"Audio": {"Codec": "AAC", "Volume": {"Method": "auto", "Level": "-20"}}}
    assert output_echo(json.dumps(asked)) == echo


def test_lists_have_the_names_of_answers():
    mark = {"WaterMarkTemplateId": "w", "Dx": 8, "InputFile": {"Bucket": "b", "Object": "l.png"}}
    asked: dict[str, Any] = {
        "WaterMarks": [mark],
        "Amix": json.dumps([{"AmixURL": "input"}]),
        "OpeningList": [{"OpenUrl": "oss://b/o.mp4"}],
        "TailSlateList": [{"TailUrl": "oss://b/t.mp4", "IsMergeAudio": "False"}],
        "MergeList": [{"MergeURL": "oss://b/m.mp4"}],
    }
    assert output_echo(asked) == {
        "WaterMarkList": [
            {
                "WaterMarkTemplateId": "w",
                "Dx": "8",
                "InputFile": {"Bucket": "b", "Object": "l.png"},
            }
        ],
        "AmixList": [{"AmixURL": "input"}],
        "OpeningList": [{"openUrl": "oss://b/o.mp4"}],
        "TailSlateList": [{"TailUrl": "oss://b/t.mp4", "IsMergeAudio": False}],
        "MergeList": [{"MergeURL": "oss://b/m.mp4"}],
    }


def test_what_clients_take_as_a_boolean_or_as_text():
    asked: dict[str, Any] = {
        "M3U8NonStandardSupport": {"TS": {"Md5Support": "true", "SizeSupport": False}},
        "DeWatermark": {"0": [{"l": 10, "t": 10, "w": 10, "h": 10}]},
    }
    assert output_echo(asked) == {
        "M3U8NonStandardSupport": {"TS": {"Md5Support": True, "SizeSupport": False}},
        "DeWatermark": '{"0": [{"l": 10, "t": 10, "w": 10, "h": 10}]}',
    }


def test_absent_and_unknown_keys_are_left_out():
    assert output_echo({"Container": None, "Rotate": "", "NoSuchKey": "1"}) == {}
    assert output_echo({"Container": "mp4"}) == {"Container": {}}
    assert output_echo("not JSON") == {}


def test_snapshot_config():
    file = {"Bucket": "out", "Location": "local", "Object": "s%2F{Count}.jpg"}
    asked: dict[str, Any] = {
        "OutputFile": json.dumps(file),
        "Time": 5,
        "Num": "3",
        "TileOut": {"Lines": 4, "IsKeepCellPic": "true"},
        "BlackLevel": "100",
    }
    assert snapshot_echo(asked) == {
        "OutputFile": file,
        "Time": "5",
        "Num": "3",
        "TileOut": {"Lines": "4", "IsKeepCellPic": "true"},
    }


def test_analysis_config():
    asked: dict[str, Any] = {
        "QualityControl": {"RateQuality": 22, "MethodStreaming": "local"},
        "PropertiesControl": {"Deinterlace": "None", "Crop": {}},
        "Ladder": {"MaxRungs": 3, "AllowedSizes": [720, "360"]},
    }
    assert analysis_echo(json.dumps(asked)) == {
        "QualityControl": {"RateQuality": "22", "MethodStreaming": "local"},
        "PropertiesControl": {"Deinterlace": "None", "Crop": {}},
        "Ladder": {"MaxRungs": "3", "AllowedSizes": ["720", "360"]},
    }
    assert analysis_echo(None) == {}
