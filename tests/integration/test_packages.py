"""Packages of a real film: what is published, what is encoded, and what becomes of failures."""

import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import m3u8
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from mpegdash.parser import MPEGDASHParser

from activities.ffmpeg import ffmpeg_path
from activities.probe import MediaInfo
from tests.support import packages
from tests.support.media import make
from tests.support.package_rules import broken_dash, broken_hls
from tests.support.package_runs import (
    SECONDS,
    PackageRuns,
    decoded,
    film,
    first_time,
    good,
    joined,
    silence,
)
from workflow_engine.errors import TopologyError

Value = dict[str, Any]


@pytest.fixture
def runs(tmp_path: Path) -> PackageRuns:
    return PackageRuns(tmp_path)


@pytest.fixture
def source(media_dir: Path) -> Path:
    return film(media_dir)


def two_languages(**config: Any) -> Value:
    """Two pictures, one of which has no B-frames, and two languages."""
    value = packages.hls(SegmentSeconds=2, **config)
    packages.parameters(value, "low")["Outputs"][0]["Video"]["Profile"] = "baseline"
    value["Activities"]["french"] = packages.sound(
        ExtXMedia={"Name": "Français", "Language": "fr", "URI": "audio/french.m3u8"}
    )
    packages.parameters(value, "french")["Outputs"][0]["AudioStreamMap"] = "0:a:1"
    value["Dependencies"]["voices"] = ["english", "french"]
    value["Dependencies"]["french"] = ["master"]
    return value


def begins(text: str) -> list[float]:
    return [*accumulate(segment.duration for segment in m3u8.loads(text).segments)]


@pytest.mark.proves(
    "PackageConfig.Protocol hls",
    "PackageConfig.Output.MasterPlayListName",
    "PackageConfig.SegmentSeconds",
    "MultiBitrateVideoStream.URI",
    "ExtXMedia",
    "AudioGroup.GroupId",
    "MasterPlayList",
    by="a parser of playlists, first packets, decoded frames",
)
def test_hls_of_two_pictures_and_two_languages(runs: PackageRuns, source: Path):
    record = runs.run(source, two_languages())
    made = {name: good(record, name) for name in ("high", "low", "english", "french", "master")}
    # one decode, and one encoder for each stream, in one process
    commands = {made[name].result.commands for name in ("high", "low", "english", "french")}
    ((command,),) = commands
    encoders = sorted(word for word in command if word in ("aac", "libx264"))
    assert encoders == ["aac", "aac", "libx264", "libx264"]
    master = m3u8.loads(runs.text("master.m3u8"))
    assert [one.uri for one in master.playlists] == ["high/video.m3u8", "low/video.m3u8"]
    assert [one.stream_info.resolution for one in master.playlists] == [(160, 90), (128, 72)]
    sounds = [(one.name, one.language, one.default, one.uri) for one in master.media]
    assert sounds == [
        ("English", "en", "YES", "audio/english.m3u8"),
        ("Français", "fr", "NO", "audio/french.m3u8"),
    ]
    # segments begin at the same times, with a key frame, and streams at the same moment
    pictures = [begins(runs.text(f"{name}/video.m3u8")) for name in ("high", "low")]
    assert pictures == [[2, 4, 5], [2, 4, 5]]
    folder = runs.folder / "film"
    starts = [first_time(folder / name / "video-00001.ts") for name in ("high", "low")]
    assert starts == [1.4, 1.4]
    # behind the one frame that the encoder puts before the sound
    assert first_time(folder / "audio" / "english-00001.ts") == pytest.approx(1.4, abs=0.025)
    for name in ("high", "low"):
        assert len(decoded(folder / name / "video.m3u8")) == SECONDS * 25
    heard = [decoded(folder / "audio" / f"{name}.m3u8") for name in ("english", "french")]
    assert heard[0] != heard[1]


def test_a_change_of_one_stream_encodes_that_stream_and_writes_the_list_anew(
    runs: PackageRuns, source: Path
):
    value = two_languages()
    runs.run(source, value)
    before = runs.text("master.m3u8")
    packages.parameters(value, "low")["Outputs"][0]["Video"]["Width"] = "144"
    record = runs.run(source, value)
    reused = {name: record.activity(name).reused for name in ("high", "low", "english", "master")}
    assert reused == {"high": True, "low": False, "english": True, "master": False}
    assert "RESOLUTION=144x" in runs.text("master.m3u8") and "RESOLUTION=144x" not in before
    # and in another folder nothing is encoded at all
    packages.parameters(value, "package")["Output"]["MasterPlayListName"] = "film/b/all.m3u8"
    packages.parameters(value, "high")["MultiBitrateVideoStream"]["URI"] = "c/d/video.m3u8"
    record = runs.run(source, value)
    names = ("high", "low", "english", "french")
    assert all(record.activity(name).reused for name in names)
    assert "c/d/video.m3u8" in runs.text("b/all.m3u8").splitlines()
    assert (runs.folder / "film" / "b" / "c" / "d" / "video-iframes.m3u8").is_file()


