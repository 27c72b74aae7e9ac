"""Whatever a client sends, to any action: never a 500, always a code of the documentation."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.places import EXAMPLES
from workflow_engine.api.action import Action
from workflow_engine.api.calls import Calls
from workflow_engine.api.families import FAMILIES
from workflow_engine.api.incoming import Incoming
from workflow_engine.api.metrics import Metrics
from workflow_engine.engine import Engine
from workflow_engine.errors import Code
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID
from workflow_engine.settings import Settings

#: every action, by its version and name
ACTIONS: dict[tuple[str, str], Action] = {
    (family.version, name): action for family in FAMILIES for name, action in family.actions.items()
}
MPS = FAMILIES[0].version
MINIMAL = (EXAMPLES / "minimal.json").read_text()
CODES = {str(code) for code in Code} - {str(Code.INTERNAL)}
OUTPUT = {"OutputObject": "x/{FileName}", "TemplateId": "S00000001-200010"}
INPUT = {"Bucket": "uploads", "Location": "local", "Object": "a%2Fclip.mp4"}

#: values that are right for a parameter of this name, so that calls get past the first checks
RIGHT: dict[str, list[str]] = {
    "Input": [
        json.dumps(INPUT),
        json.dumps({"Type": "OSS", "Media": "oss://uploads/a/clip.mp4"}),
    ],
    "Outputs": [json.dumps([OUTPUT])],
    "OutputBucket": ["renditions"],
    "PipelineId": [DEFAULT_PIPELINE_ID],
    "Topology": [MINIMAL],
    "Name": ["a name"],
    "Config": ['{"Width": "100"}'],
    "Video": ['{"Codec": "H.264", "Width": "320"}'],
    "SnapshotConfig": [
        json.dumps({"OutputFile": {**INPUT, "Object": "p.jpg"}, "Time": "0", "Num": "1"})
    ],
    "FileURL": ["http://uploads.local.aliyuncs.com/a/clip.mp4"],
    "Async": ["true"],
    "State": ["Active"],
    "TriggerMode": ["NotInAuto"],
    "Tag": ["t"],
    "CateId": ["1"],
    "Publish": ["true"],
    "CoverURL": ["http://uploads.local.aliyuncs.com/a/cover.jpg"],
    "NotifyConfig": ['{"QueueName": "done"}'],
}
HOSTILE = [
    "",
    " ",
    "0",
    "-1",
    "1e309",
    "99999999999999999999999",
    "nan",
    "true",
    "null",
    "[]",
    "{}",
    "[[]]",
    "{",
    '"',
    "[" * 5000,
    '{"a":' * 2000,
    '{"Bucket": 1}',
    '{"Bucket": "uploads", "Object": "../../etc/passwd"}',
    '{"Bucket": "uploads", "Object": "%00"}',
    '{"OutputFile": [], "Time": {}}',
    '[{"OutputObject": {}, "TemplateId": []}]',
    json.dumps([{**OUTPUT, "Video": '{"Width": "NaN"}'}]),
    "[" + ",".join([json.dumps(OUTPUT)] * 31) + "]",
    '{"Activities": {}, "Dependencies": {}}',
    '{"Activities": [], "Dependencies": 7}',
    "x" * 5000,
    "\N{PILE OF POO}" * 600,
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\u202e",
    "\ud7ff\ufffe",
    "0" * 32,
    "0" * 33,
    ",".join(["0" * 32] * 11),
    ",,,",
    "S00000001-200010",
    "2026-11-20T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "http://uploads.local.aliyuncs.com/",
    "http://[::",
    "http://uploads.local.aliyuncs.com/%FF",
    "oss://uploads/a",
    "javascript:alert(1)",
    "%",
    "'; DROP TABLE executions; --",
]


class Caller:
    """The API of an engine whose store has one of everything."""

    def __init__(self, home: Path, **service: Any) -> None:
        labels = [family.label(name) for family in FAMILIES for name in family.actions]
        limits = {name: 0 for name in ("default", *labels)}
        bucket = home / "uploads"
        (bucket / "a").mkdir(parents=True)
        (bucket / "a/clip.mp4").write_bytes(b"no media")
        self.settings = Settings.model_validate(
            {
                "service": {"rate_limits": limits, **service},
                "store": {"url": f"sqlite:///{home}/store.db"},
                "buckets": {"uploads": {"path": bucket}, "renditions": {"path": home / "out"}},
                "queues": {"done": {"file": home / "messages"}},
            }
        )
        self.engine = Engine(self.settings)
        self._calls = Calls(self.engine, FAMILIES, Metrics())
        self._home = str(home).encode()
        self.known = self._fill()

    def _fill(self) -> dict[str, str]:
        workflow = self.good("AddMediaWorkflow", Name="w", Topology=MINIMAL)["MediaWorkflow"]
        media = self.good("AddMedia", FileURL=RIGHT["FileURL"][0])["Media"]
        template = self.good("AddTemplate", Name="t", Video=RIGHT["Video"][0])["Template"]
        mark = self.good("AddWaterMarkTemplate", Name="m", Config="{}")["WaterMarkTemplate"]
        pipeline = self.good("AddPipeline", Name="p")["Pipeline"]
        job = self.good("SubmitMediaInfoJob", Input=RIGHT["Input"][0])["MediaInfoJob"]
        ids = {
            "MediaWorkflowId": workflow["MediaWorkflowId"],
            "MediaId": media["MediaId"],
            "TemplateId": template["Id"],
            "WaterMarkTemplateId": mark["Id"],
            "PipelineId": pipeline["Id"],
            "JobId": job["JobId"],
        }
        return ids | {f"{name}s": value for name, value in ids.items()}

    def right(self, name: str) -> list[str]:
        """Values that are right for a parameter of this name."""
        known = [self.known[name]] if name in self.known else []
        return [*RIGHT.get(name, []), *known]

    def send(self, parameters: dict[str, str], method: str = "GET", **more: Any) -> Any:
        query = urlencode({"Version": MPS, "Format": "JSON", **parameters}).encode()
        request = Incoming(
            method=method,
            query_string=query,
            raw_headers=[(b"host", b"127.0.0.1:8080")],
            body=b"",
            peer="127.0.0.1",
            **more,
        )
        answer = self._calls.answer(request)
        assert self._home not in answer.body, "a path of the server"
        return answer.status, json.loads(answer.body)

    def good(self, action: str, **parameters: str) -> Any:
        status, body = self.send({"Action": action, **parameters})
        assert status == 200, body
        return body


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFLOW_DATA", str(tmp_path_factory.mktemp("data")))
        caller = Caller(tmp_path_factory.mktemp("hostile"))
        yield caller
        caller.engine.close()


def parameters_of(action: tuple[str, str]) -> list[str]:
    fields = ACTIONS[action].request.model_fields
    return [field.alias or name for name, field in fields.items()]


def values(name: str, caller: Caller) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from([*caller.right(name), *caller.known.values()]),
        st.sampled_from(HOSTILE),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=6,
        ).map(json.dumps),
    )


@pytest.mark.parametrize("action", sorted(ACTIONS), ids="-".join)
def test_no_request_breaks_an_action(caller: Caller, action: tuple[str, str], caplog: Any):
    caplog.set_level(logging.CRITICAL)
    names = parameters_of(action)
    called = dict(zip(("Version", "Action"), action, strict=True))
    # a wait for a result that nobody makes says nothing here
    fixed = {"Async": "true"} if "Async" in names else {}
    chosen = st.fixed_dictionaries(
        {}, optional={name: values(name, caller) for name in names if name not in fixed}
    )

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(chosen)
    def attempt(parameters: dict[str, str]) -> None:
        status, body = caller.send({**called, **fixed, **parameters})
        assert body["RequestId"]
        if status != 200:
            assert body["Code"] in CODES, body
            assert 400 <= status < 500, body
            assert body["Message"]

    attempt()


@pytest.mark.parametrize("name", sorted({n for a in ACTIONS for n in parameters_of(a)}))
def test_each_hostile_value_of_each_parameter(caller: Caller, name: str):
    for action in sorted(a for a in ACTIONS if name in parameters_of(a)):
        called = dict(zip(("Version", "Action"), action, strict=True))
        place = 0 if action[0] == MPS else -1
        right = {n: caller.right(n)[place] for n in parameters_of(action) if caller.right(n)}
        for value in HOSTILE:
            if name == "Async" and value == "true":
                continue
            status, body = caller.send({**called, **right, "Async": "true", name: value})
            assert status < 500, (action, name, value, body)
            assert status == 200 or body["Code"] in CODES, (action, name, value, body)


def test_nothing_was_written_outside_of_the_buckets(caller: Caller):
    files = [p for p in caller.settings.buckets["uploads"].path.rglob("*") if p.is_file()]
    assert [p.name for p in files] == ["clip.mp4"]
