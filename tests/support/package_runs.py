"""Runs of packages: a tiny film of two languages, and what was published of it."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffmpeg_path, ffprobe_path
from tests.support.media import make
from workflow_engine import Engine, InlineExecutor, load_settings
from workflow_engine.records import ActivityRecord, ExecutionRecord

#: seconds of the film: two whole segments of 2 s and a rest, in which no AAC frame ends evenly
SECONDS = 5


def film(directory: Path, *, sound: bool = True, fps: str = "25", size: str = "160x90") -> Path:
    """A moving picture with two tracks of sound, English and French, of a tone each."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={SECONDS}"]
    tones: list[str] = []
    maps = ["-map", "0:v"]
    for number, (tone, language) in enumerate(((440, "eng"), (1320, "fra")) if sound else ()):
        tones += ["-f", "lavfi", "-i", f"sine=frequency={tone}:sample_rate=48000:d={SECONDS}"]
        maps += ["-map", f"{number + 1}:a", f"-metadata:s:a:{number}", f"language={language}"]
    return make(
        directory / f"film-{sound}-{fps.replace('/', '_')}-{size}.mp4",
        *picture,
        *tones,
        *maps,
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


@dataclass
class PackageRuns:
    """An engine that keeps what it made; outputs lie below `out/film`."""

    path: Path

    def __post_init__(self) -> None:
        settings = load_settings(None).kept_in(self.path / "data")
        self.engine = Engine(settings, output_dir=self.path)
        self.folder = self.path / "out"

    def run(self, source: Path, value: dict[str, Any], overrides: Any = None) -> ExecutionRecord:
        """Run a topology on a film that lies at `film.mp4`."""
        file = self.path / "flow.json"
        file.write_text(json.dumps(value))
        given = None
        if overrides is not None:
            given = self.path / "overrides.json"
            given.write_text(json.dumps(overrides))
        link = self.path / "film.mp4"
        link.unlink(missing_ok=True)
        link.symlink_to(source)
        workflow = self.engine.load(file, given)
        opened = self.engine.open_input(workflow, str(link))
        return self.engine.run(workflow, opened, executor=InlineExecutor())

    def text(self, name: str) -> str:
        """A list of the package."""
        return (self.folder / "film" / name).read_text()

    def there(self) -> set[str]:
        """The names of all objects of the package."""
        root = self.folder / "film"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def good(record: ExecutionRecord, name: str) -> ActivityRecord:
    """An activity, which has succeeded."""
    activity = record.activity(name)
    assert activity.state == "Success", activity
    return activity


def first_time(path: Path) -> float:
    """When the first packet of a file is shown, in seconds."""
    asked = ("-show_entries", "packet=pts_time", "-read_intervals", "%+#8", "-of", "csv=p=0")
    done = subprocess.run(
        [str(ffprobe_path()), "-v", "error", *asked, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return min(float(line.strip(",")) for line in done.stdout.split())


def silence(path: Path) -> float:
    """How many seconds at the beginning of a file nothing is heard."""
    opened = ["-ignore_editlist", "1"] if path.read_bytes()[4:8] == b"ftyp" else []
    done = subprocess.run(
        [
            str(ffmpeg_path()),
            *opened,
            "-i",
            str(path),
            "-af",
            "silencedetect=n=-50dB:d=0.1",
            "-f",
            "null",
            "-",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    (end,) = re.findall(r"silence_end: ([\d.]+)", done.stderr)[:1]
    return float(end)


def joined(playlist: Path) -> Path:
    """The fragments of a list, one behind the other in a file."""
    stem = playlist.with_suffix("")
    parts = [Path(f"{stem}-init.mp4"), *sorted(stem.parent.glob(f"{stem.name}-0*.m4s"))]
    whole = Path(f"{stem}.joined")
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


def decoded(path: Path, key: str = "") -> list[str]:
    """A digest of each frame of a list or file; `key`, of hexadecimal digits, decrypts a file."""
    opened = ("-decryption_key", key) if key else ("-allowed_extensions", "ALL")
    done = subprocess.run(
        [
            *(str(ffmpeg_path()), "-v", "error", *opened, "-i", str(path)),
            *("-f", "framemd5", "-"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return [line.split(",")[-1] for line in done.stdout.splitlines() if line[0] != "#"]