def listed_files(folder: Path, name: str) -> set[str]:
    """All that the lists below a master list name, relative to its folder."""
    found: set[str] = set()
    for uri in re.findall(r'^[^#\n].*|(?<=URI=")[^"]*', (folder / name).read_text(), re.MULTILINE):
        path = (Path(name).parent / uri).as_posix()
        found |= {path, *(listed_files(folder, path) if path.endswith(".m3u8") else ())}
    return found


def test_no_list_names_what_an_earlier_package_left(runs: PackageRuns, source: Path):
    value = packages.hls(SegmentSeconds=2)
    runs.run(source, value)
    before = listed_files(runs.folder / "film", "master.m3u8")
    # longer segments, and one picture less
    packages.parameters(value, "package")["SegmentSeconds"] = 4
    del value["Activities"]["high"], value["Dependencies"]["high"], packages.items(value)[0]
    value["Dependencies"]["package"].remove("high")
    good(runs.run(source, value), "master")
    after = listed_files(runs.folder / "film", "master.m3u8")
    assert {"low/video-00003.ts", "high/video.m3u8", "high/video-iframes.m3u8"} <= before - after
    assert after < before
    # nothing takes them away: others may have put files there, too
    assert before <= runs.there()
    assert broken_hls(runs.folder / "film" / "master.m3u8") == []


def failing(value: Value, name: str) -> Value:
    """A picture that is too large for the film, and must not be."""
    parameters = packages.parameters(value, name)
    parameters["Outputs"][0]["Video"]["Width"] = "640"
    parameters["Outputs"][0]["TransConfig"] = {"IsCheckResoFail": "true"}
    return value


def test_a_stream_that_fails_is_left_out(runs: PackageRuns, source: Path):
    record = runs.run(source, failing(two_languages(), "high"))
    assert record.activity("high").state == "Fail"
    master = good(record, "master")
    assert master.result.warnings == ('The stream "high" failed and is left out of the package.',)
    assert [one.uri for one in m3u8.loads(runs.text("master.m3u8")).playlists] == ["low/video.m3u8"]
    assert not any(name.startswith("high") for name in runs.there())


def test_pictures_that_an_analysis_leaves_out_are_in_no_list(runs: PackageRuns, source: Path):
    value = packages.hls(SegmentSeconds=2)
    activities, edges = value["Activities"], value["Dependencies"]
    activities["analysis"] = {"Type": "Analysis", "Parameters": {}}
    edges |= {"start": ["analysis"], "analysis": ["package", "other"]}
    # of so small a film, there is LD alone
    for name, serial in (("high", "50"), ("low", "20")):
        output = {"TemplateId": f"S00000000-2000{serial}", "Audio": {"Remove": "true"}}
        packages.parameters(value, name)["Outputs"] = [output]
    # and a package of nothing else
    config = packages.parameters(value, "package")
    place = config["Output"] | {"MasterPlayListName": "{FileName}/other/master.m3u8"}
    activities["other"] = {"Type": "PackageConfig", "Parameters": {**config, "Output": place}}
    activities["alone"] = packages.stream(MultiBitrateVideoStream={"URI": "alone/video.m3u8"})
    packages.parameters(value, "alone")["Outputs"] = packages.parameters(value, "high")["Outputs"]
    item = {"RefActivityName": "alone", "ExtXStreamInfo": {"BandWidth": "900000"}}
    activities["empty"] = {
        "Type": "GenerateMasterPlayList",
        "Parameters": {"MasterPlayList": {"MultiBitrateVideoStreams": [item]}},
    }
    edges |= {"other": ["alone"], "alone": ["empty"], "empty": ["report"]}
    record = runs.run(source, value)
    states = {one.name: str(one.state) for one in record.activities}
    assert {name for name, state in states.items() if state == "Skipped"} == {
        *("high", "alone", "empty")
    }
    assert record.state == "Completed" and not good(record, "master").result.warnings
    assert [one.uri for one in m3u8.loads(runs.text("master.m3u8")).playlists] == ["low/video.m3u8"]
    assert not any(name.startswith(("high", "other")) for name in runs.there())


