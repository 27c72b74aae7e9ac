"""Subtitle streams of packages: from files and tracks to what players are given."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import m3u8
import pytest

from activities.ffmpeg import ffprobe_path
from tests.support import media
from tests.support.subtitles import gsi, rows, tti, ttml
from tests.support.topologies import report, start
from workflow_engine import Engine, InlineExecutor, load_settings
from workflow_engine.errors import Severity, TopologyError
from workflow_engine.records import ActivityRecord, ExecutionRecord

SRT = """1
00:00:00,500 --> 00:00:01,500
one

2
00:00:01,900 --> 00:00:02,600
{\\an8}<i>across</i> & up

3
00:00:04,000 --> 00:00:09,000
behind
"""
ONE, ACROSS = (500, 1500, "one"), (1900, 2600, "<i>across</i> &amp; up")
VTT = "WEBVTT\n\n00:00.500 --> 00:01.500 line:10%\nvtt\n"


class Packages:
    """An engine with a bucket of subtitle files, and runs of packages on one clip."""

    def __init__(self, home: Path, clip: Path) -> None:
        self._home, self._clip = home, clip
        self.engine = Engine(load_settings(None), output_dir=home / "outputs")
        self.out = home / "outputs" / "out"
        self.side = home / "outputs" / "side"
        self.side.mkdir(parents=True)

    def run(
        self, protocol: str, streams: dict, overrides: dict | None = None, **picture
    ) -> ExecutionRecord:
        """Run a package of one picture and these subtitle streams, by name their parameters."""
        path = self._home / "topology.json"
        path.write_text(json.dumps(_topology(protocol, streams, picture)))
        override = self._home / "override.json"
        override.write_text(json.dumps(overrides or {}))
        workflow = self.engine.load(path, override)
        source = self.engine.open_input(workflow, str(self._clip), "vod/film.mkv")
        return self.engine.run(workflow, source, executor=InlineExecutor())

    def segments(self, name: str) -> list[Path]:
        """The segments that a playlist in the package lists."""
        path = self.out / name
        return [path.with_name(one.uri) for one in m3u8.load(str(path)).segments]


def _topology(protocol: str, streams: dict, picture: dict) -> dict:
    dash = protocol == "dash"
    output = {"TemplateId": "S00000001-200010", "Audio": {"Remove": "true"}, **picture}
    output["Video"] = {"Width": 160, "Height": "", "Preset": "veryfast"}
    place = {"Representation": {"Id": "v", "URI": "v/v.mpd"}}
    if not dash:
        place = {"MultiBitrateVideoStream": {"URI": "v/v.m3u8"}}
    info = {"BandWidth": "900000", "Subtitles": "texts"}
    items = [{"RefActivityName": "picture", "ExtXStreamInfo": info}]
    names = {"MasterPlayListName": "{FileName}/all.m3u8"}
    if protocol == "cmaf":
        names["ManifestName"] = "{FileName}/all.mpd"
    if dash:
        names = {"MasterPlayListName": "{FileName}/all.mpd"}
    group = {"AdaptationSet": {"Group": "texts", "Lang": "de"}} if dash else {"GroupId": "texts"}
    config = {"Bucket": "out", "Location": "local", **names}
    activities = {
        "start": start(),
        "package": {
            "Type": "PackageConfig",
            "Parameters": {
                "Protocol": "dash" if dash else "hls",
                "SegmentSeconds": 2,
                "Output": config,
            },
        },
        "pictures": {"Type": "VideoGroup", "Parameters": {"AdaptationSet": {"Group": "v"}}},
        "texts": {"Type": "SubtitleGroup", "Parameters": group},
        "picture": {"Type": "Transcode", "Parameters": {"Outputs": [output], **place}},
        **{name: {"Type": "Transcode", "Parameters": one} for name, one in streams.items()},
        "master": {
            "Type": "GenerateMasterPlayList",
            "Parameters": {} if dash else {"MasterPlayList": {"MultiBitrateVideoStreams": items}},
        },
        "report": report(),
    }
    edges = {
        "start": ["package"],
        "package": ["texts", "pictures"],
        "pictures": ["picture"],
        "texts": list(streams),
        **{name: ["master"] for name in ("picture", *streams)},
        "master": ["report"],
        "report": [],
    }
    if not dash:
        del activities["pictures"], edges["pictures"]
        edges["package"] = ["texts", "picture"]
    return {"Activities": activities, "Dependencies": edges}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packages]:
    home = tmp_path_factory.mktemp("subtitles")
    (home / "in.srt").write_text(SRT)
    clip = media.make(
        home / "clip.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=3", "-i", home / "in.srt"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:s", "srt"),
        *("-metadata:s:s:0", "language=fre"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFLOW_DATA", str(home / "data"))
        patch.chdir(home)
        made = Packages(home, clip)
        yield made
        made.engine.close()


def hls(name: str, url: str | None = None, language: str = "en") -> dict:
    named = {"WebVTTSubtitleURL": f"oss://side/{url}"} if url else {}
    return {
        "ExtXMedia": {"Name": name, "Language": language, "URI": f"subs/{name}.m3u8"},
        **named,
    }


def dash(name: str, file: str, kind: str) -> dict:
    return {
        "Representation": {"Id": name, "URI": f"texts/{name}.mpd"},
        "InputConfig": {
            "Format": kind,
            "InputFile": {"Bucket": "side", "Location": "local", "Object": file},
        },
    }


def cues(paths: list[Path]) -> list[list[tuple[int, int, str]]]:
    """The cues of each file, of which some have none."""
    return [rows(path.read_text()) if "-->" in path.read_text() else [] for path in paths]


def ended(record: ExecutionRecord, name: str) -> ActivityRecord:
    found = record.activity(name)
    assert found is not None
    return found


@pytest.mark.proves(
    "WebVTTSubtitleURL", by="the cues of each segment, and the first picture's time"
)
@pytest.mark.proves(
    "ExtXMedia.Language of a text track", "SubtitleStreamMap", by="the cues of each segment"
)
def test_hls_from_files_and_tracks(packages: Packages):
    (packages.side / "vod").mkdir()
    (packages.side / "vod" / "film.srt").write_text(SRT, encoding="utf-16")
    (packages.side / "bad.vtt").write_bytes(b"WEBVTT\n\n00:01.000 --> 00:02.000\ncaf\xe9\n")
    record = packages.run(
        "hls",
        {
            "file": hls("file", "{ObjectPrefix}{FileName}.srt"),
            "track": hls("track", language="fr"),
            "mapped": {**hls("mapped"), "SubtitleStreamMap": "0:s:0"},
            "missing": hls("missing", "none.vtt"),
            "bad": hls("bad", "bad.vtt"),
            "nothing": hls("nothing", language="de"),
        },
    )
    states = {one.name: (str(one.state), one.code) for one in record.activities}
    assert states["missing"] == ("Fail", "InvalidParameter.ResourceNotFound")
    assert states["bad"] == ("Fail", "InvalidParameter.ResourceNotSupported")
    assert '"bad.vtt"' in ended(record, "bad").message
    assert "it is not UTF-8" in ended(record, "bad").message
    assert states["nothing"] == ("Fail", "InvalidParameter.ResourceNotFound")
    assert "fre (subrip)" in ended(record, "nothing").message

    master = m3u8.load(str(packages.out / "film" / "all.m3u8"))
    listed = {one.name: (one.uri, one.language, one.type) for one in master.media}
    assert listed == {
        "file": ("subs/file.m3u8", "en", "SUBTITLES"),
        "track": ("subs/track.m3u8", "fr", "SUBTITLES"),
        "mapped": ("subs/mapped.m3u8", "en", "SUBTITLES"),
    }
    for name in listed:
        found = packages.segments(f"film/subs/{name}.m3u8")
        assert [path.name for path in found] == [f"{name}-00001.vtt", f"{name}-00002.vtt"]
        assert cues(found) == [[ONE, ACROSS], [ACROSS]]
        assert "00:02.600 line:0\n" in found[1].read_text()
        assert ended(record, name).result.warnings == (
            "Cues behind the end at 3 s are left out (1 of 3).",
        )

    video = m3u8.load(str(packages.out / "film" / "v" / "v.m3u8"))
    subtitles = m3u8.load(str(packages.out / "film" / "subs" / "file.m3u8"))
    assert [s.duration for s in subtitles.segments] == [s.duration for s in video.segments]
    # the cues' time 0 is the first picture
    begins = _first_picture(packages.out / "film" / "v" / "v-00001.ts")
    assert f"MPEGTS:{begins},LOCAL:00:00:00.000" in found[0].read_text()


def _first_picture(segment: Path) -> int:
    command = [str(ffprobe_path()), "-v", "error", "-select_streams", "v", "-of", "csv=p=0"]
    command += ["-show_entries", "packet=pts", str(segment)]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return min(int(line.strip(",")) for line in done.stdout.decode().split())


@pytest.mark.proves("WebVTTSubtitleOverrides", by="the cues; the other streams are reused")
def test_an_override_makes_one_stream_again(packages: Packages):
    for name, text in (("a", "first"), ("b", "other")):
        (packages.side / f"{name}.vtt").write_text(VTT.replace("vtt", text))
    streams = {"one": hls("one", "a.vtt"), "two": hls("two", "b.vtt")}
    packages.run("hls", streams)
    changed = {"RefActivityName": "one", "WebVTTSubtitleURL": "oss://side/b.vtt"}
    record = packages.run("hls", streams, {"WebVTTSubtitleOverrides": [changed]})
    reused = {one.name for one in record.activities if one.reused}
    assert {"picture", "two"} <= reused and "one" not in reused
    (segment, _) = packages.segments("film/subs/one.m3u8")
    assert rows(segment.read_text()) == [(500, 1500, "other")]
    assert "line:10%" in segment.read_text()


@pytest.mark.proves("InputConfig.Format stl", by="the cues of the file")
@pytest.mark.proves("InputConfig.Format ttml", by="the cues of the file")
@pytest.mark.proves("InputConfig.Format vtt", by="the cues of the file, which an override names")
def test_dash_from_every_format(packages: Packages):
    clock = ((0, 0, 0, 12), (0, 0, 1, 12))
    (packages.side / "a.stl").write_bytes(gsi() + tti(1, *clock, b"\x06stl"))
    (packages.side / "a.ttml").write_bytes(ttml('<p begin="12f" end="1500ms">ttml</p>'))
    (packages.side / "a.vtt").write_text(VTT)
    streams = {
        "stl": dash("stl", "a.stl", "stl"),
        "ttml": dash("ttml", "a.ttml", "ttml"),
        "vtt": dash("vtt", "a.ttml", "vtt"),
    }
    config = {"Format": "vtt", "InputFile": {"URL": "oss://side/a.vtt"}}
    record = packages.run("dash", streams, {"vtt": {"InputConfig": config}})
    assert {one.name: one.code for one in record.activities if one.code} == {}
    folder = packages.out / "film" / "texts"
    files = [folder / f"{name}.vtt" for name in streams]
    assert cues(files) == [
        [(480, 1480, "<c.cyan>stl</c>")],
        [(400, 1500, "ttml")],
        [(500, 1500, "vtt")],
    ]
    assert all("X-TIMESTAMP-MAP" not in file.read_text() for file in files)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.{kind}" for name in streams for kind in ("vtt", "mpd")
    )
    manifest = (packages.out / "film" / "all.mpd").read_text()
    assert 'lang="de"' in manifest and "<BaseURL>texts/stl.vtt</BaseURL>" in manifest
    # each plays by its own list, too
    assert "<BaseURL>stl.vtt</BaseURL>" in (folder / "stl.mpd").read_text()


def test_a_clip_and_both_lists(packages: Packages):
    (packages.side / "c.srt").write_text(SRT)
    clip = {"Clip": {"TimeSpan": {"Seek": "1", "Duration": "1.2"}}}
    record = packages.run("cmaf", {"c": hls("c", "c.srt")}, **clip)
    assert {one.name: one.code for one in record.activities if one.code} == {}
    wanted = [(0, 500, "one"), (900, 1200, ACROSS[2])]
    (segment,) = packages.segments("film/subs/c.m3u8")
    assert "MPEGTS:0," in segment.read_text()
    assert cues([segment, segment.with_name("c.vtt")]) == [wanted, wanted]
    assert "subs/c.vtt" in (packages.out / "film" / "all.mpd").read_text()


def test_names_of_files_are_checked_before_anything_runs(packages: Packages, tmp_path: Path):
    for parameters, code, pointer in (
        (hls("x") | {"WebVTTSubtitleURL": "http://example.com/a.vtt"}, "ResourceNotSupported", ""),
        (hls("x", "{RunId}.vtt"), "InvalidParameter", ""),
    ):
        path = tmp_path / "t.json"
        path.write_text(json.dumps(_topology("hls", {"x": parameters}, {})))
        with pytest.raises(TopologyError) as caught:
            packages.engine.load(path)
        told = [(p.code, p.pointer) for p in caught.value.problems if p.severity is Severity.ERROR]
        assert len(told) == 1 and code in told[0][0]
        assert told[0][1] == "/Activities/x/Parameters/WebVTTSubtitleURL" + pointer
