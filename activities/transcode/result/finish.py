"""From finished files to an activity's result: verified, named, described.

The files have neutral names in the work directory (`0.mp4`, `1-00001.ts`); here they get their
object keys, and so do the files of an equal step that is reused. Specification: topology, 11.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from activities.ffmpeg import ProcessReport
from activities.probe import MediaInfo
from activities.transcode.command.encryption import key_name
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.model.naming import finish_key, index_stem, part_key, require_distinct
from activities.transcode.result.files import Files, files_of, media_of_segment
from activities.transcode.result.manifest import named_manifest
from activities.transcode.result.playlist import (
    named_playlist,
    segment_tags,
    with_longer_first,
)
from activities.transcode.result.shapes import shapes
from activities.transcode.result.verify import SHORT_SECONDS, verify, wrong_length
from workflow_engine.activity import ActivityResult, Produced, StepResult
from workflow_engine.errors import Code
from workflow_engine.records import Digests, Json, ObjectRef

#: what is described without ffprobe, which reads neither of them whole
_DESCRIBED = (".mpd", ".webp")


@dataclass(frozen=True, kw_only=True)
class _FinishedOutput:
    """One finished output and what is in it."""

    files: Files
    media: MediaInfo

    @property
    def kbps(self) -> float:
        """The average bit rate, rounded as it is recorded, so that names made of it stay."""
        duration = self.media.duration
        return round(self.files.size * 8 / 1000 / duration, 3) if duration else 0.0


def stem_of(work: Path, index: int) -> Path:
    """Return the path, without suffix, of the files of one output."""
    return work / str(index)


def finish(
    jobs: Sequence[RenditionJob],
    work: Path,
    commands: Sequence[tuple[str, ...]],
    reports: Sequence[ProcessReport],
    *,
    count_limit: int,
    cancel: threading.Event,
) -> ActivityResult:
    """Verify the files of an activity and return its result.

    Raises ActivityError, and InterruptedRunError on `cancel`.
    """
    made = [_made(job, stem_of(work, index), count_limit, cancel) for index, job in enumerate(jobs)]
    keys = [_key(job, one) for job, one in zip(jobs, made, strict=True)]
    # bit rates and digests in names can make equal ones
    require_distinct(keys)
    all_three = list(zip(jobs, made, keys, strict=True))
    content = [produced for each in all_three for produced in _content(*each)]
    indexes = [produced for each in all_three for produced in _index(*each)]
    return ActivityResult(
        data={"Outputs": [_facts(job, one) for job, one in zip(jobs, made, strict=True)]},
        outputs=(*content, *indexes),
        commands=tuple(commands),
        warnings=(
            *_damage(reports),
            *_missing_cuts(jobs, made),
            *_copied_faults(jobs, made, cancel),
        ),
    )


def renamed(jobs: Sequence[RenditionJob], finished: StepResult) -> list[ObjectRef]:
    """Return the names of a finished step's outputs for other jobs of equal content.

    The order is that of `finish`: the content of each output, then playlists and manifests.
    """
    outputs = cast("Sequence[dict[str, Json]]", finished.data["Outputs"])
    waiting = list(finished.outputs)
    content: list[ObjectRef] = []
    indexes: list[ObjectRef] = []
    keys: list[str] = []
    for job, facts in zip(jobs, outputs, strict=True):
        suffixes = cast("Sequence[str]", facts["Files"])
        count = len(suffixes) or 1
        files, waiting = waiting[:count], waiting[count:]
        key = finish_key(
            job.ref.object,
            md5s=[output.digests.md5 for output in files],
            bitrate_kbps=float(facts["Bitrate"]),
        )
        keys.append(key)
        if suffixes:
            content += (_ref(job, part_key(key, suffix)) for suffix in suffixes)
            indexes.append(_ref(job, key))
        else:
            content.append(_ref(job, key))
    require_distinct(keys)
    return content + indexes


def _made(
    job: RenditionJob, stem: Path, count_limit: int, cancel: threading.Event
) -> _FinishedOutput:
    path = stem.with_suffix(f".{job.rendition.container}")
    if path.suffix == ".m3u8" and job.rendition.copy and not job.rendition.key:
        _count_from_sound(path)
    media, files = verify(path, job.rendition), files_of(path)
    if path.suffix not in _DESCRIBED and files.size <= count_limit:
        media = media.counted(path, playlists=files.index is not None, cancel=cancel)
    return _FinishedOutput(files=files, media=media)


def _count_from_sound(path: Path) -> None:
    """Let a playlist tell the sound before its first picture, which its muxer counts from."""
    first = files_of(path).content[:1]
    video = media_of_segment(first[0]).video if first else None
    if video and video.begins > SHORT_SECONDS:
        text = path.read_text(encoding="utf-8")
        path.write_text(with_longer_first(text, video.begins), encoding="utf-8")


def _key(job: RenditionJob, made: _FinishedOutput) -> str:
    named = "{DestMd5}" in job.ref.object
    md5s = [Digests.of(path).md5 for path in made.files.content] if named else []
    return finish_key(job.ref.object, md5s=md5s, bitrate_kbps=made.kbps)


def _content(job: RenditionJob, made: _FinishedOutput, key: str) -> Iterator[Produced]:
    files = made.files
    if files.index is None:
        yield Produced(path=files.content[0], ref=_ref(job, key), media=made.media.properties())
        return
    for path, suffix in zip(files.content, files.suffixes, strict=True):
        yield Produced(path=path, ref=_ref(job, part_key(key, suffix)))


def _index(job: RenditionJob, made: _FinishedOutput, key: str) -> Iterator[Produced]:
    path = made.files.index
    if path is None:
        return
    text = path.read_text(encoding="utf-8")
    if job.rendition.container == "m3u8":
        named = named_playlist(text, key, _tags(job, made.files.content))
        if job.rendition.key:
            neutral = Path(key_name(path.stem)).name
            named = named.replace(f'URI="{neutral}"', f'URI="{job.rendition.key.uri}"')
    else:
        named = named_manifest(text, index_stem(key))
    path.write_text(named, encoding="utf-8")
    yield Produced(path=path, ref=_ref(job, key), media=made.media.properties(), last=True)


def _tags(job: RenditionJob, segments: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return the lines that stand before each segment of a playlist."""
    tags = job.rendition.playlist_tags
    md5, size = "md5" in tags, "size" in tags
    return [tuple(segment_tags(path, md5=md5, size=size)) for path in segments]


