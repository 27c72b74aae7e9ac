"""Lists over measured streams, read by parsers that are not ours; what they say is measured."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import m3u8
import pytest
from mpegdash.parser import MPEGDASHParser

from activities.ffmpeg import ffmpeg_path
from activities.packaging.measure import stream_of
from activities.packaging.streams import Stream, StreamKind
from activities.packaging.tail import join_short_tail
from activities.packaging.trick import key_frame_uri
from activities.probe import MediaInfo
from tests.support.package_files import SIZES, Package, package, with_images
from workflow_engine.errors import ActivityError

#: extensions by the names of ffmpeg's kinds of segments
EXTENSIONS = {"fmp4": "m4s", "mpegts": "ts"}
#: encoders by the names of their files, and what RFC 6381 calls their codecs, in fMP4
CODECS = {
    "avc": ("libx264 -preset ultrafast", "avc1.42c00b"),
    "hvc": ("libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1", "hvc1.1.6.L30.90"),
    "hev": ("libx265 -preset ultrafast -x265-params log-level=none -tag:v hev1", "hev1.1.6.L30.90"),
    "av1": ("libsvtav1 -preset 13 -svtav1-params lp=1", "av01.0.00M.08"),
    "pq": (
        "libsvtav1 -preset 13 -svtav1-params lp=1 -pix_fmt yuv420p10le"
        " -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc",
        "av01.0.00M.10.0.110.09.16.09.0",
    ),
    "vp9": ("libvpx-vp9 -deadline realtime", "vp09.00.10.08"),
    "aac": ("aac", "mp4a.40.2"),
    "ac3": ("ac3", "ac-3"),
    "eac3": ("eac3", "ec-3"),
    "opus": ("libopus", "opus"),
    "flac": ("flac", "flac"),
    "mp3": ("libmp3lame", "mp4a.6B"),
}
#: the same in MPEG-TS, where it can be
TS_CODECS = {
    "avc": "avc1.42c00b",
    "hvc": "hvc1.1.6.L30.90",
    "aac": "mp4a.40.2",
    "ac3": "ac-3",
    "eac3": "ec-3",
    "opus": "opus",
    "mp3": "mp4a.40.34",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return with_images(package(tmp_path_factory.mktemp("fmp4"), video=("-bf", "2")))


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Package:
    # a key frame between those that begin segments, too
    return package(
        tmp_path_factory.mktemp("ts"),
        fmp4=False,
        video=("-bf", "2", "-g", "30", "-sc_threshold", "0"),
    )


def test_the_master_playlist_as_m3u8_reads_it(made: Package):
    master: Any = m3u8.load(str(made.folder / "master.m3u8"))
    assert master.is_variant and master.is_independent_segments
    infos = {one.uri: one.stream_info for one in master.playlists}
    assert list(infos) == ["high.m3u8", "middle.m3u8", "low.m3u8"]
    assert [info.resolution for info in infos.values()] == list(SIZES.values())
    high = infos["high.m3u8"]
    assert (high.frame_rate, high.video_range, high.closed_captions) == (25, "SDR", "NONE")
    streams = {one.stream.uri: one.stream for one in made.members}
    sound = max(streams["en.m3u8"].peak_bps, streams["fr.m3u8"].peak_bps)
    text = streams["text.m3u8"].peak_bps
    assert high.bandwidth == streams["high.m3u8"].peak_bps + sound + text
    media = {one.name: one for one in master.media}
    assert list(media) == ["Sound en", "Sound fr", "Text"]
    assert [media[name].default for name in media] == ["YES", "NO", "NO"]
    assert (media["Sound fr"].language, media["Sound fr"].channels) == ("fr", "1")
    assert [one.uri for one in master.iframe_playlists] == [f"{n}-iframes.m3u8" for n in SIZES]
    assert [one.uri for one in master.image_playlists] == ["images.m3u8"]
    images: Any = m3u8.load(str(made.folder / "images.m3u8"))
    assert images.is_images_only and [one.duration for one in images.segments] == [4, 2]


def test_the_manifest_as_mpegdash_reads_it(made: Package):
    manifest: Any = MPEGDASHParser.parse(str(made.folder / "master.mpd"))
    sets = manifest.periods[0].adaptation_sets
    assert [one.content_type for one in sets] == ["video", "audio", "audio", "text", "image"]
    video, english, french, text, images = sets
    assert [one.id for one in video.representations] == list(SIZES)
    assert [(one.width, one.height) for one in video.representations] == list(SIZES.values())
    assert (video.max_width, video.min_height, video.par) == (320, 90, "16:9")
    assert (video.segment_alignment, video.start_with_sap) == (True, 1)
    assert [one.lang for one in (english, french)] == ["en", "fr"]
    (template,) = english.representations[0].segment_templates
    (entries,) = template.segment_timelines
    told = sum(entry.d * ((entry.r or 0) + 1) for entry in entries.Ss)
    assert told / template.timescale == 6, "without what AAC puts before it"
    assert text.representations[0].base_urls[0].base_url_value == "text.vtt"
    assert (images.representations[0].width, images.representations[0].height) == (160, 88)


def picture_number(content: bytes) -> list[int]:
    """The numbers of the frames that can be decoded from bytes."""
    done = subprocess.run(
        [
            *(str(ffmpeg_path()), "-v", "error", "-i", "pipe:0", "-fps_mode", "passthrough"),
            *("-vf", "crop=iw:2:0:ih/2,scale=8:1:flags=area,format=gray", "-f", "rawvideo", "-"),
        ],
        input=content,
        capture_output=True,
        timeout=60,
    )
    rows = [done.stdout[at : at + 8] for at in range(0, len(done.stdout), 8)]
    return [sum(1 << bit for bit, value in enumerate(row) if value > 127) for row in rows]


def test_a_key_frame_can_be_decoded_from_its_bytes_alone(made: Package, ts: Package):
    for one, expected in ((made, [0, 50, 100]), (ts, [0, 30, 50, 80, 100, 130])):
        stream = one.member("high.m3u8").stream
        listed: Any = m3u8.load(str(one.folder / key_frame_uri(stream)))
        assert listed.is_i_frames_only
        init = (one.folder / stream.init).read_bytes() if stream.init else b""
        found: list[int] = []
        for segment in listed.segments:
            length, _, begin = segment.byterange.partition("@")
            content = (one.folder / segment.uri).read_bytes()[int(begin) :][: int(length)]
            found += picture_number(init + content)
        assert found == expected
        numbers = [*expected, 150]
        lengths = [(b - a) / 25 for a, b in itertools.pairwise(numbers)]
        assert [segment.duration for segment in listed.segments] == pytest.approx(lengths)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream of each codec in fMP4, and in MPEG-TS where it can be."""
    folder = tmp_path_factory.mktemp("codecs")
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-v", "error"),
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=0.2"),
        *("-f", "lavfi", "-i", "sine=duration=0.2:sample_rate=48000"),
    ]
    for name, (options, _) in CODECS.items():
        kind = "v" if name in ("avc", "hvc", "hev", "av1", "pq", "vp9") else "a"
        for segment in EXTENSIONS if name in TS_CODECS else ["fmp4"]:
            stem = f"{name}-{segment}"
            command += [
                *("-map", f"0:{kind}" if kind == "v" else "1:a", f"-c:{kind}", *options.split()),
                *("-f", "hls", "-hls_segment_type", segment, "-hls_playlist_type", "vod"),
                *("-avoid_negative_ts", "disabled", "-hls_fmp4_init_filename", f"{stem}-init.mp4"),
                *("-hls_segment_filename", f"{stem}-%05d.{EXTENSIONS[segment]}", f"{stem}.m3u8"),
            ]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, timeout=60)
    return folder


