"""The files of a subtitle stream: read, cut into segments, written as WebVTT under a list.

Specification: topology, 5.4.
"""

from collections.abc import Iterator
from pathlib import Path

from activities import ffmpeg
from activities.packaging.measure import subtitles_of
from activities.packaging.streams import Stream
from activities.packaging.subtitle_segments import lengths, segment_texts
from activities.packaging.subtitle_stream import SubtitleJob, own_list
from activities.subtitles import SubtitleError, Subtitles, read_cues, webvtt
from workflow_engine.activity import (
    ActivityContext,
    ActivityError,
    ActivityResult,
    Code,
    Produced,
)


def run_subtitles(job: SubtitleJob, context: ActivityContext) -> ActivityResult:
    """Write the files of a stream. Raises ActivityError for subtitles that cannot be used."""
    if job.command:
        ffmpeg.run(job.command, context=context, duration=job.begin + job.ends[-1] / 1000)
    try:
        subtitles = _read(job, context.work)
        files = [
            Produced(path=_written(context.work / f"cues-{n}.vtt", text), ref=ref)
            for n, (ref, text) in enumerate(zip(job.refs(), _texts(job, subtitles), strict=True))
        ]
    except SubtitleError as error:
        what = f"text track {job.track.index}" if job.track else "subtitle file"
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f"The {what} cannot be used: {error}.",
            remedy="Give another subtitle file with WebVTTSubtitleURL.",
        ) from None
    stream = _measured(job, [file.path.stat().st_size for file in files])
    path = _written(context.work / "list", own_list(job, stream))
    files.append(Produced(path=path, ref=job.place.ref, last=True))
    note = f"Cues: {len(subtitles.cues)}, read from {subtitles.format}."
    return ActivityResult(
        data={"Stream": stream.to_json(), "Notes": [note]},
        outputs=tuple(files),
        commands=(job.command,) if job.command else (),
        warnings=subtitles.warnings,
    )


def _read(job: SubtitleJob, work: Path) -> Subtitles:
    """Return what the stream shows. Raises SubtitleError."""
    found = read_cues(work / job.file, language=job.language, rate=job.rate)
    return found.between(job.begin, job.begin + job.ends[-1] / 1000)


def _texts(job: SubtitleJob, subtitles: Subtitles) -> Iterator[str]:
    """Yield the files of `SubtitleJob.refs`."""
    if job.listed:
        yield from segment_texts(subtitles, job.ends, fragmented=job.place.fragmented)
    if job.whole:
        yield webvtt(subtitles.cues, subtitles.head)


def _measured(job: SubtitleJob, sizes: list[int]) -> Stream:
    """Return the record of a stream of files of these sizes; that of all cues counts for DASH."""
    seconds = lengths(job.ends) if job.listed else [job.ends[-1] / 1000]
    return subtitles_of(list(zip(seconds, sizes, strict=False)), uri=job.place.uri)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
