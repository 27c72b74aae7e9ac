"""One output's settings: its template with the output's own fields laid over it.

`rules.py` checks them, `resolve.py` turns them into numbers for one source.
"""

from dataclasses import dataclass
from typing import cast

from pydantic.alias_generators import to_pascal

from activities.templates import Kind, Template
from activities.templates.sections import Audio, Segment, TransConfig, Video, merge
from activities.transcode.parameters import Output
from workflow_engine.errors import Code, Problem, Severity
from workflow_engine.topology.wire import WireModel

#: containers that hold sound only
AUDIO_CONTAINERS = frozenset({"mp3", "m4a"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an output asks for, before the source is known.

    `video` and `audio` are None where the output shall not have that stream. `copy` means the
    source's packets in another container.
    """

    output: Output
    template: Template
    container: str
    video: Video | None
    audio: Audio | None
    trans: TransConfig
    segment: Segment

    @property
    def copy(self) -> bool:
        """Whether nothing is encoded."""
        return self.template.kind is Kind.REMUX

    def pointer(self, section: str, name: str) -> str:
        """Return where a field comes from, relative to the output: itself or the template."""
        given = cast("WireModel | None", getattr(self.output, section))
        if given is None or name not in given.model_fields_set:
            return "/TemplateId"
        return f"/{to_pascal(section)}/{to_pascal(name)}"


def problem(
    code: Code, pointer: str, message: str, remedy: str, severity: Severity = Severity.ERROR
) -> Problem:
    """Return a problem of an output, its pointer relative to it."""
    return Problem(code=code, message=message, pointer=pointer, remedy=remedy, severity=severity)


def settings_of(output: Output, template: Template) -> Settings:
    """Lay the fields of an output over its template (specification, transcode, head)."""
    video = merge(template.video, output.video)
    audio = merge(template.audio, output.audio)
    return Settings(
        output=output,
        template=template,
        container=merge(template.container, output.container).format,
        video=None if video is None or video.remove else video,
        audio=None if audio is None or audio.remove else audio,
        trans=merge(template.trans_config, output.trans_config),
        segment=merge(template.mux_config, output.mux_config).segment,
    )
