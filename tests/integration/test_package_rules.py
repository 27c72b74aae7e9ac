"""The rules that packages are held against: each is broken on purpose, and told."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.package_files import Package, package, with_images
from tests.support.package_rules import broken_dash, broken_hls


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return with_images(package(tmp_path_factory.mktemp("fmp4"), video=("-bf", "2")))


@pytest.fixture
def folder(made: Package, tmp_path: Path) -> Path:
    """A package to be broken; what is not changed is the same file."""
    return shutil.copytree(made.folder, tmp_path / "package", copy_function=os.link)


def changed(path: Path, pattern: str, new: str) -> None:
    """Change a list in one place, which it must have."""
    text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, f"{pattern} is not in {path.name}"
    path.unlink()
    path.write_text(text)


def test_whole_packages_break_no_rule(made: Package, tmp_path: Path):
    assert broken_hls(made.folder / "master.m3u8") == []
    assert broken_dash(made.folder / "master.mpd") == []
    for name in ("high", "low", "en"):
        assert broken_dash(made.folder / f"{name}.mpd") == []
    ts = package(tmp_path, fmp4=False, fps="30000/1001", video=("-bf", "2"))
    assert broken_hls(ts.folder / "master.m3u8") == []


@pytest.mark.parametrize(
    ("rule", "name", "pattern", "new"),
    [
        ("first-line", "master", "#EXTM3U\n", ""),
        ("version", "master", "#EXT-X-VERSION:6\n", ""),
        ("version", "high", "VERSION:7", "VERSION:5"),
        ("version", "high-iframes", "VERSION:5", "VERSION:4"),
        ("attributes", "master", "DEFAULT=YES,", "DEFAULT=,"),
        ("group", "master", 'AUDIO="sound"', 'AUDIO="music"'),
        ("names", "master", "Sound fr", "Sound en"),
        ("default", "master", "DEFAULT=NO", "DEFAULT=YES"),
        ("autoselect", "master", "AUTOSELECT=YES", "AUTOSELECT=NO"),
        ("autoselect", "master", 'LANGUAGE="fr"', 'LANGUAGE="en"'),
        ("uri", "master", "^low.m3u8", "lower.m3u8"),
        ("uri", "high", "^high-00002.m4s", "/high-00002.m4s"),
        ("uri", "high", 'URI="high-init', 'URI="init'),
        ("target-duration", "high", "DURATION:2", "DURATION:1"),
        ("target-duration", "high", "DURATION:2", "DURATION:9"),
        ("end", "high", "#EXT-X-ENDLIST\n", ""),
        ("extinf", "high", "EXTINF:2.000000", "EXTINF:2.200000"),
        ("extinf-sum", "high", "EXTINF:2.000000", "EXTINF:2.200000"),
        ("continuity", "high", "^#EXTINF.*\nhigh-00002.m4s\n", ""),
        ("bandwidth", "master", r",BANDWIDTH=|:BANDWIDTH=\d", ":BANDWIDTH=1"),
        ("bandwidth", "master", r"AVERAGE-BANDWIDTH=\d", "AVERAGE-BANDWIDTH=99"),
        ("codecs", "master", "avc1.64000c,", "avc1.640028,"),
        ("codecs", "master", ",mp4a.40.2", ""),
        ("resolution", "master", "=320x180", "=320x190"),
        ("frame-rate", "master", "25.000", "30.000"),
        ("alignment", "middle", "^#EXTINF.*\nmiddle-00003.m4s\n", ""),
        ("i-frames", "high-iframes", "#EXT-X-I-FRAMES-ONLY\n", ""),
        ("i-frames", "high-iframes", "@0\n", "@50\n"),
        ("bandwidth", "master", r"(I-FRAME-STREAM-INF:BANDWIDTH=)\d", r"\g<1>"),
    ],
)
def test_a_broken_playlist_is_told(rule: str, name: str, pattern: str, new: str, folder: Path):
    changed(folder / f"{name}.m3u8", pattern, new)
    assert rule in {one.partition(":")[0] for one in broken_hls(folder / "master.m3u8")}


@pytest.mark.parametrize(
    ("rule", "pattern", "new"),
    [
        ("mpd", 'type="static"', 'type="dynamic"'),
        ("mpd", 'minBufferTime="[^"]*"', ""),
        ("id", 'AdaptationSet id="1"', 'AdaptationSet id="0"'),
        ("id", 'Representation id="low"', 'Representation id="lo w"'),
        ("duration", "PT6S", "PT6.5S"),
        ("mime-type", 'mimeType="audio/mp4"', ""),
        ("content", 'contentType="audio"', 'contentType="sound"'),
        ("lang", 'lang="fr"', 'lang="fr_FR"'),
        ("bounds", 'minHeight="90"', 'minHeight="91"'),
        ("bounds", r'maxBandwidth="\d', 'maxBandwidth="9'),
        ("alignment", r'<S t="0" d="25600" r="2" />', '<S t="0" d="25600" r="1" />'),
        ("par", 'par="16:9"', 'par="4:3"'),
        ("attributes", ' codecs="avc1.64000b"', ""),
        ("attributes", r' bandwidth="\d*"', ""),
        ("channels", "<AudioChannelConfiguration[^>]*>", ""),
        ("files", "high-init", "high-start"),
        ("files", 'r="2"', 'r="3"'),
        ("timeline", r'<S d="88472" />', ""),
        ("timeline", 'd="25600" r="2"', 'd="23600" r="2"'),
        ("bandwidth", r'(id="high" bandwidth="1)\d*', r"\g<1>000"),
        ("truth", 'codecs="mp4a.40.2"', 'codecs="mp4a.40.5"'),
        ("truth", 'width="240"', 'width="250"'),
        ("truth", 'frameRate="25"', 'frameRate="24"'),
        ("truth", 'audioSamplingRate="44100"', 'audioSamplingRate="48000"'),
        ("truth", '2011" value="1"', '2011" value="2"'),
        ("offset", 't="0" d="88064"', 't="1024" d="88064"'),
        ("tiles", 'value="2x2"', 'value="two"'),
        ("tiles", 'width="160" height="88"', 'width="80" height="44"'),
    ],
)
def test_a_broken_manifest_is_told(rule: str, pattern: str, new: str, folder: Path):
    changed(folder / "master.mpd", pattern, new)
    assert rule in {one.partition(":")[0] for one in broken_dash(folder / "master.mpd")}


def without_a_key_frame(folder: Path) -> None:
    """Make the first sample of a segment one that depends on others, in its slices as well."""
    path = folder / "high-00002.m4s"
    content = path.read_bytes()
    at = content.index(b"trun") + 20  # the flags of the first sample, behind its size
    path.unlink()
    spoilt = content[:at] + b"\1\1\0\0" + content[at + 4 :]
    path.write_bytes(spoilt.replace(b"\x65\x88", b"\x41\x88", 1))


def not_webvtt(folder: Path) -> None:
    for name in ("text.vtt", "text-00002.vtt"):
        (folder / name).unlink()
        (folder / name).write_text("1\n00:00:00,000 --> 00:00:02,000\nzero\n")


@pytest.mark.parametrize(
    ("rule", "spoil"), [("key-frame", without_a_key_frame), ("webvtt", not_webvtt)]
)
def test_broken_segments_are_told(rule: str, spoil: Callable[[Path], None], folder: Path):
    spoil(folder)
    assert rule in {one.partition(":")[0] for one in broken_hls(folder / "master.m3u8")}
    assert rule in {one.partition(":")[0] for one in broken_dash(folder / "master.mpd")}
