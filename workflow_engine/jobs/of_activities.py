"""The jobs that activities of workflows are for clients of the API (specification, topology, 7).

A job outside of workflows is an execution, and everything that answers tell of jobs is made of
executions. So the job of an activity is shown as the execution that it would have been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from workflow_engine.activity import TemplateLookup
from workflow_engine.errors import Code
from workflow_engine.jobs.echo import analysis_echo, items, output_echo, snapshot_echo
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityJob,
    ActivityRecord,
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    Output,
)
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.urls import object_url


def as_execution(
    job: ActivityJob, run: ExecutionRecord, graph: Graph | None, templates: TemplateLookup
) -> ExecutionRecord:
    """Return the job of an activity as an execution of its own, whose RunId is the JobId.

    `graph` is that of the run's topology, None when it cannot be read any more: then nothing is
    repeated of what was asked for.
    """
    activity = run.activity(job.activity)
    code, message = activity.code, activity.message if activity.code else ""
    if job.state is not ExecutionState.FAIL:
        code, message = "", ""
    elif not code or job.cancelled:
        code, message = (Code.CANCELLED if job.cancelled else run.code), message or run.message
    return replace(
        run,
        run_id=job.job_id,
        kind=job.kind,
        state=job.state,
        code=code,
        message=message,
        created=job.created,
        ended=(activity.ended or run.ended) if job.state.ended else None,
        request=_request(job, run, graph, templates) if graph else {},
        user_data="",
        message_result={},
        activities=(_of_output(activity, job),),
    )


def _request(
    job: ActivityJob, run: ExecutionRecord, graph: Graph, templates: TemplateLookup
) -> Mapping[str, Json]:
    """Return what the activity was asked for, as a request for the job would have said it."""
    parameters = graph.topology.activities[job.activity].parameters
    match job.kind:
        case ExecutionKind.TRANSCODE:
            return {"Output": _output(job, run, graph, templates)}
        case ExecutionKind.SNAPSHOT:
            return {"SnapshotConfig": snapshot_echo(parameters.get("SnapshotConfig"))}
        case ExecutionKind.ANALYSIS:
            return {"AnalysisConfig": analysis_echo(parameters.get("AnalysisConfig"))}
        case ExecutionKind.VIDEO_QUALITY:
            return {"Output": object_url(_target(job, run, graph))}
        case _:
            return {}


def _target(job: ActivityJob, run: ExecutionRecord, graph: Graph) -> ObjectRef:
    """Return the only object that an activity writes, by the name that it gets."""
    node = graph.nodes[job.activity]
    (ref,) = node.activity.destinations(node.parameters)
    names = Names.of(run.input.object, run_id=run.run_id, media_id=run.media_id)
    return replace(ref, object=names.fill(ref.object))


def _output(
    job: ActivityJob, run: ExecutionRecord, graph: Graph, templates: TemplateLookup
) -> dict[str, Json]:
    """Return one output of a Transcode, with the name that it will probably have."""
    node = graph.nodes[job.activity]
    asked = items(graph.topology.activities[job.activity].parameters.get("Outputs"))
    checked = node.parameters.model_dump(by_alias=True)
    echo = output_echo(asked[job.position]) if job.position < len(asked) else {}
    refs = list(node.activity.object_names(node.parameters, templates))
    # an activity that makes subtitles only has no outputs
    if job.position < len(refs) == len(asked):
        ref = refs[job.position]
        names = Names.of(run.input.object, run_id=run.run_id, media_id=run.media_id)
        location = str(checked.get("OutputLocation") or "")
        echo["OutputFile"] = replace(
            ref, object=names.fill(ref.object), location=location
        ).to_wire()
        echo["Priority"] = str(checked["Outputs"][job.position]["Priority"])
    elif index := [one for one in run.activity(job.activity).outputs if one.media]:
        # a package names the streams that are made for it
        echo["OutputFile"] = index[-1].ref.to_wire()
    return echo


def _of_output(activity: ActivityRecord, job: ActivityJob) -> ActivityRecord:
    """Return an activity with what it published for one of its outputs."""
    if job.kind is not ExecutionKind.TRANSCODE:
        return activity
    told = cast("Sequence[Mapping[str, Any]]", activity.result.data.get("Outputs") or ())
    made = split_outputs(activity.outputs, told)
    own = made[job.position] if job.position < len(made) else ()
    return replace(activity, result=replace(activity.result, outputs=own))


def split_outputs(
    published: Sequence[Output], told: Sequence[Mapping[str, Any]]
) -> list[tuple[Output, ...]]:
    """Return what belongs to each output of a Transcode, its index last.

    Published are the files of each output, then the indexes. `told` is what the result says of
    each output: how many segments its index has, 0 where it has none.
    """
    files, indexes = iter(published), [one for one in published if one.media]
    indexes = indexes[len(indexes) - sum(one["Segments"] > 0 for one in told) :]
    return [
        (
            *(next(files) for _ in range(one["Segments"] or 1)),
            *([indexes.pop(0)] if one["Segments"] else []),
        )
        for one in told
    ]
