"""The topologies of jobs, and where their parameters stand in what a job was asked for.

Start                         SubmitMediaInfoJob
Start -> Snapshot             SubmitSnapshotJob
Start -> Analysis             SubmitAnalysisJob
Start -> Inspection           SubmitVideoQualityJob
Start -> Transcode            one output of SubmitJobs
Start -> Analysis -> Transcode   the same with an intelligent template (analysis, 8)
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from workflow_engine.errors import InvalidInputError, pointer_to
from workflow_engine.jobs.given import JobInput, JobObject
from workflow_engine.records import Json
from workflow_engine.records.catalog import DEFAULT_PIPELINE_ID

_PARAMETERS = re.compile(r"^/Activities/[^/]+/Parameters(?=/|$)")
_OUTPUT = "/Outputs/0"
#: where the parameters of activities stand in requests
_PARAMETER_OF = {
    "/InputFile": "/Input",
    "/OutputFile": "/Output",
    "/Labels": "/JobParams/Labels",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the outputs of transcode jobs go."""

    bucket: str
    location: str = ""


Activities = Mapping[str, tuple[str, Mapping[str, Json]]]

_START_OF_FILES: tuple[str, Mapping[str, Json]] = (
    "Start",
    {"PipelineId": DEFAULT_PIPELINE_ID, "InputFile": {"Bucket": "files"}},
)


def media_info(given: JobInput, pipeline_id: str) -> str:
    """Return the topology that probes an object, as JSON text."""
    return _chain({"start": _start(given, pipeline_id)})


def media_info_of_files() -> str:
    """Return the topology that probes a file outside of buckets, as JSON text."""
    return _chain({"start": _START_OF_FILES})


def inspection_of_files() -> str:
    """Return the topology that looks for defects in a file outside of buckets, as JSON text."""
    file: Json = {"Bucket": "files", "Object": "defects"}
    return _chain({"start": _START_OF_FILES, "inspection": ("Inspection", {"OutputFile": file})})


def snapshot(given: JobInput, pipeline_id: str, config: Json) -> str:
    """Return the topology that takes pictures of an object, as JSON text."""
    work = ("Snapshot", {"SnapshotConfig": config})
    return _chain({"start": _start(given, pipeline_id), "snapshot": work})


def analysis(given: JobInput, pipeline_id: str, config: Json) -> str:
    """Return the topology that analyses an object, as JSON text."""
    work = _analysis(config)
    return _chain({"start": _start(given, pipeline_id), "analysis": work})


def video_quality(
    given: JobInput, pipeline_id: str, target: JobObject, params: Mapping[str, Json]
) -> str:
    """Return the topology that looks for defects in an object, as JSON text.

    `params` are parameters of the activity beside the place of its result.
    """
    name = quote(target.object, safe="/{}")
    file = {"Bucket": target.bucket, "Location": target.location, "Object": name}
    work = ("Inspection", {**params, "OutputFile": file})
    return _chain({"start": _start(given, pipeline_id), "inspection": work})


def transcode(
    given: JobInput,
    pipeline_id: str,
    output: Json,
    target: Target,
    *,
    analysed: Json | None = None,
) -> str:
    """Return the topology that makes one output of an object, as JSON text.

    `target` says which bucket. With `analysed`, the configuration of an analysis, it is made
    behind that analysis.
    """
    first = {"start": _start(given, pipeline_id)}
    if analysed is not None:
        first["analysis"] = _analysis(analysed)
    return _chain({**first, "transcode": _transcode(output, target)})


def asked(error: InvalidInputError, *, output: int = 0) -> InvalidInputError:
    """Return an error of a topology as one of the parameter that it comes from.

    `/Activities/transcode/Parameters/Outputs/0/Video` is `/Outputs/3/Video` for output 3.
    """
    pointer = _PARAMETERS.sub("", error.pointer)
    for name, parameter in _PARAMETER_OF.items():
        if pointer == name or pointer.startswith(name + "/"):
            pointer = parameter + pointer.removeprefix(name)
    if pointer == _OUTPUT or pointer.startswith(_OUTPUT + "/"):
        pointer = pointer_to("Outputs", output) + pointer.removeprefix(_OUTPUT)
    return InvalidInputError(error.code, error.message, pointer=pointer, remedy=error.remedy)


def _start(given: JobInput, pipeline_id: str) -> tuple[str, dict[str, Json]]:
    return "Start", {"PipelineId": pipeline_id, "InputFile": given.input_file}


def _analysis(config: Json) -> tuple[str, dict[str, Json]]:
    return "Analysis", {"AnalysisConfig": config} if config else {}


def _transcode(output: Json, target: Target) -> tuple[str, dict[str, Json]]:
    return "Transcode", {
        "Outputs": [output],
        "OutputBucket": target.bucket,
        "OutputLocation": target.location,
        "AppendExtension": "false",
    }


def _chain(activities: Activities) -> str:
    names = list(activities)
    value = {
        "Activities": {
            name: {"Type": kind, "Parameters": parameters}
            for name, (kind, parameters) in activities.items()
        },
        "Dependencies": {name: names[place : place + 1] for place, name in enumerate(names, 1)},
    }
    return json.dumps(value, ensure_ascii=False)
