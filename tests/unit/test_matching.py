"""Which objects start which workflows, and which outputs land among them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.topologies import report, snapshot, start, text, topology, transcode
from workflow_engine.activity import load_registry
from workflow_engine.catalog.records import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.errors import Severity
from workflow_engine.graph import Graph, load
from workflow_engine.matching import TRIGGER_EXTENSIONS, is_candidate, matches, starts_a_run
from workflow_engine.overlap import may_begin, overlap_warnings


def workflow(prefix: str = "", **changes: object) -> WorkflowRecord:
    fields = {"id": "9" * 32, "name": "other", "topology": "{}", "bucket": "uploads"}
    created = datetime(2024, 2, 29, tzinfo=UTC)
    return WorkflowRecord(created=created, prefix=prefix, **(fields | changes))


class TestPrefix:
    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("A/B/C/", True),
            ("A/B/", True),
            ("A/", True),
            ("", True),
            ("A/B/C/test.flv", False),
            ("A/B/C/test", True),
            ("A/B/C/test1.flv", True),
            ("A/B/CC/", False),
            ("A/B2/", False),
            ("A2/B/C/", False),
            ("/A/", False),
            ("a/", False),
            ("A/B/C/test1.flv/", False),
        ],
    )
    def test_it_is_compared_as_it_is(self, prefix: str, expected: bool):
        assert matches(workflow(prefix), "A/B/C/test1.flv") is expected

    def test_letters_that_only_look_alike_differ(self):
        assert not matches(workflow("caf\u00e9/"), "cafe\u0301/clip.mp4")
        assert matches(workflow("🎬/"), "🎬/clip.mp4")


class TestExtension:
    def test_those_of_the_specification(self):
        assert len(TRIGGER_EXTENSIONS) == 29 + 13
        assert {"ts", "swf", "m3u8", "gif"} <= TRIGGER_EXTENSIONS
        assert not {"mxf", "jpg", "json", "txt", "srt", "mpd", ""} & TRIGGER_EXTENSIONS

    @pytest.mark.parametrize(
        "key", ["a.mp4", "a.MP4", "a.Mp4", "a.jpg.mp4", "x.y/a.wav", "a", "x.y/a"]
    )
    def test_names_that_start_a_run(self, key: str):
        assert starts_a_run(key)

    @pytest.mark.parametrize("key", ["a.jpg", "a.mp4.jpg", "a.", "a.mxf", "mp4/a.txt", "a. mp4"])
    def test_names_that_start_none(self, key: str):
        assert not starts_a_run(key)


class TestCandidates:
    @pytest.mark.parametrize(
        "key", ["", "a/", ".a.mp4", "a/.b/c.mp4", "a.part", "a.part/b.mp4", "a//b.mp4", "/a.mp4"]
    )
    def test_what_is_not_finished_or_no_object(self, key: str):
        assert not is_candidate(key)

    @pytest.mark.parametrize("key", ["a", "a.mp4", "a/b.mp4", "a.part.mp4", "a.b/c", "part"])
    def test_objects(self, key: str):
        assert is_candidate(key)


def graph(prefix: str = "incoming/", **outputs: str) -> Graph:
    """A workflow on uploads/PREFIX that writes to the same bucket, an activity per output."""
    bound = {"Bucket": "uploads", "Location": "local", "ObjectPrefix": prefix}
    activities = {"start": start(InputFile=bound)}
    for name, template in outputs.items():
        if name.startswith("pictures"):
            activities[name] = snapshot(template)
            activities[name]["Parameters"]["SnapshotConfig"]["OutputFile"]["Bucket"] = "uploads"
        else:
            activities[name] = transcode(template)
            activities[name]["Parameters"]["OutputBucket"] = "uploads"
    value = topology(activities | {"report": report()})
    return load(text(value), load_registry(), "flow.json")


class TestOverlap:
    def test_an_output_below_the_own_prefix(self):
        (warning,) = overlap_warnings(graph(sd="{ObjectPrefix}{FileName}-sd"), [])
        assert warning.severity is Severity.WARNING
        assert 'outputs of "sd"' in warning.message
        assert '"incoming/"' in warning.message
        assert "this workflow" in warning.message
        assert warning.pointer == "/Activities/sd/Parameters"
        assert (warning.file, warning.line > 1) == ("flow.json", True)

    def test_outputs_elsewhere(self):
        assert not list(overlap_warnings(graph(sd="renditions/{FileName}"), []))
        other_bucket = topology({"start": start(), "sd": transcode(), "report": report()})
        assert not list(overlap_warnings(load(json.dumps(other_bucket), load_registry()), []))

    def test_below_the_prefix_of_another_workflow(self):
        flow = graph(sd="renditions/{FileName}", hd="renditions/hd/{FileName}")
        (warning,) = overlap_warnings(flow, [workflow("renditions/hd/")])
        assert 'outputs of "hd"' in warning.message
        assert 'the workflow "other"' in warning.message
        both = list(overlap_warnings(flow, [workflow("renditions/"), workflow("elsewhere/")]))
        assert len(both) == 2

    def test_only_workflows_that_files_start(self):
        flow = graph(sd="renditions/{FileName}")
        for changes in (
            {"state": WorkflowState.INACTIVE},
            {"state": WorkflowState.DELETED},
            {"trigger_mode": TriggerMode.NOT_IN_AUTO},
            {"bucket": "others"},
        ):
            assert not list(overlap_warnings(flow, [workflow("", **changes)]))
        own = graph(sd="{ObjectPrefix}{FileName}")
        assert not list(overlap_warnings(own, [], triggered=False))

    def test_pictures_start_nothing(self):
        assert not list(overlap_warnings(graph(pictures="{ObjectPrefix}{FileName}.jpg"), []))
        assert list(overlap_warnings(graph(pictures="{ObjectPrefix}{FileName}"), []))
        # a rendition is called `.jpg.mp4`
        assert list(overlap_warnings(graph(sd="{ObjectPrefix}{FileName}.jpg"), []))

    @pytest.mark.parametrize(
        ("template", "own", "wanted", "expected"),
        [
            ("{FileName}", "", "", True),
            ("out/{FileName}", "in/", "out/", True),
            ("out/{FileName}", "in/", "out/cl", True),
            ("out/{FileName}", "in/", "out/sub/", False),
            ("{FileName}/x", "in/", "in/", False),
            ("{ObjectPrefix}x/{FileName}", "in/", "in/", True),
            ("{ObjectPrefix}/{FileName}", "in/", "in/", True),
            ("{ObjectPrefix}{FileName}", "in/clip", "in/", True),
            ("{ObjectPrefix}{FileName}", "in/clip", "in/clip", True),
            ("{ObjectPrefix}{FileName}", "in/clip", "in/other/", False),
            ("{ObjectPrefix}out/{FileName}", "in/clip", "in/out/", True),
            ("{ObjectPrefix}{FileName}", "in/", "other/", False),
            ("out/{ObjectPrefix}{FileName}", "in/", "out/in/", True),
            ("out/{ObjectPrefix}{FileName}", "in/", "in/", False),
            ("out/{RunId}/{FileName}", "in/", "out/", True),
            ("in", "in/", "in/", False),
        ],
    )
    def test_what_a_template_may_begin_with(
        self, template: str, own: str, wanted: str, expected: bool
    ):
        assert may_begin(template, own, wanted) is expected

    @given(st.text(alphabet="ab/", max_size=6), st.text(alphabet="ab/", max_size=6))
    def test_without_placeholders_it_is_a_plain_prefix(self, template: str, wanted: str):
        assert may_begin(template, "x/", wanted) is template.startswith(wanted)
