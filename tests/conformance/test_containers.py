"""DASH, Ogg, FLAC, GIF, WebP and AV1: every file is decoded and counted."""

import struct
from xml.etree import ElementTree

import pytest

from activities.transcode import Transcode
from tests.support import media
from tests.support.context import RUN_ID
from tests.support.transcodes import (
    MP3,
    MP4_COPY,
    decoded,
    frame_numbers,
    hashes,
    key_times,
    near,
    output,
    packets,
    pixel,
    run,
    stream,
)
from workflow_engine.activity import StepResult
from workflow_engine.records import Digests, Output

TINY = {"Width": "160"}
NS = "{urn:mpeg:dash:schema:mpd:2011}"


def of(container, **fields):
    return output(Container={"Format": container}, **fields)


def published(made, directory):
    """The files of a run under their final names, as a player finds them."""
    directory.mkdir()
    for one in made.result.outputs:
        (directory / one.ref.object.rpartition("/")[2]).write_bytes(one.path.read_bytes())
    return directory


def dash_streams(manifest):
    """Each representation of a published manifest as one file, and the seconds of its segments."""
    root = ElementTree.parse(manifest).getroot()
    assert root.get("type") == "static"
    for one in root.iter(f"{NS}Representation"):
        template = one.find(f"{NS}SegmentTemplate")
        lengths = [
            int(s.get("d")) / int(template.get("timescale"))
            for s in template.iter(f"{NS}S")
            for _ in range(int(s.get("r", "0")) + 1)
        ]
        names = [
            (template.get(key).replace("$RepresentationID$", one.get("id")))
            .replace("$Number%05d$", f"{n:05}")
            .replace("$$", "$")
            .replace("%20", " ")
            .replace("%24", "$")
            for key, n in (("initialization", 0), *(("media", n + 1) for n in range(len(lengths))))
        ]
        whole = manifest.with_name(f"whole-{one.get('id')}.mp4")
        whole.write_bytes(b"".join(manifest.with_name(name).read_bytes() for name in names))
        yield whole, lengths, one.get("codecs")


@pytest.mark.proves("Container.Format mpd", by="the manifest, decoded frames")
@pytest.mark.parametrize("codec", ["H.264", "H.265", "AV1"])
def test_dash(tmp_path, media_dir, codec):
    source = media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2)
    made = run(
        tmp_path,
        source,
        of(
            "mpd",
            Video={"Width": "160", "Codec": codec, "Preset": ""},
            OutputObject="x/a $ b",
            MuxConfig={"Segment": {"Duration": "1"}},
        ),
    )
    names = [one.ref.object for one in made.result.outputs]
    assert names[:3] == ["x/a $ b-0-init.m4s", "x/a $ b-0-00001.m4s", "x/a $ b-0-00002.m4s"]
    assert names[-1] == "x/a $ b.mpd"
    assert [one.last for one in made.result.outputs] == [False] * (len(names) - 1) + [True]
    folder = published(made, tmp_path / "published")
    (picture, lengths, codecs), (sound, _, _) = dash_streams(folder / "a $ b.mpd")
    assert lengths == [1, 1] and frame_numbers(picture) == list(range(50))
    assert codecs.startswith({"H.264": "avc1", "H.265": "hvc1", "AV1": "av01"}[codec])
    assert key_times(picture) == [0, 1]
    assert len(decoded(sound, "-f", "s16le")) / 2 / 2 / 44100 == pytest.approx(2, abs=0.06)
    told = made.result.outputs[-1].media
    assert (told["Width"], told["Duration"][:3]) == ("160", "2.0")


def test_dash_under_other_names_and_as_a_copy(tmp_path, clip):
    made = run(tmp_path, clip, of("mpd", Video=TINY, MuxConfig={"Segment": {"Duration": "2"}}))
    outputs = tuple(
        Output(ref=one.ref, place=str(one.path), digests=Digests.of(one.path))
        for one in made.result.outputs
    )
    finished = StepResult(data=made.result.data, outputs=outputs)
    assert Transcode().renamed(made.step, finished) == [one.ref for one in outputs]
    copied = run(tmp_path / "copy", clip, output(MP4_COPY, Container={"Format": "mpd"}))
    folder = published(copied, tmp_path / "copied")
    (picture, _, _), (sound, _, _) = dash_streams(folder / f"0-{clip.stem}.mpd")
    assert [hashes(clip)[0]] == [hashes(picture, "v")[0]]
    assert len(packets(picture)) == 100 and len(packets(sound, "a")) == len(packets(clip, "a"))


