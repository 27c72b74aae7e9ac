"""The five sections of a template as one JSON document: custom templates, items of an Analysis.

Specification: api, 6 (what an absent section means); analysis, 4.
"""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from activities.templates.sections import Audio, Container, MuxConfig, TransConfig, Video
from workflow_engine.errors import Problem, Severity
from workflow_engine.topology import key_problems
from workflow_engine.topology.wire import JsonObject, WireModel, wire_error


class TemplateDocument(WireModel):
    """Base of documents that stand alone: what this version refuses (`later`) is an error."""

    @model_validator(mode="after")
    def _refuse_later(self) -> Self:
        require(type(self).__name__, key_problems(self))
        return self


class Sections(TemplateDocument):
    """The sections of a template. No Video or Audio: an output without that stream."""

    container: Annotated[Container, JsonObject] = Field(default_factory=lambda: Container())
    video: Annotated[Video, JsonObject] | None = None
    audio: Annotated[Audio, JsonObject] | None = None
    trans_config: Annotated[TransConfig, JsonObject] = Field(default_factory=lambda: TransConfig())
    mux_config: Annotated[MuxConfig, JsonObject] = Field(default_factory=lambda: MuxConfig())


def require(title: str, problems: Iterable[Problem]) -> None:
    """Raise a ValidationError with the errors among `problems`, each at its pointer, if any."""
    errors = [
        InitErrorDetails(
            type=wire_error(problem.code, problem.message, problem.remedy),
            loc=tuple(problem.pointer.split("/")[1:]),
            input=None,
        )
        for problem in problems
        if problem.severity is Severity.ERROR
    ]
    if errors:
        raise ValidationError.from_exception_data(title, errors)
