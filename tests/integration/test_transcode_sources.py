"""Sources that need care: frames out of order, turned pictures, private words, fast frames."""

import pytest

from tests.support import media
from tests.support.transcodes import (
    FLV_COPY,
    HLS,
    HLS_COPY,
    MP3,
    MP4,
    MP4_COPY,
    ffprobe,
    output,
    packets,
    run,
    stream,
)
from workflow_engine.errors import ActivityError, Code

TINY = {"Width": "128"}


def test_frames_out_of_order_in_avi_are_encoded_but_not_copied(tmp_path, media_dir):
    source = media.clip(
        media_dir, 1, "160x90", audio=False, container="avi", extra=("-bf", "2"), name="reordered"
    )
    for template in (MP4_COPY, HLS_COPY, FLV_COPY):
        with pytest.raises(ActivityError, match="B-frames"):
            run(tmp_path / template, source, output(template))
    assert len(packets(run(tmp_path / "encoded", source, output(Video=TINY))[0])) == 25
    plain = media.clip(
        media_dir, 1, "160x90", audio=False, container="avi", extra=("-bf", "0"), name="ordered"
    )
    copies = run(tmp_path / "plain", plain, output(MP4_COPY))
    times = [packet["pts_time"] for packet in packets(copies[0])]
    assert len(set(times)) == 25


def test_turned_pictures_are_copied_only_where_that_can_be_said(tmp_path, media_dir):
    source = media.rotated(media_dir, 90)
    for template in (FLV_COPY, HLS_COPY):
        with pytest.raises(ActivityError, match="turned by 90 degrees") as caught:
            run(tmp_path / template, source, output(template))
        assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
    copied = run(tmp_path / "copied", source, output(MP4_COPY))
    assert "side_data_list" in stream(copied[0])


def test_no_encoded_output_tells_where_it_was_recorded(tmp_path, media_dir):
    words = media_dir / "words.txt"
    words.write_text(
        ";FFMETADATA1\nlocation=+10.0+020.0/\ntitle=secret\n"
        "[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=secret too\n"
    )
    source = media.make(
        media_dir / "words.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-i", str(words)),
        *("-map", "0", "-map", "1", "-map_metadata", "2", "-map_chapters", "2"),
        *("-metadata:s:a:0", "language=deu"),
    )
    bare = {"Video": {"Remove": "true"}}
    made = run(
        tmp_path,
        source,
        output(Video=TINY),
        output(MP3),
        output(MP4, **bare),
        output(MP4, Container={"Format": "m4a"}, **bare),
        output(MP4_COPY),
    )
    for n in range(4):
        told = ffprobe(made[n], "-show_format", "-show_streams", "-show_chapters")
        assert "secret" not in str(told) and "+10.0" not in str(told), n
        assert not told["chapters"] and len(told["streams"]) <= 2
    assert stream(made[3], "a")["tags"]["language"] == "deu"
    # a copy is the same file in another container
    assert "secret too" in str(ffprobe(made[4], "-show_format", "-show_chapters"))


def test_fast_frames_are_brought_down(tmp_path, media_dir):
    source = media.clip(media_dir, 1, "160x90", fps=480, audio=False)
    made = run(tmp_path, source, output(Video=TINY))
    assert stream(made[0])["r_frame_rate"] == "60/1" and len(packets(made[0])) == 60


def test_pixel_formats_come_out_as_they_were_asked_for(tmp_path, media_dir):
    source = media.clip(media_dir, 1, "160x90", audio=False)
    formats = ("yuvj420p", "yuvj422p", "yuv444p", "yuv420p10le")
    made = run(
        tmp_path,
        source,
        *(output(Video=TINY | {"Codec": "H.265", "PixFmt": form}) for form in formats),
    )
    # full range 4:2:2 has no name of its own in H.265
    assert [(stream(made[n])["pix_fmt"], stream(made[n])["color_range"]) for n in range(4)] == [
        ("yuvj420p", "pc"),
        ("yuv422p", "pc"),
        ("yuv444p", "tv"),
        ("yuv420p10le", "tv"),
    ]


def test_channels_that_adts_holds(tmp_path, media_dir):
    source = media.uneven(media_dir, 1, 1)
    counts = (1, 2, 4, 5, 6)
    made = run(
        tmp_path,
        source,
        *(output(HLS, Video=TINY, Audio={"Channels": str(count)}) for count in counts),
        output(MP3, Audio={"Samplerate": "22050", "Bitrate": "160"}),
    )
    for n, count in enumerate(counts):
        assert stream(made.segments(n)[0].path, "a")["channels"] == count
    assert stream(made[len(counts)], "a")["bit_rate"] == "160000"


def test_a_copy_of_mpeg4_in_a_transport_stream_has_its_headers(tmp_path, media_dir):
    source = media.make(
        media_dir / "mpeg4.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1", "-c:v", "mpeg4"),
    )
    made = run(tmp_path, source, output(MP4_COPY, Container={"Format": "ts"}))
    assert stream(made[0])["width"] == 160
