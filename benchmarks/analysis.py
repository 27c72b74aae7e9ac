"""What an Analysis foretells, beside what the Transcodes behind it make, over films of six kinds.

    python -m benchmarks.analysis [--seconds 60] [--kind slides ...] [--plot DIRECTORY]

Each film (`film_kinds.py`, two of a kind, and a real clip from a package) goes through the ladder
of the examples. Rates are measured over the packets of the outputs, VMAF against the source at its
size, on every fifth picture. A class that was dropped for its rate within a fifth of its bound is
encoded all the same, to see whether that was right. What an Analysis costs is given as a share of
the encodes, for ten minutes of film, in processor time: a run of the Analysis alone, and one of the
ladder that finds it done, each without what a run of nothing takes.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.ffmpeg import ffmpeg_path, ffprobe_path
from benchmarks.film_kinds import KINDS, make
from benchmarks.overhead import EXAMPLES, MEDIAFLOW, line
from tests.support import media

#: the bounds of each class, in kbit/s
CLASSES = {"FHD": (2000, 4000), "HD": (1000, 2000), "SD": (500, 1000), "LD": (0, 500)}
#: room for the encoder (specification, analysis, 6)
LOWEST, HIGHEST = 0.9, 1.02
#: a rate this near below its bound is looked at again
NEAR = 0.8
LONG = 600.0
SUBSAMPLE = 5
#: the quality that is held by default
CRF = 25


@dataclass(frozen=True, kw_only=True)
class Offered:
    """One rendition: rates in kbit/s."""

    kind: str
    name: str
    size: str
    kept_by: str
    predicted: float
    measured: float
    predicted_vmaf: float | None
    measured_vmaf: float
    inside: bool

    @property
    def error(self) -> float:
        """Of the rate, in percent."""
        return 100 * (self.predicted / self.measured - 1)

    @property
    def vmaf_error(self) -> float | None:
        """In points."""
        return None if self.predicted_vmaf is None else self.predicted_vmaf - self.measured_vmaf


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one film."""

    offered: list[Offered]
    wrong: list[str]
    looked_at: int
    analysis_seconds: float  # of a processor
    encode_seconds: float  # likewise
    length: float

    @property
    def cost(self) -> float:
        """The Analysis as a share of the encodes, for ten minutes of such film."""
        return self.analysis_seconds / (self.encode_seconds * LONG / self.length)


