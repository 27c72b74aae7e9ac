"""What Prefect shows in words: logs, the workflow, pictures, links; names as they are."""

import base64
import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.support.stores import execution
from workflow_engine.activity import Artifact, StepResult, Thumbnail
from workflow_engine.executor.prefect_words import (
    linked,
    log_lines,
    pictures_text,
    workflow_text,
)
from workflow_engine.planning.graph import load
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ObjectRef,
    Output,
)
from workflow_engine.service.prefect import pages_url
from workflow_engine.settings import Settings
from workflow_engine.settings.models import ServiceSettings
from workflow_engine.testing import FakeRegistry


def output(name: str, size: int = 1_234_567) -> Output:
    return Output(
        ref=ObjectRef(bucket="out", object=name),
        place=f"/srv/out/{name}",
        digests=Digests(size=size, sha256=""),
        media={"Duration": "5.25", "Width": "1280", "Height": "720"},
    )


def test_the_log_tells_commands_warnings_and_sizes():
    left = StepResult(
        commands=(("ffmpeg", "-i", "a b.mp4"),), outputs=(output("x.mp4"),), warnings=("careful",)
    )
    record = ActivityRecord(name="hd", type="T", state=ActivityState.SUCCESS, result=left)
    lines = list(log_lines(record))
    assert lines == [
        (logging.INFO, "$ ffmpeg -i 'a b.mp4'"),
        (logging.WARNING, "careful"),
        (logging.INFO, "out/x.mp4: 1,234,567 bytes, 5.2 s, 1280x720"),
    ]
    # what was not run has no commands
    assert not any("$" in text for _, text in log_lines(replace(record, reused=True)))
    many = replace(left, outputs=tuple(output(f"{n}.ts") for n in range(1000)))
    lines = list(log_lines(replace(record, result=many)))
    assert len(lines) < 30 and lines[-1] == (logging.INFO, "and 980 more outputs")
    failed = replace(record, result=StepResult(), detail="last words")
    assert "last words" in next(iter(log_lines(failed)))[1]


def test_the_workflow_is_told_with_its_graph_rule_and_page():
    graph = load(
        '{"Activities": {"start": {"Type": "Start", "Parameters": {"InputFile": {"Bucket": "in",'
        ' "ObjectPrefix": "new/"}}}, "~~~ <b>": {"Type": "Work"}},'
        ' "Dependencies": {"start": ["~~~ <b>"], "~~~ <b>": []}}',
        FakeRegistry().registry,
    )
    record = replace(execution("a"), workflow="`x`")
    text = workflow_text(graph, record, "http://here:8080/").content
    assert "`` `x` ``" in text and "below `in/new/`" in text
    assert f"(http://here:8080/executions/{record.run_id})" in text
    # whatever a name holds, it ends no fence
    fenced = text.split("\n~~~~\n")
    assert len(fenced) == 3 and "  ~~~ <b> [Work]" in fenced[1]
    assert "executions/" not in workflow_text(graph, record, "").content


def test_a_link_that_no_browser_follows_becomes_a_page_or_a_text():
    record = execution("a")
    file = Artifact(kind="link", title="Report", content="file:///srv/a.html")
    assert linked(file, record, "http://x").content == f"http://x/executions/{record.run_id}"
    text = linked(file, record, "")
    assert text.kind == "markdown" and "`file:///srv/a.html`" in text.content
    other = Artifact(kind="link", title="Report", content="https://b.example/a.html")
    assert linked(other, record, "http://x") is other


def test_pictures_stand_in_the_text_as_long_as_there_is_room():
    small = Thumbnail(content=b"picture", size=(1, 1), media_type="image/jpeg")
    large = replace(small, content=b"1" * 500_000)
    (found,) = pictures_text({"/srv/a.jpg": small, "/srv/b.jpg": large, "/srv/c`.jpg": small})
    data = base64.b64encode(b"picture").decode()
    assert found.content.count(f"![](data:image/jpeg;base64,{data})") == 2
    assert "`a.jpg`" in found.content and "``c`.jpg``" in found.content
    assert found.content.endswith("and 1 more")
    assert list(pictures_text({})) == [] == list(pictures_text({"/srv/b.jpg": large}))


@pytest.mark.parametrize(
    ("service", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"host": "::1", "port": 8081}, "http://[::1]:8081"),
        ({"port": 0}, ""),
        ({"port": 0, "public_url": "https://media.example/flow"}, "https://media.example/flow"),
    ],
)
def test_the_way_to_the_pages_is_the_address_that_people_use(service: dict[str, Any], url: str):
    settings = Settings(service=ServiceSettings(**service))
    assert pages_url(settings) == url
