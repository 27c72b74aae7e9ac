"""The page of an execution, out of records: what it says, and that it shows text as text."""

from dataclasses import replace

import pytest

from tests.support.pages import read
from tests.unit.test_report import BAD, HD, NOW, RUN_ID, START, execution, output
from workflow_engine.activity import (
    Artifact,
    Cells,
    Exhibit,
    Picture,
    Pictures,
    Player,
    Thumbnail,
)
from workflow_engine.pages.execution import ExecutionFacts, execution_page
from workflow_engine.pages.rendering import render
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionRecord,
    ExecutionState,
    StepResult,
)

#: what must never be markup, with a mark that writes from right to left
HOSTILE = "\"'><script>owned()</script><img src=x onerror=owned()>\u202egpj"


def facts(record: ExecutionRecord, *, exhibits: dict[str, list[Exhibit]] | None = None):
    names = [one.name for one in record.activities]
    edges = {names[0]: names[1:]} | {name: [] for name in names[1:]}
    return ExecutionFacts(record=record, edges=edges, exhibits=exhibits or {}, now=NOW)


def html(given: ExecutionFacts) -> str:
    return render("execution.html", page=execution_page(given), standalone=True)


@pytest.mark.parametrize(
    ("state", "records", "verdict"),
    [
        (ExecutionState.QUEUED, (START,), "It waits in the queue."),
        (ExecutionState.RUNNING, (START, BAD), "2 of 2 activities have ended. 1 activity failed."),
        (ExecutionState.COMPLETED, (START,), "Nothing came out."),
        (ExecutionState.COMPLETED, (START, HD), "2 objects came out."),
        (
            ExecutionState.COMPLETED,
            (START, HD, BAD),
            "1 activity failed. 2 objects came out.",
        ),
    ],
)
def test_the_verdict_says_how_it_went(state, records, verdict):
    assert execution_page(facts(replace(execution(*records), state=state))).verdict == verdict


def test_failures_come_first_with_what_to_do():
    record = replace(execution(START, HD, BAD), state=ExecutionState.COMPLETED)
    text = read(html(facts(record))).text
    first = text.index("too large")
    assert first < text.index("What came out")
    assert "InvalidParameter.OutOfRange" in text[:first]
    assert f"mediaflow execution resume {RUN_ID}" in text
    assert "last words" in text
    # nothing to resume where all went well
    good = replace(execution(START, HD), state=ExecutionState.COMPLETED)
    assert "execution resume" not in html(facts(good))


def test_text_of_others_is_shown_as_text_and_cannot_turn_what_stands_beside_it():
    hostile = ActivityRecord(
        name=HOSTILE,
        type=HOSTILE,
        state=ActivityState.FAIL,
        code=HOSTILE,
        message=HOSTILE,
        detail=HOSTILE,
    )
    good = replace(
        HD,
        name=f"b{HOSTILE}",
        result=StepResult(
            data={"Notes": [HOSTILE]},
            outputs=(output(f"{HOSTILE}.mp4"),),
            commands=((HOSTILE,),),
            warnings=(HOSTILE,),
        ),
    )
    record = replace(
        execution(START, hostile, good),
        state=ExecutionState.FAIL,
        code=HOSTILE,
        message=HOSTILE,
        workflow=HOSTILE,
        user_data=HOSTILE,
        prefect_url="javascript:owned()",
        input=replace(execution(START).input, object=f"a/{HOSTILE}"),
    )
    shown: list[Exhibit] = [
        Artifact(kind="table", title=HOSTILE, content=[{HOSTILE: HOSTILE}]),
        Artifact(kind="link", title=HOSTILE, content="javascript:owned()"),
        Artifact(kind="markdown", title=HOSTILE, content=HOSTILE),
        Player(title=HOSTILE, output=0, media_type=HOSTILE),
        Pictures(title=HOSTILE, pictures=(Picture(output=0, caption=HOSTILE),)),
        Pictures(title="Not there", pictures=(Picture(output=7, caption="none"),)),
    ]
    given = replace(
        facts(record, exhibits={good.name: shown}),
        link=lambda one: f"x/{HOSTILE}",
        tools={"a": "1"},
    )
    written = html(given)
    page = read(written)
    assert len(page.all("script")) == 1 and "owned()" in page.text
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert not [a for a in page.all("a") if a["href"].startswith("javascript")]
    # marks of direction are within elements that isolate them, or in code, and nowhere else
    for place, letter in enumerate(written):
        if letter == "\u202e":
            before = written[:place].rpartition("<")[2].partition(">")[0]
            inside = before.split(" ")[0]
            assert inside in ("bdi", "code") or "=" in before, before
    assert "\u202e" not in written[: written.index("</title>")]


def test_many_objects_of_one_kind_are_a_line():
    segments = tuple(output(f"hls/film-{n:05}.ts") for n in range(1000))
    record = replace(HD, result=StepResult(outputs=(*segments, output("hls/film.m3u8"))))
    written = html(facts(execution(START, record)))
    page = read(written)
    assert "1000 objects such as hls/film-00000.ts 10.0 KB" in " ".join(page.text.split())
    assert "and 980 more" in page.text and "hls/film.m3u8" in page.text
    assert len(written) < 60_000


def test_a_thousand_activities_are_a_page_of_some_megabytes():
    long = replace(HD.result, commands=(("ffmpeg", "x" * 3000), ("ffmpeg", "y" * 3000)))
    many = [replace(HD, name=f"a{n}", result=long) for n in range(1000)]
    written = html(facts(execution(START, *many)))
    assert len(written) < 2_500_000 and "a999" in written
    assert "2 more: report.json has all of them" in written


def test_pictures_stand_in_the_page_and_link_to_what_they_show():
    small = Thumbnail(content=b"jpeg", size=(160, 90), media_type="image/jpeg")
    cells = Cells(columns=2, lines=1, moments=(0.0, 1.5))
    pictures = Pictures(
        title="Sprites", pictures=(Picture(output=0, caption="two pictures", cells=cells),)
    )
    record = execution(START, HD)
    given = replace(
        facts(record, exhibits={"hd": [pictures]}),
        thumbnails={"/out/a/x.mp4": small},
        link=lambda one: f"../{one.ref.object}",
    )
    page = read(html(given))
    (image,) = page.all("img")
    assert image["src"] == "data:image/jpeg;base64,anBlZw==" and image["alt"] == "two pictures"
    assert {"href": "../a/x.mp4"} in page.all("a")
    (figure,) = (one for one in page.all("figure") if "data-cells" in one)
    assert figure["data-cells"] == "2 1" and figure["data-moments"] == "0.0 1.5"


def test_a_page_of_a_file_asks_for_nothing_else():
    written = html(facts(execution(START, HD, BAD)))
    page = read(written)
    assert all(link["href"].startswith("data:") for link in page.all("link"))
    assert all("src" not in script for script in page.all("script"))
    assert "url(" not in written and "@import" not in written


def test_what_turns_a_name_around_is_shown_by_its_number():
    record = replace(
        execution(START), input=replace(execution(START).input, object="a/film\u202e4pm.exe")
    )
    page = read(html(facts(record)))
    assert "film[U+202E]4pm.exe" in page.text
