"""A finished stream of a package: what was measured of it, and the lists over its segments.

Specification: topology, 5.4.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from activities.packaging.dash import stream_manifest
from activities.packaging.measure import stream_of
from activities.packaging.place import StreamPlace
from activities.packaging.streams import Member, Stream
from activities.packaging.trick import key_frame_playlist, key_frame_uri
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.result.finished import FinishedOutput
from workflow_engine.activity import StepResult
from workflow_engine.records import Json, ObjectRef


def measured_stream(job: RenditionJob, made: FinishedOutput) -> Stream | None:
    """Return the record of a stream; None for an output of no package.

    Its playlist still has the names of the work directory. Raises ActivityError.
    """
    if job.place is None or made.files.index is None:
        return None
    place = job.place
    return stream_of(made.files.index, made.media, kind=place.kind, uri=place.uri)


def finished_stream(job: RenditionJob, finished: StepResult) -> Stream | None:
    """Return the record of the stream of an equal step, under the name that a job has."""
    if job.place is None:
        return None
    record = cast("dict[str, Json]", finished.data["Stream"])
    return replace(Stream.from_json(record), uri=job.place.uri)


def own_manifest(place: StreamPlace, stream: Stream) -> str:
    """Return the MPD of a stream of DASH."""
    group, language, own_id = place.representation
    member = Member(stream=stream, group=group, language=language, id=own_id)
    return stream_manifest(member)


def further_lists(job: RenditionJob, stream: Stream | None) -> Iterator[tuple[ObjectRef, str]]:
    """Yield the lists that a stream has beside its own: that of its key frames."""
    if job.place and stream and stream.key_frames and job.place.protocol == "hls":
        yield job.place.beside(key_frame_uri(stream)), key_frame_playlist(stream)
