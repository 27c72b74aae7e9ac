"""From finished files to an activity's result: verified, named, described.

The files have neutral names in the work directory (`0.mp4`, `1-00001.ts`); here they get their
object keys. Specification: topology, 11.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from activities.ffmpeg import ProcessReport
from activities.probe import MediaInfo
from activities.transcode.naming import finish_key, named_playlist, segment_key
from activities.transcode.rendition import Job
from activities.transcode.verify import verify
from workflow_engine.activity import ActivityResult, Produced
from workflow_engine.errors import Code
from workflow_engine.records import Digests, Json, ObjectRef


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
    produced: list[Produced] = []
    told: list[Json] = []
    for index, job in enumerate(jobs):
        path = stem_of(work, index).with_suffix(f".{job.rendition.container}")
        media = verify(path, job.rendition)
        size = 0
        for file in _produced(job, path, media):
            produced.append(file)
            size += file.path.stat().st_size
        told.append(_description(job, media, size))
    return ActivityResult(
        data={"Outputs": told},
        outputs=tuple(produced),
        commands=tuple(commands),
        warnings=_warnings(reports),
    )


def _description(job: Job, media: MediaInfo, size: int) -> Json:
    """What holds for these bytes under whatever name they are reused."""
    return {
        "Summary": job.rendition.summary,
        "Container": job.rendition.container,
        "Duration": media.duration,
        "Size": size,
        "Bitrate": round(_kbps(size, media), 3),
    }


def _kbps(size: int, media: MediaInfo) -> float:
    return size * 8 / 1000 / media.duration if media.duration else 0.0


def _produced(job: Job, path: Path, media: MediaInfo) -> Iterator[Produced]:
    properties = media.properties()
    if job.rendition.container != "m3u8":
        digests = Digests.of(path) if "{DestMd5}" in job.ref.object else None
        key = finish_key(
            job.ref.object,
            md5=digests.md5 if digests else "",
            bitrate_kbps=_kbps(path.stat().st_size, media),
        )
        yield Produced(path=path, ref=_ref(job, key), media=properties)
        return
    text = path.read_text(encoding="utf-8")
    segments = [path.with_name(line) for line in text.splitlines() if line[:1] not in ("", "#")]
    key = finish_key(
        job.ref.object,
        # of all segments: the playlist of another clip of this length can be the same text
        md5=_joint_md5(segments),
        bitrate_kbps=_kbps(sum(segment.stat().st_size for segment in segments), media),
    )
    for segment in segments:
        yield Produced(path=segment, ref=_ref(job, segment_key(key, segment.name)))
    path.write_text(named_playlist(text, key), encoding="utf-8")
    yield Produced(path=path, ref=_ref(job, key), media=properties, last=True)


def _joint_md5(paths: Sequence[Path]) -> str:
    joint = hashlib.md5(usedforsecurity=False)
    for path in paths:
        joint.update(bytes.fromhex(Digests.of(path).md5))
    return joint.hexdigest()


def _ref(job: Job, key: str) -> ObjectRef:
    return ObjectRef(bucket=job.ref.bucket, object=key, location=job.ref.location)


def _warnings(reports: Sequence[ProcessReport]) -> tuple[str, ...]:
    errors = max((report.decode_errors for report in reports), default=0)
    if not errors:
        return ()
    return (
        f"{Code.SOURCE_DAMAGED}: {errors} places of the source could not be decoded and were "
        "concealed.",
    )