def test_without_any_picture_there_is_no_list(runs: PackageRuns, source: Path):
    record = runs.run(source, failing(failing(two_languages(), "high"), "low"))
    master = record.activity("master")
    assert (master.state, master.code) == ("Fail", "InvalidParameter.InvalidState")
    assert "high, low failed" in master.message
    assert not any(name.endswith("master.m3u8") for name in runs.there())


def test_a_film_without_sound_becomes_a_silent_package(runs: PackageRuns, media_dir: Path):
    record = runs.run(film(media_dir, sound=False), two_languages())
    english = record.activity("english")
    assert (english.state, english.code) == ("Fail", "InvalidParameter.NoAudioStream")
    master = m3u8.loads(runs.text("master.m3u8"))
    assert not master.media and [one.stream_info.audio for one in master.playlists] == [None, None]
    assert len(good(record, "master").result.warnings) == 2


@pytest.mark.parametrize(
    ("fps", "size"), [("30000/1001", "160x90"), ("25", "90x160"), ("7.5", "160x90")]
)
def test_odd_rates_and_portraits_are_cut_alike(
    runs: PackageRuns, media_dir: Path, fps: str, size: str
):
    record = runs.run(film(media_dir, fps=fps, size=size), packages.hls(SegmentSeconds=2))
    good(record, "master")
    high, low = (begins(runs.text(f"{name}/video.m3u8")) for name in ("high", "low"))
    frame = float(1 / Fraction(fps))
    assert high == low and len(high) == 3
    assert all(abs(time - wanted) <= frame for time, wanted in zip(high, (2, 4), strict=False))


