"""The job of one output of SubmitJobs (specification, api, 5; analysis, 8)."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.jobs import boost, topologies
from workflow_engine.jobs.echo import members, output_echo
from workflow_engine.jobs.given import JobInput, refuse_workflow_placeholders
from workflow_engine.jobs.new_job import NewJob
from workflow_engine.jobs.topologies import Target
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ExecutionKind,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    utc_now,
)
from workflow_engine.records.catalog import PipelineRecord
from workflow_engine.store import ExecutionFilter, Store
from workflow_engine.topology.placeholders import Names

#: how long the result of an analysis may be used (specification, analysis, 1)
ANALYSIS_LIFE = timedelta(days=15)

#: presets that need an analysis (specification, analysis, 5)
_INTELLIGENT = "S00000000-"


def transcode_job(
    store: Store,
    parse: Callable[[str], Graph],
    given: JobInput,
    output: Json,
    target: Target,
    pipeline: PipelineRecord,
) -> NewJob:
    """Return the job of one output.

    Raises InvalidInputError; its pointer is that of the job's topology, or `/Outputs/0/...`.
    """
    template_id = str(members(output).get("TemplateId", ""))
    intelligent = is_intelligent(members(output))
    analysis = analysis_of(store, given.ref) if intelligent else None
    config = analysis.request.get("AnalysisConfig") if analysis else None
    graph = parse(
        topologies.transcode(
            given, pipeline.id, output, target, analysed=(config or {}) if intelligent else None
        )
    )
    boost.refuse_template(pipeline, template_id, store.templates.get(template_id))
    checked = graph.nodes["transcode"].parameters.model_dump(by_alias=True)["Outputs"][0]
    name: str = checked["OutputObject"]
    refuse_workflow_placeholders(name, "/Outputs/0/OutputObject")
    key = Names.of(given.object).fill(name)
    file = ObjectRef(bucket=target.bucket, location=target.location, object=key)
    priority, user_data = int(checked["Priority"]), str(checked["UserData"])
    echo = {"Priority": str(priority), "OutputFile": file.to_wire()}
    request = {"Output": output_echo(output) | echo}
    missing = intelligent and analysis is None
    return NewJob(
        kind=ExecutionKind.TRANSCODE,
        graph=graph,
        given=given,
        pipeline=pipeline,
        request=request,
        priority=priority,
        user_data=user_data,
        error=_not_analysed(given, template_id) if missing else None,
    )


def is_intelligent(output: Mapping[str, Json]) -> bool:
    """Whether an output has a template that needs an analysis."""
    return str(output.get("TemplateId", "")).startswith(_INTELLIGENT)


def analysis_of(store: Store, ref: ObjectRef) -> ExecutionRecord | None:
    """Return the newest analysis job of an object that ended well, while its result counts."""
    chosen = ExecutionFilter(
        kind=ExecutionKind.ANALYSIS,
        bucket=ref.bucket,
        object=ref.object,
        state=ExecutionState.COMPLETED,
    )
    for job in store.executions.page(chosen, limit=1).items:
        if job.ended is not None and job.ended >= utc_now() - ANALYSIS_LIFE:
            return job
    return None


def _not_analysed(given: JobInput, template_id: str) -> MediaflowError:
    return InvalidInputError(
        Code.ANALYSIS_NOT_FOUND,
        f'The intelligent template "{template_id}" needs an analysis of "{given.object}" that is '
        f"at most {ANALYSIS_LIFE.days} days old, and there is none.",
        remedy="Submit an analysis job first, or use a static template.",
    )
