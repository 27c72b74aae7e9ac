"""What Boost pipelines refuse (specification, api, 7)."""

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.jobs.echo import members
from workflow_engine.records.catalog import PipelineRecord, TemplateRecord

BOOST = "Boost"

#: seconds; shorter sources are not worth the speed
SHORTEST = 1800.0

_TEMPLATE_ID = "/Outputs/0/TemplateId"
_REMEDY = "Use a pipeline of another Speed."


def refuse_analysis(pipeline: PipelineRecord) -> None:
    """Refuse an analysis job in a Boost pipeline. Raises InvalidInputError."""
    if pipeline.speed == BOOST:
        raise InvalidInputError(
            Code.BOOST_ANALYSIS,
            f"{_named(pipeline)} runs no analysis jobs.",
            pointer="/PipelineId",
            remedy=_REMEDY,
        )


def refuse_source(pipeline: PipelineRecord, duration: float | None) -> None:
    """Refuse a short source in a Boost pipeline. Raises InvalidInputError.

    `duration` is in seconds, None when it is not known.
    """
    if pipeline.speed == BOOST and duration is not None and duration < SHORTEST:
        raise InvalidInputError(
            Code.BOOST_DURATION,
            f"{_named(pipeline)} only accepts sources of at least 30 minutes, and this one has "
            f"{duration:g} s.",
            pointer="/Input",
            remedy=_REMEDY,
        )


def refuse_template(
    pipeline: PipelineRecord, template_id: str, custom: TemplateRecord | None
) -> None:
    """Refuse a template that does not suit a Boost pipeline. Raises InvalidInputError.

    `custom` is its record when it is not a preset. The pointer is that of the first output.
    """
    if pipeline.speed != BOOST:
        return
    if custom is None:
        raise InvalidInputError(
            Code.BOOST_SYSTEM_TEMPLATE,
            f'{_named(pipeline)} does not take the preset template "{template_id}".',
            pointer=_TEMPLATE_ID,
            remedy=f"Use a custom template of the container m3u8. {_REMEDY}",
        )
    container = str(members(custom.content.get("Container")).get("Format") or "mp4")
    if container.lower() not in ("m3u8", "hls"):
        raise InvalidInputError(
            Code.BOOST_CONTAINER,
            f'{_named(pipeline)} does not take the container "{container}" of the template '
            f'"{template_id}".',
            pointer=_TEMPLATE_ID,
            remedy=f"Use a template of the container m3u8. {_REMEDY}",
        )


def _named(pipeline: PipelineRecord) -> str:
    return f'The pipeline "{pipeline.name}" is a Boost pipeline, which'
