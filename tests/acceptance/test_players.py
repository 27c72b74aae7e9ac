"""Packages in real players, in a real browser: what is decoded, heard and read is what was made.

The players come from npm: `make players`.
"""

import base64
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import PLAYERS, played
from tests.support.command_line import CommandLine
from tests.support.media import make
from tests.support.package_files import CUES, SIZES, TONES, film, package, webvtt, with_images
from tests.support.package_rules import broken_dash, broken_hls
from tests.support.packages import hls, sound, stream
from tests.support.topologies import report, start

pytestmark = pytest.mark.long

FPS = 25
#: lists of packages by protocol, and what PackageConfig says beside them
LISTS = {"hls": ["all.m3u8"], "cmaf": ["all.m3u8", "all.mpd"], "dash": ["all.mpd"]}


@pytest.fixture(scope="module", autouse=True)
def players():
    if not (PLAYERS / "node_modules").is_dir():
        pytest.skip("The players are not installed: make players")


#: of encrypted packages; players of HLS fetch the key from beside the master list
KEY, KEY_ID = "30313233343536373839303132333435", "00112233445566778899aabbccddeeff"
ENCRYPTED = {"hls": "hls-aes-128", "cmaf": "cbcs"}


def topology(protocol: str, *, encrypted: bool = False) -> dict[str, Any]:
    """Three pictures, two languages of sound, and subtitles."""
    names = dict(zip(("MasterPlayListName", "ManifestName"), LISTS[protocol], strict=False))
    config = {
        "Protocol": "dash" if protocol == "dash" else "hls",
        "Output": {"Bucket": "out", "Location": "local", **names},
        "SegmentSeconds": 2,
    }
    streams = {name: stream(width=width) for name, (width, _) in SIZES.items()}
    for number, name in enumerate(TONES):
        streams[name] = sound()
        streams[name]["Parameters"]["Outputs"][0]["AudioStreamMap"] = f"0:a:{number}"
    for one in streams.values() if encrypted else ():
        one["Parameters"]["Outputs"][0]["Encryption"] = encryption(ENCRYPTED[protocol])
    streams["text"] = {"Type": "Transcode", "Parameters": {}}
    groups, edges, master = (_dash if protocol == "dash" else _hls)(streams)
    return {
        "Activities": {
            "start": start(),
            "package": {"Type": "PackageConfig", "Parameters": config},
            **groups,
            **streams,
            "master": {"Type": "GenerateMasterPlayList", "Parameters": master},
            "report": report(),
        },
        "Dependencies": {
            "start": ["package"],
            **edges,
            **{name: ["master"] for name in streams},
            "master": ["report"],
            "report": [],
        },
    }


def encryption(scheme: str) -> dict[str, str]:
    """A key that players of HLS fetch from the server of the test."""
    return {
        "Type": scheme,
        "KeyType": "Base64",
        "Key": base64.b64encode(bytes.fromhex(KEY)).decode(),
        "KeyUri": base64.b64encode(b"/package/key.bin").decode(),
        **({"KeyId": KEY_ID} if scheme == "cbcs" else {}),
    }


#: activities, dependencies and the parameters of the master list
Groups = tuple[dict[str, Any], dict[str, list[str]], dict[str, Any]]


def _hls(streams: dict[str, Any]) -> Groups:
    for name in SIZES:
        place = {"URI": f"{name}/video.m3u8"}
        streams[name]["Parameters"]["MultiBitrateVideoStream"] = place
    for name in (*TONES, "text"):
        language = name if name in TONES else "en"
        media = {"Name": f"Name {name}", "Language": language, "URI": f"{name}/{name}.m3u8"}
        streams[name]["Parameters"]["ExtXMedia"] = media
    streams["text"]["Parameters"]["WebVTTSubtitleURL"] = "oss://side/text.vtt"
    info = {"BandWidth": "900000", "Audio": "sound", "Subtitles": "texts"}
    items = [{"RefActivityName": name, "ExtXStreamInfo": info} for name in SIZES]
    return (
        {
            "voices": {"Type": "AudioGroup", "Parameters": {"GroupId": "sound"}},
            "texts": {"Type": "SubtitleGroup", "Parameters": {"GroupId": "texts"}},
        },
        {"package": ["voices", "texts", *SIZES], "voices": list(TONES), "texts": ["text"]},
        {"MasterPlayList": {"MultiBitrateVideoStreams": items}},
    )


