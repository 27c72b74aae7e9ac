"""Identifiers, states and the frozen records that travel between the modules.

Wire names (`RunId`, `ActivityList`, ...) appear only in the `to_wire` methods; everything else
uses Python names. The store keeps these records, the runner makes them, the command line and
the API print them.
"""

import hashlib
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

#: a JSON value
Json = Any

#: bytes from which on a second thread makes digests faster
_WORTH_A_THREAD = 1 << 18

#: a piece of a file
Block = bytes | bytearray | memoryview


def new_id() -> str:
    """Return a fresh identifier of 32 hexadecimal characters (specification, topology, 1)."""
    return uuid.uuid4().hex


def stable_id(*parts: str) -> str:
    """Return the identifier that always belongs to these parts, 32 hexadecimal characters."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def run_id_of(workflow_id: str, bucket: str, key: str, version: str) -> str:
    """Return the RunId of the run that an object version starts, always the same."""
    return stable_id("run", workflow_id, bucket, key, version)


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def wire_time(moment: datetime) -> str:
    """Format a moment as the API writes it: `YYYY-MM-DDThh:mm:ssZ`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class ActivityState(StrEnum):
    """State of one activity in one execution (specification, topology, 7)."""

    #: not started yet; such activities are left out of ActivityList
    WAITING = "Waiting"
    #: in progress
    RUNNING = "Running"
    #: ended well
    SUCCESS = "Success"
    #: ended badly; code and message say why
    FAIL = "Fail"
    #: not run on purpose
    SKIPPED = "Skipped"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the activity."""
        return self in (ActivityState.SUCCESS, ActivityState.FAIL, ActivityState.SKIPPED)


class ExecutionState(StrEnum):
    """State of one execution (specification, topology, 8)."""

    #: accepted, not started; `Running` in the API's words
    QUEUED = "Queued"
    #: in progress
    RUNNING = "Running"
    #: the run ended; says nothing about single activities
    COMPLETED = "Completed"
    #: Start failed, the run was interrupted, or the engine itself broke
    FAIL = "Fail"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the execution."""
        return self in (ExecutionState.COMPLETED, ExecutionState.FAIL)


def shown_state(state: ExecutionState, failed: int) -> str:
    """Return the state of an execution in which so many activities failed, for people.

    >>> shown_state(ExecutionState.COMPLETED, 2)
    'Completed, 2 failed'
    """
    return f"{state}, {failed} failed" if failed else str(state)


class ExecutionKind(StrEnum):
    """What an execution was asked for: a workflow, or one job outside of workflows."""

    #: a workflow on an input
    WORKFLOW = "workflow"
    #: SubmitJobs (specification, api, 5)
    TRANSCODE = "transcode"
    #: SubmitSnapshotJob (specification, api, 9)
    SNAPSHOT = "snapshot"
    #: SubmitAnalysisJob (specification, analysis, 2)
    ANALYSIS = "analysis"
    #: SubmitMediaInfoJob (specification, mediainfo, 1)
    MEDIA_INFO = "media-info"


#: 1 to 10, 10 is taken first (specification, transcode, 2)
DEFAULT_PRIORITY = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectRef:
    """An object in a bucket. `object` is the key as it is, not URL-encoded."""

    bucket: str
    object: str
    location: str = ""

    def to_wire(self) -> dict[str, str]:
        """The `{Bucket, Location, Object}` of the API."""
        return {"Bucket": self.bucket, "Location": self.location, "Object": self.object}


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """Size in bytes and checksums of a file, lower-case hexadecimal.

    SHA-256 tells contents apart. MD5, which takes more than twice as long, is for those who name
    or check objects by it: it is empty where nobody does, and not compared.
    """

    size: int
    sha256: str
    md5: str = field(default="", compare=False)

    @classmethod
    def of(cls, path: Path) -> "Digests":
        """Read a file once, in blocks of 1 MiB, and return both digests. Raises OSError."""
        total = DigestSum(md5=True)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
        return total.result()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadContent:
    """What was read last at a place: the version and, of a file, its fingerprint then."""

    version: str
    fingerprint: str
    digests: Digests


def content_version(version: str, content: Digests) -> str:
    """Return the version of a file whose size and time are those of one with other content.

    >>> content_version("3-17", Digests(size=3, sha256="ba7816bf8f01cfea414140de5dae2223"))
    '3-17-ba7816bf8f01cfea'
    """
    return f"{version}-{content.sha256[:16]}"


