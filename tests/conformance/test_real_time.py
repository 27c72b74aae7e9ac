"""Films whose pictures come at varying times, or end apart from their sound: how long is what.

A flash and a beep at 2 s tell whether picture and sound stay together.
"""

import pytest

from activities.probe import MediaInfo
from tests.support import media
from tests.support.transcodes import (
    FLV,
    HLS,
    MP4_COPY,
    decoded,
    extinf,
    ffprobe,
    joined,
    output,
    packets,
    run,
    stream,
)

SMALL = {"Width": "160"}
HLS_SEGMENTS = output(HLS, Video=SMALL, MuxConfig={"Segment": {"Duration": "2"}})
#: a flash from 2.0 s to 2.1 s; `select` takes pictures away
FLASH = (
    "color=black:s=160x90:r={rate}:d={seconds},drawbox=t=fill:c=white:enable='between(t,1.99,2.09)'"
)
BEEP = "sine=f=1000:r=48000:d={seconds},volume=8,volume=enable='not(between(t,2,2.1))':volume=0"


def film(directory, name, *, rate=25, seconds=6, select="1", sound=None, options=()):
    """A flash and a beep; of the pictures those that `select` chooses."""
    picture = FLASH.format(rate=rate, seconds=seconds) + f",select='{select}'"
    return media.make(
        directory / name,
        *("-f", "lavfi", "-i", picture),
        *("-f", "lavfi", "-i", BEEP.format(seconds=sound or seconds)),
        *("-fps_mode", "vfr", *options),
    )


X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
#: bursts of 60 pictures a second, with B-frames, and nothing between
BURSTS = "lt(n,3)+between(n,118,130)+gt(n,345)"
#: one picture in two seconds after the first; the nominal rate says 30
SPARSE = "not(mod(n,60))+lt(n,3)"


#: sound that begins late begins with silence
IN_TIME = "aresample=async=1:first_pts=0"


def offset(path) -> float:
    """Seconds by which the beep comes after the flash."""
    rate, grey = 100, path.with_suffix(".grey")
    steps = f"fps={rate}:start_time=0,scale=1:1:flags=area,format=gray"
    samples = decoded(
        path,
        # in one process: alone, each stream would begin at 0
        *("-y", "-map", "0:v", "-vf", steps, "-f", "rawvideo", str(grey)),
        *("-map", "0:a", "-af", IN_TIME, "-ac", "1", "-ar", "8000", "-f", "u8"),
    )
    flash = next(n for n, level in enumerate(grey.read_bytes()) if level > 128) / rate
    beep = next(n for n, level in enumerate(samples) if abs(level - 128) > 40) / 8000
    return beep - flash


def check(tmp_path, source, seconds):
    """Every container tells the length of the source, and each segment has pictures."""
    made = run(
        tmp_path,
        source,
        output(Video=SMALL),
        output(FLV, Video=SMALL),
        HLS_SEGMENTS,
        output(Video=SMALL, Container={"Format": "ts"}),
        output(Video=SMALL, Container={"Format": "mpd"}, MuxConfig={"Segment": {"Duration": "2"}}),
    )
    for n in (0, 1, 3, 4):
        told = made.produced(n).media["Duration"]
        assert float(told) == pytest.approx(seconds, abs=0.21), n
    assert extinf(made[2]) == pytest.approx(seconds, abs=0.12)
    for segment in made.segments(2):
        # by name: some are too small to be recognized
        shown = ffprobe(segment.path, "-f", "mpegts", "-show_streams", "-count_packets")["streams"]
        assert [int(one["nb_read_packets"]) > 0 for one in shown if one.get("width") == 160]
    times = [float(packet["pts_time"]) for packet in packets(made[0])]
    steps = {round(b - a, 3) for a, b in zip(sorted(times), sorted(times)[1:], strict=False)}
    assert max(steps) - min(steps) < 0.002, "a constant rate"
    return made


