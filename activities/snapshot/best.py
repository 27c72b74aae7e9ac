"""`Best`: of a few pictures of the source the one that shows most, an extension of ours.

Candidates are spread evenly from Time to the end; each is the typical frame of what is shown in
its second (`thumbnail`). What ffmpeg notes of each picture is made into a score: sharp, well
exposed, and like the other candidates in light and colour. A picture of one colour, black and white
included, only wins against its like.
"""

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from activities import ffmpeg
from activities.ffmpeg import graph
from activities.snapshot import ways
from activities.snapshot.commands import Shot
from activities.snapshot.job import SnapshotJob
from activities.snapshot.stills import require_whole
from activities.snapshot.takes import Takes
from workflow_engine.activity import ActivityContext, ActivityResult, Produced
from workflow_engine.errors import ActivityError

#: pictures that are compared
CANDIDATES = 12
#: seconds of the source for each of them, where it is short
_APART = 0.5
#: pixels of a side of the pictures that are judged
_JUDGED = 480
#: the difference between the brighter and the darker tenth of the pixels below which a picture
#: counts as one colour
_FLAT = 24
_NOTES = "notes.txt"
_NOTE = re.compile(r"lavfi\.(?:signalstats\.)?(\w+)=(\S+)")

Notes = Mapping[str, float]


def candidates(time: int, end: float) -> list[int]:
    """Return the moments of the candidates of a video of `end` seconds, from `time` on, in ms."""
    length = max(0.0, 1000 * end - time)
    count = max(1, min(CANDIDATES, int(length / 1000 / _APART)))
    return [time + int((n + 0.5) * length / count) for n in range(count)]


def planned_best(job: SnapshotJob, end: float | None, source: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands, as far as they are known beforehand."""
    moments = candidates(job.config.time, end or job.config.time / 1000)
    camera = job.camera(source)
    yield from ways.seeks(camera, job.planned_shots(moments), typical=True)
    yield _judging(job)


def take_best(job: SnapshotJob, context: ActivityContext) -> ActivityResult:
    """Take the candidates, and keep the best of them. Raises ActivityError."""
    end = job.measured_end(context)
    job.times(end)  # refuses a Time beyond the end
    camera = job.camera(context.source.name)
    shots = job.found_shots(candidates(job.config.time, end), context)
    commands = ways.seeks(camera, shots, typical=True)
    takes = Takes(context=context, expected=len(commands) + 1)
    for command in commands:
        takes.run(command)
    moments = [int(shot.moment) for shot in _in_row(context.work, shots)]
    if not moments:
        error = ffmpeg.content_bad("it has no readable picture")
        raise ffmpeg.blame(error, takes.commands, context)
    takes.run(_judging(job))
    best = choose(_notes(context.work / _NOTES), len(moments))
    file = context.work / f"{best + 1:05d}{job.kind.suffix}"
    try:
        require_whole(job.kind.measure(file), job.size, "The best picture")
    except ActivityError as error:
        raise ffmpeg.blame(error, takes.commands, context) from error
    return ActivityResult(
        data={"Count": 1, "Times": [moments[best]], "MediaCover": job.cover},
        outputs=(Produced(path=file, ref=job.names.of_picture(1, moments[best])),),
        commands=tuple(takes.commands),
        warnings=tuple(takes.warnings()),
    )


def choose(notes: Sequence[Notes], count: int) -> int:
    """Return which of `count` pictures is the best, from 0, by what is noted of each.

    Notes are YAVG, YLOW and YHIGH (light: mean, and the limits of the darker and brighter tenth),
    SATAVG (colour), all 0 to 255, and blur (1 and more; the less, the sharper).
    """
    if len(notes) != count or not notes:
        return 0
    light = statistics.median(note["YAVG"] for note in notes)
    colour = statistics.median(note["SATAVG"] for note in notes)
    sharpest = min(note["blur"] for note in notes)

    def score(note: Notes) -> float:
        exposed = 1 - abs(note["YAVG"] - 128) / 160
        typical = 1 - (abs(note["YAVG"] - light) + abs(note["SATAVG"] - colour)) / 510
        flat = note["YHIGH"] - note["YLOW"] < _FLAT
        return exposed * typical * sharpest / note["blur"] - flat

    return max(range(count), key=lambda n: score(notes[n]))


def _in_row(work: Path, shots: Sequence[Shot]) -> list[Shot]:
    """Number the files that are there without gaps, and return what they show."""
    there = [shot for shot in shots if (work / shot.file).exists()]
    for shot, place in zip(there, shots, strict=False):
        (work / shot.file).rename(work / place.file)
    return there


def _judging(job: SnapshotJob) -> tuple[str, ...]:
    """Return the command that writes into a file what it finds in the pictures."""
    judged = (
        graph.open_pictures(f"%05d{job.kind.suffix}")["v:0"]
        .filter("scale", w=_JUDGED, h=_JUDGED, force_original_aspect_ratio="decrease")
        .filter("format", "yuv444p")
        .filter("signalstats")
        .filter("blurdetect", block_width=32, block_height=32)
        .filter("metadata", mode="print", file=_NOTES)
    )
    return graph.argv(graph.output("-", [judged], {"f": "null"}))


def _notes(file: Path) -> Sequence[Notes]:
    notes: list[dict[str, float]] = []
    for line in file.read_text().splitlines() if file.exists() else ():
        if line.startswith("frame:"):
            # of a picture without any edge there is no measure of blur
            notes.append({"blur": math.inf})
        elif found := _NOTE.match(line):
            value = float(found[2])
            if found[1] in ("YAVG", "YLOW", "YHIGH", "SATAVG", "blur") and math.isfinite(value):
                notes[-1][found[1]] = value
    return notes
