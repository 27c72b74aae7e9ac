"""Transcodes of real files, and questions about what came out; ffprobe and ffmpeg answer."""

import cmath
import json
import math
import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from activities.ffmpeg import ffmpeg_path, ffprobe_path
from activities.probe import MediaInfo
from activities.transcode import Transcode
from tests.support import media
from tests.support.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult, Produced, SideInputFacts, Step, no_templates
from workflow_engine.records import Digests

MP4, FLV, HLS = "S00000001-200010", "S00000001-000010", "S00000001-100010"
MP3, MP4_COPY, FLV_COPY, HLS_COPY = (
    "S00000001-300010",
    "S00000001-200000",
    "S00000001-000000",
    "S00000001-100000",
)
#: Hz of the tones that `tone` knows
TONES = (400, 800, 1200, 2000)
FAST = {"Preset": "veryfast"}


@dataclass
class Made:
    """The result of a run; `[n]` is the file of output n, of HLS the playlist."""

    step: Step
    result: ActivityResult

    def produced(self, n: int) -> Produced:
        keys = [p for p in self.result.outputs if p.path.stem == str(n)]
        return keys[0]

    def __getitem__(self, n: int) -> Path:
        return self.produced(n).path

    def segments(self, n: int) -> list[Produced]:
        return [p for p in self.result.outputs if p.path.name.startswith(f"{n}-")]


def planned(
    source: Path, *outputs, templates=no_templates, objects=None, raw=None, **parameters
) -> tuple[Step, dict[str, Path]]:
    """The step of these outputs, and the files that it reads beside the source, by name.

    `objects` are files by their `bucket/key`; they are read as the engine reads them. `raw` says
    what the samples of a source without a container are.
    """
    named = [{"OutputObject": f"{{RunId}}/{n}-{{FileName}}"} | o for n, o in enumerate(outputs)]
    wire = {"OutputBucket": "out-bucket", "Outputs": json.dumps(named)} | parameters
    info = MediaInfo.of(source, raw=raw, ends=True).to_json()
    context = make_plan_context(source, media=info, templates=templates)
    read, activity = Transcode.parameters.model_validate(wire), Transcode()
    files: dict[str, Path] = {}
    while wanted := [
        one for one in activity.reads(read, context) if one not in context.side_inputs
    ]:
        found = dict(context.side_inputs)
        for one in wanted:
            own = one.ref.object == context.source.object
            path = source if own else objects[f"{one.ref.bucket}/{one.ref.object}"]
            digests = Digests.of(path)
            name = f"side-{digests.sha256[:16]}{path.suffix}"
            with tempfile.TemporaryDirectory() as work:
                facts = activity.describe(one, make_context(Path(work), path))
            found[one] = SideInputFacts(name=name, digests=digests, facts=facts)
            files[name] = path
        context = replace(context, side_inputs=found)
    step = activity.plan(read, context)
    assert isinstance(step, Step)
    return step, files


def plan(source: Path, *outputs, **parameters) -> Step:
    return planned(source, *outputs, **parameters)[0]


def run(tmp_path: Path, source: Path, *outputs, **parameters) -> Made:
    step, files = planned(source, *outputs, **parameters)
    context = make_context(tmp_path, source)
    for name, path in files.items():
        (context.work / name).symlink_to(path)
    return Made(step, Transcode().run(step, context))


def output(template=MP4, **fields):
    if template not in (MP3, MP4_COPY, FLV_COPY, HLS_COPY):
        slow = fields.get("Video", {}).get("Codec") == "H.265"
        fields["Video"] = ({} if slow else FAST) | fields.get("Video", {})
    return {"TemplateId": template} | fields


def video(**fields):
    return output(Video=fields)


