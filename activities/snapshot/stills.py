"""Pictures at given moments, one or a sequence, and the sprites and the index made of them."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from activities import ffmpeg
from activities.snapshot import ways
from activities.snapshot.commands import FOUND, NEAR, TIMES, Shot
from activities.snapshot.job import SnapshotJob
from activities.snapshot.keyframes import nearest
from activities.snapshot.moments import step_of
from activities.snapshot.names import require_different
from activities.snapshot.sprites import SPRITES
from activities.snapshot.takes import Takes
from activities.snapshot.webvtt import fragment, relative, webvtt
from workflow_engine.activity import ActivityContext, ActivityResult, Produced
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Json, ObjectRef

#: files of key frames, of which one may be several pictures
_KEY = "key-%05d"
_INDEX_FILE = "index.vtt"


def planned_commands(
    job: SnapshotJob, times: Sequence[int], end: float | None, source: str
) -> Iterator[tuple[str, ...]]:
    """Return the commands for pictures at the times, as far as they are known beforehand.

    With FrameType intra they seek to the times as given; which key frames are nearest is looked up
    when the activity runs.
    """
    camera, shots = job.camera(source), job.planned_shots(times)
    if job.black is not None:
        yield camera.look(job.black, job.config.pixel_black_threshold)
    if job.config.frame_type == "intra" and job.media.seekable:
        yield from ways.seeks(camera, shots, keys_only=True)
    else:
        yield from _evenly(job, shots, end or 0.0, source)
    if job.sheet:
        yield job.sheet.command(_pattern(job))


def take_stills(job: SnapshotJob, context: ActivityContext) -> ActivityResult:
    """Take the pictures and check each. Those from the video's real end on are dropped.

    Raises ActivityError, as `ffmpeg.run` does.
    """
    end = job.measured_end(context)
    times = job.times(end)
    takes = Takes(context=context)
    keys = _keys(job, times, context)
    if keys:
        _take_keys(job, times, keys, takes)
    else:
        commands = _evenly(job, job.found_shots(times, context), end, context.source.name)
        takes.expected = len(commands) + (job.sheet is not None)
        for command in commands:
            takes.run(command, (times[-1] - times[0]) / 1000 if len(commands) == 1 else None)
    _brighten(job, takes)
    try:
        pictures = _taken(job, context.work, times)
        sprites = _sprites(job, takes, len(pictures))
    except ActivityError as error:
        raise ffmpeg.blame(error, takes.commands, context) from error
    return _result(job, takes, end, times, pictures, sprites)


def _keys(job: SnapshotJob, times: Sequence[int], context: ActivityContext) -> list[float]:
    """Return the key frames around the times; none when the frames at the times are to be taken."""
    if job.config.frame_type != "intra" or not job.media.seekable:
        return []
    return job.reel(context).keys(times, early=job.early)


def _take_keys(job: SnapshotJob, times: Sequence[int], keys: Sequence[float], takes: Takes) -> None:
    """Take the key frame that is nearest to each time."""
    work, suffix = takes.context.work, job.kind.suffix
    camera = job.camera(takes.context.source.name)
    wanted = [nearest(keys, time) for time in times]
    distinct = sorted(set(wanted))
    shots = [
        replace(shot, file=f"{_KEY % number}{suffix}")
        for number, shot in enumerate(job.key_shots(distinct, takes.context), 1)
    ]
    takes.expected = len(shots) // ways.ROW + 1 + (job.sheet is not None)
    seeking: list[Shot] = []
    in_rows = list(ways.rows(camera, shots, keys, f"{_KEY}{suffix}"))
    for row, command in in_rows:
        takes.run(command)
        if not _came(row, work):
            for shot in row:
                (work / shot.file).unlink(missing_ok=True)
            seeking += row
    commands = ways.seeks(camera, seeking if in_rows else shots, keys_only=True)
    takes.expected = len(takes.commands) + len(commands) + (job.sheet is not None)
    for command in commands:
        takes.run(command)
    file_of = {key: work / shot.file for key, shot in zip(distinct, shots, strict=True)}
    for number, key in enumerate(wanted, 1):
        if file_of[key].exists():
            shutil.copyfile(file_of[key], work / (_pattern(job) % number))


def _came(row: Sequence[Shot], work: Path) -> bool:
    """Whether each file of a row holds the picture of its moment: all came, in this order."""
    if not all((work / shot.file).exists() for shot in row):
        return False
    # frames behind the last picture may be noted, too
    came = zip(row, _moments(work / TIMES), strict=False)
    return all(abs(row[0].moment + at - shot.moment) < 1000 * NEAR for shot, at in came)


def _evenly(
    job: SnapshotJob, shots: Sequence[Shot], end: float, source: str
) -> list[tuple[str, ...]]:
    step = step_of(job.config, end) if job.config.sequence and end else 0.0
    exact = Fraction(step).limit_denominator(1000)
    return ways.evenly(job.camera(source), shots, exact, _pattern(job), opening=job.opening)


def _brighten(job: SnapshotJob, takes: Takes) -> None:
    """Take the first picture again where it is not black, if there is such a place."""
    if job.black is None:
        return
    context = takes.context
    camera = job.camera(context.source.name)
    takes.run(camera.look(job.black, job.config.pixel_black_threshold))
    moment = next(iter(_moments(context.work / FOUND)), None)
    if moment is not None and moment > 0:
        # just behind the frame's begin, as with key frames
        (shot,) = job.found_shots([int(moment) + 1], context)
        takes.run(camera.seek([shot]))


def _moments(noted: Path) -> list[float]:
    """Return the milliseconds of the frames that ffmpeg has noted in a file."""
    words = noted.read_text().split() if noted.exists() else ()
    pairs = (word.partition(":") for word in words)
    return [1000 * float(value) for name, _, value in pairs if name == "pts_time"]


def _pattern(job: SnapshotJob) -> str:
    return f"%05d{job.kind.suffix}"


def _taken(job: SnapshotJob, work: Path, times: Sequence[int]) -> list[Path]:
    """Return the pictures in order, without those at the end that could not be read.

    Raises ActivityError when one is not what was asked for, is missing in the middle, or when
    there is none at all.
    """
    files = [work / (_pattern(job) % number) for number in range(1, len(times) + 1)]
    there = [file.exists() for file in files]
    count = there.index(False) if False in there else len(there)
    if count == 0 or any(there[count:]):
        raise ffmpeg.content_bad(f"it has no readable picture at {times[count]} ms")
    for file, moment in zip(files[:count], times, strict=False):
        require_whole(job.kind.measure(file), job.size, f"The picture at {moment} ms")
    return files[:count]


def require_whole(found: tuple[int, int] | None, size: tuple[int, int], what: str) -> None:
    """Raise ActivityError unless a finished file has the size that was planned."""
    if found != size:
        raise ActivityError(
            Code.INTERNAL, f"{what} is not whole, or not {size[0]}x{size[1]} pixels."
        )


def _sprites(job: SnapshotJob, takes: Takes, pictures: int) -> list[Path]:
    """Put the pictures together; raises ActivityError when the sprites are not as planned."""
    sheet = job.sheet
    if sheet is None:
        return []
    takes.run(sheet.command(_pattern(job)))
    work = takes.context.work
    files = [
        work / f"{SPRITES % number}{sheet.kind.suffix}"
        for number in range(1, sheet.count(pictures) + 1)
    ]
    for number, file in enumerate(files, 1):
        found = sheet.kind.measure(file) if file.exists() else None
        require_whole(found, sheet.size, f"Sprite {number}")
    return files


def _result(
    job: SnapshotJob,
    takes: Takes,
    end: float,
    times: Sequence[int],
    pictures: Sequence[Path],
    sprites: Sequence[Path],
) -> ActivityResult:
    told = list(times[: len(pictures)])
    refs = list(output_refs(job, told))
    require_different(refs)
    files = [*(pictures if job.config.keeps_pictures else ()), *sprites]
    if job.config.format:
        files.append(takes.context.work / _INDEX_FILE)
        files[-1].write_text(_index(job, told, end), encoding="utf-8")
    index = job.names.index
    outputs = (
        Produced(path=file, ref=ref, last=index is not None and ref == index)
        for file, ref in zip(files, refs, strict=True)
    )
    data: dict[str, Json] = {"Count": len(pictures), "Times": told, "MediaCover": job.cover}
    if job.sheet:
        data["TileCount"] = len(sprites)
        data["Tiles"] = {
            **{"Lines": job.sheet.lines, "Columns": job.sheet.columns},
            **{"Cell": list(job.sheet.cell), "Step": job.sheet.step},
            **{"Gaps": bool(job.sheet.margin or job.sheet.padding), "Kind": job.sheet.kind.name},
            "Seconds": _until(job, end) / 1000,
        }
    return ActivityResult(
        data=data,
        outputs=tuple(outputs),
        commands=tuple(takes.commands),
        warnings=tuple([*takes.warnings(), *_shortfall(job, end, len(times), len(pictures))]),
    )


def output_refs(job: SnapshotJob, times: Sequence[int]) -> Iterator[ObjectRef]:
    """Yield the objects of the pictures at the times, of their sprites and of their index.

    Raises ActivityError for a key that is not allowed.
    """
    names, sheet = job.names, job.sheet
    if job.config.keeps_pictures:
        yield from (names.of_picture(number, time) for number, time in enumerate(times, 1))
    if sheet:
        for sprite in range(sheet.count(len(times))):
            first = sprite * sheet.cells * sheet.step
            yield names.of_sprite(sprite + 1, first + 1, times[first])
    if job.config.format:
        yield names.of_index()


def _until(job: SnapshotJob, end: float) -> float:
    """Return the milliseconds that a film lasts whose picture ends at `end` seconds."""
    # it goes on where its sound is longer
    return 1000 * max(end, job.media.duration or 0.0)


def _index(job: SnapshotJob, times: Sequence[int], end: float) -> str:
    """Return the text of the WebVTT."""
    names, sheet, index = job.names, job.sheet, job.names.of_index().object
    until = _until(job, end)
    if not (job.config.fragments and sheet):
        bodies = (relative(names.of_picture(n, t).object, index) for n, t in enumerate(times, 1))
        return webvtt(times, until, bodies)
    shown = list(output_refs(job, times))[-1 - sheet.count(len(times)) : -1]
    urls = [relative(ref.object, index) for ref in shown]
    places = (sheet.place(cell) for cell in range(sheet.selected(len(times))))
    return webvtt(
        times[:: sheet.step], until, (fragment(urls[sprite], box) for sprite, box in places)
    )


def _shortfall(job: SnapshotJob, video_end: float, times: int, taken: int) -> Iterator[str]:
    declared = job.declared_end
    planned = times if declared is None else len(job.times(declared))
    if times < planned:
        yield (
            f"The video ends early, at {video_end * 1000:.0f} ms: {planned - times} of "
            f"{planned} pictures do not exist."
        )
    if taken < times:
        yield f"The last {times - taken} of {times} pictures cannot be read."
