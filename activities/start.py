"""Start: what triggers a workflow, its global settings, and media info on the input.

Its result is what everything behind it plans with: `MediaInfo.to_json`. Specification:
topology, 4.1 and 9; mediainfo, 2 and 3.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, cast

from pydantic import AfterValidator, model_validator

from activities import ffmpeg, playlist
from activities.probe import RAW_FORMATS, MediaInfo, RawSound, missing_bytes
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    Binding,
    Composite,
    DescribeMedia,
    Effect,
    Finding,
    PlanContext,
    Role,
    Step,
    StepResult,
    Work,
)
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ExecutionKind
from workflow_engine.topology.placeholders import decode_object
from workflow_engine.topology.places import BucketName
from workflow_engine.topology.wire import (
    Choice,
    JsonObject,
    Number,
    Text,
    WireModel,
    shown,
    wire_error,
)

_UNFINISHED = "the playlist has no #EXT-X-ENDLIST, so it is live or still being written"


def _pipeline_id(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", value):
        raise wire_error(
            Code.UUID_FORMAT,
            f"The PipelineId {shown(value)} is not an identifier.",
            "Use 32 characters out of 0-9 and a-f.",
        )
    return value


#: how much work a look at an input is, and how many bytes are as much again, see `Step.work`
_LOOK, _BYTES = 0.1, 1e9


def _named(word: str, code: Code, first: str, begin: str) -> Callable[[str], str]:
    """Return a validator of the names of queues or topics (specification, api, 14)."""

    def check(value: str) -> str:
        if not re.fullmatch(f"[{first}][A-Za-z0-9-]*", value):
            raise wire_error(
                code,
                f"The {word} name {shown(value)} does not have the right form.",
                f"Begin it with {begin}; behind that, use letters, digits and -.",
            )
        return value

    return check


_queue_name = _named("queue", Code.QUEUE_NAME, "A-Za-z", "a letter")
_topic_name = _named("topic", Code.TOPIC_NAME, "A-Za-z0-9", "a letter or a digit")


class RawContainer(WireModel):
    """The format of samples that have no container (specification, transcode, 1)."""

    format: Annotated[str, Choice(RAW_FORMATS)]


class RawAudio(WireModel):
    """The sound of samples that have no container (specification, transcode, 1)."""

    channels: Annotated[int, Number(1, 8)]
    samplerate: Annotated[int, Number(0, 320000, low_open=True, unit="Hz")]


class InputFile(WireModel):
    """Which objects trigger the workflow: those of a bucket whose keys begin with the prefix.

    `container` and `audio` belong together, and say that the objects are raw sound. The
    specification has them for jobs; in workflows they are an extension.
    """

    bucket: BucketName
    location: Annotated[str, Text()] = ""
    object_prefix: Annotated[str, Text(max_bytes=1023)] = ""
    container: Annotated[RawContainer, JsonObject] | None = None
    audio: Annotated[RawAudio, JsonObject] | None = None

    @model_validator(mode="after")
    def _raw_sound_is_described_whole(self) -> "InputFile":
        if (self.container is None) != (self.audio is None):
            raise wire_error(
                Code.NULL_VALUE,
                "Raw sound is described by Container and Audio together, and one of them is "
                "missing.",
                "Give Container.Format, Audio.Channels and Audio.Samplerate, or leave them out.",
            )
        return self

    @property
    def raw(self) -> RawSound | None:
        """What raw sound the objects are; None for files that say it themselves."""
        if self.container is None or self.audio is None:
            return None
        return RawSound(
            format=self.container.format,
            channels=self.audio.channels,
            samplerate=self.audio.samplerate,
        )


class StartParameters(WireModel):
    """Parameters of Start. `role_name` is kept and has no effect.

    Without a `pipeline_id`, which the specification requires, runs wait in the default pipeline.
    """

    input_file: Annotated[InputFile, JsonObject]
    pipeline_id: Annotated[str, Text(), AfterValidator(_pipeline_id)] = ""
    message_type: Annotated[str, Choice(("Queue", "Topic"))] = "Queue"
    queue_name: Annotated[str, Text(max_bytes=256), AfterValidator(_queue_name)] | None = None
    topic_name: Annotated[str, Text(max_bytes=256), AfterValidator(_topic_name)] | None = None
    role_name: Annotated[str, Text(max_bytes=256)] = "AliyunMTSDefaultRole"


class _Resolved(NamedTuple):
    """What Start looks for; `listed` are the bytes of the playlist that the input is."""

    raw: RawSound | None = None
    listed: int | None = None


class Start(Activity[StartParameters]):
    """Probes the input; a run whose Start fails skips everything but Report."""

    type_name = "Start"
    role = Role.START
    job_kind = ExecutionKind.MEDIA_INFO
    parameters = StartParameters
    composites = (".m3u8",)
    numbered_parts = (".ts", ".m4s", ".mp4")
    version = 3

    def tools(self) -> Mapping[str, str]:
        """The prober, and the decoder that shows it fields."""
        return ffmpeg.versions()

    def binding(self, parameters: StartParameters) -> Binding:
        """The bucket and the prefix of InputFile; the receiver that MessageType prefers."""
        file = parameters.input_file
        try:
            prefix = decode_object(file.object_prefix)
        except InvalidInputError as error:
            raise error.at("/InputFile/ObjectPrefix") from None
        queue, topic = parameters.queue_name or "", parameters.topic_name or ""
        if queue and topic:
            queue, topic = ("", topic) if parameters.message_type == "Topic" else (queue, "")
        return Binding(
            bucket=file.bucket,
            prefix=prefix,
            location=file.location,
            pipeline=parameters.pipeline_id,
            queue=queue,
            topic=topic,
        )

    def examine(self) -> Iterable[Finding]:
        """Look for the prober."""
        yield ffmpeg.ffprobe_finding()

    def composite(self, document: Path) -> Composite | None:
        """A playlist is made of its segments (specification, transcode, 21)."""
        with document.open("rb") as file:
            content = file.read(playlist.MAX_BYTES + 1)
        if not playlist.is_list(content):
            return None
        parsed = playlist.parse(content)
        return Composite(parts=parsed.objects, unfinished="" if parsed.finished else _UNFINISHED)

    def join(self, parts: Mapping[str, Path], context: ActivityContext) -> Path:
        """Put the segments of a playlist together."""
        return playlist.join(playlist.parse(context.source.read_bytes()), parts, context)

    def plan(self, parameters: StartParameters, context: PlanContext) -> Step:
        """Only what is said of raw sound, and the size of a playlist, shape the media info."""
        raw = parameters.input_file.raw
        listed = context.digests.size if context.composite else None
        return Step(
            identity={"Raw": raw.to_json()} if raw else {},
            # it is looked at, and its packets are counted
            work={"look": Work(kind="look", amount=_LOOK + context.digests.size / _BYTES)},
            resolved=_Resolved(raw, listed),
        )

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Probe the input and refuse what cannot be worked on.

        Raises ActivityError: `InvalidParameter.ResourceContentBad` for what is not media or was
        cut off, `.ResourceNotSupported` for playlists and still pictures.
        """
        resolved = cast("_Resolved | None", step.resolved) or _Resolved()
        raw = resolved.raw
        with context.slot():  # some seconds of it are decoded
            media = MediaInfo.of(context.source, raw=raw, ends=True, cancel=context.cancel)
        if not raw and (missing := missing_bytes(context.source)):
            raise ffmpeg.content_bad(f"the file is cut off, {missing} bytes are missing")
        warnings: list[str] = []
        if media.size <= context.count_limit:
            media = media.counted(context.source, cancel=context.cancel)
        else:
            warnings.append(
                f"The input has {media.size} bytes, more than [runner] count_limit: figures that "
                "take reading it through are left out of its media info."
            )
        if resolved.listed is not None:
            media = media.listed(resolved.listed)
        return ActivityResult(data=media.to_json(), warnings=tuple(warnings))

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """Keep the media info with the media."""
        if "Properties" in result.data:
            yield DescribeMedia(properties=result.data["Properties"])

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show the media info as a table."""
        rows = _rows(MediaInfo.from_json(result.data))
        yield Artifact(kind="table", title="Media info", content=rows)


def _rows(media: MediaInfo) -> list[dict[str, str]]:
    """One row for the file, one for each stream."""
    length = "unknown" if media.duration is None else f"{media.duration:.3f} s"
    rows = [_row("file", media.format_name, f"{length}, {media.size} bytes", media.bitrate_kbps)]
    for video in media.videos:
        turned = f", turned by {video.rotation}" if video.rotation else ""
        shape = f"{video.width}x{video.height}{turned}, {float(video.fps):.6g} fps"
        rows.append(_row(f"video {video.index}", video.codec, shape, video.bitrate_kbps))
    for audio in media.audios:
        shape = f"{audio.channels} channels, {audio.sample_rate} Hz, {audio.language}"
        rows.append(_row(f"audio {audio.index}", audio.codec, shape, audio.bitrate_kbps))
    for text in media.subtitles:
        rows.append(_row(f"subtitle {text.index}", text.codec, text.language, None))
    return rows


def _row(what: str, codec: str, shape: str, kbps: float | None) -> dict[str, str]:
    rate = "" if kbps is None else f"{kbps:.0f}"
    return {"Stream": what, "Codec": codec, "Shape": shape, "kbit/s": rate}