def _dash(streams: dict[str, Any]) -> Groups:
    for name, one in streams.items():
        one["Parameters"]["Representation"] = {"Id": name, "URI": f"{name}/{name}.mpd"}
    file = {"Bucket": "side", "Location": "local", "Object": "text.vtt"}
    streams["text"]["Parameters"]["InputConfig"] = {"Format": "vtt", "InputFile": file}

    def group(kind: str, language: str = "") -> dict[str, Any]:
        named = {"Group": f"{kind}{language}", **({"Lang": language} if language else {})}
        return {"Type": kind, "Parameters": {"AdaptationSet": named}}

    voices = {f"voices-{name}": group("AudioGroup", name) for name in TONES}
    return (
        {"pictures": group("VideoGroup"), "texts": group("SubtitleGroup", "en"), **voices},
        {
            "package": ["pictures", "texts", *voices],
            "pictures": list(SIZES),
            "texts": ["text"],
            **{f"voices-{name}": [name] for name in TONES},
        },
        {},
    )


@pytest.fixture(scope="module")
def packaged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Run a topology by its protocol, once; give the folder of the package."""
    home = tmp_path_factory.mktemp("packages")
    source = film(home / "film.mp4")
    mediaflow = CommandLine(data, home)

    @cache
    def run(protocol: str, *, encrypted: bool = False) -> Path:
        outputs = home / f"{protocol}-{encrypted}"
        (outputs / "side").mkdir(parents=True)
        (outputs / "side" / "text.vtt").write_text(webvtt())
        path = home / f"{outputs.name}.json"
        path.write_text(json.dumps(topology(protocol, encrypted=encrypted)))
        options = ("--executor", "inline", "--output-dir", outputs)
        ended = mediaflow.run(path, source, *options)
        assert ended.code == 0, ended.err + ended.out
        return outputs / "out"

    return run


@pytest.mark.parametrize(
    ("protocol", "player", "name"),
    [
        ("hls", "hls.js", "all.m3u8"),
        ("hls", "shaka", "all.m3u8"),
        ("cmaf", "hls.js", "all.m3u8"),
        ("cmaf", "shaka", "all.m3u8"),
        ("cmaf", "dash.js", "all.mpd"),
        ("dash", "dash.js", "all.mpd"),
        ("dash", "shaka", "all.mpd"),
    ],
)
def test_a_package_plays(
    protocol: str,
    player: str,
    name: str,
    packaged: Callable[..., Path],
    chromium: str,
    tmp_path: Path,
):
    folder = packaged(protocol)
    for listed in LISTS[protocol]:
        broken = broken_dash if listed.endswith(".mpd") else broken_hls
        assert broken(folder / listed) == []
    seen = played(chromium, folder, player, name, tmp_path)
    # players of MPEG-TS begin to count when the first frame is decoded, two before it is shown
    check(seen, late=2 if protocol == "hls" else 0)


@pytest.mark.parametrize(
    ("player", "name"),
    [
        ("hls.js", "master.m3u8"),
        ("shaka", "master.m3u8"),
        ("shaka", "all.mpd"),
        ("dash.js", "all.mpd"),
    ],
)
def test_sound_that_begins_late_is_heard_in_its_moment(
    player: str, name: str, late_sound: Path, chromium: str, tmp_path: Path
):
    seen = played(chromium, late_sound, player, name, tmp_path, steps="onset")
    assert seen["errors"] == []
    # not a frame of AAC too early; a busy page hears it a little after it was played
    assert 1.995 <= seen["onset"] < 2.1


@pytest.fixture(scope="module")
def late_sound(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a package of both lists, whose sound begins at second 2."""
    home = tmp_path_factory.mktemp("late")
    source = make(
        home / "film.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4", "-itsoffset", "2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:d=2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    path = home / "package.json"
    value = hls(output={"ManifestName": "{FileName}/all.mpd"}, SegmentSeconds=2)
    path.write_text(json.dumps(value))
    ended = CommandLine(data, home).run(path, source, "--executor", "inline", "--output-dir", home)
    assert ended.code == 0, ended.err + ended.out
    return home / "out" / "film"


PLAYERS_OF_ENCRYPTED = [
    ("hls", "hls.js", "all.m3u8"),
    ("cmaf", "shaka", "all.m3u8"),
    ("cmaf", "shaka", "all.mpd"),
    ("cmaf", "dash.js", "all.mpd"),
]


@pytest.mark.parametrize(("protocol", "player", "name"), PLAYERS_OF_ENCRYPTED)
def test_an_encrypted_package_plays_with_its_key(
    protocol: str,
    player: str,
    name: str,
    packaged: Callable[..., Path],
    chromium: str,
    tmp_path: Path,
):
    folder = packaged(protocol, encrypted=True)
    (folder / "key.bin").write_bytes(bytes.fromhex(KEY))
    seen = played(chromium, folder, player, name, tmp_path, {KEY_ID: KEY})
    # what a browser decrypts with a key of its own, no page may read
    check(seen, late=2 if protocol == "hls" else 0, readable=protocol == "hls")


@pytest.mark.parametrize(("protocol", "player", "name"), PLAYERS_OF_ENCRYPTED)
def test_an_encrypted_package_does_not_play_with_another_key(
    protocol: str,
    player: str,
    name: str,
    packaged: Callable[..., Path],
    chromium: str,
    tmp_path: Path,
):
    folder = packaged(protocol, encrypted=True)
    (folder / "key.bin").write_bytes(bytes(16))
    seen = played(chromium, folder, player, name, tmp_path, {KEY_ID: "00" * 16})
    assert seen["errors"] and not seen["frames"]


@pytest.mark.parametrize(
    ("player", "name"),
    [("shaka", "master.m3u8"), ("shaka", "master.mpd"), ("dash.js", "master.mpd")],
)
def test_small_pictures_for_the_time_line(player: str, name: str, chromium: str, tmp_path: Path):
    made = with_images(package(tmp_path / "package"))
    seen = played(chromium, made.folder, player, name, tmp_path)
    check(seen, late=0)
    assert seen["thumbnail"]["url"].endswith("/sheet-00002.jpg")
    assert (seen["thumbnail"]["x"], seen["thumbnail"]["y"]) == (0, 0)


def check(seen: dict[str, Any], *, late: int, readable: bool = True) -> None:
    """Check what a page has seen; the player shows the film so many frames late.

    Of pictures that are not `readable`, only when they came and how large they are is known.
    """

    def number(time: float) -> int:
        return math.floor(time * FPS + 0.1) - late if readable else 0

    assert seen["errors"] == []
    assert seen["missing"] == []
    assert seen["duration"] == pytest.approx(6, abs=0.1)
    assert len(seen["frames"]) > 20
    for frame in seen["seeks"].values():
        assert frame["number"] == number(frame["time"]), frame
    for frame in seen["frames"]:
        # others may have come before a busy page has read this one
        assert 0 <= frame["number"] - number(frame["time"]) <= 10, frame
    if readable:
        numbers = [frame["number"] for frame in seen["borders"]]
        assert numbers == sorted(numbers) and numbers[0] < 2 * FPS < numbers[-1]
    assert sorted(frame["width"] for frame in seen["rungs"].values()) == [160, 240, 320]
    assert seen["sounds"] == {name: pytest.approx(tone, abs=30) for name, tone in TONES.items()}
    assert list(seen["texts"].values()) == list(CUES)
