"""HLS playlists as inputs: every frame of every segment comes out, in its order and at its time."""

import itertools
import re
from pathlib import Path

import pytest

from tests.support import media
from tests.support.playlist_runs import COPY, SMALL, PlaylistRuns
from tests.support.playlists import (
    encrypted,
    in_one_file,
    rewritten,
    segmented,
    segments,
)
from tests.support.topologies import transcode
from tests.support.transcodes import (
    ffprobe,
    frame_numbers,
    frames,
    hashes,
    near,
    packets,
    sound_seconds,
)
from workflow_engine.records import ExecutionRecord

SECRET = bytes(range(16))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    made = PlaylistRuns(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def film(media_dir):
    """Two seconds of numbered frames, and a tone that begins with them or after them.

    A sound that begins before the first frame, as AAC does by itself, would hold that frame.
    """
    return media.make(
        media_dir / "film-of-playlists.mp4",
        *("-i", str(media.numbered(media_dir, 2)), "-itsoffset", "0.04"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=1.95"),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"),
    )


def length(path: Path) -> float:
    return float(ffprobe(path, "-show_format")["format"]["duration"])


def require_film(runs: PlaylistRuns, record: ExecutionRecord) -> None:
    """The encode has all 50 frames in their order, two seconds of each, and a picture of each."""
    made = runs.output(record, "mp4")
    assert frame_numbers(made) == list(range(50))
    assert length(made) == pytest.approx(2.0, abs=0.08)
    assert sound_seconds(made) == pytest.approx(2.0, abs=0.05)
    assert media.frame_number(runs.output(record, "shot", 1)) == 25


def frame_start(content: bytes, number: int) -> int:
    """Where a frame of ADTS or MP3 begins, by the first bytes that all frames share."""
    first = content[content.index(b"\xff") :][:3]
    return [found.start() for found in re.finditer(re.escape(first), content)][number]


FORMS = {
    "ts": lambda list_: list_,
    "one file": lambda list_: in_one_file(list_, "all.bin"),
}


@pytest.mark.proves("playlist: MPEG-TS segments", by="decoded frames, sound, length, pictures")
@pytest.mark.parametrize("form", FORMS)
def test_segments_of_mpeg_ts(runs, film, form):
    FORMS[form](segmented(runs.uploads, film))
    record = runs.run("oss://uploads/incoming/film.m3u8")
    require_film(runs, record)


@pytest.mark.proves("playlist: fragmented MP4", by="decoded frames, sound, length, pictures")
@pytest.mark.parametrize("form", FORMS)
def test_segments_of_fragmented_mp4(runs, film, form):
    FORMS[form](segmented(runs.uploads, film, kind="fmp4"))
    require_film(runs, runs.run("oss://uploads/incoming/film.m3u8"))


@pytest.mark.proves("playlist: FILE of the command line", by="decoded frames, sound, length")
def test_a_list_beside_its_segments_on_the_command_line(runs, film, tmp_path):
    listed = segmented(tmp_path / "elsewhere", film)
    require_film(runs, runs.run(listed))


@pytest.mark.proves("playlist: AES-128", by="decoded frames of segments encrypted by hand")
@pytest.mark.parametrize("form", ["mpegts", "fmp4"])
@pytest.mark.parametrize("counted", [True, False])
def test_encrypted_segments(runs, film, form, counted):
    listed = segmented(runs.uploads, film, "-start_number", "7", kind=form)
    vectors = [
        n.to_bytes(16, "big") if counted else bytes([9]) * 16
        for n in range(7, 7 + len(segments(listed)))
    ]
    iv = "" if counted else f",IV=0x{'09' * 16}"
    tag = f'#EXT-X-KEY:METHOD=AES-128,URI="keys/film%20key"{iv}'
    (runs.uploads / "keys").mkdir()
    (runs.uploads / "keys/film key").write_bytes(SECRET)
    encrypted(listed, SECRET, vectors, tag)
    if form == "fmp4":  # the header was not encrypted
        text = listed.read_text()
        head, header, rest = text.partition('#EXT-X-MAP:URI="film-init.mp4"\n')
        assert header
        listed.write_text(head.replace(tag + "\n", "") + header + tag + "\n" + rest)
    require_film(runs, runs.run("oss://uploads/incoming/film.m3u8"))


@pytest.mark.proves("playlist: EXT-X-DISCONTINUITY", by="decoded frames and packet times")
@pytest.mark.parametrize("form", ["mpegts", "fmp4"])
def test_parts_with_time_stamps_of_their_own(runs, film, form):
    first = segmented(runs.uploads, film, kind=form)
    second = segmented(runs.uploads, film, kind=form, name="more")
    tail = second.read_text()
    tail = tail[tail.index("#EXT-X-MAP" if form == "fmp4" else "#EXTINF") :]
    rewritten(first, ("#EXT-X-ENDLIST", f"#EXT-X-DISCONTINUITY\n{tail}"))
    record = runs.run("oss://uploads/incoming/film.m3u8")
    made = runs.output(record, "mp4")
    assert frame_numbers(made) == [*range(50), *range(50)]
    assert length(made) == pytest.approx(4.0, abs=0.12)
    info = record.activity("start").result.data["Properties"]
    assert float(info["Duration"]) == pytest.approx(4.0, abs=0.12)
    times = sorted(float(packet["pts_time"]) for packet in packets(made))
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.09


@pytest.mark.proves("playlist: packed AAC and MP3", by="seconds of sound")
@pytest.mark.parametrize(("codec", "muxer"), [("aac", "adts"), ("libmp3lame", "mp3")])
def test_packed_sound(runs, media_dir, codec, muxer):
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3")
    whole = media.make(media_dir / f"packed.{muxer}", *tone, "-c:a", codec, "-write_xing", "0")
    content = whole.read_bytes()
    # the tag that tells a segment's time, as packagers write it before each
    owner = b"com.apple.streaming.transportStreamTimestamp\0" + bytes(8)
    frame = b"PRIV" + len(owner).to_bytes(4, "big") + b"\0\0" + owner
    tag = b"ID3\x04\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    cut = frame_start(content, 40)
    (runs.uploads / "a").write_bytes(tag + content[:cut])
    (runs.uploads / "b").write_bytes(tag + content[cut:])
    (runs.uploads / "song.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na\n#EXTINF:1,\nb\n#EXT-X-ENDLIST\n"
    )
    song = transcode("{FileName}.mp3", "S00000001-300010")
    record = runs.run("oss://uploads/incoming/song.m3u8", {"song": song})
    assert sound_seconds(runs.output(record, "song")) == pytest.approx(3.0, abs=0.08)


@pytest.mark.proves("playlist: media info", by="format, size of the list, length")
@pytest.mark.parametrize("form", ["mpegts", "fmp4"])
def test_media_info(runs, film, form):
    listed = segmented(runs.uploads, film, kind=form)
    rewritten(listed, ("#EXTINF:0.48", "#EXTINF:3.50"))  # lists lie
    record = runs.run("oss://uploads/incoming/film.m3u8", {"mp4": transcode(**SMALL)})
    info = record.activity("start").result.data["Properties"]
    assert info["Format"]["FormatName"] == "hls"
    assert info["FileFormat"] == "Apple HTTP Live Streaming"
    assert int(info["FileSize"]) == listed.stat().st_size
    assert float(info["Duration"]) == pytest.approx(2.0, abs=0.1)
    assert 1 < float(info["Bitrate"]) < 2000
    assert (info["Width"], info["Height"]) == ("160", "90")


@pytest.mark.proves("playlist: remux", by="packets as they are in the segments")
def test_a_remux_keeps_the_packets(runs, film, tmp_path):
    listed = segmented(runs.uploads, film)
    whole = tmp_path / "whole.ts"
    whole.write_bytes(b"".join(listed.with_name(one).read_bytes() for one in segments(listed)))
    plain = media.make(tmp_path / "plain.mp4", "-i", str(whole), "-c", "copy")
    copy = transcode("{FileName}-copy.mp4", COPY)
    record = runs.run("oss://uploads/incoming/film.m3u8", {"copy": copy})
    assert hashes(runs.output(record, "copy")) == hashes(plain)


@pytest.mark.proves("playlist: Clip, MergeList, WaterMarks, Analysis", by="decoded frames, states")
def test_what_else_may_be_done_with_a_list(runs, film, tmp_path):
    segmented(runs.uploads, film)
    (runs.uploads / "film.mp4").write_bytes(film.read_bytes())
    media.make(
        runs.uploads / "logo.png",
        *("-f", "lavfi", "-i", "color=red:size=16x16", "-frames:v", "1"),
    )
    clip = {"TimeSpan": {"Seek": "1.0", "Duration": "0.4"}}
    part = {"MergeURL": "oss://uploads/incoming/film.mp4"}
    logo = {
        "InputFile": {"Bucket": "uploads", "Location": "local", "Object": "incoming/logo.png"},
        "Width": "20",
        "Dx": "4",
        "Dy": "4",
    }
    record = runs.run(
        "oss://uploads/incoming/film.m3u8",
        {
            "clip": transcode("clip.mp4", **SMALL, Clip=clip),
            "merge": transcode("merge.mp4", **SMALL, MergeList=[part]),
            "mark": transcode("mark.mp4", **SMALL, WaterMarks=[logo]),
            "judge": {"Type": "Analysis", "Parameters": {}},
        },
    )
    assert frame_numbers(runs.output(record, "clip")) == list(range(25, 35))
    assert frame_numbers(runs.output(record, "merge")) == [*range(50), *range(50)]
    red = frames(runs.output(record, "mark"), (160, 90))[20]
    assert near(tuple(red[3 * (160 * 10 + 145) :][:3]), (255, 0, 0), 40)
    assert record.activity("judge").result.data["TemplateList"]
