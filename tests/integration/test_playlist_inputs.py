"""Playlists as inputs of the engine: what is refused, what is pinned, and what counts for reuse."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.context import make_context
from tests.support.playlist_runs import PlaylistRuns, works
from tests.support.playlists import encrypted, rewritten, segmented
from tests.support.topologies import transcode
from workflow_engine.errors import ActivityError, Code
from workflow_engine.executor.inline import InlineExecutor
from workflow_engine.run.composite import open_content

LIST = "oss://uploads/incoming/film.m3u8"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlaylistRuns]:
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = PlaylistRuns(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def listed(runs: PlaylistRuns, media_dir: Path) -> Path:
    """A list of five segments in the bucket."""
    return segmented(runs.uploads, media.numbered(media_dir, 2))


def _gone(listed: Path) -> None:
    listed.with_name("film-3.ts").unlink()


def _elsewhere(listed: Path) -> None:
    hidden = listed.parents[2] / "hidden.ts"
    listed.with_name("film-3.ts").rename(hidden)
    listed.with_name("film-3.ts").symlink_to(hidden)


def _cut(listed: Path) -> None:
    path = listed.with_name("film-3.ts")
    path.write_bytes(path.read_bytes()[:-100])


def _list_in_a_list(listed: Path) -> None:
    listed.with_name("film-3.ts").write_bytes(listed.read_bytes())


def _text(listed: Path) -> None:
    listed.with_name("film-3.ts").write_text("a text of some words " * 50)


def _empty(listed: Path) -> None:
    listed.with_name("film-3.ts").write_bytes(b"")


def _other_container(listed: Path) -> None:
    listed.with_name("film-3.ts").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(500))


def _wrong_key(listed: Path) -> None:
    listed.with_name("key").write_bytes(bytes(16))
    encrypted(listed, b"k" * 16, [bytes(16)] * 5, '#EXT-X-KEY:METHOD=AES-128,URI="key"')


def _short_key(listed: Path) -> None:
    listed.with_name("key").write_bytes(b"short")
    rewritten(listed, ("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF'))


def _outside(listed: Path) -> None:
    rewritten(listed, ("film-3.ts", "../film-3.ts"))


def _live(listed: Path) -> None:
    rewritten(listed, ("#EXT-X-ENDLIST", ""))


def _another_size(listed: Path) -> None:
    other = media.numbered(listed.parents[2] / "made", 1, size="320x180")
    segmented(listed.parent, other, name="other")
    rewritten(listed, ("#EXT-X-ENDLIST", "#EXT-X-DISCONTINUITY\n#EXTINF:0.5,\nother-0.ts"))
    listed.write_text(listed.read_text() + "#EXT-X-ENDLIST\n")


def _another_order(listed: Path) -> None:
    film = media.numbered(listed.parents[2] / "made", 1)
    both = media.with_sound(film, "mp4", sound=1)
    for name, order in (("film", "va"), ("other", "av")):
        maps = [word for kind in order for word in ("-map", f"0:{kind}")]
        segmented(listed.parent, both, *maps, name=name)
    other = listed.with_name("other.m3u8").read_text().partition("#EXTINF")
    rewritten(listed, ("#EXT-X-ENDLIST", "#EXT-X-DISCONTINUITY\n" + "".join(other[1:])))


BAD, UNSUPPORTED = Code.RESOURCE_CONTENT_BAD, Code.RESOURCE_NOT_SUPPORTED
FAULTS: dict[Callable[[Path], None], tuple[Code, str]] = {
    _gone: (Code.RESOURCE_NOT_FOUND, "film-3.ts"),
    _elsewhere: (UNSUPPORTED, "symbolic link"),
    _cut: (BAD, '"film-3.ts" of the playlist (line 13) is cut off'),
    _list_in_a_list: (UNSUPPORTED, 'line 13: the segment "film-3.ts" is itself a playlist'),
    _text: (UNSUPPORTED, "neither MPEG-TS"),
    _empty: (BAD, "is empty"),
    _other_container: (UNSUPPORTED, "another container"),
    _wrong_key: (BAD, "cannot be decrypted"),
    _short_key: (BAD, 'the key "key"'),
    _outside: (UNSUPPORTED, "line 13"),
    _live: (UNSUPPORTED, "#EXT-X-ENDLIST"),
    _another_size: (UNSUPPORTED, "320x180"),
    _another_order: (UNSUPPORTED, "(0: aac 44100 Hz 1, 1: h264 160x90) than part 1 (0: h264"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_list_that_cannot_be_used_fails_start(
    runs: PlaylistRuns, listed: Path, fault: Callable[[Path], None]
):
    fault(listed)
    code, reason = FAULTS[fault]
    failed = runs.refused(LIST)
    assert (failed.code, reason in failed.message) == (code, True), failed


def test_links_beside_a_file_of_the_command_line_stay_in_its_folder(
    runs: PlaylistRuns, listed: Path
):
    _elsewhere(listed)
    assert runs.refused(listed).code == UNSUPPORTED


def test_every_segment_counts_for_reuse(runs: PlaylistRuns, listed: Path):
    first = runs.run(LIST)
    again = runs.run(LIST)
    assert [one.reused for one in again.activities if one.type == "Transcode"] == [True]
    whole = runs.output(first, "mp4").read_bytes()
    other = listed.with_name("film-1.ts")
    other.write_bytes(listed.with_name("film-2.ts").read_bytes())
    changed = runs.run(LIST)
    assert not any(one.reused for one in changed.activities)
    assert runs.output(changed, "mp4").read_bytes() != whole


def test_a_run_is_not_continued_with_other_segments(runs: PlaylistRuns, listed: Path):
    gone = {"MergeURL": "oss://uploads/gone.mp4"}
    bad = transcode("bad.mp4", MergeList=[gone])
    first = runs.run(LIST, {"mp4": works()["mp4"], "bad": bad})
    again = runs.engine.resume(first.run_id, executor=InlineExecutor())
    assert [one.state for one in again.activities] == [one.state for one in first.activities]
    listed.with_name("film-1.ts").write_bytes(listed.with_name("film-2.ts").read_bytes())
    second = runs.engine.resume(first.run_id, executor=InlineExecutor())
    begun, bad = second.activity("start"), second.activity("bad")
    assert (begun.state, begun.code, bad.state) == ("Fail", BAD, "Skipped")
    assert "is made of" in begun.message


def test_a_plan_encodes_nothing(runs: PlaylistRuns, listed: Path):
    file = runs.path / "flow.json"
    runs.run(LIST, {})
    flow = json.loads(file.read_text())
    flow["Activities"]["mp4"] = works()["mp4"]
    flow["Dependencies"] = {"start": ["mp4"], "mp4": ["report"], "report": []}
    file.write_text(json.dumps(flow))
    workflow = runs.engine.load(file)
    plan = runs.engine.plan(workflow, runs.engine.open_input(workflow, LIST))
    (planned,) = [one for one in plan.activities if one.node.name == "mp4"]
    assert planned.step is not None and planned.step.outputs[0].ref.object == "film.mp4.mp4"
    assert not (runs.path / "out").exists()


def test_a_segment_that_changes_before_it_is_read_fails_start(
    runs: PlaylistRuns, listed: Path, tmp_path: Path
):
    runs.run(LIST, {})
    workflow = runs.engine.load(runs.path / "flow.json")
    source = runs.engine.open_input(workflow, LIST)

    def folder() -> Path:
        made = tmp_path / f"work-{len(list(tmp_path.glob('work-*')))}"
        made.mkdir()
        return made

    content = open_content(
        source,
        workflow.graph.start.activity,
        make_folder=folder,
        context=make_context,
        cancel=threading.Event(),
        store=None,
    )
    path = listed.with_name("film-2.ts")
    os.utime(path, (1, 1))
    with pytest.raises(ActivityError) as caught:
        content.file.link(tmp_path / "link")
    assert caught.value.code == BAD and "film-2.ts" in caught.value.message


@pytest.mark.parametrize(
    "field",
    [
        {"MergeList": [{"MergeURL": "oss://uploads/incoming/film.m3u8"}]},
        {"OpeningList": [{"OpenUrl": "oss://uploads/incoming/film.m3u8", "Start": "0"}]},
        {"TailSlateList": [{"TailUrl": "oss://uploads/incoming/film.m3u8"}]},
        {"Amix": [{"AmixURL": "oss://uploads/incoming/film.m3u8"}]},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_list_is_no_part(runs: PlaylistRuns, listed: Path, clip: Path, field: dict[str, Any]):
    record = runs.run(clip, {"mp4": transcode("a.mp4", **field)})
    failed = record.activity("mp4")
    assert failed.state == "Fail" and failed.code == UNSUPPORTED, failed
    assert '"incoming/film.m3u8"' in failed.message and "list of other files" in failed.message
