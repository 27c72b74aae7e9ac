"""Executions and their activities: states, and the records that travel between the modules.

Wire names (`RunId`, `ActivityList`, ...) appear only in the `to_wire` methods; everything else
uses Python names. The store keeps these records, the runner makes them, the command line and
the API print them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import cast

from workflow_engine.records.ids import wire_time
from workflow_engine.records.objects import Json, ObjectRef, Output


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
    #: SubmitVideoQualityJob (specification, api, 16.3)
    VIDEO_QUALITY = "video-quality"
    #: SubmitMediaInfoJob of IMS (specification, mediainfo, 4)
    IMS_MEDIA_INFO = "ims-media-info"
    #: SubmitMediaConvertJob of IMS: several outputs of one input (specification, other_seeds, 2)
    IMS_CONVERT = "ims-convert"


#: 1 to 10, 10 is taken first (specification, transcode, 2)
DEFAULT_PRIORITY = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityJob:
    """A job that clients of the API know an activity of a workflow by (specification, topology, 7).

    A Transcode has one for each of its outputs, at the place `position`. `state` and `cancelled`
    are those of the activity in the words of executions, since a job is shown as an execution.
    """

    job_id: str
    run_id: str
    activity: str
    position: int
    kind: ExecutionKind
    pipeline_id: str
    created: datetime
    state: ExecutionState
    cancelled: bool = False


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
class StepResult:
    """What a finished step left, to be used by those behind it, and again (decision 5).

    `data` are JSON values, under `Notes` sentences for people; `commands` and `warnings` tell how
    the outputs were made.
    """

    data: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outputs: tuple[Output, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the activity has to say of its result, in sentences for people."""
        return tuple(cast("Sequence[str]", self.data.get("Notes") or ()))


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityRecord:
    """What is known of one activity of one execution.

    `progress` runs from 0 to 1. `detail` holds the last lines of a failed tool. While it is
    Running, `message` tells of the next attempt; `attempts` are those that failed before.
    `result` is what it left; it is empty until the activity has succeeded. `further_jobs` are the
    jobs of its outputs behind the first.
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
    result: StepResult = field(default_factory=StepResult)
    message_result: Mapping[str, str] = field(default_factory=dict[str, str])
    further_jobs: tuple[str, ...] = ()

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs that it is known by, one for each output of a Transcode."""
        return (self.job_id, *self.further_jobs) if self.job_id else ()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the activity published."""
        return self.result.outputs

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
        if self.further_jobs:
            wire["JobIdList"] = list(self.job_ids)
        wire["Reused"] = self.reused
        wire["Progress"] = round(self.progress, 4)
        if self.result.warnings:
            wire["Warnings"] = list(self.result.warnings)
        if self.result.notes:
            wire["Notes"] = list(self.result.notes)
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
