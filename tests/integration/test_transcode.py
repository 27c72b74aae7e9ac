"""Every supported parameter on real media, judged by ffprobe or by decoded pictures."""

from fractions import Fraction
from itertools import pairwise

import pytest

from activities.probe import MediaInfo
from activities.transcode import Transcode
from tests.support import media
from tests.support.context import RUN_ID, make_context
from tests.support.transcodes import (
    FAST,
    FLV,
    HLS,
    MP3,
    MP4,
    MP4_COPY,
    Made,
    decoded,
    ffprobe,
    kbps,
    key_times,
    near,
    output,
    packets,
    pixel,
    plan,
    run,
    stream,
    video,
)
from workflow_engine.errors import ActivityError, Code


@pytest.mark.proves(
    "Container.Format flv",
    "Container.Format mp4",
    "Container.Format ts",
    "Container.Format mp3",
    "Container.Format m4a",
    "Container.Format mp4 audio",
    "TemplateId static",
    "TemplateId audio",
    "OutputObject",
    "Audio.Codec AAC",
    "Audio.Codec MP3",
    "Video.Codec H.264",
    "Audio.Remove",
    "Video.Remove",
    "TransConfig.TransMode onepass",
    by="ffprobe",
)
def test_every_container_holds_what_was_planned(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        output(MP4),
        output(FLV),
        output(HLS),
        output(MP4, Container={"Format": "ts"}),
        output(MP3),
        output(MP4, Container={"Format": "m4a"}, Video={"Remove": "true"}),
        output(MP4, Video={"Remove": "true"}),
        output(MP4, Audio={"Remove": "true"}),
    )
    assert sum(command.count("libx264") for command in made.result.commands) == 1
    forms = ["mov,mp4", "flv", "hls", "mpegts", "mp3", "mov,mp4", "mov,mp4", "mov,mp4"]
    kinds = ["va", "va", "va", "va", "a", "a", "a", "v"]
    for n, (form, kind) in enumerate(zip(forms, kinds, strict=True)):
        # the playlist names its segments as they will be called in the bucket
        info = MediaInfo.of(made.segments(n)[0].path if form == "hls" else made[n])
        assert info.format_name.startswith(form if form != "hls" else "mpegts")
        assert ("v" if info.videos else "") + ("a" if info.audios else "") == kind
        assert info.duration == pytest.approx(4, abs=0.15)
        if info.video:
            assert (info.video.codec, info.video.width, info.video.height) == ("h264", 640, 360)
    assert stream(made[4], "a")["codec_name"] == "mp3"
    sound = stream(made[0], "a")
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("aac", "44100", 2)
    assert made.produced(0).media["Width"] == "640"
    assert made.produced(0).ref.object == f"{RUN_ID}/0-{clip.stem}.mp4"
    # index before data, so that players start at once
    head = made[0].read_bytes()
    assert 0 < head.index(b"moov") < head.index(b"mdat")


def test_a_plan_tells_the_command_that_runs(tmp_path, clip):
    made = run(tmp_path, clip, output(MP4))
    work = str(made[0].parent)
    ran = [part.replace(f"{work}/", "") for part in made.result.commands[0]]
    assert tuple(ran) == made.step.commands[0]


@pytest.mark.proves("Video.Width", "Video.LongShortMode", by="ffprobe")
def test_sizes_of_rotated_and_anamorphic_sources(tmp_path, media_dir):
    turned = run(
        tmp_path / "turned",
        media.rotated(media_dir, 90),
        video(Width="180"),
        video(Width="320", LongShortMode="true"),
    )
    for n in range(2):
        found = stream(turned[n])
        assert (found["width"], found["height"]) == (180, 320)
        assert "side_data_list" not in found  # turned, not marked
    wide = run(
        tmp_path / "wide",
        media.anamorphic(media_dir),  # 360x288 of 16:15 pixels shows 4:3
        video(Width="320"),
        video(Width="320", Height="320"),
    )
    square, stretched = stream(wide[0]), stream(wide[1])
    assert (square["width"], square["height"], square["sample_aspect_ratio"]) == (320, 240, "1:1")
    assert stretched["display_aspect_ratio"] == "4:3"