@pytest.mark.proves("Container.Format ogg", "Audio.Codec VORBIS", by="ffprobe, decoded sound")
@pytest.mark.proves("Container.Format flac", "Audio.Codec FLAC", by="ffprobe, decoded sound")
def test_ogg_and_flac(tmp_path, audio_clip):
    bare = {"Video": {"Remove": "true"}}
    made = run(
        tmp_path,
        audio_clip,
        of("ogg", Audio={"Codec": "VORBIS", "Bitrate": "96"}, **bare),
        of("ogg", Audio={"Codec": "FLAC"}, **bare),
        of("flac", Audio={"Codec": "FLAC", "Channels": "1", "Samplerate": "48000"}, **bare),
        output(MP3, Container={"Format": "ogg"}, Audio={"Codec": "VORBIS", "Samplerate": "22050"}),
    )
    found = [stream(made[n], "a") for n in range(4)]
    assert [one["codec_name"] for one in found] == ["vorbis", "flac", "flac", "vorbis"]
    assert [(one["channels"], one["sample_rate"]) for one in found] == [
        (2, "44100"),
        (2, "44100"),
        (1, "48000"),
        (2, "22050"),
    ]
    assert found[2]["bits_per_raw_sample"] == "16"
    for n, one in enumerate(found):
        samples = len(decoded(made[n], "-f", "s16le")) / 2 / one["channels"]
        assert samples / int(one["sample_rate"]) == pytest.approx(4, abs=0.1)


def test_flac_loses_nothing(tmp_path, media_dir):
    source = media.make(
        media_dir / "deep.wav",
        *("-f", "lavfi", "-i", "sine=frequency=997:duration=1:sample_rate=44100"),
        *("-af", "volume=0.01", "-ac", "1", "-c:a", "pcm_s24le"),
    )
    mono = {"Codec": "FLAC", "Channels": "1"}
    made = run(tmp_path, source, of("flac", Video={"Remove": "true"}, Audio=mono))
    copied = run(
        tmp_path / "copy",
        made[0],
        output(MP4_COPY, Container={"Format": "flac"}, Video={"Remove": "true"}),
    )
    for path in (made[0], copied[0]):
        assert decoded(path, "-f", "s24le") == decoded(source, "-f", "s24le")


GIF = {"Codec": "GIF", "Width": "160", "Fps": "10", "Preset": ""}


def loops(path):
    """How often a GIF says that it plays; None without a word."""
    content = path.read_bytes()
    at = content.find(b"NETSCAPE2.0")
    return struct.unpack("<H", content[at + 13 : at + 15])[0] if at >= 0 else None


@pytest.mark.proves("Container.Format gif", "Video.Codec GIF", by="decoded frames")
@pytest.mark.proves("MuxConfig.Gif.Loop", by="the bytes of the file")
@pytest.mark.proves("MuxConfig.Gif.FinalDelay", by="packets")
def test_gif(tmp_path, media_dir):
    source = media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2)
    made = run(
        tmp_path,
        source,
        of("gif", Video=GIF),
        of("gif", Video=GIF, MuxConfig={"Gif": {"Loop": "3", "FinalDelay": "150"}}),
    )
    found = stream(made[0])
    assert (found["codec_name"], found["width"], found["height"]) == ("gif", 160, 90)
    numbers = frame_numbers(made[0])
    assert len(numbers) == 20
    assert all(abs(number - 2.5 * n) <= 1.5 for n, number in enumerate(numbers))
    assert (loops(made[0]), loops(made[1])) == (None, 3)
    durations = [float(stream(made[n])["duration"]) for n in range(2)]
    assert durations == pytest.approx([2.0, 1.9 + 1.5], abs=0.05)


@pytest.mark.proves("MuxConfig.Gif.DitherMode", "MuxConfig.Gif.IsCustomPalette", by="colours")
def test_colours_of_a_gif(tmp_path, media_dir):
    soft = media.make(
        media_dir / "soft.mp4",
        *("-f", "lavfi", "-i", "gradients=s=160x90:c0=0x104060:c1=0x206080:n=2:d=1:r=10:seed=1"),
        *("-pix_fmt", "yuv420p", "-crf", "5"),
    )
    cases = ({}, {"DitherMode": "bayer"}, {"DitherMode": "sierra"}, {"IsCustomPalette": "false"})
    made = run(tmp_path, soft, *(of("gif", Video=GIF, MuxConfig={"Gif": case}) for case in cases))
    pictures = [
        decoded(made[n], "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo") for n in range(4)
    ]
    colours = [{p[i : i + 3] for i in range(0, len(p), 3)} for p in pictures]
    # the fixed palette has 256 colours for all there is; this picture uses few of them
    assert len(colours[0]) > 40 > 20 > len(colours[3])
    assert len({bytes(picture) for picture in pictures[1:]}) == 3
    assert near(pixel(made[0], 80, 45), pixel(soft, 80, 45))


