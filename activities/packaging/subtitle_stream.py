"""Subtitle streams: any subtitle file or text track as WebVTT in the segments of its package.

HLS plays a list of segments, on the same grid as the pictures, DASH one file of each
Representation, and CMAF has both. Where the subtitles are from: `subtitle_source.py`; the files:
`subtitle_files.py`. Pure, but for what describes a file.
Specification: topology, 5.4.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from activities.ffmpeg.graph import argv, open_input, output
from activities.packaging.dash import stream_manifest
from activities.packaging.measure import subtitles_of
from activities.packaging.members import members_of
from activities.packaging.package import Package, StreamNode, StreamParameters
from activities.packaging.place import StreamPlace
from activities.packaging.streams import Member, Stream
from activities.packaging.subtitle_segments import lengths, playlist, segment_ends
from activities.packaging.subtitle_source import (
    FORMATS,
    TEXT_CODECS,
    filled,
    language_of,
    subtitle_file,
    text_track,
)
from activities.probe import MediaInfo, SubtitleStream
from activities.subtitles import MAX_FILE, SubtitleError, read_cues
from workflow_engine.activity import (
    ActivityContext,
    ActivityError,
    ActivityResult,
    Code,
    Json,
    ObjectRef,
    PlanContext,
    PlannedOutput,
    Problem,
    Severity,
    SideInput,
    Step,
)

#: `SideInput.kind` of a subtitle file of a stream
SUBTITLE_FILE = "subtitle stream"
#: part of content keys: raise it when equal files give other cues or segments
_VERSION = 1
#: bytes of a cue, for estimates
_CUE = 80
#: a track that was taken out of the source
TRACK = "track"


@dataclass(frozen=True, kw_only=True)
class SubtitleRequest:
    """A subtitle stream of a package, for one input.

    Of the film, `length` seconds are shown from `begin` on; None: it is not known how long it is.
    """

    package: Package
    stream: StreamNode
    place: StreamPlace
    begin: float
    length: float | None


@dataclass(frozen=True, kw_only=True)
class SubtitleJob:
    """A subtitle stream as it will be made; the `ends` of its segments are in milliseconds.

    The subtitles are in a `file` of the work directory, which `command` makes of a `track` of the
    source, if there is one.
    """

    place: StreamPlace
    member: Member
    language: str
    rate: Fraction | None
    begin: float
    ends: tuple[int, ...]
    file: str
    track: SubtitleStream | None = None
    command: tuple[str, ...] = ()

    @property
    def listed(self) -> bool:
        """Whether there are segments and a list over them."""
        return self.place.protocol == "hls"

    @property
    def whole(self) -> bool:
        """Whether there is one file of all cues."""
        return self.place.protocol == "dash" or self.place.manifest

    def refs(self) -> Iterator[ObjectRef]:
        """Yield the objects beside the stream's own list, segments first."""
        stream = self.member.stream
        names = [stream.name(number) for number in range(len(self.ends))] if self.listed else []
        if self.whole:
            names.append(f"{stream.stem}.vtt")
        for name in names:
            yield self.place.beside(stream.beside(name))


def subtitle_inputs(request: SubtitleRequest, context: PlanContext) -> Iterator[SideInput]:
    """Yield the subtitle file of a stream, if it names one. Raises ActivityError."""
    parameters = _parameters(request)
    if found := subtitle_file(parameters):
        media = MediaInfo.from_json(context.media())
        rate = media.video.fps if media.video else None
        query: dict[str, Json] = {"language": language_of(request.stream)}
        if rate:
            query["rate"] = str(rate)
        ref = filled(found[0], context.names)
        yield SideInput(ref=ref, kind=SUBTITLE_FILE, query=query)


