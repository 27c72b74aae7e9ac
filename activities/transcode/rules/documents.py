"""Custom templates as documents: what is wrong with one is told before an output uses it.

Specification: transcode, 3 to 7; api, 6.
"""

from dataclasses import replace

from pydantic import model_validator

from activities.templates import custom_template
from activities.templates.document import Sections, require
from activities.transcode.model.output import TranscodeOutput
from activities.transcode.model.settings import settings_of
from activities.transcode.rules.output import faults
from workflow_engine.errors import Code, Problem


class CustomTemplate(Sections):
    """A template that an output can use as it stands: `rules` finds no fault with it."""

    @model_validator(mode="after")
    def _holds_together(self) -> "CustomTemplate":
        if self.video is None and self.audio is None:
            nothing = Problem(
                code=Code.NULL_VALUE,
                message="The template has neither Video nor Audio.",
                pointer="/Video",
                remedy="Add Video, Audio or both; {} takes the defaults.",
            )
            require("CustomTemplate", [nothing])
        template = custom_template("", "", self)
        plain = TranscodeOutput.model_validate({"OutputObject": "output", "TemplateId": "template"})
        settings = replace(settings_of(plain, template), document=True)
        require("CustomTemplate", faults(settings))
        return self
