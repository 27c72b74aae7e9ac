"""Start on real files: what it hands on, and which inputs end a run at once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from activities import probe
from activities.probe import MediaInfo
from activities.start import Start
from activities.transcode.features.media_facts import MEDIA, describe_media
from tests.support import media
from tests.support.context import make_context
from workflow_engine.activity import ActivityResult, SideInput, Step, StepResult
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import ObjectRef


def start(tmp_path: Path, source: Path) -> ActivityResult:
    return Start().run(Step(), make_context(tmp_path, source))


def test_it_hands_on_the_media_info(tmp_path: Path, bunny: Path) -> None:
    result = start(tmp_path, bunny)
    stored = json.loads(json.dumps(dict(result.data)))
    assert stored["Properties"]["Width"] == "1280"
    assert MediaInfo.from_json(stored) == MediaInfo.of(bunny).counted(bunny)
    (table,) = Start().artifacts(StepResult(data=result.data))
    assert table.kind == "table" and table.title == "Media info"
    assert [row["Stream"] for row in table.content] == ["file", "video 0", "audio 1"]


def test_sound_is_a_fine_input(tmp_path: Path, audio_clip: Path) -> None:
    assert start(tmp_path, audio_clip).data["Properties"]["Streams"]["AudioStreamList"]


def test_unfit_inputs_fail_with_a_reason(tmp_path: Path, media_dir: Path, clip: Path) -> None:
    picture = media.make(
        media_dir / "still.png", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1"
    )
    renamed = tmp_path / "still.mp4"
    renamed.write_bytes(picture.read_bytes())
    unfit = {
        media.empty_file(tmp_path): (Code.RESOURCE_CONTENT_BAD, "empty"),
        media.text_named_video(tmp_path): (Code.RESOURCE_CONTENT_BAD, "not a media file"),
        media.truncated(clip): (Code.RESOURCE_CONTENT_BAD, "moov atom not found"),
        media.truncated(media.faststart(clip), 0.9): (Code.RESOURCE_CONTENT_BAD, "are missing"),
        media.playlist_named_video(tmp_path, "a.ts"): (Code.RESOURCE_NOT_SUPPORTED, "hls"),
        renamed: (Code.RESOURCE_NOT_SUPPORTED, "still picture"),
        picture: (Code.RESOURCE_NOT_SUPPORTED, "still picture"),
        media.make(media_dir / "no-samples.wav", "-f", "lavfi", "-i", "anullsrc", "-t", "0"): (
            Code.RESOURCE_CONTENT_BAD,
            "its duration is 0",
        ),
    }
    for number, (source, (code, words)) in enumerate(unfit.items()):
        with pytest.raises(ActivityError) as caught:
            start(tmp_path / str(number), source)
        assert caught.value.code == code, source
        assert words in caught.value.message
        assert caught.value.message.startswith('The resource operated "InputFile" is ')


def test_a_slot_is_held_while_pictures_are_decoded(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, seen = [False], list[bool]()

    @contextmanager
    def slot() -> Iterator[None]:
        assert not held[0], "it is no slot that can be taken twice"
        held[0] = True
        yield
        held[0] = False

    def look(*_: object, **__: object) -> None:
        seen.append(held[0])

    monkeypatch.setattr(probe, "measured_fields", look)
    context = replace(make_context(tmp_path, clip), slot=slot)
    Start().run(Step(), context)
    described = SideInput(kind=MEDIA, ref=ObjectRef(bucket="in-bucket", object="a.mp4"))
    describe_media(described, context)
    assert seen == [True, True] and not held[0]