def processor_seconds() -> float:
    """Return what all programs that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def only(work: Path, *names: str) -> Path:
    """Write the example with only some of its activities between Start and Report."""
    ladder = json.loads((EXAMPLES / "ladder.json").read_text())
    chain = ["start", *names, "report"]
    ladder["Activities"] = {name: ladder["Activities"][name] for name in chain}
    ladder["Dependencies"] = {
        name: chain[place + 1 : place + 2] for place, name in enumerate(chain)
    }
    path = work / f"{'-'.join(chain)}.json"
    path.write_text(json.dumps(ladder))
    return path


def ran(work: Path, topology: Path, film: Path) -> tuple[dict[str, Any], Path, float]:
    """Run a topology; return its report, where the outputs lie, and the processor seconds."""
    out = work / f"out-{film.stem}-{topology.stem}"
    command = [MEDIAFLOW, "run", topology, film, "--output-dir", out, "--executor", "inline"]
    # each encode has a time of its own
    environment = {**os.environ, "MEDIAFLOW_RUNNER__FUSE": "false"}
    environment["MEDIAFLOW_DATA"] = str(work / "data")
    before = processor_seconds()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    spent = processor_seconds() - before
    (report,) = out.rglob("report.json")
    return json.loads(report.read_text()), out, spent


def duration(path: Path) -> float:
    asked = ("-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path))
    return float(subprocess.check_output([str(ffprobe_path()), *asked], text=True))


def rate(path: Path) -> float:
    """Return the average rate of the video over its packets, in kbit/s."""
    asked = ("-v", "error", "-select_streams", "v", "-show_entries", "packet=size,duration_time")
    found = subprocess.check_output(
        [str(ffprobe_path()), *asked, "-of", "csv=p=0", str(path)], text=True
    )
    rows = [row.split(",")[:2] for row in found.splitlines() if row]
    return sum(int(size) for _, size in rows) / 125 / sum(float(length) for length, _ in rows)


def vmaf(path: Path, film: Path, work: Path) -> float:
    """Return the mean VMAF of an output, at the size of its film."""
    log = work / "vmaf.json"
    # the same colours are said of both, or ffmpeg converts one
    told = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    clock = f"settb=AVTB,setpts=PTS-STARTPTS,{told}"
    graph = (
        f"[1:v]{clock},split[f][r];[0:v]{clock}[o];[o][f]scale=w=rw:h=rh:flags=bicubic[s];"
        f"[s][r]libvmaf=n_subsample={SUBSAMPLE}:n_threads=2:log_fmt=json:log_path={log}"
    )
    command = (str(ffmpeg_path()), "-nostdin", "-v", "error", "-i", str(path), "-i", str(film))
    subprocess.run([*command, "-lavfi", graph, "-f", "null", "-"], check=True)
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def really(film: Path, width: str, height: str, work: Path) -> float:
    """Return the rate of the whole film at a size and the quality that is held, in kbit/s."""
    target = work / "really.mp4"
    media.make(
        target,
        *("-i", str(film), "-an", "-vf", f"scale={width}:{height},setsar=1"),
        *("-c:v", "libx264", "-preset", "medium", "-profile:v", "high", "-crf", str(CRF)),
        *("-g", "250", "-pix_fmt", "yuv420p"),
    )
    return rate(target)


def outcome(kind: str, film: Path, work: Path) -> Outcome:
    _, _, nothing = ran(work, only(work), film)
    _, _, analysis = ran(work, only(work, "analysis"), film)
    report, out, ladder = ran(work, EXAMPLES / "ladder.json", film)
    found = {one["Name"]: one for one in report["Activities"]}
    offered: list[Offered] = []
    wrong: list[str] = []
    rungs = found["analysis"]["Rungs"]
    for rung in rungs:
        name = rung["Class"]
        low, high = CLASSES[name]
        if rung["State"] != "Offered":
            predicted = float(rung.get("PredictedBitrate") or 0)
            if rung.get("Reason") == "RateNotFilled" and predicted > NEAR * low:
                full = really(film, rung["Width"], rung["Height"], work)
                if full > low:
                    wrong.append(f"{name} dropped at {predicted:.0f}, needs {full:.0f}")
            continue
        (path,) = out.rglob(f"{name.lower()}.mp4")
        measured = rate(path)
        inside = LOWEST * low <= measured <= HIGHEST * high
        if not inside:
            wrong.append(f"{name} offered at {rung['PredictedBitrate']}, is {measured:.0f}")
        quality = rung.get("PredictedVmaf")
        offered.append(
            Offered(
                kind=kind,
                name=name,
                size=f"{rung['Width']}x{rung['Height']}",
                kept_by=rung["TransMode"],
                predicted=float(rung["PredictedBitrate"]),
                measured=measured,
                predicted_vmaf=None if quality is None else float(quality),
                measured_vmaf=vmaf(path, film, work),
                inside=inside,
            )
        )
    return Outcome(
        offered=offered,
        wrong=wrong,
        looked_at=len(rungs),
        analysis_seconds=analysis - nothing,
        encode_seconds=ladder - nothing,
        length=duration(film),
    )


def films(work: Path, kinds: Sequence[str], seconds: float) -> Iterator[tuple[str, Path]]:
    for kind in kinds:
        for variant in (0, 1):
            path = work / f"{kind}-{variant}.mp4"
            yield (
                kind,
                path if path.exists() else make(path, kind, variant=variant, seconds=seconds),
            )
    if "real" in kinds:
        yield "real", media.big_buck_bunny()


def tell(outcomes: Sequence[Outcome]) -> None:
    offered = [one for each in outcomes for one in each.offered]
    errors = sorted(abs(one.error) for one in offered)
    line("rate, median error", statistics.median(errors), "%")
    line("rate, 95th percentile", errors[min(len(errors) - 1, int(0.95 * len(errors)))], "%")
    free = sorted(abs(one.error) for one in offered if one.kept_by == "onepass")
    if free:
        line("rate where quality rules, median error", statistics.median(free), "%")
    quality = sorted(abs(one.vmaf_error) for one in offered if one.vmaf_error is not None)
    if quality:
        line("VMAF, median error", statistics.median(quality), "")
        line("VMAF, worst error", quality[-1], "")
    wrong = sum(len(each.wrong) for each in outcomes)
    line("wrong classes", 100 * wrong / sum(each.looked_at for each in outcomes), "%")
    line("cost for ten minutes, median", 100 * statistics.median(o.cost for o in outcomes), "%")
    line("cost for ten minutes, worst", 100 * max(o.cost for o in outcomes), "%")


# --- the plot ---------------------------------------------------------------------------------

_COLOURS: dict[str, str] = dict(
    zip(
        (*KINDS, "real"),
        ["#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#b07aa1", "#333"],
        strict=True,
    )
)
_SIDE, _EDGE = 420, 50
_RATES, _QUALITIES = (50, 100, 200, 500, 1000, 2000, 4000), (20, 40, 60, 80, 100)


def plot(
    points: Sequence[tuple[str, float, float]],
    title: str,
    ticks: Sequence[float],
    scale: Callable[[float], float] = float,
) -> str:
    """Return an SVG of predicted against measured figures, a colour for each kind."""
    low, high = scale(ticks[0]), scale(ticks[-1])

    def at(value: float) -> float:
        return _EDGE + (_SIDE - 2 * _EDGE) * (scale(value) - low) / (high - low)

    marks = [
        f'<circle cx="{at(measured):.1f}" cy="{_SIDE - at(predicted):.1f}" r="4" '
        f'fill="{_COLOURS[kind]}" fill-opacity="0.8"/>'
        for kind, predicted, measured in points
    ]
    names = [
        f'<text x="{_EDGE + 8}" y="{_EDGE + 14 + 15 * row}" fill="{colour}">{kind}</text>'
        for row, (kind, colour) in enumerate(
            (kind, colour)
            for kind, colour in _COLOURS.items()
            if kind in {one[0] for one in points}
        )
    ]
    labels = [
        f'<text x="{at(tick):.0f}" y="{_SIDE - _EDGE + 16}" text-anchor="middle">{tick:g}</text>'
        f'<text x="{_EDGE - 6}" y="{_SIDE - at(tick) + 4:.0f}" text-anchor="end">{tick:g}</text>'
        for tick in ticks
    ]
    inner = _SIDE - 2 * _EDGE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE}" '
            'font-family="sans-serif" font-size="11">',
            f'<rect width="{_SIDE}" height="{_SIDE}" fill="white"/>',
            f'<rect x="{_EDGE}" y="{_EDGE}" width="{inner}" height="{inner}" fill="none" '
            'stroke="#999"/>',
            f'<line x1="{_EDGE}" y1="{_SIDE - _EDGE}" x2="{_SIDE - _EDGE}" y2="{_EDGE}" '
            'stroke="#bbb"/>',
            f'<text x="{_SIDE / 2}" y="28" text-anchor="middle" font-size="13">{title}</text>',
            f'<text x="{_SIDE / 2}" y="{_SIDE - 12}" text-anchor="middle">measured</text>',
            f'<text x="14" y="{_SIDE / 2}" transform="rotate(-90 14 {_SIDE / 2})" '
            'text-anchor="middle">predicted</text>',
            *labels,
            *names,
            *marks,
            "</svg>\n",
        ]
    )


def draw(offered: Sequence[Offered], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rates = [(one.kind, one.predicted, one.measured) for one in offered]
    (folder / "analysis-rates.svg").write_text(plot(rates, "Rate, kbit/s", _RATES, math.log))
    quality = [
        (one.kind, one.predicted_vmaf, one.measured_vmaf)
        for one in offered
        if one.predicted_vmaf is not None
    ]
    (folder / "analysis-vmaf.svg").write_text(plot(quality, "VMAF", _QUALITIES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=KINDS)
    parser.add_argument("--films", type=Path, help="where films lie, and stay")
    parser.add_argument("--plot", type=Path, help="where the plots go")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        for kind, film in films(options.films or work, options.kind, options.seconds):
            found = outcome(kind, film, work)
            outcomes.append(found)
            for one in found.offered:
                quality = "" if one.vmaf_error is None else f", VMAF {one.measured_vmaf:5.1f}"
                quality += "" if one.vmaf_error is None else f" {one.vmaf_error:+5.1f}"
                line(
                    f"{film.stem}, {one.name}, {one.size}",
                    one.measured,
                    "kbit/s",
                    f"{one.error:+6.1f} % by {one.kept_by}{quality}",
                )
            line(f"{film.stem}, cost for ten minutes", 100 * found.cost, "%")
            for sentence in found.wrong:
                print(f"    WRONG: {sentence}")
        tell(outcomes)
        if options.plot:
            draw([one for each in outcomes for one in each.offered], options.plot)


if __name__ == "__main__":
    main()
