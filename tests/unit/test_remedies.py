"""What the problems of a topology tell its writer to do."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.topologies import minimal, report, start, text, transcode
from workflow_engine.activity import load_registry
from workflow_engine.errors import Problem, TopologyError
from workflow_engine.planning.graph import load
from workflow_engine.topology.units import plain_number, seconds_of


def problems(value: Any) -> Sequence[Problem]:
    with pytest.raises(TopologyError) as caught:
        load(text(value), load_registry(), "f.json")
    return caught.value.problems


def problem(value: Any, ending: str) -> Problem:
    """The only problem of a topology whose pointer ends so."""
    (found,) = [one for one in problems(value) if one.pointer.endswith(ending)]
    return found


def of_output(**changes: Any) -> dict[str, Any]:
    """A topology whose only output has other parameters; None leaves one out."""
    value = minimal()
    (output,) = value["Activities"]["sd"]["Parameters"]["Outputs"]
    output |= changes
    for name in [name for name, given in changes.items() if given is None]:
        del output[name]
    return value


@pytest.mark.parametrize("encoded", [False, True])
def test_a_misspelt_key_is_told_with_the_one_that_is_missing_for_it(encoded: bool):
    value = of_output(TemplateId=None, TemplateID="S00000001-200020", Vidio={"Bitrate": 800})
    parameters = value["Activities"]["sd"]["Parameters"]
    if encoded:
        parameters["Outputs"] = json.dumps(parameters["Outputs"])
    found = {one.pointer.rpartition("/")[2]: one for one in problems(value)}
    assert found["TemplateId"].code == "InvalidParameter.NullValue"
    assert found["TemplateID"].remedy == 'Did you mean "TemplateId"?'
    assert found["Vidio"].remedy == 'Did you mean "Video"?'


def test_misspelt_keys_of_the_envelope():
    found = {one.pointer: one for one in problems({"activities": {}, "Dependency": {}})}
    assert set(found) == {"/Activities", "/Dependencies", "/activities", "/Dependency"}
    assert found["/activities"].remedy == 'Did you mean "Activities"?'
    activities = {"start": {"type": "Start", "Parameter": {}}}
    activity = {"Activities": activities, "Dependencies": {}}
    assert problem(activity, "/start/type").remedy == 'Did you mean "Type"?'


def graph_of(edges: Mapping[str, Any]) -> dict[str, Any]:
    activities = {"start": start(), "a": transcode("a"), "b": transcode("b"), "end": report()}
    return {"Activities": activities, "Dependencies": edges}


def test_dependencies_that_all_point_backwards_get_one_sentence():
    edges = {"end": ["a", "b"], "a": ["start"], "b": ["start"], "start": []}
    (only,) = problems(graph_of(edges))
    assert "lists the successors" in only.message and only.pointer == "/Dependencies/a/0"
    written = json.loads(only.remedy.removeprefix("Write ").removesuffix("."))
    assert written == {"start": ["a", "b"], "a": ["end"], "b": ["end"], "end": []}
    load(text(graph_of(written)), load_registry())  # what it says is right


def test_one_edge_that_points_backwards():
    found = problem(graph_of({"start": ["b"], "a": ["start"], "b": ["end"]}), "/Dependencies/a/0")
    assert 'write "start": ["a"]' in found.remedy
    last = problem(graph_of({"start": ["a", "b"], "end": ["a"]}), "/Dependencies/end/0")
    assert 'write "a": ["end"]' in last.remedy


def test_a_successor_that_stands_without_a_list():
    (only,) = problems(graph_of({"start": ["a", "b"], "a": "end", "b": ["end"]}))
    assert (only.pointer, only.remedy) == ("/Dependencies/a", 'Write ["end"].')


@pytest.mark.parametrize(
    ("section", "key", "given", "remedy"),
    [
        ("Video", "Bitrate", "800k", "The unit here is kbit/s; write 800."),
        ("Video", "Maxrate", "1.5M", "The unit here is kbit/s; write 1500."),
        ("Video", "Fps", "25fps", "The unit here is frames per second; write 25."),
        ("Video", "Width", "1280 px", "The unit here is pixels; write 1280."),
        ("Audio", "Samplerate", "44.1kHz", "The unit here is Hz; write 44100."),
        # what is meant is not sure, or does not fit: the number alone
        (
            "Video",
            "Bitrate",
            "5s",
            "The unit here is kbit/s; write the number alone, in [10, 50000].",
        ),
        ("Video", "Crf", "23%", "Numbers have no unit here; write the number alone, in [0, 51]."),
        # a rate in the wrong unit, without any
        (
            "Video",
            "Bitrate",
            800_000,
            "Use a number in [10, 50000] kbit/s. 800000 bit/s are 800.",
        ),
    ],
)
def test_a_number_with_a_unit(section: str, key: str, given: object, remedy: str):
    assert problem(of_output(**{section: {key: given}}), f"/{key}").remedy == remedy


def test_a_time_with_units():
    value = of_output(Clip={"TimeSpan": {"Seek": "5s", "Duration": "1m30s"}})
    assert problem(value, "/Seek").remedy.endswith(": 5.")
    assert problem(value, "/Duration").remedy.endswith(": 90.")


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("2 Mbit/s", "kbit/s", 2000),
        ("128 kbps", "bit/s", 128_000),
        ("2M", "kbit", 2000),
        ("1,5M", "kbit/s", 1500),
        ("250ms", "seconds", 0.25),
        ("2 min", "seconds", 120),
        ("-14 LUFS", "LUFS", -14),
        ("800 kB/s", "kbit/s", None),  # bytes
        ("200M", "pixels", None),
        ("44.1kHz", "kbit/s", None),
    ],
)
def test_quantities(text: str, unit: str, number: float | None):
    assert plain_number(text, unit) == number


def test_durations():
    assert [seconds_of(one) for one in ("1h", "1h 2m", "90 s", "2.5s", "", "5", "5 apples")] == [
        *(3600, 3720, 90, 2.5),
        *(None, None, None),
    ]


@pytest.mark.parametrize(
    ("given", "meant", "name"),
    [
        # a size that the family does not have
        ("S00000001-200035", "S00000001-200030", "MP4-HD"),
        ("S00000000-200060", "S00000000-200050", "MP4-FHD"),
        ("S00000002-100071", "S00000002-100070", "M3U8-4K-NarrowBandHDV1"),
        # a family that there is not: the same container and size
        ("S00000009-200020", "S00000001-200020", "MP4-SD"),
        ("S00000002-300010", "S00000001-300010", "MP3-64"),
        # a digit too few
        ("S00000001-20030", "S00000001-200030", "MP4-HD"),
        # by name
        ("mp4-hd", "S00000001-200030", "MP4-HD"),
        ("hls_1080p", "S00000001-100040", "M3U8-FHD"),
        ("mp3-128k", "S00000001-300020", "MP3-128"),
    ],
)
def test_a_template_of_the_same_family(given: str, meant: str, name: str):
    found = problem(of_output(TemplateId=given), "/TemplateId")
    assert found.remedy == f'Did you mean "{meant}" ({name})?'


def test_a_template_named_by_its_codec():
    found = problem(of_output(TemplateId="h265-fhd"), "/TemplateId")
    assert found.remedy == (
        'Did you mean "S00000001-200040" (MP4-FHD) with {"Codec": "H.265"} as its Video?'
    )


def test_a_template_that_is_like_none():
    found = problem(of_output(TemplateId="my own"), "/TemplateId")
    assert "mediaflow template list --presets" in found.remedy
