"""One encode in several containers: packet by packet what an encode of its own gives."""

import hashlib
import shutil
from pathlib import Path

import pytest

from activities import ffmpeg
from activities.transcode import Transcode
from tests.support import media
from tests.support.context import make_context
from tests.support.transcodes import MP4, decoded, ffprobe, plan
from workflow_engine.activity import ActivityResult, Step

CONTAINERS = ("flv", "mp4", "m3u8", "ts", "mpd")
SMALL = {"Width": "160", "Height": "128", "Crf": "30", "Preset": "veryfast"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of NTSC film, with sound that begins late."""
    return media.make(
        tmp_path_factory.mktemp("source") / "ntsc.mkv",
        *("-f", "lavfi", "-i", "testsrc2=size=160x128:rate=24000/1001"),
        *("-itsoffset", "0.3", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"),
        *("-t", "5", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
    )


def output(container: str, **more: object) -> dict[str, object]:
    segments = {"MuxConfig": {"Segment": {"Duration": "2"}}} if container in ("m3u8", "mpd") else {}
    return {"TemplateId": MP4, "Container": {"Format": container}, "Video": SMALL} | segments | more


def alone(tmp_path: Path, source: Path, step: Step) -> ActivityResult:
    return Transcode().run(step, make_context(tmp_path, source))


def packets(result: ActivityResult, playlist: str) -> list[list[str]]:
    """Time stamps, lengths, flags and content of all packets of an output, by its main file."""
    path = next(one.path for one in result.outputs if one.path.name == playlist)
    files = [path]
    if path.suffix in (".m3u8", ".mpd"):
        # in the playlist they have their final names
        stem = path.with_suffix("").name
        files = sorted(path.parent.glob(f"{stem}-0*.ts"))
        for n in "01" if path.suffix == ".mpd" else "":
            whole = path.with_name(f"{n}-whole.mp4")
            parts = [path.with_name(f"{stem}-{n}-init.m4s")]
            parts += sorted(path.parent.glob(f"{stem}-{n}-0*.m4s"))
            whole.write_bytes(b"".join(part.read_bytes() for part in parts))
            files.append(whole)
    fields = "stream_index,pts,dts,duration,flags,data_hash"
    shown = ("-show_data_hash", "md5", "-show_entries", f"packet={fields}")
    return [
        [file.name, *(str(packet.get(name)) for name in fields.split(","))]
        for file in files
        for packet in ffprobe(file, *shown)["packets"]
    ]


def shown(work: Path) -> str:
    """A digest of all pictures of the output in a folder, as they are decoded."""
    files = sorted([*work.glob("0*.ts"), *work.glob("0.flv"), *work.glob("0*.mp4")])
    whole = work / "joined"
    whole.write_bytes(b"".join(file.read_bytes() for file in files))
    text = decoded(whole, *("-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo"))
    return hashlib.sha256(text).hexdigest()


def times(found: list[list[str]]) -> list[list[str]]:
    return [one[1:-1] for one in found]


def tags(result: ActivityResult, name: str) -> list[str]:
    path = next(one.path for one in result.outputs if one.path.name == name)
    return [line for line in path.read_text().splitlines() if line.startswith("#")]


@pytest.mark.parametrize("codec", ["H.264", pytest.param("H.265", marks=pytest.mark.long)])
def test_every_container_has_what_an_encode_of_its_own_gives(tmp_path, source, codec):
    video = SMALL | {"Codec": codec, "Gop": "48"}
    if codec == "H.265":
        del video["Preset"]
    names = [name for name in CONTAINERS if codec == "H.264" or name not in ("flv", "mpd")]
    steps = [plan(source, output(name, Video=video)) for name in names]
    contexts = [make_context(tmp_path / name, source) for name in names]
    results = Transcode().run_shared(list(zip(steps, contexts, strict=True)))
    encoders = [one for result in results for one in result.commands if "-crf" in one]
    assert len(set(encoders)) == 1 and encoders[0].count("-crf") == 1
    assert not list(tmp_path.glob("*/streams-*"))
    lengths, content = set[int](), dict[str, list[str]]()
    for name, step, result in zip(names, steps, results, strict=True):
        assert isinstance(result, ActivityResult), result
        own = alone(tmp_path / f"alone-{name}", source, step)
        assert [one.path.name for one in own.outputs] == [one.path.name for one in result.outputs]
        single, muxed = packets(own, f"0.{name}"), packets(result, f"0.{name}")
        assert times(muxed) == times(single)
        lengths.add(len(single))
        # of an encode in several threads, no second one has every byte
        content[name] = sorted(one[-1] for one in muxed)
    assert len(lengths) == 1
    # in transport streams, headers stand before the pictures
    assert all(content[name] == content["mp4"] for name in names if name in ("flv", "mpd"))
    pictures = {name: shown(contexts[names.index(name)].work) for name in names}
    assert len(set(pictures.values())) == 1, pictures


@pytest.mark.parametrize("cuts", ["1,2.5", ""])
def test_cuts_and_other_sound(tmp_path, source, cuts):
    mux = {"MuxConfig": {"Segment": {"ForceSegTime": cuts} if cuts else {"Duration": "2"}}}
    outputs = [
        output("m3u8", **mux),
        output("m3u8", **mux, Audio={"Bitrate": "48"}, OutputObject="{RunId}/low"),
    ]
    step = plan(source, *outputs)
    made = alone(tmp_path / "both", source, step)
    assert sum(one.count("libx264") for one in made.commands) == 1
    for number, given in enumerate(outputs):
        own = alone(tmp_path / f"alone-{number}", source, plan(source, given))
        assert times(packets(made, f"{number}.m3u8")) == times(packets(own, "0.m3u8"))
        assert tags(made, f"{number}.m3u8") == tags(own, "0.m3u8")


def test_a_mux_that_fails_is_an_encode_of_its_own(tmp_path, source, monkeypatch):
    """The file of one is damaged between the encode and the muxes."""
    run = ffmpeg.run

    def damaging(command, **options):
        if "-copyts" in command and command[-1].endswith(".flv"):
            victim = Path(command[command.index("-i") + 1].removeprefix("file:"))
            kept = victim.with_suffix(".kept")
            shutil.copy(victim, kept)
            victim.write_bytes(b"not an mp4")
            try:
                return run(command, **options)
            finally:
                kept.replace(victim)
        return run(command, **options)

    monkeypatch.setattr(ffmpeg, "run", damaging)
    names = ("mp4", "flv", "ts")
    members = [
        (plan(source, output(name)), make_context(tmp_path / name, source)) for name in names
    ]
    results = Transcode().run_shared(members)
    own = {}
    for name, result in zip(names, results, strict=True):
        assert isinstance(result, ActivityResult), result
        own[name] = sum("libx264" in one for one in result.commands)
    assert own == {"mp4": 1, "flv": 2, "ts": 1}
