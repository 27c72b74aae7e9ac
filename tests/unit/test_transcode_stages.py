"""Stages become graphs, Clip becomes options of the input; nothing is encoded."""

import pytest

from activities.transcode.command.cascade import parents
from activities.transcode.command.commands import RenditionTarget, commands
from activities.transcode.command.filters import Chain, CommandInput, WorkFile, filter_of, simple
from activities.transcode.features import registry as stages
from activities.transcode.source.scene import Scene
from tests.support.transcode_plans import (
    COPY,
    HLS,
    MP3,
    MP4,
    failure,
    media,
    own_filters,
    plan,
    rendition,
    step_of,
)
from workflow_engine.activity import Skip
from workflow_engine.errors import Code

LOGO = Chain(input=CommandInput(file="side-1f.png"), filters=(filter_of("scale", w=80, h=-2),))


def graph(command):
    return command[command.index("-filter_complex") + 1]


def clip(**span):
    return {"Clip": {"TimeSpan": span}}


@pytest.fixture
def logos(monkeypatch):
    """Two equal watermarks and a text behind the picture's size."""

    def lay(scene: Scene):
        yield filter_of("overlay", LOGO, x=scene.size[0] - 80, y=0)
        yield filter_of("overlay", LOGO, x=0, y=0)
        yield filter_of("drawtext", textfile=WorkFile(name="text.txt", text="it's"))

    monkeypatch.setattr(stages, "PICTURE_STAGES", (lay,))


def test_equal_chains_are_inputs_of_their_own(logos):
    (command,) = step_of().commands
    assert command.count("file:side-1f.png") == 2
    assert graph(command).count("overlay=") == 2


def test_stages_stand_behind_size_and_frame_rate(logos):
    found = rendition(Video={"Fps": "10", "Pad": "1280:800:0:0"})
    assert [one.name for one in own_filters(found.picture.encoding)] == [
        *("scale", "pad", "setsar", "fps", "overlay", "overlay", "drawtext")
    ]
    assert [file.text for file in found.written_files] == ["it's"]


def test_files_lie_beside_the_target_whoever_runs_it(logos):
    outputs = [RenditionTarget(rendition=rendition(), stem=f"/work/{n}/0") for n in "ab"]
    (command,) = commands("source.mov", outputs)
    for n in "ab":
        assert command.count(f"file:/work/{n}/side-1f.png") == 2
        assert f"textfile=/work/{n}/text.txt" in graph(command)
    assert command.count("file:source.mov") == 1 and graph(command).count("[0:0]") == 1


def test_sound_that_needs_a_graph_is_split(monkeypatch):
    other = Chain(input=CommandInput(), stream="a:1")
    monkeypatch.setattr(stages, "SOUND_STAGES", (lambda scene: [filter_of("amix", other)],))
    targets = [RenditionTarget(rendition=rendition(MP3), stem=n) for n in "ab"]
    (command,) = commands("source.mov", targets)
    assert "[0:1]asplit=2" in graph(command) and "-af" not in command
    # the second track is read by inputs of its own
    assert command.count("file:source.mov") == 3


def test_a_chain_may_begin_with_a_filter(monkeypatch):
    silence = Chain(filters=(filter_of("anullsrc", duration=1),))
    both = [filter_of("concat", silence, silence, n=3, v=0, a=1)]
    monkeypatch.setattr(stages, "SOUND_STAGES", (lambda scene: both,))
    (command,) = step_of(MP3).commands
    assert graph(command).count("anullsrc=") == 2


def test_which_filters_are_simple():
    assert simple([filter_of("volume", volume="3dB")])
    assert not simple([filter_of("overlay", LOGO)])
    assert not simple([filter_of("drawtext", textfile=WorkFile(name="x"))])


