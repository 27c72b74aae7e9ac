"""Which outputs have an encoder, and which are muxed from the file of another one."""

from typing import Any

from activities.transcode.command.muxing import divide
from tests.support.transcode_plans import HLS, MP3, MP4, plan
from workflow_engine.activity import Step

FIVE = [{"Container": {"Format": name}} for name in ("flv", "m3u8", "mp4", "ts", "mpd")]


def step_of(*outputs: dict[str, Any], template: str = MP4) -> Step:
    named = [
        {"OutputObject": str(number), "TemplateId": template} | one
        for number, one in enumerate(outputs)
    ]
    step = plan(*named)
    assert isinstance(step, Step)
    return step


def encoders(step: Step) -> list[list[str]]:
    """The files of each process that encodes."""
    return [files(one) for one in step.commands if set(one) & {"libx264", "libx265", "libmp3lame"}]


def files(command: tuple[str, ...]) -> list[str]:
    names = ("flv", "m3u8", "m4a", "mp3", "mp4", "mpd", "ts")
    return [
        word
        for word in command
        if word.partition(".")[2] in names and "%" not in word and "file:" not in word
    ]


def muxes(step: Step) -> dict[str, list[str]]:
    """What each muxed output is made of."""
    return {
        files(one)[0]: [word.removeprefix("file:") for word in one if word.startswith("file:")]
        for one in step.commands
        if one.count("copy") and "-copyts" in one
    }


def test_containers_of_one_picture_are_muxed_from_its_mp4():
    step = step_of(*FIVE)
    assert encoders(step) == [["2.mp4"]]
    assert muxes(step) == {name: ["2.mp4"] for name in ("0.flv", "1.m3u8", "3.ts", "4.mpd")}


def test_without_an_mp4_there_is_one_that_is_only_read():
    step = step_of(FIVE[0], FIVE[1])
    assert encoders(step) == [["streams-0.mp4"]]
    assert muxes(step) == {name: ["streams-0.mp4"] for name in ("0.flv", "1.m3u8")}


def test_other_sound_has_an_encoder_of_its_own():
    low = {"Audio": {"Bitrate": "64"}}
    step = step_of(
        FIVE[2], FIVE[1], FIVE[2] | low, FIVE[1] | low, FIVE[3] | {"Audio": {"Remove": "true"}}
    )
    assert encoders(step) == [["0.mp4", "streams-0.mp4"]]
    sound = ["0.mp4", "streams-0.mp4"]
    assert muxes(step) == {"1.m3u8": ["0.mp4"], "2.mp4": sound, "3.m3u8": sound, "4.ts": ["0.mp4"]}
    assert step.commands[0].count("libx264") == 1 and step.commands[0].count("aac") == 2


def test_other_pictures_are_encoded():
    other = [
        {"Video": {"Bitrate": "700"}},
        {"Video": {"Width": "640"}},
        {"Video": {"Codec": "H.265"}},
        {"Video": {"Gop": "100"}},
        {"Clip": {"TimeSpan": {"Seek": "1"}}},
        {"Video": {"Preset": "fast"}},
        {"TransConfig": {"TransMode": "CBR"}},
    ]
    step = step_of({}, *other)
    assert not muxes(step) and sum(map(len, encoders(step))) == 1 + len(other)


def test_key_frames_of_a_playlist_are_right_for_what_needs_none():
    short, long = ({"MuxConfig": {"Segment": {"Duration": n}}} for n in ("4", "10"))
    step = step_of({}, FIVE[1] | short)
    assert muxes(step) == {"1.m3u8": ["0.mp4"]}
    assert "expr:gte(t,n_forced*4/1)" in step.commands[0]
    # a playlist that is cut elsewhere needs an encoder
    step = step_of({}, FIVE[1] | short, FIVE[4] | long)
    assert encoders(step) == [["0.mp4", "2.mpd"]]
    assert {"expr:gte(t,n_forced*4/1)", "expr:gte(t,n_forced*10/1)"} <= set(step.commands[0])
    cuts = {"MuxConfig": {"Segment": {"ForceSegTime": "1,5"}}}
    step = step_of({}, FIVE[1] | cuts)
    assert muxes(step) == {"1.m3u8": ["0.mp4"]} and "1,5" in step.commands[0]


def test_every_output_can_be_cut_into_segments_of_the_usual_length():
    forced = [one[one.index("-force_key_frames") + 1] for one in step_of({}).commands]
    assert forced == ["expr:gte(t,n_forced*10/1)"]
    # a Gop in seconds that leads to the same moments stays
    seconds = {"Video": {"Gop": "2s"}}
    step = step_of(seconds, FIVE[1] | seconds)
    assert muxes(step) == {"1.m3u8": ["0.mp4"]} and "expr:gte(t,n_forced*2/1)" in step.commands[0]


def test_sound_alone_is_encoded_once():
    step = step_of(
        *({"Container": {"Format": name}, "Audio": {"Codec": "AAC"}} for name in ("ts", "m4a")),
        template=MP3,
    )
    assert step.commands[0][-1] == "1.m4a" and muxes(step) == {"0.ts": ["1.m4a"]}
    # an mp3 tells in its head what its encoder knew
    assert not muxes(step_of({}, {"Container": {"Format": "ts"}}, template=MP3))


def test_two_passes_are_made_once():
    two = {"TransConfig": {"TransMode": "twopass"}}
    step = step_of(two, FIVE[1] | two, FIVE[0] | two)
    assert [one[one.index("-pass") + 1] for one in step.commands[:2]] == ["1", "2"]
    assert len(step.commands) == 4 and set(muxes(step)) == {"1.m3u8", "2.flv"}


def test_copies_and_gifs_have_no_part_in_it():
    step = step_of({}, {"TemplateId": "S00000001-200000"}, {"TemplateId": "S00000001-100000"})
    assert not muxes(step)


def test_division_of_nothing():
    assert divide([]).encodes == ()


def test_an_hls_template_shares_with_the_mp4_of_its_numbers():
    assert muxes(step_of({}, {"TemplateId": HLS})) == {"1.m3u8": ["0.mp4"]}