def ffprobe(path: Path, *arguments: str) -> dict:
    command = [str(ffprobe_path()), "-v", "error", "-of", "json", *arguments, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def stream(path: Path, kind: str = "v") -> dict:
    found = ffprobe(path, "-show_streams", "-select_streams", kind)["streams"]
    assert len(found) == 1
    return found[0]


def packets(path: Path, kind: str = "v") -> list[dict]:
    return ffprobe(path, "-show_packets", "-select_streams", kind)["packets"]


def key_times(path: Path) -> list[float]:
    found = packets(path)
    first = min(float(packet["pts_time"]) for packet in found)
    keys = [float(packet["pts_time"]) for packet in found if packet["flags"].startswith("K")]
    return [round(time - first, 3) for time in keys]


def decoded(path: Path, *arguments: str) -> bytes:
    command = [str(ffmpeg_path()), "-v", "error", "-i", str(path), *arguments, "-"]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert not done.stderr, done.stderr
    return done.stdout


def pixel(path: Path, x: int, y: int) -> tuple[int, ...]:
    """Red, green and blue of a pixel of the first frame."""
    shape = f"crop=1:1:{x}:{y}:exact=1,format=rgb24"
    return tuple(decoded(path, "-vf", f"format=rgb24,{shape}", "-frames:v", "1", "-f", "rawvideo"))


def colours(path: Path, *times: float) -> list[tuple[int, ...]]:
    """The mean colour of the frame that is shown at each time, in seconds."""
    shown = [float(packet["pts_time"]) for packet in packets(path)]
    first, shown = min(shown), sorted(shown)
    data = decoded(path, "-vf", "scale=1:1:flags=area,format=rgb24", "-f", "rawvideo")
    assert len(data) == 3 * len(shown)
    found = [sum(one - first <= time + 1e-3 for one in shown) - 1 for time in times]
    return [tuple(data[3 * n : 3 * n + 3]) for n in found]


def heard(path: Path, at: float, *frequencies: int, seconds: float = 0.1) -> list[float]:
    """The amplitude (full scale: 1) of tones in a stretch of the sound, from `at` seconds on."""
    rate = 44100
    data = decoded(path, "-map", "0:a", "-ac", "1", "-ar", str(rate), "-f", "f32le")
    values = memoryview(data).cast("f")[round(at * rate) : round((at + seconds) * rate)]
    assert len(values) == round(seconds * rate), "the sound has ended"
    steps = [-2j * math.pi * frequency / rate for frequency in frequencies]
    return [
        abs(sum(value * cmath.exp(step * n) for n, value in enumerate(values))) * 2 / len(values)
        for step in steps
    ]


def tone(path: Path, at: float) -> int:
    """The tone of `TONES` that is heard at a time, 0 for silence."""
    found = heard(path, at, *TONES)
    loudest = max(range(len(TONES)), key=found.__getitem__)
    return TONES[loudest] if found[loudest] > 0.01 else 0


def sound_seconds(path: Path) -> float:
    """How long the decoded sound is."""
    return len(decoded(path, "-map", "0:a", "-ac", "1", "-ar", "44100", "-f", "s16le")) / 88200


def similarity(path: Path, other: Path) -> float:
    """The structural similarity (SSIM) of the pictures of two files, at most 1.

    Those of the first are scaled to the size of the other's.
    """
    graph = "[0:v][1:v]scale=rw:rh[scaled];[scaled][1:v]ssim"
    command = [str(ffmpeg_path()), "-nostats", "-i", str(path), "-i", str(other), "-lavfi", graph]
    done = subprocess.run(
        [*command, "-f", "null", "-"], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return float(re.findall(r"All:([\d.]+)", done.stderr.decode())[-1])


def loudness(path: Path) -> dict[str, float]:
    """Integrated loudness (LUFS), range (LU), true peak (dBTP), mean and highest level (dB)."""
    measures = "ebur128=peak=true:framelog=quiet,volumedetect"
    command = [str(ffmpeg_path()), "-nostats", "-i", str(path), "-map", "0:a", "-af", measures]
    done = subprocess.run(
        [*command, "-f", "null", "-"], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    text = done.stderr.decode()
    patterns = {
        "integrated": r"I: +(-?[\d.]+) LUFS",
        "range": r"LRA: +([\d.]+) LU",
        "peak": r"Peak: +(-?[\d.]+) dBFS",
        "mean": r"mean_volume: (-?[\d.]+) dB",
        "highest": r"max_volume: (-?[\d.]+) dB",
    }
    found = {name: re.findall(pattern, text) for name, pattern in patterns.items()}
    return {name: float(values[-1]) for name, values in found.items() if values}


def frames(path: Path, size: tuple[int, int]) -> list[bytes]:
    """All frames of a picture of this size, three bytes for each pixel."""
    content, length = decoded(path, "-vf", "format=rgb24", "-f", "rawvideo"), size[0] * size[1] * 3
    return [content[at : at + length] for at in range(0, len(content), length)]


def box_of(
    frame: bytes, width: int, colour: tuple[int, int, int], *, other: bool = False
) -> tuple[int, ...] | None:
    """Left, top, width and height of what has this colour in a frame, None when nothing has.

    With `other`: of what has another colour.
    """
    found = [
        divmod(at // 3, width)
        for at in range(0, len(frame), 3)
        if near(tuple(frame[at : at + 3]), colour, 40) is not other
    ]
    if not found:
        return None
    rows, columns = zip(*found, strict=True)
    left, top = min(columns), min(rows)
    return left, top, max(columns) - left + 1, max(rows) - top + 1


def frame_numbers(path: Path) -> list[int]:
    """The numbers of all frames of a `numbered` clip, modulo its period."""
    grey = decoded(path, "-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo")
    return [round(value * 219 / 255 / media.STEP) for value in grey]


def near(found: tuple[int, ...], wanted: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


def kbps(path: Path, kind: str = "v") -> float:
    found = packets(path, kind)
    seconds = float(stream(path, kind)["duration"])
    return sum(int(packet["size"]) for packet in found) * 8 / 1000 / seconds


def hashes(path: Path, kinds: str = "va") -> list[str]:
    """The hash of each stream's packets as they are; `kinds` are v and a."""
    maps = [part for kind in kinds for part in ("-map", f"0:{kind}")]
    text = decoded(path, *maps, "-c", "copy", "-f", "streamhash")
    return [line.rpartition("=")[2] for line in text.decode().splitlines()]


def extinf(playlist: Path) -> float:
    """The seconds that a playlist adds up to."""
    return sum(float(one) for one in re.findall(r"#EXTINF:([\d.]+)", playlist.read_text()))
