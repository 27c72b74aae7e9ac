"""The topologies of jobs, and where their parameters stand in what a job was asked for.

Start                         SubmitMediaInfoJob
Start -> Snapshot             SubmitSnapshotJob
Start -> Analysis             SubmitAnalysisJob
Start -> Inspection           SubmitVideoQualityJob
Start -> Transcode            one output of SubmitJobs
Start -> Analysis -> Transcode   the same with an intelligent template (analysis, 8)
Start -> Transcode, Transcode, ...   the outputs of SubmitMediaConvertJob, behind an Analysis when
                              one of them has an intelligent template
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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


@dataclass(frozen=True, kw_only=True)
class WantedOutput:
    """One of several outputs of a job: an Output of Transcode without its name, and where it goes.

    `pointer` is where it stands in the request, and `fields` where single fields of it stand there,
    by the beginnings of their pointers; others stand at the same place below.
    """

    target: JobObject
    output: Mapping[str, Json]
    pointer: str
    fields: Mapping[str, str]


def convert(
    given: JobInput,
    pipeline_id: str,
    outputs: Sequence[WantedOutput],
    *,
    analysed: bool,
) -> str:
    """Return the topology that makes several outputs of an object, as JSON text.

    They stand side by side, so that they share one decode.
    """
    activities = {"start": _start(given, pipeline_id)}
    if analysed:
        activities["analysis"] = _analysis(None)
    before = [*activities]
    for place, wanted in enumerate(outputs):
        target = Target(bucket=wanted.target.bucket, location=wanted.target.location)
        name = quote(wanted.target.object, safe="/{}")
        output: Json = {**wanted.output, "OutputObject": name}
        activities[activity_of(place)] = _transcode(output, target)
    made = [activity_of(place) for place in range(len(outputs))]
    behind = {name: [after] for name, after in pairwise(before)} | {before[-1]: made}
    return _written(activities, behind)


def activity_of(place: int) -> str:
    """Return the name of the activity that makes one of several outputs."""
    return f"output-{place}"


_OF_OUTPUT = re.compile(r"^/Activities/output-(\d+)/Parameters(?:/Outputs/0)?(?=/|$)(.*)")


def wanted(error: InvalidInputError, outputs: Sequence[WantedOutput]) -> InvalidInputError:
    """Return an error of `convert`'s topology as one of the request that it comes from."""
    found = _OF_OUTPUT.match(error.pointer)
    if found is None:
        return asked(error)
    output = outputs[int(found[1])]
    pointer = output.pointer + found[2]
    for own, theirs in output.fields.items():
        if found[2] == own or found[2].startswith(f"{own}/"):
            pointer = f"{output.pointer}{theirs}{found[2].removeprefix(own)}"
    return InvalidInputError(error.code, error.message, pointer=pointer, remedy=error.remedy)


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
    return _written(activities, {name: [after] for name, after in pairwise(activities)})


def _written(activities: Activities, behind: Mapping[str, list[str]]) -> str:
    value = {
        "Activities": {
            name: {"Type": kind, "Parameters": parameters}
            for name, (kind, parameters) in activities.items()
        },
        "Dependencies": {name: behind.get(name, []) for name in activities},
    }
    return json.dumps(value, ensure_ascii=False)
