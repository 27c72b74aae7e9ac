"""From finished outputs to an activity's result: named and described.

The files have neutral names in the work directory (`0.mp4`, `1-00001.ts`); here they get their
object keys, and so do the files of an equal step that is reused. Specification: topology, 11.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from activities.ffmpeg import ProcessReport
from activities.packaging.streams import Stream
from activities.quality import MOMENT_SUFFIX
from activities.transcode.command.encryption import key_name
from activities.transcode.command.muxing import SOURCES, streams_of
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.model.naming import finish_key, index_stem, part_key, require_distinct
from activities.transcode.result.asked import asked_and_made, rate_curve
from activities.transcode.result.finished import FinishedOutput
from activities.transcode.result.manifest import named_manifest
from activities.transcode.result.playlist import named_playlist, segment_tags
from activities.transcode.result.shapes import shapes
from activities.transcode.result.stream import (
    finished_stream,
    further_lists,
    measured_stream,
    own_manifest,
)
from activities.transcode.result.told import measured_facts, measured_note
from activities.transcode.result.verify import wrong_length
from workflow_engine.activity import ActivityResult, Produced, StepResult
from workflow_engine.errors import Code
from workflow_engine.records import Digests, Json, ObjectRef


def stem_of(work: Path, index: int) -> Path:
    """Return the path, without suffix, of the files of one output."""
    return work / str(index)


def finish(
    jobs: Sequence[RenditionJob],
    made: Sequence[FinishedOutput],
    commands: Sequence[tuple[str, ...]],
    reports: Sequence[ProcessReport],
    cancel: threading.Event,
) -> ActivityResult:
    """Name the outputs of an activity and return its result.

    Raises ActivityError for two of one name, and InterruptedRunError on `cancel`.
    """
    streams = [measured_stream(job, one) for job, one in zip(jobs, made, strict=True)]
    keys = [_key(job, one) for job, one in zip(jobs, made, strict=True)]
    # bit rates and digests in names can make equal ones
    require_distinct(keys)
    all_three = list(zip(jobs, made, keys, strict=True))
    content = [produced for each in all_three for produced in _content(*each)]
    moments = [
        Produced(path=one.moment, ref=_ref(job, key + MOMENT_SUFFIX))
        for job, one, key in all_three
        if one.moment
    ]
    # of the names of the work directory, which indexes lose next
    facts = [_facts(job, one) for job, one in zip(jobs, made, strict=True)]
    indexes: list[Produced] = []
    for (job, one, key), stream in zip(all_three, streams, strict=True):
        indexes += _index(job, one, key, stream)
        for number, (ref, text) in enumerate(further_lists(job, stream)):
            path = Path(f"{one.target.stem}-list-{number}")
            path.write_text(text, encoding="utf-8")
            indexes.append(Produced(path=path, ref=ref, last=True))
    notes = [note for job, one in zip(jobs, made, strict=True) for note in measured_note(job, one)]
    return ActivityResult(
        data={
            "Outputs": facts,
            **({"Notes": notes} if notes else {}),
            # of a package, whose activities have one output each
            **({"Stream": stream.to_json()} if (stream := streams[0]) else {}),
        },
        outputs=(*content, *moments, *indexes),
        commands=tuple(commands),
        warnings=(
            *_damage(reports),
            *_missing_cuts(made),
            *_copied_faults(made, cancel),
            *(warning for one in made for warning in one.warnings),
        ),
    )


def renamed(jobs: Sequence[RenditionJob], finished: StepResult) -> list[ObjectRef]:
    """Return the names of a finished step's outputs for other jobs of equal content.

    The order is that of `finish`: the content of each output, the pictures of worst moments, then
    playlists and manifests.
    """
    outputs = cast("Sequence[dict[str, Json]]", finished.data["Outputs"])
    waiting = list(finished.outputs)
    content: list[ObjectRef] = []
    moments: list[ObjectRef] = []
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
            stream = finished_stream(job, finished)
            indexes += (ref for ref, _ in further_lists(job, stream))
        else:
            content.append(_ref(job, key))
        if cast("dict[str, Json]", facts.get("Quality", {})).get("Moment"):
            moments.append(_ref(job, key + MOMENT_SUFFIX))
    require_distinct(keys)
    return content + moments + indexes


def _key(job: RenditionJob, made: FinishedOutput) -> str:
    named = "{DestMd5}" in job.ref.object
    md5s = [Digests.of(path).md5 for path in made.files.content] if named else []
    return finish_key(job.ref.object, md5s=md5s, bitrate_kbps=made.kbps)


def _content(job: RenditionJob, made: FinishedOutput, key: str) -> Iterator[Produced]:
    files = made.files
    if files.index is None:
        yield Produced(
            path=files.content[0],
            ref=_ref(job, key),
            media=made.media.properties(),
            streams=_streams(made),
        )
        return
    for path, suffix in zip(files.content, files.suffixes, strict=True):
        yield Produced(path=path, ref=_ref(job, part_key(key, suffix)))


def _streams(made: FinishedOutput) -> tuple[Json, ...]:
    """Return what shapes the streams of a file that others can be muxed from."""
    rendition = made.rendition
    return tuple(streams_of(rendition).values()) if rendition.container in SOURCES else ()


def _index(
    job: RenditionJob, made: FinishedOutput, key: str, stream: Stream | None
) -> Iterator[Produced]:
    path = made.files.index
    if path is None:
        return
    text = path.read_text(encoding="utf-8")
    if job.place and stream and job.place.protocol == "dash":
        named = own_manifest(job.place, stream)
    elif job.rendition.container == "m3u8":
        named = named_playlist(text, key, _tags(job, made.files.content))
        if secret := job.rendition.segment_key:
            neutral = Path(key_name(path.stem)).name
            named = named.replace(f'URI="{neutral}"', f'URI="{secret.uri}"')
    else:
        named = named_manifest(text, index_stem(key))
    path.write_text(named, encoding="utf-8")
    yield Produced(path=path, ref=_ref(job, key), media=made.media.properties(), last=True)


def _tags(job: RenditionJob, segments: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return the lines that stand before each segment of a playlist."""
    tags = job.rendition.playlist_tags
    md5, size = "md5" in tags, "size" in tags
    return [tuple(segment_tags(path, md5=md5, size=size)) for path in segments]


