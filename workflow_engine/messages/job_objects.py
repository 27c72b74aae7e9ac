"""The job objects of the API, made out of executions; lists flat, missing values left out.

Specification: api, 5, 7 and 16.3; snapshot, 7; analysis, 2; mediainfo, 1.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from workflow_engine.messages.job_states import job_state
from workflow_engine.records import (
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    Output,
    wire_time,
)

Object = dict[str, Json]

_MESSAGE_TYPES = {
    ExecutionKind.TRANSCODE: "Transcode",
    ExecutionKind.SNAPSHOT: "Snapshot",
    ExecutionKind.ANALYSIS: "Analysis",
    ExecutionKind.MEDIA_INFO: "MediaInfo",
    ExecutionKind.VIDEO_QUALITY: "VideoQuality",
    ExecutionKind.IMS_MEDIA_INFO: "MediaInfo",
    ExecutionKind.IMS_CONVERT: "MediaConvert",
}


def job_object(record: ExecutionRecord) -> Object:
    """Return the job that an execution is.

    A Job, SnapshotJob, AnalysisJob, MediaInfoJob, or the Job of QueryVideoQualityJob.
    """
    return _FORMS[record.kind](record)


def job_message(record: ExecutionRecord) -> dict[str, Json]:
    """Return the message that tells how a job ended: its type and id, and the job object, flat."""
    message = {"Type": _MESSAGE_TYPES[record.kind], "JobId": record.run_id, **job_object(record)}
    if record.kind is ExecutionKind.VIDEO_QUALITY:  # what its job object has no place for
        message |= _user_data(record)
    return message


def _transcode(record: ExecutionRecord) -> Object:
    job = {"JobId": record.run_id, **_common(record), "Percent": _percent(record)}
    job["Input"] = record.input.to_wire()
    job["Output"] = _output(record)
    if record.ended:
        job["FinishTime"] = wire_time(record.ended)
    return job


def _output(record: ExecutionRecord) -> Object:
    """Return what was asked for; once it exists with its real name and its Properties."""
    echo = _asked(record, "Output")
    made = record.activities[-1].outputs
    if made:
        main = _main(made)
        echo["OutputFile"] = main.ref.to_wire()
        if main.media:
            segments = [output for output in made if output is not main]
            echo["Properties"] = _with_segments(main.media, segments)
    return echo


def _main(outputs: tuple[Output, ...]) -> Output:
    """Return the file to play: the only one, or the playlist among segments."""
    return next((output for output in outputs if output.media), outputs[-1])


def _with_segments(properties: Mapping[str, Json], segments: Sequence[Output]) -> Object:
    """Return the Properties of an output; those of a playlist with the size of its segments."""
    told = dict(properties)
    if not segments:
        return told
    size = sum(segment.digests.size for segment in segments)
    seconds = float(told.get("Duration") or 0)
    rate = {"Bitrate": f"{size * 8 / 1000 / seconds:.3f}"} if seconds else {}
    container = cast("Mapping[str, Json]", told.get("Format") or {})
    told |= {"FileSize": str(size), **rate}
    return told | {"Format": {**container, "Size": str(size), **rate}}


def _snapshot(record: ExecutionRecord) -> Object:
    job = {"Id": record.run_id, **_common(record), **_user_data(record)}
    job["Input"] = record.input.to_wire()
    job["SnapshotConfig"] = _asked(record, "SnapshotConfig")
    data = _result(record)
    return job | {name: str(data[name]) for name in ("Count", "TileCount") if name in data}


def _analysis(record: ExecutionRecord) -> Object:
    job = {"Id": record.run_id, **_common(record), **_user_data(record)}
    job["Percent"] = _percent(record)
    job["Priority"] = str(record.priority)
    job["InputFile"] = record.input.to_wire()
    config = _asked(record, "AnalysisConfig")
    data = _result(record)
    # Rungs are ours: what was looked at, and why it is offered or dropped
    chosen = {name: data[name] for name in ("TemplateList", "Rungs") if name in data}
    return job | ({"AnalysisConfig": config} if config else {}) | chosen


def _media_info(record: ExecutionRecord) -> Object:
    job = {"JobId": record.run_id, **_common(record), **_user_data(record)}
    job["Input"] = record.input.to_wire()
    job["Async"] = bool(record.request.get("Async", True))
    properties = _result(record).get("Properties")
    return job | ({"Properties": properties} if properties else {})


def _video_quality(record: ExecutionRecord) -> Object:
    """Return the Job of QueryVideoQualityJob; what was found is JSON in a string."""
    job: Object = {"JobId": record.run_id, "Status": job_state(record)}
    job |= {name: record.request[name] for name in ("UserId", "Output") if name in record.request}
    if record.state is ExecutionState.COMPLETED:
        job |= {"Code": "Success", "Message": "The job is completed successfully"}
        job["VideoQualityResults"] = json.dumps(_result(record).get("VideoQualityResults", {}))
    elif record.code:
        job |= {"Code": record.code, "Message": record.message}
    return job


def _convert(record: ExecutionRecord) -> Object:
    """Return what there is to say of several outputs: which objects were made."""
    job = {"JobId": record.run_id, **_common(record), **_user_data(record)}
    job["Input"] = record.input.to_wire()
    made = [output.ref.to_wire() for one in record.activities for output in one.outputs]
    return job | {"Outputs": list[Json](made)}


_FORMS: Mapping[ExecutionKind, Callable[[ExecutionRecord], Object]] = {
    ExecutionKind.TRANSCODE: _transcode,
    ExecutionKind.SNAPSHOT: _snapshot,
    ExecutionKind.ANALYSIS: _analysis,
    ExecutionKind.MEDIA_INFO: _media_info,
    ExecutionKind.VIDEO_QUALITY: _video_quality,
    ExecutionKind.IMS_MEDIA_INFO: _media_info,
    ExecutionKind.IMS_CONVERT: _convert,
}


def _common(record: ExecutionRecord) -> Object:
    job: Object = {
        "State": job_state(record),
        "PipelineId": record.pipeline_id,
        "CreationTime": wire_time(record.created),
    }
    if record.code:
        job |= {"Code": record.code, "Message": record.message}
    if record.message_result:
        job["MNSMessageResult"] = dict(record.message_result)
    return job


def _user_data(record: ExecutionRecord) -> Object:
    return {"UserData": record.user_data} if record.user_data else {}


def _asked(record: ExecutionRecord, name: str) -> Object:
    return dict(cast("Mapping[str, Json]", record.request.get(name) or {}))


def _percent(record: ExecutionRecord) -> int:
    if record.state is ExecutionState.COMPLETED:
        return 100
    return int(100 * record.activities[-1].progress)


def _result(record: ExecutionRecord) -> Mapping[str, Json]:
    """Return the data of the activity that the job is about; Start's for a probe."""
    last = record.activities[-1]
    return last.result.data if last.state is ActivityState.SUCCESS else {}
