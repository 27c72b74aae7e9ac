"""Templates: the 65 presets of MPS, by id.

`presets.json` holds the numbers (kbit/s, pixels); this module turns a row into the sections that
a transcode starts from. Specification: transcode, 19. Where sections and overrides meet:
`sections.merge`.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from activities.templates.sections import Audio, Container, MuxConfig, TransConfig, Video
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.topology.wire import WireModel


class Kind(StrEnum):
    """What a template does with its source."""

    #: fixed width, height by the source's ratio, fixed bit rates
    STATIC = "static"
    #: another container, the same packets
    REMUX = "remux"
    #: sound only
    AUDIO = "audio"
    #: twice the source's size
    DOUBLING = "doubling"
    #: a capped bit rate at the quality of a higher one
    NARROWBAND = "narrowband"
    #: sections come from the Analysis of the source
    INTELLIGENT = "intelligent"


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template: what an output is when it says nothing else.

    No `video` or `audio` section means an output without that stream. The sections of an
    intelligent template are placeholders until the Analysis result replaces them.
    """

    id: str
    name: str
    kind: Kind
    container: Container
    video: Video | None = None
    audio: Audio | None = None
    trans_config: TransConfig = field(default_factory=lambda: TransConfig())
    mux_config: MuxConfig = field(default_factory=lambda: MuxConfig())


def find(template_id: str) -> Template:
    """Return the template with this id.

    Raises InvalidInputError (`InvalidParameter.TemplateNotFound`) that names the nearest id.
    """
    templates = presets()
    if template_id in templates:
        return templates[template_id]
    named = [t.id for t in templates.values() if t.name == template_id and t.kind is Kind.STATIC]
    near = named or difflib.get_close_matches(template_id, templates, n=1, cutoff=0.8)
    raise InvalidInputError(
        Code.TEMPLATE_NOT_FOUND,
        f'There is no template with the id "{template_id}".',
        remedy=f'Did you mean "{near[0]}"?' if near else "Use the id of a preset template.",
    )


def from_analysis(entry: Mapping[str, Any]) -> Template:
    """Return the template that one item of an Analysis TemplateList describes.

    Specification: analysis, 4. Fields that only answers have (`Video.later`) are passed over.
    Raises ActivityError for an item that is no template, such as one of a size out of range.
    """
    video, audio = _section(entry, "Video"), _section(entry, "Audio")
    try:
        return Template(
            id=entry["Id"],
            name=entry.get("Name", ""),
            kind=Kind.INTELLIGENT,
            container=Container.model_validate(_section(entry, "Container")),
            video=Video.model_validate(_without(video, Video)) if video else None,
            audio=Audio.model_validate(_without(audio, Audio)) if audio else None,
            trans_config=TransConfig.model_validate(_section(entry, "TransConfig")),
            mux_config=MuxConfig.model_validate(_section(entry, "MuxConfig")),
        )
    except ValidationError as error:
        raise _unusable(entry, error) from error


def _section(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return entry.get(name) or {}


def _without(section: Mapping[str, Any], model: type[WireModel]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in model.later}


def _unusable(entry: Mapping[str, Any], error: ValidationError) -> ActivityError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in (error.title, *first["loc"]))
    code = first["type"] if first["type"].startswith(Code.INVALID) else Code.INVALID
    return ActivityError(
        code,
        f'The template "{entry["Id"]}" of the Analysis cannot be used: {place}: {first["msg"]}',
        remedy="Use a static template (S00000001-...) with the fields that you need.",
    )


@cache
def presets() -> dict[str, Template]:
    """Return every preset template by id, in the order of the file."""
    text = resources.files(__name__).joinpath("presets.json").read_text(encoding="utf-8")
    templates = [_template(row) for row in json.loads(text)]
    return {template.id: template for template in templates}


def _template(row: dict[str, Any]) -> Template:
    kind = Kind(row["kind"])
    return Template(
        id=row["id"],
        name=row["name"],
        kind=kind,
        container=Container.model_validate({"Format": row["container"]}),
        video=_video(kind, row),
        audio=_audio(kind, row),
    )


def _video(kind: Kind, row: dict[str, Any]) -> Video | None:
    if kind is Kind.AUDIO:
        return None
    if kind in (Kind.REMUX, Kind.INTELLIGENT):
        return Video()
    # Profile and Preset are left to the codec's defaults: an output may name another codec
    return Video.model_validate({"Width": row["width"], "Bitrate": row["video_kbps"]})


def _audio(kind: Kind, row: dict[str, Any]) -> Audio | None:
    section = {"Bitrate": row["audio_kbps"]} if "audio_kbps" in row else {}
    if kind is Kind.AUDIO:
        section["Codec"] = "MP3"
    return Audio.model_validate(section)