@pytest.mark.proves("TransConfig.AdjDarMethod", by="pixels")
def test_adj_dar_method_by_pixels(tmp_path, media_dir):
    bars = media.clip(media_dir, 1, "640x360", picture="smptebars", audio=False)
    methods = ("rescale", "none", "crop", "pad")
    square = {"Width": "360", "Height": "360"} | FAST
    made = run(
        tmp_path,
        bars,
        *(output(Video=square, TransConfig={"AdjDarMethod": m}) for m in methods),
    )
    rescale, none, crop, pad = (made[n] for n in range(4))
    grey, yellow, blue = pixel(bars, 4, 20), pixel(bars, 120, 20), pixel(bars, 636, 20)
    for path in (rescale, none):
        assert near(pixel(path, 4, 20), grey) and near(pixel(path, 355, 20), blue)
    assert stream(rescale)["sample_aspect_ratio"] == "1:1"
    assert stream(none)["display_aspect_ratio"] == "16:9"
    odd = run(tmp_path / "odd", bars, video(Width="350", Height="202"))
    assert stream(odd[0])["display_aspect_ratio"] == "16:9"
    # 140 columns are cut on each side: the picture begins inside the second bar
    assert near(pixel(crop, 4, 20), pixel(bars, 144, 20)) and near(pixel(crop, 4, 20), yellow)
    # 202 lines of picture between two black bars
    assert near(pixel(pad, 180, 20), (0, 0, 0)) and near(pixel(pad, 180, 340), (0, 0, 0))
    assert near(pixel(pad, 4, 100), grey)


@pytest.mark.proves("Video.Crop", "Video.Pad", by="pixels")
def test_crop_and_pad_by_pixels(tmp_path, media_dir):
    bars = media.clip(media_dir, 1, "640x360", picture="smptebars", audio=False)
    made = run(
        tmp_path,
        bars,
        video(Crop="300:200:101:11", Width="300"),
        video(Width="320", Pad="400:300:40:60"),
    )
    found = stream(made[0])
    assert (found["width"], found["height"]) == (300, 200)
    assert near(pixel(made[0], 10, 20), pixel(bars, 111, 31))
    found = stream(made[1])
    assert (found["width"], found["height"]) == (400, 300)
    assert near(pixel(made[1], 10, 150), (0, 0, 0)) and near(pixel(made[1], 390, 10), (0, 0, 0))
    assert near(pixel(made[1], 44, 70), pixel(bars, 8, 20))


@pytest.mark.proves("Video.Fps", by="packets")
def test_frame_rates(tmp_path, media_dir):
    fast = media.clip(media_dir, 1, "320x180", fps=100, audio=False)
    made = run(tmp_path, fast, video(), video(Fps="29.97"), video(Fps="10"))
    counts = [len(packets(made[n])) for n in range(3)]
    assert counts[0] == 60 and counts[1] in (30, 31) and counts[2] == 10
    assert Fraction(stream(made[1])["r_frame_rate"]) == Fraction(30000, 1001)


@pytest.mark.proves("Video.Gop", by="packets")
def test_key_frames(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        video(Gop="1.5s"),
        video(Gop="40"),
        video(),
        video(Codec="H.265", Gop="1.5s", Width="160"),
    )
    assert key_times(made[0]) == [0, 1.52, 3]
    assert key_times(made[1]) == [0, 1.6, 3.2]
    assert key_times(made[2]) == [0]
    assert key_times(made[3]) == [0, 1.52, 3]


@pytest.mark.proves("Video.Bitrate", "Video.Crf", "Video.Maxrate", "Video.Bufsize", by="packets")
def test_bit_rate_crf_and_maxrate_rule_the_size(tmp_path, media_dir):
    grain = media.noisy(media_dir, 3, "320x180")
    made = run(
        tmp_path,
        grain,
        video(Bitrate="300"),
        video(Bitrate="900"),
        video(Crf="20"),
        video(Crf="35"),
        video(Crf="20", Maxrate="300", Bufsize="1000"),
    )
    low, high, fine, coarse, capped = (kbps(made[n]) for n in range(5))
    # three seconds of one pass come near, not more
    assert 200 < low < 500 and 700 < high < 1300
    assert fine > 3 * coarse
    # three seconds at the rate and one full buffer
    assert capped * 3 < 300 * 3 + 1000 and capped < fine / 2


@pytest.mark.proves("Video.Profile", "Video.PixFmt", by="ffprobe")
@pytest.mark.proves("Video.Preset", by="the encoder's own words")
def test_profile_preset_and_pixel_format(tmp_path, clip):
    made = run(
        tmp_path,
        clip,
        video(Profile="baseline"),
        video(Profile="main", Preset="slow"),
        video(PixFmt="yuv422p10le"),
        video(PixFmt="yuvj420p"),
    )
    found = [stream(made[n]) for n in range(4)]
    assert found[0]["profile"] == "Constrained Baseline" and found[0]["has_b_frames"] == 0
    assert found[1]["profile"] == "Main"
    assert found[2]["pix_fmt"] == "yuv422p10le"
    assert found[3]["color_range"] == "pc"
    assert b"rc_lookahead=50" in made[1].read_bytes()  # what preset slow means to x264
    assert b"rc_lookahead=10" in made[0].read_bytes()