def _facts(job: RenditionJob, made: FinishedOutput) -> dict[str, Json]:
    """What holds for this content under whatever names it is reused."""
    return {
        "Summary": made.rendition.summary,
        "Container": made.rendition.container,
        "Duration": made.media.duration,
        "Size": made.files.size,
        "Bitrate": made.kbps,
        "Segments": len(made.files.suffixes),
        "Files": made.files.suffixes,
        "Checked": asked_and_made(made),
        **({"Curve": curve} if (curve := rate_curve(made)) else {}),
        **measured_facts(job, made),
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


def _copied_faults(made: Sequence[FinishedOutput], cancel: threading.Event) -> Iterator[str]:
    """Yield what a copy cannot mend: a length that its container tells, a shape that changes."""
    for one in made:
        if not one.rendition.copy:
            continue
        container = one.rendition.container
        if lengths := wrong_length(one.rendition, one.media):
            told, expected = lengths
            yield (
                f'The copy in the container "{container}" tells {told:.3f} of '
                f"{expected:.3f} seconds. Use a template that encodes, or another container."
            )
        sizes = sorted(shapes(one.files, one.media, cancel)) if one.rendition.picture else []
        if len(sizes) > 1:
            yield (
                f'The picture of the copy in the container "{container}" changes its size: '
                f"{', '.join(sizes)}. Use a template that encodes, which fits all of it into one."
            )


def _missing_cuts(made: Sequence[FinishedOutput]) -> Iterator[str]:
    for one in made:
        expected, count = len(one.rendition.cuts) + 1, len(one.files.content)
        if one.rendition.cuts and count < expected:
            # a copy has key frames only where its source has them
            yield (
                f"{Code.OUT_OF_RANGE}: ForceSegTime asks for {expected} segments, and {count} came "
                "out: the others would begin behind the end or at no key frame."
            )
