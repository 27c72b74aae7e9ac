"""Snapshot as a user sees it: names, sizes, upright square pictures, plan and reuse."""

import threading
from pathlib import Path
from typing import Any

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import RUN_ID, make_context, make_plan_context
from workflow_engine.activity import Step, StepResult
from workflow_engine.errors import ActivityError, Code, InterruptedRunError
from workflow_engine.records import Digests, Output

NAME = "shots%2F{RunId}%2F{FileName}-{Count}-{SnapshotTime}.jpg"


def planned(source: Path, name: str = NAME, cover: str = "false", **config: Any) -> Step:
    target = {"Bucket": "out-bucket", "Location": "local", "Object": name}
    parameters = SnapshotParameters.model_validate(
        {
            "SnapshotConfig": {"OutputFile": target, "Time": "0", **config},
            "MediaCover": cover,
        }
    )
    context = make_plan_context(source, media=MediaInfo.of(source).to_json())
    step = Snapshot().plan(parameters, context)
    assert isinstance(step, Step)
    return step


def size_of(picture: Path) -> tuple[int, int]:
    # by its content: ffprobe takes a file named .jpg for a pattern of many
    content = picture.with_suffix(".bin")
    content.write_bytes(picture.read_bytes())
    video = MediaInfo.of(content).video
    assert video and video.codec == "mjpeg" and video.sar == 1
    return video.width, video.height


def test_a_sequence_of_a_real_clip(tmp_path: Path, bunny: Path) -> None:
    seen: list[float] = []
    step = planned(bunny, Interval="2", Width="320")
    (output,) = step.outputs
    assert output.ref.object == f"shots/{RUN_ID}/bigbuckbunny-{{Count}}-{{SnapshotTime}}.jpg"
    assert output.summary == "3 x jpeg 320x180"
    result = Snapshot().run(step, make_context(tmp_path, bunny, progress=seen.append))
    assert [picture.ref.object for picture in result.outputs] == [
        f"shots/{RUN_ID}/bigbuckbunny-00001-0.jpg",
        f"shots/{RUN_ID}/bigbuckbunny-00002-2000.jpg",
        f"shots/{RUN_ID}/bigbuckbunny-00003-4000.jpg",
    ]
    assert all(size_of(picture.path) == (320, 180) for picture in result.outputs)
    assert result.data == {"Count": 3, "Times": [0, 2000, 4000], "MediaCover": False}
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert result.warnings == ()


def test_a_single_picture_is_named_in_the_plan(tmp_path: Path, clip: Path) -> None:
    fields = {"Time": "1500", "FrameType": "normal"}
    step = planned(clip, "{ObjectPrefix}cover.jpg", cover="true", **fields)
    assert step.outputs[0].ref.object == "vod/cover.jpg"
    assert step.outputs[0].summary == "jpeg 640x360"
    result = Snapshot().run(step, make_context(tmp_path, clip))
    assert result.data["MediaCover"] is True
    # a reused result would tell the wrong thing of a picture that is no cover
    assert step.identity != planned(clip, **fields).identity
    assert [picture.ref for picture in result.outputs] == [step.outputs[0].ref]
    # what was planned is what ran
    assert result.commands == step.commands


def test_pictures_are_upright_and_square(tmp_path: Path, media_dir: Path) -> None:
    for number, (source, size) in enumerate(
        [
            (media.rotated(media_dir, 90), (180, 320)),
            (media.anamorphic(media_dir), (384, 288)),
            (
                media.clip(media_dir, 1, "162x90", name="odd", extra=("-vf", "setsar=3/4")),
                (122, 90),
            ),
        ]
    ):
        result = Snapshot().run(planned(source), make_context(tmp_path / str(number), source))
        assert size_of(result.outputs[0].path) == size


def test_rotation_turns_the_picture_clockwise(tmp_path: Path, media_dir: Path) -> None:
    # white on the left; turned clockwise by 90 degrees white is on top
    halves = media.make(
        media_dir / "halves.mp4",
        *(
            "-f",
            "lavfi",
            "-i",
            "color=black:size=128x64:duration=1,drawbox=w=64:h=64:c=white:t=fill",
        ),
    )
    turned = media.make(
        media_dir / "halves-turned.mp4",
        *("-display_rotation", "270", "-i", str(halves), "-c", "copy"),
    )
    result = Snapshot().run(planned(turned), make_context(tmp_path, turned))
    top = media.make(
        tmp_path / "top.png", "-i", str(result.outputs[0].path), "-vf", "crop=64:64:0:0"
    )
    low = media.make(
        tmp_path / "low.png", "-i", str(result.outputs[0].path), "-vf", "crop=64:64:0:64"
    )
    assert media.frame_number(top) > 40 and media.frame_number(low) == 0


def test_full_range_colours(tmp_path: Path, media_dir: Path) -> None:
    for shade, expected in (("black", 0), ("white", 255)):
        source = media.make(
            media_dir / f"{shade}.mp4", "-f", "lavfi", "-i", f"color={shade}:size=64x64:duration=1"
        )
        result = Snapshot().run(planned(source), make_context(tmp_path / shade, source))
        assert media.frame_number(result.outputs[0].path) == round(expected * 219 / 255 / 4)


def test_a_damaged_source_is_warned_of(tmp_path: Path, clip: Path) -> None:
    hurt = media.damaged(clip, holes=1, size=200)
    step = planned(hurt, Interval="0.1", FrameType="normal")
    result = Snapshot().run(step, make_context(tmp_path, hurt))
    assert result.data["Count"] == 40
    assert result.warnings[0].startswith(Code.SOURCE_DAMAGED)


def test_an_equal_step_under_other_names(tmp_path: Path, clip: Path) -> None:
    first, second = (
        planned(clip, "a/{Count}.jpg", Num=2, Interval=1),
        planned(clip, "b/{SnapshotTime}-{Count}.jpg", Num=2, Interval=1),
    )
    assert first.identity == second.identity
    result = Snapshot().run(first, make_context(tmp_path, clip))
    digests = Digests(size=1, sha256="", md5="")
    outputs = tuple(Output(ref=p.ref, place="", digests=digests) for p in result.outputs)
    finished = StepResult(data=result.data, outputs=outputs)
    renamed = Snapshot().renamed(second, finished)
    assert [ref.object for ref in renamed] == ["b/0-00001.jpg", "b/1000-00002.jpg"]


@pytest.mark.parametrize(
    "other", [{"Time": "40"}, {"Width": "100"}, {"FrameType": "normal"}, {"Num": "2"}]
)
def test_what_shapes_the_pictures_is_in_the_identity(clip: Path, other: dict[str, str]) -> None:
    assert planned(clip, Interval="3").identity != planned(clip, Interval="3", **other).identity


def test_a_name_that_no_object_can_have(clip: Path) -> None:
    with pytest.raises(ActivityError) as caught:
        planned(clip, "x" * 250 + "{Count}.jpg")
    assert caught.value.code == Code.OBJECT_KEY


def test_sound_alone_has_no_picture(media_dir: Path, audio_clip: Path) -> None:
    for source in (audio_clip, media.with_cover(media_dir)):
        with pytest.raises(ActivityError) as caught:
            planned(source)
        assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED


def test_it_can_be_cancelled(tmp_path: Path, clip: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InterruptedRunError):
        Snapshot().run(planned(clip), make_context(tmp_path, clip, cancel=cancel))