@pytest.mark.proves("time: bursts of pictures", by="container lengths, EXTINF, flash against beep")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bursts.mp4", (*X264, "-bf", "3")),
        ("bursts.webm", VP8),
        ("bursts.mkv", (*X264, "-bf", "0")),
    ],
)
def test_bursts_of_pictures(tmp_path, media_dir, name, options):
    source = film(media_dir, name, rate=60, select=BURSTS, options=options)
    made = check(tmp_path, source, 6)
    assert stream(made[0])["avg_frame_rate"] == "60/1"
    for path in (made[0], joined(made, 2)):
        assert offset(path) == pytest.approx(offset(source), abs=0.02)


@pytest.mark.proves("time: a picture in two seconds", by="container lengths, EXTINF, pictures")
@pytest.mark.parametrize(
    ("name", "options", "rate", "select"),
    [
        # recorded by a browser: no duration anywhere
        ("sparse.webm", (*VP8, "-f", "webm", "-live", "1"), 30, SPARSE),
        ("sparse.mp4", X264, 30, SPARSE),
        ("slides.mp4", X264, 1, "not(mod(n,2))"),
        ("slides.avi", ("-c:v", "mpeg4", "-c:a", "mp3"), 1, "1"),
    ],
)
def test_a_picture_in_two_seconds(tmp_path, media_dir, name, options, rate, select):
    source = film(media_dir, name, rate=rate, seconds=11, select=select, options=options)
    # AVI shows the last picture as long as the others
    made = check(tmp_path, source, 12 if name.endswith("avi") else 11)
    assert len(packets(made[0])) >= 110


@pytest.mark.proves("time: one picture and sound", by="container lengths, EXTINF")
@pytest.mark.parametrize(
    ("name", "options"),
    # Matroska without tags tells no end of a stream
    [("one.mp4", ()), ("one.mkv", ()), ("bare.mkv", ("-fflags", "+bitexact"))],
)
def test_one_picture_and_a_song(tmp_path, media_dir, name, options):
    source = film(media_dir, name, seconds=1, sound=9, select="eq(n,0)", options=(*X264, *options))
    made = check(tmp_path, source, 9)
    copies = run(tmp_path / "copies", source, output(MP4_COPY, Container={"Format": "m3u8"}))
    assert any("tells 0.0" in one for one in copies.result.warnings)
    assert MediaInfo.of(made[0]).videos[0].duration == pytest.approx(9, abs=0.1)


@pytest.mark.proves("time: copies of bursts", by="container lengths, packets")
@pytest.mark.parametrize("container", ["mp4", "flv", "ts", "m3u8", "mpd"])
def test_copies_keep_their_packets_and_tell_the_length(tmp_path, media_dir, container):
    source = film(media_dir, "bursts.mp4", rate=60, select=BURSTS, options=(*X264, "-bf", "3"))
    made = run(tmp_path, source, output(MP4_COPY, Container={"Format": container}))
    assert float(made.produced(0).media["Duration"]) == pytest.approx(6, abs=0.12)
    if container not in ("m3u8", "mpd"):
        sizes = [packet["size"] for packet in packets(made[0])]
        assert len(sizes) == len(packets(source))


@pytest.mark.proves("time: holes in the sound", by="flash against beep")
@pytest.mark.parametrize("hole", [0.03, 0.059, 0.4])
def test_holes_in_the_sound_are_filled(tmp_path, media_dir, hole):
    whole = film(media_dir, "whole.mkv", options=X264)
    cut = f"aselect='not(between(t,0.5,{0.5 + hole}))'"
    source = media.make(
        media_dir / f"hole-{hole}.mkv",
        *("-i", str(whole), "-c:v", "copy", "-af", cut, "-c:a", "pcm_s16le"),
    )
    made = run(tmp_path, source, output(Video=SMALL), HLS_SEGMENTS)
    for path in (made[0], joined(made, 1)):
        assert offset(path) == pytest.approx(offset(whole), abs=0.02)