@pytest.mark.proves("Video.Codec H.265", by="ffprobe")
def test_h265(tmp_path, clip):
    made = run(tmp_path, clip, video(Codec="H.265", Width="160", Bitrate="100"))
    found = stream(made[0])
    assert (found["codec_name"], found["codec_tag_string"]) == ("hevc", "hvc1")


@pytest.mark.proves("Container.Format m3u8", "MuxConfig.Segment.Duration", by="decoded frames")
@pytest.mark.parametrize("codec", ["H.264", "H.265"])
def test_hls_segments_are_named_and_each_plays_alone(tmp_path, clip, codec):
    size = {"Width": "160", "Codec": codec}
    made = run(tmp_path, clip, output(HLS, Video=size, MuxConfig={"Segment": {"Duration": "1"}}))
    stem = f"0-{clip.stem}"
    assert [p.ref.object for p in made.result.outputs] == [
        *(f"{RUN_ID}/{stem}-{n:05}.ts" for n in range(1, 5)),
        f"{RUN_ID}/{stem}.m3u8",
    ]
    assert [p.last for p in made.result.outputs] == [False] * 4 + [True]
    lines = made[0].read_text().splitlines()
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in lines and lines[-1] == "#EXT-X-ENDLIST"
    assert "#EXT-X-MEDIA-SEQUENCE:1" in lines
    assert [x for x in lines if not x.startswith("#")] == [f"{stem}-{n:05}.ts" for n in range(1, 5)]
    times = [float(x[8:].rstrip(",")) for x in lines if x.startswith("#EXTINF:")]
    assert times == pytest.approx([1, 1, 1, 1], abs=0.05)
    frame = 160 * 90 * 3 // 2
    for segment in made.segments(0):
        pictures = decoded(segment.path, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "yuv420p")
        assert len(pictures) // frame == 25


@pytest.mark.proves("MuxConfig.Segment.ForceSegTime", by="packets")
@pytest.mark.parametrize("codec", ["H.264", "H.265"])
def test_forced_cuts(tmp_path, clip, codec):
    cuts = {"Segment": {"ForceSegTime": "0.52,1.4,3.2"}}
    size = {"Width": "160", "Codec": codec}
    made = run(tmp_path, clip, output(HLS, Video=size, MuxConfig=cuts))
    lines = made[0].read_text().splitlines()
    times = [float(x[8:].rstrip(",")) for x in lines if x.startswith("#EXTINF:")]
    assert times == pytest.approx([0.52, 0.88, 1.8, 0.8], abs=0.05)
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in lines
    assert [len(packets(segment.path)) for segment in made.segments(0)] == [13, 22, 45, 20]
    # the clock runs on from one to the next
    shown = [[float(p["pts_time"]) for p in packets(one.path)] for one in made.segments(0)]
    gaps = [min(then) - max(before) for before, then in pairwise(shown)]
    assert gaps == pytest.approx([0.04] * 3, abs=0.001)


@pytest.mark.proves("TransConfig.TransMode twopass", by="packets")
def test_two_passes_meet_the_rate_better_than_one(tmp_path, media_dir):
    grain = media.noisy(media_dir, 3, "320x180")
    shares: list[float] = []
    step = plan(
        grain,
        output(Video={"Bitrate": "400"}, TransConfig={"TransMode": "twopass"}),
        output(Video={"Bitrate": "400"}),
    )
    context = make_context(tmp_path, grain, progress=shares.append)
    made = Made(step, Transcode().run(step, context))
    assert len(made.result.commands) == 3
    twice, once = kbps(made[0]), kbps(made[1])
    assert abs(twice - 400) < abs(once - 400) and twice == pytest.approx(400, rel=0.1)
    assert shares == sorted(shares) and shares[-1] == 1


def test_two_passes_of_h265(tmp_path, clip):
    twopass = {"TransMode": "twopass"}
    tiny = {"Codec": "H.265", "Width": "160", "Bitrate": "80"}
    made = run(tmp_path, clip, output(Video=tiny, TransConfig=twopass))
    assert len(made.result.commands) == 2
    assert stream(made[0])["codec_name"] == "hevc" and len(packets(made[0])) == 100