def phone(directory: Path) -> Path:
    """A film of 4 s as a phone held upright records it, with frames missing and sound of 5.1."""
    filters = "select='mod(n,5)',setpts='PTS+0.004*mod(N,3)/TB'"
    lying = make(
        directory / "lying.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30:duration=4"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=4"),
        *("-vf", filters, "-fps_mode", "vfr", "-af", "aformat=channel_layouts=5.1", "-c:a", "aac"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    )
    return make(directory / "phone.mp4", "-display_rotation", "90", "-i", str(lying), "-c", "copy")


def moment(directory: Path) -> Path:
    """A film of less than a segment, with sound of one channel."""
    return make(
        directory / "moment.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=60000/1001:duration=0.7"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=0.7"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


@pytest.mark.parametrize(
    ("source_of", "size", "rate", "segments"),
    [(phone, (160, 284), 30.0, 2), (moment, (160, 90), 59.94, 1)],
)
def test_lists_of_odd_sources_are_right(
    runs: PackageRuns,
    media_dir: Path,
    source_of: Callable[[Path], Path],
    size: tuple[int, int],
    rate: float,
    segments: int,
):
    value = packages.hls(output={"ManifestName": "{FileName}/all.mpd"}, SegmentSeconds=2)
    # two pictures of one size, of other rates of bits and frames
    picture = packages.parameters(value, "low")["Outputs"][0]["Video"]
    picture |= {"Width": "160", "Bitrate": "100", "Fps": "10"}
    good(runs.run(source_of(media_dir), value), "master")
    folder = runs.folder / "film"
    assert broken_hls(folder / "master.m3u8") == broken_dash(folder / "all.mpd") == []
    first, second = [one.stream_info for one in m3u8.loads(runs.text("master.m3u8")).playlists]
    assert first.resolution == second.resolution == size
    assert (first.frame_rate, second.frame_rate) == (rate, 10)
    assert len(m3u8.loads(runs.text("high/video.m3u8")).segments) == segments


@pytest.mark.proves(
    "PackageConfig.Output.ManifestName",
    "PackageConfig.SegmentFormat",
    by="a parser of MPDs, decoded frames",
)
def test_cmaf_has_both_lists_over_the_same_segments(runs: PackageRuns, source: Path):
    value = two_languages()
    packages.parameters(value, "package")["Output"]["ManifestName"] = "{FileName}/all.mpd"
    record = runs.run(source, value)
    assert [Path(one.place).name for one in good(record, "master").outputs] == [
        "master.m3u8",
        "all.mpd",
    ]
    period = MPEGDASHParser.parse(str(runs.folder / "film" / "all.mpd")).periods[0]
    listed = {"high/video.m3u8", "low/video.m3u8", "audio/english.m3u8", "audio/french.m3u8"}
    there = runs.there()
    assert listed < there
    named = set[str]()
    for adaptation in period.adaptation_sets:
        for representation in adaptation.representations:
            template = representation.segment_templates[0]
            named.add(template.initialization)
            for number in (1, 2):
                named.add(template.media.replace("$Number%05d$", f"{number:05}"))
    assert named < there and len(named) == 12
    folder = runs.folder / "film"
    # pictures with and without B-frames and the sound begin at the same moment
    assert broken_hls(folder / "master.m3u8") == broken_dash(folder / "all.mpd") == []
    assert len(decoded(folder / "high" / "video.m3u8")) == SECONDS * 25


@pytest.mark.proves(
    "PackageConfig.Protocol dash", "AdaptationSet", "Representation", by="a parser of MPDs"
)
def test_dash_has_a_list_for_each_stream_and_one_over_all(runs: PackageRuns, source: Path):
    record = runs.run(source, packages.dash(SegmentSeconds=2))
    good(record, "master")
    for name in ("all.mpd", "high/stream.mpd", "english/stream.mpd"):
        parsed = MPEGDASHParser.parse(str(runs.folder / "film" / name))
        assert len(parsed.periods[0].adaptation_sets) == (2 if name == "all.mpd" else 1)
    assert not any(name.endswith(".m3u8") for name in runs.there())
    sets = MPEGDASHParser.parse(str(runs.folder / "film" / "all.mpd")).periods[0].adaptation_sets
    assert [(one.lang, len(one.representations)) for one in sets] == [(None, 2), ("en", 1)]


@pytest.mark.proves("Video.Hdr in packages", by="lists, tags and luma of decoded frames")
@pytest.mark.parametrize(
    ("word", "transfer", "number"),
    [
        ("PQ", "smpte2084", "16"),
        pytest.param("HLG", "arib-std-b67", "18", marks=pytest.mark.long),
    ],
)
def test_high_dynamic_range_beside_a_picture_without(
    runs: PackageRuns, media_dir: Path, word: str, transfer: str, number: str
):
    colours = f"color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    source = make(
        media_dir / f"{transfer}.mp4",
        *("-f", "lavfi", "-i", "color=0x808080:size=160x90:rate=10:d=2"),
        *("-f", "lavfi", "-i", "sine=d=2", "-vf", f"format=yuv420p10le,setparams={colours}"),
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"),
        *("-tag:v", "hvc1", "-c:a", "aac"),
    )
    value = packages.hls(output={"ManifestName": "{FileName}/all.mpd"}, SegmentSeconds=2)
    picture = packages.parameters(value, "high")["Outputs"][0]["Video"]
    picture |= {"Codec": "H.265", "PixFmt": "yuv420p10le", "Hdr": "Keep"}
    del picture["Preset"]
    good(runs.run(source, value), "master")
    folder = runs.folder / "film"
    assert broken_hls(folder / "master.m3u8") == broken_dash(folder / "all.mpd") == []
    first, second = m3u8.loads(runs.text("master.m3u8")).playlists
    ranges = [one.stream_info.video_range for one in (first, second)]
    assert ranges == [word, "SDR"]
    assert first.stream_info.codecs.startswith("hvc1.2.4.")
    told = re.findall(r'cicp:(\w+)" value="(\d+)"|Representation id="(\w+)"', runs.text("all.mpd"))
    assert told[:5] == [
        ("", "", "high"),
        ("ColourPrimaries", "9", ""),
        ("MatrixCoefficients", "9", ""),
        ("TransferCharacteristics", number, ""),
        ("", "", "low"),
    ]
    high, low = (
        MediaInfo.of(joined(folder / name / "video.m3u8")).video for name in ("high", "low")
    )
    assert high and low
    assert (high.colour.transfer, high.pix_fmt) == (transfer, "yuv420p10le")
    assert (low.colour.transfer, low.pix_fmt) == ("bt709", "yuv420p")
    assert luma(joined(folder / "high" / "video.m3u8")) == pytest.approx(luma(source), abs=4)


def decoded_or_not(path: Path, key: str) -> list[str]:
    """What decoders make of a file that may be noise to them: frames of it, or nothing."""
    try:
        return decoded(path, key)
    except (AssertionError, subprocess.CalledProcessError):
        return []


def luma(path: Path) -> float:
    """The mean luma of the first picture, of 10 bits."""
    filters = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"
    done = subprocess.run(
        [
            *(str(ffmpeg_path()), "-v", "error", "-i", str(path), "-vf", filters),
            *("-frames:v", "1", "-f", "null", "-"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.rpartition("=")[2])


@pytest.mark.proves("Encryption in packages", by="segments opened with the key")
def test_encrypted_segments_open_with_the_key_alone(runs: PackageRuns, source: Path):
    value = packages.hls(SegmentSeconds=2)
    key = {"Type": "hls-aes-128", "KeyType": "Base64", "Key": "MDEyMzQ1Njc4OTAxMjM0NQ=="}
    for name in ("high", "low", "english"):
        output = packages.parameters(value, name)["Outputs"][0]
        output["Encryption"] = {**key, "KeyUri": "aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk="}
    record = runs.run(source, value)
    good(record, "master")
    playlist = m3u8.loads(runs.text("high/video.m3u8"))
    assert playlist.keys[0].uri == "https://example.com/key"
    data = (runs.folder / "film" / "high" / "video-00001.ts").read_bytes()
    number = playlist.media_sequence or 0
    iv = bytes.fromhex(playlist.keys[0].iv[2:]) if playlist.keys[0].iv else number.to_bytes(16)
    opened = Cipher(AES(b"0123456789012345"), CBC(iv)).decryptor().update(data)
    assert data[0] != 0x47 and opened[0] == 0x47 and opened[188] == 0x47
    assert "avc1." in runs.text("master.m3u8")


@pytest.mark.proves("Encryption.Type", "Encryption.KeyId", by="frames decrypted with the key")
def test_fragments_are_decoded_with_their_key_alone(runs: PackageRuns, source: Path):
    value = two_languages(output={"ManifestName": "{FileName}/all.mpd"})
    packages.parameters(value, "french")["Outputs"][0]["AudioStreamMap"] = "0:a:0"
    for name in ("high", "low"):
        picture = {"Codec": "H.265", "Width": "160", "Height": ""}
        packages.parameters(value, name)["Outputs"][0]["Video"] = picture
    key, key_id = "30313233343536373839303132333435", "00112233445566778899AABBCCDDEEFF"
    for name in ("high", "english"):
        packages.parameters(value, name)["Outputs"][0]["Encryption"] = {
            **{"Type": "cbcs", "KeyType": "Base64", "Key": "MDEyMzQ1Njc4OTAxMjM0NQ=="},
            **{"KeyUri": "aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk=", "KeyId": key_id},
        }
    record = runs.run(source, value)
    good(record, "master")
    folder = runs.folder / "film"
    assert broken_dash(folder / "all.mpd") == []
    # the same picture and the same sound, not encrypted
    for closed, clear in (("high/video", "low/video"), ("audio/english", "audio/french")):
        whole = joined(folder / f"{closed}.m3u8")
        frames = decoded(folder / f"{clear}.m3u8")
        assert decoded(whole, key) == frames
        assert decoded_or_not(whole, key[::-1]) != frames
        (said,) = [one for one in m3u8.loads(runs.text(f"{closed}.m3u8")).keys if one]
        assert (said.method, said.uri) == ("SAMPLE-AES", "https://example.com/key")
    ids = re.findall(r'value="cbcs" cenc:default_KID="([^"]*)"', runs.text("all.mpd"))
    assert ids == ["00112233-4455-6677-8899-aabbccddeeff"] * 2
    (codecs,) = {one.stream_info.codecs for one in m3u8.loads(runs.text("master.m3u8")).playlists}
    assert codecs.startswith("hvc1.1.6.") and codecs.endswith(",mp4a.40.2")
    shown = record.activity("high").result.commands
    assert sum("--protection_scheme=cbcs" in command for command in shown) == 1
    assert key not in repr(record) and not list(runs.path.rglob("*keys*"))


@pytest.mark.proves("OverrideParams in packages", by="the problem, and that nothing ran")
@pytest.mark.parametrize("name", ["high", "english", "master"])
@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (
            lambda name: {
                "WebVTTSubtitleOverrides": [
                    {"RefActivityName": name, "WebVTTSubtitleURL": "oss://uploads/a.vtt"}
                ]
            },
            "/WebVTTSubtitleOverrides/0/RefActivityName",
        ),
        (lambda name: {name: {"InputConfig": {"Format": "vtt", "InputFile": {}}}}, "/{name}"),
    ],
)
def test_only_subtitle_streams_take_overrides(
    runs: PackageRuns, source: Path, name: str, given: Any, pointer: str
):
    with pytest.raises(TopologyError) as caught:
        runs.run(source, packages.hls(), given(name))
    (problem,) = caught.value.problems
    assert (problem.code, problem.pointer) == ("InvalidParameter", pointer.format(name=name))
    assert name in problem.message and not runs.folder.exists()


def with_sprites(value: Value, **tiles: Any) -> Value:
    """Add a Snapshot that takes a picture of each second, four on a sheet."""
    place = {"Bucket": "out", "Location": "local"}
    config = {
        "OutputFile": {**place, "Object": "{FileName}/p-{Count}.jpg"},
        "TileOutputFile": {**place, "Object": "{FileName}/sheets/s-{TileCount}.jpg"},
        **{"Time": 0, "Interval": 1, "Num": 100},
        "TileOut": {
            **{"Lines": 2, "Columns": 2, "CellWidth": 32, "CellHeight": 18},
            **{"Margin": 0, "Padding": 0, "IsKeepCellPic": "false", **tiles},
        },
    }
    value["Activities"]["shots"] = {"Type": "Snapshot", "Parameters": {"SnapshotConfig": config}}
    value["Dependencies"]["package"].append("shots")
    value["Dependencies"]["shots"] = ["master"]
    return value


@pytest.mark.proves("Snapshot in packages", by="parsers of both lists, sizes of the sheets")
def test_sprites_are_an_image_track(runs: PackageRuns, source: Path):
    value = with_sprites(packages.hls(output={"ManifestName": "{FileName}/all.mpd"}))
    record = runs.run(source, value)
    assert not good(record, "master").result.warnings
    text = runs.text("master.m3u8")
    assert 'RESOLUTION=32x18,CODECS="jpeg",URI="shots-images.m3u8"' in text
    images = m3u8.loads(runs.text("shots-images.m3u8"))
    assert [one.uri for one in images.segments] == ["sheets/s-00001.jpg", "sheets/s-00002.jpg"]
    assert [one.duration for one in images.segments] == [4, SECONDS - 4]
    assert "LAYOUT=2x2,DURATION=1.000000" in runs.text("shots-images.m3u8")
    (period,) = MPEGDASHParser.parse(runs.text("all.mpd")).periods
    (track,) = [one for one in period.adaptation_sets if one.content_type == "image"]
    template = track.representations[0].segment_templates[0]
    assert template.media == "sheets/s-$Number%05d$.jpg"
    assert template.duration / template.timescale == 4
    for uri in ("sheets/s-00001.jpg", "sheets/s-00002.jpg"):
        assert (runs.folder / "film" / uri).is_file()

    # with gaps players would cut beside the pictures
    record = runs.run(source, with_sprites(packages.hls(), Padding=2))
    (warning,) = good(record, "master").result.warnings
    assert "Margin or Padding" in warning and "images" not in runs.text("master.m3u8")


def test_a_picture_with_sound_of_its_own_in_fragments(runs: PackageRuns, source: Path):
    value = packages.without_sound(packages.hls(SegmentSeconds=2, SegmentFormat="fmp4"))
    for name in ("high", "low"):
        del packages.parameters(value, name)["Outputs"][0]["Audio"]
    record = runs.run(source, value)
    assert not good(record, "master").result.warnings
    (first, _) = m3u8.loads(runs.text("master.m3u8")).playlists
    assert first.stream_info.codecs.endswith(",mp4a.40.2")
    frames = len(decoded(runs.folder / "film" / "high" / "video.m3u8"))
    assert frames == SECONDS * 25 + 216, "those of AAC have 1024 samples"


@pytest.mark.parametrize("form", ["ts", "fmp4"])
def test_sound_that_begins_late_is_silent_until_then(runs: PackageRuns, media_dir: Path, form: str):
    source = make(
        media_dir / "late-sound.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=5", "-itsoffset", "2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:d=3"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    record = runs.run(source, packages.hls(SegmentFormat=form))
    good(record, "english")
    folder = runs.folder / "film" / "audio"
    # the segments by themselves: players do not read the edit list
    init = [folder / "english-init.mp4"] if form == "fmp4" else []
    joined = folder / "joined"
    parts = [*init, *sorted(folder.glob(f"english-0*.{'m4s' if init else 'ts'}"))]
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert silence(joined) == pytest.approx(2, abs=0.06)
