"""Which objects start which workflows, and which outputs land among them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.topologies import report, snapshot, start, text, topology, transcode
from workflow_engine.activity import load_registry, no_templates
from workflow_engine.catalog.matching import (
    Rule,
    nearest,
    verdict,
    why_nothing_starts,
)
from workflow_engine.catalog.overlap import (
    clash_warnings,
    may_begin,
    may_share_inputs,
    overlap_warnings,
)
from workflow_engine.errors import Severity
from workflow_engine.planning.graph import Graph, load
from workflow_engine.records.catalog import TriggerMode, WorkflowRecord, WorkflowState
from workflow_engine.topology.object_names import (
    TRIGGER_EXTENSIONS,
    is_candidate,
    name_fault,
    starts_a_run,
)


def workflow(prefix: str = "", **changes: object) -> WorkflowRecord:
    fields = {"id": "9" * 32, "name": "other", "topology": "{}", "bucket": "uploads"}
    created = datetime(2024, 2, 29, tzinfo=UTC)
    return WorkflowRecord(created=created, prefix=prefix, **(fields | changes))


def starts(workflow: WorkflowRecord, key: str) -> bool:
    return verdict(workflow, "uploads", key).starts


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
        assert starts(workflow(prefix), "A/B/C/test1.flv") is expected

    def test_letters_that_only_look_alike_differ(self):
        assert not starts(workflow("caf\u00e9/"), "cafe\u0301/clip.mp4")
        assert starts(workflow("🎬/"), "🎬/clip.mp4")


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

    @pytest.mark.parametrize(
        ("key", "fault"),
        [
            ("a/", "it is a folder"),
            ("a//b.mp4", "its key has an empty part"),
            ("a/.b/c.mp4", '".b" is a hidden name'),
            ("a/b.part", '"b.part" is the name of an unfinished file'),
        ],
    )
    def test_why(self, key: str, fault: str):
        assert name_fault(key) == fault


class TestVerdicts:
    def test_every_broken_rule_is_told(self):
        far = workflow(
            "in/",
            bucket="others",
            state=WorkflowState.INACTIVE,
            trigger_mode=TriggerMode.NOT_IN_AUTO,
        )
        judged = verdict(far, "uploads", "a.jpg")
        assert judged.broken == tuple(Rule)
        assert len(judged.reasons) == len(Rule)
        assert all(reason for reason in judged.reasons)

    def test_the_nearest_lacks_least(self):
        far = workflow("in/", name="far", state=WorkflowState.INACTIVE)
        prefix = workflow("in/", name="prefix")
        inactive = workflow("", name="inactive", state=WorkflowState.INACTIVE)
        judged = [verdict(one, "uploads", "a.mp4") for one in (far, prefix, inactive)]
        closest = nearest(judged)
        assert closest is not None
        assert closest.workflow is inactive
        assert nearest([]) is None
        assert why_nothing_starts("uploads", judged) == 'the workflow "inactive" is Inactive'
        assert "far" in why_nothing_starts("uploads", judged[:1])

    def test_workflows_of_other_buckets_are_not_near(self):
        judged = [verdict(workflow(bucket="others"), "uploads", "a.mp4")]
        expected = 'no workflow is bound to the bucket "uploads"'
        assert why_nothing_starts("uploads", judged) == expected
        judged.append(verdict(workflow("in/", state=WorkflowState.INACTIVE), "uploads", "a.mp4"))
        assert "prefix" in why_nothing_starts("uploads", judged)


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


def clashes(one: Graph, other: Graph) -> list[str]:
    """The activities of a workflow that write what another one writes."""
    found = list(clash_warnings(one, "other", other, no_templates))
    assert all(problem.severity is Severity.WARNING for problem in found)
    assert all("later run overwrites" in problem.message for problem in found)
    return [problem.pointer.split("/")[2] for problem in found]


class TestClashes:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            ("out/{FileName}", "out/{FileName}", True),
            ("out/{FileName}", "out%2F{FileName}", True),
            ("out/{FileName}", "out//{FileName}", True),
            ("out/{ObjectPrefix}{FileName}", "out/{ObjectPrefix}/{FileName}", True),
            ("out/{MediaId}", "out/{MediaId}", True),
            # for files right below incoming/
            ("{ObjectPrefix}{FileName}", "incoming/{FileName}", True),
            ("out/{FileName}.{ExtName}", "out/{FileName}.mp4", True),
            ("out/{FileName}", "out/{FileName}-hd", False),
            ("out/{FileName}", "other/{FileName}", False),
            ("out/{RunId}/{FileName}", "out/{RunId}/{FileName}", False),
            ("out/{FileName}-{DestMd5}", "out/{FileName}-{DestMd5}", False),
            ("out/{FileName}", "out/{MediaId}", False),
        ],
    )
    def test_names_that_can_be_the_same(self, one: str, other: str, expected: bool):
        assert clashes(graph(sd=one), graph(hd=other)) == ["sd"] * expected
        assert clashes(graph(hd=other), graph(sd=one)) == ["hd"] * expected

    def test_each_activity_once(self):
        one = graph(sd="out/{FileName}", hd="out/{FileName}-hd", pictures="out/{FileName}-{Count}")
        other = graph("", a="out/{FileName}-hd", pictures="out/{FileName}-{Count}")
        assert clashes(one, other) == ["hd", "pictures"]

    def test_containers_tell_names_apart(self):
        playlist = json.loads(graph(sd="out/{FileName}").topology.text)
        (output,) = playlist["Activities"]["sd"]["Parameters"]["Outputs"]
        output["TemplateId"] = "S00000001-100020"  # HLS; the other makes mp4
        hls = load(json.dumps(playlist), load_registry())
        assert clashes(graph(sd="out/{FileName}"), hls) == []
        assert clashes(hls, hls) == ["sd"]

    def test_only_workflows_that_one_file_starts(self):
        own = workflow("in/a/")
        for prefix in ("", "in/", "in/a/", "in/a/b"):
            assert may_share_inputs(own, workflow(prefix))
        assert not may_share_inputs(own, workflow("in/b/"))
        for changes in (
            {"state": WorkflowState.INACTIVE},
            {"trigger_mode": TriggerMode.NOT_IN_AUTO},
            {"bucket": "others"},
        ):
            assert not may_share_inputs(own, workflow("in/", **changes))
            assert not may_share_inputs(workflow("in/", **changes), own)
