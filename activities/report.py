"""The Report activity: `report.json` and `report.html`, which tell all about an execution.

It runs last, whatever happened before it. The one is for programs: it holds the execution, its
input, every other activity with commands, warnings, outputs and what else it read, the tools and
totals: `document` builds it. The schema is our own, numbered by `SCHEMA`. The other is for people:
the engine makes it (`ActivityContext.pages`), with small copies of pictures (`thumbnails.py`).
Specification: topology, 4.5.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, cast

from activities import ffmpeg
from activities.predictions import prediction_rows
from activities.quality.told import measured_outputs
from activities.thumbnails import pictures_of, thumbnails
from workflow_engine.activity import (
    Activity,
    ActivityContext,
    ActivityResult,
    Artifact,
    Effect,
    InterruptedRunError,
    PlanContext,
    Produced,
    Publish,
    Role,
    SideInput,
    SideInputFacts,
    Step,
    StepResult,
    read_nothing,
)
from workflow_engine.errors import MediaflowError
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    Digests,
    ExecutionRecord,
    ExecutionState,
    Json,
    ObjectRef,
    Output,
    utc_now,
    wire_time,
)
from workflow_engine.topology.wire import Choice, WireModel

#: from the name of an activity to what it read beside the input
ReadBy = Callable[[str], Mapping[SideInput, SideInputFacts]]

#: raised when a reader of older reports could stumble
SCHEMA = 1

FILE_NAME, PAGE_NAME = "report.json", "report.html"
#: of the page: one that goes into a mail, and that a telephone opens
MOST_BYTES, MOST_SIZE = 3_000_000, "3 MB"


class ReportParameters(WireModel):
    """Parameters of Report."""

    publish_type: Annotated[str, Choice(("Auto", "Manual", "TranscodeCompletedAuto"))] = "Manual"


class Report(Activity[ReportParameters]):
    """Ends a workflow: writes the report and says whether the media is published."""

    type_name = "Report"
    role = Role.REPORT
    parameters = ReportParameters
    reusable = False

    def plan(self, parameters: ReportParameters, context: PlanContext) -> Step:
        """Plan no outputs: where the report goes is known when all others are."""
        return Step(resolved=(parameters.publish_type, context.digests))

    def run(self, step: Step, context: ActivityContext) -> ActivityResult:
        """Write `report.json` and the page; data: `PublishType` and `Published`."""
        execution = context.execution()
        others = [record for record in execution.activities if record.name != context.activity]
        publish_type, digests = cast("tuple[str, Digests]", step.resolved)
        publishing: dict[str, Json] = {
            "PublishType": publish_type,
            "Published": _published(publish_type, others),
        }
        path = context.work / FILE_NAME
        errors = {str(k): round(v, 2) for k, v in context.prediction_errors().items()}
        content = document(execution, others, digests, utc_now(), context.read_by)
        content |= {"MedianPredictionErrors": errors} | publishing
        text = json.dumps(content, ensure_ascii=False, indent=2)
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        ref = place(execution.run_id, [output for record in others for output in record.outputs])
        page, warnings = _page(ref, others, context)
        return ActivityResult(
            data=publishing,
            outputs=(Produced(path=path, ref=ref, last=True), *page),
            warnings=warnings,
        )

    def effects(self, result: StepResult) -> Iterable[Effect]:
        """Publish the media, or take it back."""
        yield Publish(published=bool(result.data.get("Published")))

    def publishes_renditions(self, parameters: ReportParameters) -> bool:
        """With the PublishType TranscodeCompletedAuto."""
        return parameters.publish_type == "TranscodeCompletedAuto"

    def artifacts(self, result: StepResult) -> Iterable[Artifact]:
        """Show where the page, or the report, lies as a link."""
        if not result.outputs:
            return
        place = result.outputs[-1].place
        link = place if "://" in place else Path(place).as_uri()
        yield Artifact(kind="link", title="Report", content=link)


def place(run_id: str, outputs: Sequence[Output]) -> ObjectRef:
    """Return where the report goes: beside the outputs, in a directory of the run's own.

    The bucket is that of the first output, the directory the one that all outputs in that bucket
    share, then the RunId unless it is part of it. Without outputs the bucket is empty, for the
    engine to choose.
    """
    if not outputs:
        return ObjectRef(bucket="", object=f"{run_id}/{FILE_NAME}")
    first = outputs[0].ref
    folders = [o.ref.object.split("/")[:-1] for o in outputs if o.ref.bucket == first.bucket]
    common: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    own = [] if run_id in common else [run_id]
    return ObjectRef(
        bucket=first.bucket,
        object="/".join([*common, *own, FILE_NAME]),
        location=first.location,
    )


def _page(
    report: ObjectRef, others: Sequence[ActivityRecord], context: ActivityContext
) -> tuple[tuple[Produced, ...], tuple[str, ...]]:
    """Return the page of the execution, and what went wrong with it: no run fails by that."""
    pages = context.pages
    if pages is None:
        return (), ()
    folder = report.object.removesuffix(FILE_NAME)
    ref = replace(report, object=folder + PAGE_NAME)
    path = context.work / PAGE_NAME
    try:
        pictures = pictures_of(others, pages.exhibits)
        found = thumbnails(pictures, pages.fetch, context)
        text = pages.render(ref, found.small, found.warnings)
        if len(text.encode(errors="replace")) > MOST_BYTES:
            left_out = f"The pictures are left out: with them the page would be over {MOST_SIZE}."
            text = pages.render(ref, {}, [*found.warnings, left_out])
        path.write_text(text, encoding="utf-8", errors="replace")
    except InterruptedRunError:
        raise
    except Exception as error:
        context.log.warning("the page of the report cannot be made", exc_info=True)
        return (), (f"The page of the report cannot be made: {error!r}.",)
    return (Produced(path=path, ref=ref, last=True),), found.warnings


def document(
    execution: ExecutionRecord,
    others: Sequence[ActivityRecord],
    digests: Digests,
    now: datetime,
    read_by: ReadBy = read_nothing,
) -> dict[str, Json]:
    """Return the report as JSON values.

    `others` are the activities without Report, which is still running; `digests` are the
    input's, `read_by` tells what an activity read beside it. The execution's State is the one
    that it will have (specification, topology, 8): `Fail` if Start failed, else `Completed`.
    """
    wire = execution.to_wire()
    for key in ("ActivityList", "Input", "EndTime", "Report"):
        wire.pop(key, None)
    start = others[0]  # nothing comes before it
    failed = start.state is not ActivityState.SUCCESS
    wire["State"] = str(ExecutionState.FAIL if failed else ExecutionState.COMPLETED)
    wire["ReportTime"] = wire_time(now)
    return {
        "Schema": SCHEMA,
        "Execution": wire,
        "Input": _input(execution, others, digests),
        "Activities": [
            _activity(record) | {"SideInputs": _side_inputs(execution.input, read_by(record.name))}
            for record in others
            if _began(record)
        ],
        "Totals": _totals(execution, others, now),
        "Tools": _tools(),
    }


def _published(publish_type: str, others: Sequence[ActivityRecord]) -> bool:
    if publish_type == "TranscodeCompletedAuto":
        return any(r.type == "Transcode" and r.state is ActivityState.SUCCESS for r in others)
    return publish_type == "Auto"


def _began(record: ActivityRecord) -> bool:
    return record.state is not ActivityState.WAITING


def _input(
    execution: ExecutionRecord, others: Sequence[ActivityRecord], digests: Digests
) -> dict[str, Json]:
    """The input object, its checksums, and what Start found in it."""
    start_data: dict[str, Json] = {}
    for record in others:
        if record.type == "Start":
            # Probe is what Properties were made of
            start_data = {key: value for key, value in record.result.data.items() if key != "Probe"}
    return {
        **execution.input.to_wire(),
        "UserData": execution.user_data,
        "Size": digests.size,
        **_sums(digests),
        **start_data,
    }


def _sums(digests: Digests) -> dict[str, Json]:
    """The checksums; nobody may have needed the MD5 of an object of a store."""
    known = {"MD5": digests.md5} if digests.md5 else {}
    return {**known, "SHA256": digests.sha256}


def _activity(record: ActivityRecord) -> dict[str, Json]:
    wire = record.to_wire()
    if record.started and record.ended:
        wire["Seconds"] = round((record.ended - record.started).total_seconds(), 3)
    wire["Commands"] = [shlex.join(command) for command in record.result.commands]
    wire["Warnings"] = list(record.result.warnings)
    if measured := measured_outputs(record.result):
        wire["Quality"] = list[Json](measured)
    wire["Outputs"] = [_output(output) for output in record.outputs]
    if foretold := prediction_rows(record.result):
        wire["Predictions"] = list[Json](foretold)
    if "Rungs" in record.result.data:
        # what an Analysis decided, and why
        wire["Rungs"] = record.result.data["Rungs"]
    return wire


def _side_inputs(source: ObjectRef, side_inputs: Mapping[SideInput, SideInputFacts]) -> list[Json]:
    """Every object that was read beside the input, once."""
    digests_of = {
        one.ref: facts.digests for one, facts in side_inputs.items() if not _same(one.ref, source)
    }
    return [
        {**ref.to_wire(), "Size": digests.size, "SHA256": digests.sha256}
        for ref, digests in digests_of.items()
    ]


def _same(ref: ObjectRef, other: ObjectRef) -> bool:
    return (ref.bucket, ref.object) == (other.bucket, other.object)


def _output(output: Output) -> dict[str, Json]:
    wire = output.to_wire() | _sums(output.digests)
    if output.media:
        wire["Properties"] = dict(output.media)
    return wire


def _totals(
    execution: ExecutionRecord, others: Sequence[ActivityRecord], now: datetime
) -> dict[str, Json]:
    began = [record for record in others if _began(record)]
    outputs = [output for record in began for output in record.outputs]
    ended = (ActivityState.SUCCESS, ActivityState.FAIL, ActivityState.SKIPPED)
    return {
        "Activities": len(began),
        **{str(state): sum(r.state is state for r in began) for state in ended},
        "Reused": sum(record.reused for record in began),
        "Warnings": sum(len(record.result.warnings) for record in began),
        "Outputs": len(outputs),
        "Bytes": sum(output.digests.size for output in outputs),
        "Seconds": round((now - execution.created).total_seconds(), 3),
    }


def _tools() -> dict[str, str]:
    tools = {"mediaflow": version("mediaflow")}
    try:
        return tools | ffmpeg.versions()
    except MediaflowError:
        # Start has failed for that reason and says so; the report is still due
        return tools