class DigestSum:
    """Computes the digests of content that comes in blocks, both at the same time.

    MD5 only when it is asked for.
    """

    def __init__(self, *, md5: bool) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._thread: ThreadPoolExecutor | None = None  # ends with this object

    def update(self, block: Block) -> None:
        """Take the next block."""
        self._size += len(block)
        if self._md5 is None or len(block) < _WORTH_A_THREAD:
            self._sha256.update(block)
            if self._md5 is not None:
                self._md5.update(block)
            return
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="md5")
        other = self._thread.submit(self._md5.update, block)
        self._sha256.update(block)
        other.result()

    def result(self) -> Digests:
        """Return the digests of all blocks so far."""
        md5 = self._md5.hexdigest() if self._md5 is not None else ""
        return Digests(size=self._size, sha256=self._sha256.hexdigest(), md5=md5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A published object.

    `place` is where it lies: an absolute path, or a URL. `media` is what a probe of the file
    said (the Properties of specification, mediainfo, 2), empty for what is not media.
    """

    ref: ObjectRef
    place: str
    digests: Digests
    media: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def to_wire(self) -> dict[str, Json]:
        """The extension object of `run --json`: Bucket, Object, Path or URL, Size, ETag."""
        kind = "Path" if self.place.startswith("/") else "URL"
        return {
            "Bucket": self.ref.bucket,
            "Object": self.ref.object,
            kind: self.place,
            "Size": self.digests.size,
            "ETag": self.digests.md5,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """An attempt at an activity that a transient cause ended; another one followed."""

    ended: datetime
    code: str
    message: str

    def to_wire(self) -> dict[str, Json]:
        """The extension object `{Time, Code, Message}`."""
        return {"Time": wire_time(self.ended), "Code": self.code, "Message": self.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityRecord:
    """What is known of one activity of one execution.

    `progress` runs from 0 to 1. `data` is the activity's result for those behind it. `detail`
    holds the last lines of a failed tool. While it is Running, `message` tells of the next
    attempt; `attempts` are those that failed before.
    """

    name: str
    type: str
    state: ActivityState = ActivityState.WAITING
    job_id: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    code: str = ""
    message: str = ""
    detail: str = ""
    attempts: tuple[FailedAttempt, ...] = ()
    progress: float = 0.0
    reused: bool = False
    outputs: tuple[Output, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    message_result: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_wire(self) -> dict[str, Json]:
        """The activity object of specification, topology, 7, with the extension fields."""
        wire: dict[str, Json] = {"Name": self.name, "Type": self.type, "State": str(self.state)}
        if self.job_id:
            wire["JobId"] = self.job_id
        if self.started:
            wire["StartTime"] = wire_time(self.started)
        if self.ended:
            wire["EndTime"] = wire_time(self.ended)
        if self.code:
            wire["Code"] = self.code
        if self.message:
            wire["Message"] = self.message
        if self.message_result:
            wire["MNSMessageResult"] = dict(self.message_result)
        wire["Outputs"] = [output.to_wire() for output in self.outputs]
        wire["Reused"] = self.reused
        wire["Progress"] = round(self.progress, 4)
        if self.warnings:
            wire["Warnings"] = list(self.warnings)
        if self.detail:
            wire["Detail"] = self.detail
        if self.attempts:
            wire["Attempts"] = [attempt.to_wire() for attempt in self.attempts]
        return wire


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionRecord:
    """One run of a workflow on one input. `topology` is the JSON text that it started with.

    `origin` is where the input was read and `version` which version of it; `output_root` is the
    folder for buckets without configuration, empty when there was none. A `fresh` execution uses
    no finished steps of others. A job outside of workflows is an execution too: `kind` says which
    and `request` keeps what was asked, for its answers; its RunId is the JobId. `pipeline_id` and
    `priority` say when it may start. `message_result` tells what became of a job's last message.
    `buckets` says where the buckets lie that it reads and writes, by name, as far as the process
    knew that accepted it: processes that know them otherwise leave it alone.
    """

    run_id: str
    workflow_id: str
    workflow: str
    topology: str
    input: ObjectRef
    media_id: str
    kind: ExecutionKind = ExecutionKind.WORKFLOW
    pipeline_id: str = ""
    priority: int = DEFAULT_PRIORITY
    request: Mapping[str, Json] = field(default_factory=dict[str, Json])
    origin: str = ""
    version: str = ""
    output_root: str = ""
    buckets: Mapping[str, str] = field(default_factory=dict[str, str])
    fresh: bool = False
    user_data: str = ""
    state: ExecutionState = ExecutionState.QUEUED
    code: str = ""
    message: str = ""
    created: datetime
    ended: datetime | None = None
    report: str = ""
    prefect_url: str = ""
    message_result: Mapping[str, str] = field(default_factory=dict[str, str])
    activities: tuple[ActivityRecord, ...] = ()

    @property
    def failed(self) -> int:
        """How many activities have failed."""
        return sum(activity.state is ActivityState.FAIL for activity in self.activities)

    @property
    def shown_state(self) -> str:
        """The state in words for people: `Completed` alone says nothing of single activities."""
        return shown_state(self.state, self.failed)

    def activity(self, name: str) -> ActivityRecord:
        """Return the record of an activity. Raises KeyError."""
        for record in self.activities:
            if record.name == name:
                return record
        raise KeyError(name)

    def to_wire(self) -> dict[str, Json]:
        """The execution object of specification, topology, 8, with the extension fields."""
        queued = self.state is ExecutionState.QUEUED
        wire: dict[str, Json] = {
            "RunId": self.run_id,
            "MediaWorkflowId": self.workflow_id,
            "Name": self.workflow,
            "Input": {"InputFile": self.input.to_wire(), "UserData": self.user_data},
            "MediaId": self.media_id,
            "ActivityList": [
                a.to_wire() for a in self.activities if a.state is not ActivityState.WAITING
            ],
            "State": str(ExecutionState.RUNNING if queued else self.state),
            "CreationTime": wire_time(self.created),
            "Report": self.report,
            "PrefectUrl": self.prefect_url,
        }
        if self.ended:
            wire["EndTime"] = wire_time(self.ended)
        if self.code:
            wire["Code"] = self.code
            wire["Message"] = self.message
        return wire