def _facts(job: RenditionJob, made: _FinishedOutput) -> dict[str, Json]:
    """What holds for this content under whatever names it is reused."""
    return {
        "Summary": job.rendition.summary,
        "Container": job.rendition.container,
        "Duration": made.media.duration,
        "Size": made.files.size,
        "Bitrate": made.kbps,
        "Segments": len(made.files.suffixes),
        "Files": made.files.suffixes,
    }


def _ref(job: RenditionJob, key: str) -> ObjectRef:
    return ObjectRef(bucket=job.ref.bucket, object=key, location=job.ref.location)


def _damage(reports: Sequence[ProcessReport]) -> Iterator[str]:
    errors = max((report.decode_errors for report in reports), default=0)
    if errors:
        yield (
            f"{Code.SOURCE_DAMAGED}: {errors} places of the source could not be decoded and were "
            "concealed."
        )


def _copied_faults(
    jobs: Sequence[RenditionJob], made: Sequence[_FinishedOutput], cancel: threading.Event
) -> Iterator[str]:
    """Yield what a copy cannot mend: a length that its container tells, a shape that changes."""
    for job, one in zip(jobs, made, strict=True):
        if not job.rendition.copy:
            continue
        container = job.rendition.container
        if lengths := wrong_length(job.rendition, one.media):
            told, expected = lengths
            yield (
                f'The copy in the container "{container}" tells {told:.3f} of '
                f"{expected:.3f} seconds. Use a template that encodes, or another container."
            )
        sizes = sorted(shapes(one.files, one.media, cancel)) if job.rendition.picture else []
        if len(sizes) > 1:
            yield (
                f'The picture of the copy in the container "{container}" changes its size: '
                f"{', '.join(sizes)}. Use a template that encodes, which fits all of it into one."
            )


def _missing_cuts(jobs: Sequence[RenditionJob], made: Sequence[_FinishedOutput]) -> Iterator[str]:
    for job, one in zip(jobs, made, strict=True):
        expected, count = len(job.rendition.cuts) + 1, len(one.files.content)
        if job.rendition.cuts and count < expected:
            # a copy has key frames only where its source has them
            yield (
                f"{Code.OUT_OF_RANGE}: ForceSegTime asks for {expected} segments, and {count} came "
                "out: the others would begin behind the end or at no key frame."
            )
