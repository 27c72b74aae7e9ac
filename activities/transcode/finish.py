"""From finished files to an activity's result: verified, named, described.

The files have neutral names in the work directory (`0.mp4`, `1-00001.ts`); here they get their
object keys, and so do the files of an equal step that is reused. Specification: topology, 11.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from activities.ffmpeg import ProcessReport
from activities.probe import MediaInfo
from activities.transcode.naming import (
    finish_key,
    is_uri,
    named_playlist,
    require_distinct,
    segment_key,
)
from activities.transcode.rendition import Job
from activities.transcode.verify import verify
from workflow_engine.activity import ActivityResult, Produced, Result
from workflow_engine.errors import Code
from workflow_engine.records import Digests, Json, ObjectRef


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The files of one output: its content, and the playlist of an HLS output."""

    content: Sequence[Path]
    playlist: Path | None
    media: MediaInfo

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return sum(path.stat().st_size for path in self.content)

    @property
    def kbps(self) -> float:
        """The average bit rate, rounded as it is recorded, so that names made of it stay."""
        duration = self.media.duration
        return round(self.size * 8 / 1000 / duration, 3) if duration else 0.0


def stem_of(work: Path, index: int) -> Path:
    """Return the path, without suffix, of the files of one output."""
    return work / str(index)


def finish(
    jobs: Sequence[Job],
    work: Path,
    commands: Sequence[tuple[str, ...]],
    reports: Sequence[ProcessReport],
) -> ActivityResult:
    """Verify the files of an activity and return its result. Raises ActivityError."""
    made = [_files(job, stem_of(work, index)) for index, job in enumerate(jobs)]
    keys = [_key(job, files) for job, files in zip(jobs, made, strict=True)]
    # bit rates and digests in names can make equal ones
    require_distinct(keys)
    content = [
        produced
        for job, files, key in zip(jobs, made, keys, strict=True)
        for produced in _content(job, files, key)
    ]
    playlists = [
        _playlist(job, files, files.playlist, key)
        for job, files, key in zip(jobs, made, keys, strict=True)
        if files.playlist
    ]
    return ActivityResult(
        data={"Outputs": [_told(job, files) for job, files in zip(jobs, made, strict=True)]},
        outputs=(*content, *playlists),
        commands=tuple(commands),
        warnings=(*_damage(reports), *_missing_cuts(jobs, made)),
    )


def renamed(jobs: Sequence[Job], finished: Result) -> list[ObjectRef]:
    """Return the names of a finished step's outputs for other jobs of equal content.

    The order is that of `finish`: the content of each output, then the playlists.
    """
    told = cast("Sequence[dict[str, Json]]", finished.data["Outputs"])
    waiting = list(finished.outputs)
    content: list[ObjectRef] = []
    playlists: list[ObjectRef] = []
    keys: list[str] = []
    for job, facts in zip(jobs, told, strict=True):
        count = int(facts["Segments"]) or 1
        files, waiting = waiting[:count], waiting[count:]
        key = finish_key(
            job.ref.object,
            md5s=[output.digests.md5 for output in files],
            bitrate_kbps=float(facts["Bitrate"]),
        )
        keys.append(key)
        if facts["Segments"]:
            content += (_ref(job, segment_key(key, n)) for n in range(1, count + 1))
            playlists.append(_ref(job, key))
        else:
            content.append(_ref(job, key))
    require_distinct(keys)
    return content + playlists


def _files(job: Job, stem: Path) -> _Files:
    path = stem.with_suffix(f".{job.rendition.container}")
    media = verify(path, job.rendition)
    if job.rendition.container != "m3u8":
        return _Files(content=[path], playlist=None, media=media)
    lines = path.read_text(encoding="utf-8").splitlines()
    segments = [path.with_name(line) for line in lines if is_uri(line)]
    return _Files(content=segments, playlist=path, media=media)


def _key(job: Job, files: _Files) -> str:
    named = "{DestMd5}" in job.ref.object
    md5s = [Digests.of(path).md5 for path in files.content] if named else []
    return finish_key(job.ref.object, md5s=md5s, bitrate_kbps=files.kbps)


def _content(job: Job, files: _Files, key: str) -> Iterator[Produced]:
    if files.playlist is None:
        yield Produced(path=files.content[0], ref=_ref(job, key), media=files.media.properties())
        return
    for number, path in enumerate(files.content, 1):
        yield Produced(path=path, ref=_ref(job, segment_key(key, number)))


def _playlist(job: Job, files: _Files, path: Path, key: str) -> Produced:
    text = path.read_text(encoding="utf-8")
    path.write_text(named_playlist(text, key), encoding="utf-8")
    return Produced(path=path, ref=_ref(job, key), media=files.media.properties(), last=True)


def _told(job: Job, files: _Files) -> dict[str, Json]:
    """What holds for this content under whatever names it is reused."""
    return {
        "Summary": job.rendition.summary,
        "Container": job.rendition.container,
        "Duration": files.media.duration,
        "Size": files.size,
        "Bitrate": files.kbps,
        "Segments": len(files.content) if files.playlist else 0,
    }


def _ref(job: Job, key: str) -> ObjectRef:
    return ObjectRef(bucket=job.ref.bucket, object=key, location=job.ref.location)


def _damage(reports: Sequence[ProcessReport]) -> Iterator[str]:
    errors = max((report.decode_errors for report in reports), default=0)
    if errors:
        yield (
            f"{Code.SOURCE_DAMAGED}: {errors} places of the source could not be decoded and were "
            "concealed."
        )


def _missing_cuts(jobs: Sequence[Job], made: Sequence[_Files]) -> Iterator[str]:
    for job, files in zip(jobs, made, strict=True):
        wanted, found = len(job.rendition.cuts) + 1, len(files.content)
        if job.rendition.cuts and found < wanted:
            # a copy has key frames only where its source has them
            yield (
                f"{Code.OUT_OF_RANGE}: ForceSegTime asks for {wanted} segments, and {found} came "
                "out: the others would begin behind the end or at no key frame."
            )