def measured(path: Path) -> Stream:
    media = MediaInfo.of(path, playlists=True)
    kind = StreamKind.VIDEO if media.videos else StreamKind.AUDIO
    return stream_of(path, media, kind=kind, uri=path.name)


def test_codecs_have_the_names_of_rfc_6381(encoded: Path):
    found = {name: measured(encoded / f"{name}-fmp4.m3u8").codecs for name in CODECS}
    assert found == {name: (codec,) for name, (_, codec) in CODECS.items()}
    found = {name: measured(encoded / f"{name}-mpegts.m3u8").codecs for name in TS_CODECS}
    assert found == {name: (codec,) for name, codec in TS_CODECS.items()}


def test_a_short_last_segment_of_sound_is_joined(tmp_path: Path):
    for kind, extension in EXTENSIONS.items():
        command = [
            *(str(ffmpeg_path()), "-nostdin", "-v", "error"),
            *("-f", "lavfi", "-i", "sine=duration=2:sample_rate=48000", "-c:a", "aac"),
            *("-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", kind),
            *("-hls_fmp4_init_filename", f"{kind}-init.mp4"),
            *("-hls_segment_filename", f"{kind}-%05d.{extension}", f"{kind}.m3u8"),
        ]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=60)
        path = tmp_path / f"{kind}.m3u8"
        before: Any = m3u8.load(str(path))
        samples = decoded(path)
        assert before.segments[-1].duration < 0.1
        join_short_tail(path)
        after: Any = m3u8.load(str(path))
        assert len(after.segments) == len(before.segments) - 1
        total = sum(one.duration for one in before.segments)
        assert sum(one.duration for one in after.segments) == pytest.approx(total)
        assert not (tmp_path / before.segments[-1].uri).exists()
        assert decoded(path) == samples
        join_short_tail(path)  # the last is long now
        assert len(m3u8.load(str(path)).segments) == len(after.segments)
        # within one frame of AAC: the last may be a part of one
        assert float(measured(path).seconds) == pytest.approx(total, abs=1024 / 48000)


def test_of_an_encrypted_stream_only_what_can_be_known_is_told(tmp_path: Path):
    (tmp_path / "key.ts").write_bytes(bytes(range(16)))
    (tmp_path / "key.txt").write_text("key.ts\nkey.ts\n")
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-v", "error"),
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-f", "hls", "-hls_playlist_type", "vod"),
        *("-hls_key_info_file", "key.txt", "-hls_segment_filename", "a-%05d.ts", "a.m3u8"),
    ]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=60)
    stream = measured(tmp_path / "a.m3u8")
    assert (stream.key_frames, stream.width, stream.seconds) == ((), 160, 1)
    assert stream.codecs == ("avc1.42c00b",)
    assert stream.average_bps == (tmp_path / "a-00000.ts").stat().st_size * 8


@pytest.mark.parametrize("kind", EXTENSIONS)
def test_damaged_segments_are_told(kind: str, encoded: Path, tmp_path: Path):
    for path in encoded.glob(f"avc-{kind}*"):
        content = path.read_bytes()
        cut = path.suffix in (".m4s", ".ts")
        (tmp_path / path.name).write_bytes(content[: len(content) // 2 + 1] if cut else content)
    media = MediaInfo.of(encoded / f"avc-{kind}.m3u8", playlists=True)
    with pytest.raises(ActivityError, match=r'The segments of "v.m3u8" cannot be read: it is '):
        stream_of(tmp_path / f"avc-{kind}.m3u8", media, kind=StreamKind.VIDEO, uri="v.m3u8")


def decoded(playlist: Path) -> bytes:
    """The samples of a stream."""
    command = [str(ffmpeg_path()), "-v", "error", "-i", str(playlist), "-f", "s16le", "-"]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