@pytest.mark.proves("TransConfig.TransMode CBR", by="packets")
def test_cbr_fills_up_what_is_easy(tmp_path, media_dir):
    still = media.flat(media_dir, 3, "320x180")
    easy = {"Bitrate": "500", "Bufsize": "1000"}
    made = run(
        tmp_path, still, output(Video=easy, TransConfig={"TransMode": "CBR"}), output(Video=easy)
    )
    assert kbps(made[0]) > 300 and kbps(made[1]) < 60


@pytest.mark.proves("TransConfig.IsCheckReso", by="ffprobe")
@pytest.mark.proves("TransConfig.IsCheckResoFail", by="error code")
def test_the_check_rules_on_a_real_source(tmp_path, media_dir):
    small = media.clip(media_dir, 2, "320x180")
    rates = MediaInfo.of(small)
    assert rates.video and rates.video.bitrate_kbps and rates.default_audio
    rules = {"IsCheckReso": "true", "IsCheckVideoBitrate": "true", "IsCheckAudioBitrate": "true"}
    many = output(Video={"Bitrate": "5000"}, Audio={"Bitrate": "320"}, TransConfig=rules)
    made = run(tmp_path, small, many)
    assert stream(made[0])["width"] == 320
    command = made.result.commands[0]
    assert command[command.index("-b:v") + 1] == f"{rates.video.bitrate_kbps:g}k"
    assert command[command.index("-b:a") + 1] == f"{rates.default_audio.bitrate_kbps:g}k"
    with pytest.raises(ActivityError) as caught:
        plan(small, output(TransConfig={"IsCheckResoFail": "true"}))
    assert caught.value.code == Code.OUT_OF_RANGE


@pytest.mark.proves("Audio.Samplerate", "Audio.Channels", by="ffprobe")
@pytest.mark.proves("Audio.Bitrate", by="packets")
def test_sound_of_a_real_clip(tmp_path, bunny):
    made = run(
        tmp_path,
        bunny,
        output(MP3, Audio={"Channels": "1", "Samplerate": "22050"}),
        output(
            Container={"Format": "m4a"},
            Video={"Remove": "true"},
            Audio={"Channels": "6", "Samplerate": "48000", "Bitrate": "256"},
        ),
    )
    mono, round_ = stream(made[0], "a"), stream(made[1], "a")
    assert (mono["codec_name"], mono["channels"], mono["sample_rate"]) == ("mp3", 1, "22050")
    assert (round_["codec_name"], round_["channels"]) == ("aac", 6)
    assert round_["channel_layout"].startswith("5.1")
    assert kbps(made[1], "a") == pytest.approx(256, rel=0.25)


@pytest.mark.proves("AudioStreamMap", by="decoded sound")
def test_sound_and_words_of_the_source(tmp_path, media_dir):
    tagged = media.make(
        media_dir / "tagged.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1"),
        *("-f", "lavfi", "-i", "anullsrc=duration=1"),
        *("-map", "0", "-map", "1", "-map", "2", "-metadata", "location=+10.0+020.0/"),
        *("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default"),
    )
    small = {"Width": "160"}
    made = run(
        tmp_path,
        tagged,
        output(Video=small),
        output(Video=small, AudioStreamMap="0:a:0"),
        output(MP4_COPY),
    )
    assert [stream(made[n], "a")["tags"]["language"] for n in range(3)] == ["fra", "deu", "fra"]
    tags = [ffprobe(made[n], "-show_format")["format"]["tags"] for n in range(3)]
    # a rendition does not tell where it was filmed, a copy is the same file in another container
    assert "location" not in tags[0] and "location" in tags[2]
    silent = decoded(made[0], "-map", "0:a", "-f", "s16le")
    tone = decoded(made[1], "-map", "0:a", "-f", "s16le")
    assert not any(silent) and any(tone)


@pytest.mark.proves("Video.ScanMode", by="ffprobe")
def test_scan_modes(tmp_path, media_dir):
    fields = media.clip(
        media_dir,
        1,
        "320x180",
        audio=False,
        name="fields",
        extra=("-vf", "setfield=tff", "-flags", "+ilme+ildct"),
    )
    made = run(
        tmp_path / "fields",
        fields,
        video(Width="320"),
        video(Width="320", ScanMode="progressive"),
        video(Width="160"),
        video(Width="160", ScanMode="interlaced"),
    )
    orders = [stream(made[n])["field_order"] for n in range(4)]
    assert orders == ["progressive", "progressive", "progressive", "tt"]
    assert {len(packets(made[n])) for n in range(4)} == {25}
    quick = media.clip(media_dir, 1, "320x180", fps=50, audio=False)
    woven = run(tmp_path / "woven", quick, video(Width="320", ScanMode="interlaced"))
    assert stream(woven[0])["field_order"] == "tt" and len(packets(woven[0])) == 25
