"""One output's settings: its template with the output's own fields laid over it.

`rules/output.py` checks them, `resolve/rendition.py` turns them into numbers for one source.
"""

from collections.abc import Set as Collection
from dataclasses import dataclass
from typing import cast

from pydantic.alias_generators import to_pascal

from activities.templates import Kind, Template
from activities.templates.sections import Audio, MuxConfig, TransConfig, Video, merge
from activities.transcode.model.containers import IMAGE_CODECS, IMAGE_CONTAINERS
from activities.transcode.model.output import TranscodeOutput
from workflow_engine.errors import Code, Problem, Severity
from workflow_engine.topology.wire import WireModel


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """What an output asks for, before the source is known.

    `video` and `audio` are None where the output has no such stream. `copy` means the
    source's packets in another container. `document` means that the template itself is judged,
    so that its fields have pointers of their own.
    """

    output: TranscodeOutput
    template: Template
    container: str
    video: Video | None
    audio: Audio | None
    trans: TransConfig
    mux: MuxConfig
    document: bool = False

    @property
    def copy(self) -> bool:
        """Whether nothing is encoded."""
        return self.template.kind is Kind.REMUX

    def given(self, section: str, name: str) -> bool:
        """Whether the output gives a field itself, so that it is not the template's."""
        model = cast("WireModel | None", getattr(self.output, section))
        return model is not None and name in model.model_fields_set

    def asked(self, section: str) -> Collection[str]:
        """Return the fields of a section that somebody asked for: the output, no preset.

        Where a template itself is judged, they are the template's.
        """
        owner = self.template if self.document else self.output
        model = cast("WireModel | None", getattr(owner, section))
        return model.model_fields_set & set(type(model).model_fields) if model else set[str]()

    def pointer(self, section: str, name: str) -> str:
        """Return where a field comes from, relative to the output: itself or the template."""
        if self.document or self.given(section, name):
            return f"/{to_pascal(section)}/{to_pascal(name)}"
        return "/TemplateId"


def problem(
    code: Code, pointer: str, message: str, remedy: str, severity: Severity = Severity.ERROR
) -> Problem:
    """Return a problem of an output, its pointer relative to it."""
    return Problem(code=code, message=message, pointer=pointer, remedy=remedy, severity=severity)


def settings_of(output: TranscodeOutput, template: Template) -> OutputSettings:
    """Lay the fields of an output over its template (specification, transcode, head)."""
    video = merge(template.video, output.video)
    audio = merge(template.audio, output.audio)
    container = merge(template.container, output.container).format
    if video and video.codec in IMAGE_CODECS:
        # the rates of a preset mean nothing to them
        video = video.model_copy(update=dict.fromkeys(("bitrate", "crf", "maxrate")))
    if container in IMAGE_CONTAINERS:
        audio = None
    return OutputSettings(
        output=output,
        template=template,
        container=container,
        video=None if video is None or video.remove else video,
        audio=None if audio is None or audio.remove else audio,
        trans=merge(template.trans_config, output.trans_config),
        mux=merge(template.mux_config, output.mux_config),
    )


def rate_bounds(settings: OutputSettings) -> tuple[float, float] | None:
    """Return the least and the most average rate of the picture, in kbit/s, or None.

    They are those of the template that an Analysis gave, unless the output makes another picture
    of it than the Analysis judged: with fields of Video, a Clip, or parts before or behind it.
    """
    output = settings.output
    if output.video is not None and output.video.model_fields_set:
        return None
    if output.clip or output.merges or output.opening_list or output.tail_slate_list:
        return None
    return settings.template.rate_bounds