def describe_subtitle_file(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Return what a subtitle file is, or what is wrong with it."""
    rate = side_input.query.get("rate")
    try:
        found = read_cues(
            context.source,
            language=side_input.query["language"],
            rate=Fraction(rate) if rate else None,
        )
    except SubtitleError as error:
        return {"fault": str(error)}
    return {"format": str(found.format), "cues": len(found.cues), "end": found.end}


def plan_subtitles(request: SubtitleRequest, context: PlanContext) -> Step:
    """Return the step of a stream. Raises ActivityError where there are no subtitles for it."""
    media = MediaInfo.from_json(context.media())
    warnings: list[Problem] = []
    source, rate = context.names.source_name, media.video.fps if media.video else None
    facts: Mapping[str, Json] = {}
    file, track, command = TRACK, None, ()
    for side_input in subtitle_inputs(request, context):
        found = context.side_inputs[side_input]
        facts, file = found.facts, found.name
        warnings += _judged(request, side_input.ref, facts)
    if not facts:
        mapped = _parameters(request).subtitle_stream_map or ""
        track = text_track(media, language_of(request.stream), request.stream.name, mapped)
        command = _extraction(track, media, source)
    ends = _ends(request, facts)
    job = SubtitleJob(
        place=request.place,
        member=_member(request, _foreseen(request.place, ends, facts)),
        language=language_of(request.stream),
        rate=rate,
        begin=request.begin,
        ends=tuple(ends),
        file=file,
        track=track,
        command=command,
    )
    summary = f"WebVTT subtitles, {len(ends)} segments" if job.listed else "WebVTT subtitles"
    return Step(
        outputs=(PlannedOutput(ref=request.place.ref, summary=summary),),
        commands=(command,) if command else (),
        identity={"Subtitles": _identity(job)},
        warnings=tuple(warnings),
        resolved=job,
    )


def forecast_subtitles(job: SubtitleJob) -> ActivityResult:
    """Return what a stream will probably be."""
    return ActivityResult(data={"Stream": job.member.stream.to_json()})


def renamed_subtitles(job: SubtitleJob) -> list[ObjectRef]:
    """Return the names of the files of an equal step, in their order."""
    return [*job.refs(), job.place.ref]


def own_list(job: SubtitleJob, stream: Stream) -> str:
    """Return the stream's own list: a playlist, or an MPD."""
    if job.listed:
        return playlist([stream.name(number) for number in range(len(job.ends))], job.ends)
    return stream_manifest(replace(job.member, stream=stream))


def _parameters(request: SubtitleRequest) -> StreamParameters:
    parameters = request.stream.parameters
    assert parameters is not None
    return parameters


def _judged(
    request: SubtitleRequest, ref: ObjectRef, facts: Mapping[str, Json]
) -> Iterator[Problem]:
    """Yield warnings about a subtitle file. Raises ActivityError for one that cannot be used."""
    parameters = _parameters(request)
    found = subtitle_file(parameters)
    pointer = found[1] if found else ""
    if "fault" in facts:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The subtitle file "{ref.object}" of the bucket "{ref.bucket}" cannot be used: '
            f"{facts['fault']}.",
            pointer=pointer,
            remedy="Use WebVTT, TTML, EBU STL, Spruce STL, srt or ass, texts in UTF-8.",
        )
    config = parameters.input_config
    if config and facts["format"] not in FORMATS[config.format]:
        yield Problem(
            code=Code.INVALID,
            message=f'The Format is "{config.format}", and the file is {facts["format"]}, as which '
            "it is read.",
            pointer="/InputConfig/Format",
            severity=Severity.WARNING,
        )


def _ends(request: SubtitleRequest, facts: Mapping[str, Json]) -> list[int]:
    """Return the ends of the segments, in milliseconds. Raises ActivityError for too many."""
    try:
        return segment_ends(_length(request, facts), request.place.seconds)
    except SubtitleError as error:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f'The subtitles of "{request.stream.name}" cannot be divided: {error}.',
            remedy="Use longer SegmentSeconds.",
        ) from None


def _length(request: SubtitleRequest, facts: Mapping[str, Json]) -> int:
    """Return how long the stream is, in milliseconds: as long as the film, if that is known."""
    if request.length is not None:
        return max(1, round(request.length * 1000))
    if "end" in facts:
        return max(1, cast("int", facts["end"]) - round(request.begin * 1000))
    raise ActivityError(
        Code.RESOURCE_NOT_SUPPORTED,
        f'The length of the input is not known, which the subtitle stream "{request.stream.name}" '
        "must be as long as.",
        remedy="Name a subtitle file: its last text is then the end.",
    )


def _extraction(track: SubtitleStream, media: MediaInfo, source: str) -> tuple[str, ...]:
    """Return the command that takes a track out of the source, as a subtitle file."""
    codec, muxer = TEXT_CODECS[track.codec]
    opened = open_input(source, dict(media.opened))
    options = {"c:s": codec, "f": muxer, "fs": 2 * MAX_FILE}
    return argv(output(TRACK, [opened[f"s:{track.position}"]], options))


def _identity(job: SubtitleJob) -> dict[str, Json]:
    place = job.place
    identity: dict[str, Json] = {
        "version": _VERSION,
        "begin": round(job.begin, 3),
        "length": job.ends[-1],
        "seconds": place.seconds if job.listed else None,
        "fragmented": place.fragmented,
        "files": [job.listed, job.whole],
        "stem": job.member.stream.stem,
        "track": [job.track.position, job.track.codec] if job.track else None,
        "language": job.language,
    }
    if not job.listed:
        # the words of its own MPD
        identity["list"] = own_list(job, job.member.stream)
    return identity


def _foreseen(place: StreamPlace, ends: list[int], facts: Mapping[str, Json]) -> Stream:
    each = _CUE * cast("int", facts.get("cues", 0)) // len(ends) + _CUE
    seconds = lengths(ends) if place.protocol == "hls" else [ends[-1] / 1000]
    return subtitles_of([(one, each) for one in seconds], uri=place.uri)


def _member(request: SubtitleRequest, stream: Stream) -> Member:
    (member,) = members_of(request.package, [(request.stream, stream)])
    return member