@pytest.mark.parametrize(
    ("span", "options", "duration"),
    [
        ({"Seek": "00:00:10"}, (("ss", "10.000"),), 50),
        ({"Seek": "10.5", "Duration": "5"}, (("ss", "10.500"), ("t", "5.000")), 5),
        ({"Duration": "1:30"}, (("t", "60.000"),), 60),
        ({"Seek": "10", "End": "20", "Duration": "1"}, (("ss", "10.000"), ("t", "30.000")), 30),
        ({}, (), 60),
    ],
)
def test_clip(span, options, duration):
    found = rendition(**clip(**span))
    assert found.origin.options == options and found.duration == duration


@pytest.mark.parametrize(
    ("span", "field"),
    [({"Seek": "60"}, "Seek"), ({"Seek": "30", "End": "30"}, "End"), ({"End": "61"}, "End")],
)
def test_a_clip_outside_of_the_source(span, field):
    error = failure(**clip(**span))
    assert error.code == Code.OUT_OF_RANGE
    assert error.pointer == f"/Outputs/0/Clip/TimeSpan/{field}"


def test_a_clip_counts_from_the_end_of_a_known_length_only():
    endless = media()
    for part in (endless["Probe"]["format"], *endless["Probe"]["streams"]):
        del part["duration"]
    assert failure(source=endless, **clip(End="1")).code == Code.OUT_OF_RANGE
    assert step_of(source=endless, **clip(Seek="1")).resolved[0].rendition.duration is None


def test_cuts_and_shares_follow_the_clip():
    cut = rendition(
        HLS, MuxConfig={"Segment": {"ForceSegTime": "1", "Duration": "2"}}, **clip(Duration="5")
    )
    assert cut.cuts == (1, 2, 4)
    share = step_of().share
    assert share and step_of(**clip(Seek="1")).share not in ("", share)
    outputs = [{"OutputObject": str(n), "TemplateId": MP4} for n in range(2)]
    mixed = plan(outputs[0], outputs[1] | clip(Seek="1"))
    assert not isinstance(mixed, Skip) and not mixed.share
    assert mixed.commands[0].count("file:source.mov") == 2
    assert rendition(**clip(Seek="1")).identity() != rendition().identity()


def test_a_copy_has_no_clip():
    assert failure(template=COPY, **clip(Seek="1")).pointer == "/Outputs/0/Clip"


@pytest.mark.parametrize(
    ("sizes", "above"),
    [
        (
            [(1280, 720), (640, 360), (320, 180)],
            {(1280, 720): None, (640, 360): (1280, 720), (320, 180): (640, 360)},
        ),
        # too near to lose nothing, so from the rung above both
        (
            [(1280, 720), (640, 360), (600, 338)],
            {(1280, 720): None, (640, 360): (1280, 720), (600, 338): (1280, 720)},
        ),
        # nothing is made of an enlarged picture
        ([(3840, 2160), (1280, 720)], {(3840, 2160): None, (1280, 720): None}),
        # both sides must shrink
        ([(1280, 720), (320, 1000)], {(1280, 720): None, (320, 1000): None}),
    ],
)
def test_which_picture_is_scaled_from_which(sizes, above):
    assert parents(sizes, (1920, 1080)) == above


def test_a_ladder_is_scaled_rung_by_rung():
    def widths(*wanted, **video):
        outputs = [
            {"OutputObject": f"{n}", "TemplateId": MP4, "Video": {"Width": f"{w}"} | video}
            for n, w in enumerate(wanted)
        ]
        text = graph(plan(*outputs).commands[0])
        assert "[s0]scale=eval=frame" in text  # to the size that the source announces
        return text.partition("setsar=")[2].partition(";")[2]

    rungs = widths(320, 1280, 640, 1280)
    assert rungs.startswith("[s3]scale=h=720:w=1280") and rungs.count("scale=") == 3
    # each has its own way to the picture that is scaled
    assert widths(320, 1280, Fps="10").count("scale=") == 2
    cropped = widths(320, 1280, Crop="1000:1000:0:0")
    assert cropped.startswith("[s3]crop=") and cropped.count("crop=") == 1
