"""Transcodes of real files, and questions about what came out; ffprobe and ffmpeg answer."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from activities.ffmpeg import ffmpeg_path, ffprobe_path
from activities.probe import MediaInfo
from activities.transcode import Transcode
from tests.context import make_context, make_plan_context
from workflow_engine.activity import ActivityResult, Produced, Step

MP4, FLV, HLS = "S00000001-200010", "S00000001-000010", "S00000001-100010"
MP3, MP4_COPY, FLV_COPY, HLS_COPY = (
    "S00000001-300010",
    "S00000001-200000",
    "S00000001-000000",
    "S00000001-100000",
)
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


def plan(source: Path, *outputs) -> Step:
    named = [{"OutputObject": f"{{RunId}}/{n}-{{FileName}}"} | o for n, o in enumerate(outputs)]
    parameters = Transcode.parameters.model_validate(
        {"OutputBucket": "out-bucket", "Outputs": json.dumps(named)}
    )
    context = make_plan_context(source, media=MediaInfo.of(source).to_json())
    step = Transcode().plan(parameters, context)
    assert isinstance(step, Step)
    return step


def run(tmp_path: Path, source: Path, *outputs) -> Made:
    step = plan(source, *outputs)
    return Made(step, Transcode().run(step, make_context(tmp_path, source)))


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


def near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(found, wanted, strict=True))


def kbps(path: Path, kind: str = "v") -> float:
    found = packets(path, kind)
    seconds = float(stream(path, kind)["duration"])
    return sum(int(packet["size"]) for packet in found) * 8 / 1000 / seconds


def hashes(path: Path) -> list[str]:
    """The hash of each stream's packets as they are."""
    text = decoded(path, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "streamhash")
    return [line.rpartition("=")[2] for line in text.decode().splitlines()]