@pytest.mark.parametrize("container", ["webp", "gif"])
def test_pictures_that_are_all_alike(tmp_path, wall, container):
    shape = {"Codec": container.upper(), "Width": "160", "Preset": ""}
    made = run(tmp_path, wall, of(container, Video=shape))
    assert near(pixel(made[0], 80, 45), (128, 128, 128))


@pytest.mark.proves("Container.Format webp", "Video.Codec WEBP", by="decoded frames")
@pytest.mark.proves("MuxConfig.Webp.Loop", by="the bytes of the file")
def test_webp(tmp_path, media_dir):
    source = media.numbered(media_dir, 2)
    webp = {"Codec": "WEBP", "Width": "160", "Fps": "10", "Preset": ""}
    made = run(
        tmp_path,
        source,
        of("webp", Video=webp),
        of("webp", Video=webp, MuxConfig={"Webp": {"Loop": "4"}}),
    )
    numbers = frame_numbers(made[0])
    # frames that show what the one before shows may be joined
    assert 10 <= len(numbers) <= 20 and numbers[0] <= 1 and numbers[-1] >= 46
    content = [made[n].read_bytes() for n in range(2)]
    counts = [struct.unpack("<H", c[c.find(b"ANIM") + 12 :][:2])[0] for c in content]
    assert counts == [1, 4]
    told = made.produced(0).media
    assert (told["Width"], told["Height"]) == ("160", "90")
    assert float(told["Duration"]) == pytest.approx(2, abs=0.15)
    assert made.produced(0).ref.object == f"{RUN_ID}/0-{source.stem}.webp"


@pytest.mark.proves("Video.Codec AV1", by="ffprobe, decoded frames")
def test_av1(tmp_path, media_dir):
    source = media.numbered(media_dir, 2)
    av1 = {"Codec": "AV1", "Width": "160", "Preset": ""}
    made = run(
        tmp_path,
        source,
        output(Video=av1 | {"Gop": "1s"}),
        output(Video=av1 | {"Crf": "50", "Maxrate": "100", "PixFmt": "yuv420p10le"}),
    )
    assert [stream(made[n])["codec_name"] for n in range(2)] == ["av1", "av1"]
    assert stream(made[1])["pix_fmt"] == "yuv420p10le"
    assert frame_numbers(made[0]) == list(range(50)) and key_times(made[0]) == [0, 1]


def test_dash_with_sound_only_beside_others(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        of("mpd", Video={"Remove": "true"}, MuxConfig={"Segment": {"Duration": "2"}}),
        of("mpd", Audio={"Remove": "true"}, Video=TINY),
        output(Video=TINY),
    )
    assert sum(command.count("libx264") for command in made.result.commands) == 1
    folder = published(made, tmp_path / "published")
    ((sound, lengths, codecs),) = dash_streams(folder / f"0-{clip.stem}.mpd")
    assert codecs == "mp4a.40.2" and sum(lengths) == pytest.approx(4, abs=0.1)
    assert packets(sound, "a")
    ((picture, _, _),) = dash_streams(folder / f"1-{clip.stem}.mpd")
    assert len(packets(picture)) == 100


@pytest.mark.parametrize("codec", ["VORBIS", "FLAC"])
def test_channels_in_front_and_behind(tmp_path, media_dir, codec):
    around = media.make(
        media_dir / "around.wav",
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-ac", "6"),
    )
    sound = {"Codec": codec, "Bitrate": "128"} if codec == "VORBIS" else {"Codec": codec}
    form = {"Container": {"Format": "ogg" if codec == "VORBIS" else "flac"}}
    wanted = [output(MP3, **form, Audio={**sound, "Channels": n}) for n in ("3", "4")]
    made = run(tmp_path, around, *wanted)
    layouts = [stream(made[n], "a")["channel_layout"] for n in (0, 1)]
    assert layouts == ["3.0", "quad"]
