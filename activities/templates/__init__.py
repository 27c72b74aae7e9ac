"""Templates by id: the 65 presets of MPS and the custom ones that a lookup knows.

`presets.json` holds the numbers (kbit/s, pixels); this module turns a row into the sections that
a transcode starts from. `document.py` reads those of custom templates. Specification: transcode,
19; api, 6. Where sections and overrides meet: `sections.merge`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, cast

from pydantic import ValidationError

from activities.templates.document import Sections
from activities.templates.nearest import nearest
from activities.templates.sections import Audio, Container, MuxConfig, TransConfig, Video
from workflow_engine.activity import TemplateLookup, no_templates
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.records import Json
from workflow_engine.topology.wire import WireModel


class Kind(StrEnum):
    """What a template does with its source."""

    #: fixed width, height by the source's ratio, fixed bit rates
    STATIC = "static"
    #: another container, the same packets
    REMUX = "remux"
    #: sound only
    AUDIO = "audio"
    #: twice the source's size, up to a width
    DOUBLING = "doubling"
    #: constant quality under a maximum bit rate
    NARROWBAND = "narrowband"
    #: sections come from the Analysis of the source
    INTELLIGENT = "intelligent"
    #: sections as a user gave them
    CUSTOM = "custom"


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template: what an output is when it says nothing else.

    No `video` or `audio` section means an output without that stream. The sections of an
    intelligent template are placeholders until the Analysis result replaces them. `rate_bounds`
    are the least and the most average rate of its picture, in kbit/s (BitrateBnd).
    """

    id: str
    name: str
    kind: Kind
    container: Container
    video: Video | None = None
    audio: Audio | None = None
    trans_config: TransConfig = field(default_factory=lambda: TransConfig())
    mux_config: MuxConfig = field(default_factory=lambda: MuxConfig())
    rate_bounds: tuple[float, float] | None = None


def find(template_id: str, custom: TemplateLookup = no_templates) -> Template:
    """Return the template with this id, a preset or one that `custom` knows.

    Raises InvalidInputError, its pointer relative to an output: `InvalidParameter.TemplateNotFound`
    that names the nearest preset, or what is wrong with the sections of a custom template.
    """
    templates = presets()
    if template_id in templates:
        return templates[template_id]
    document = custom(template_id)
    # a Config: that of a watermark
    if document is not None and "Config" not in document:
        return _custom(template_id, document)
    raise InvalidInputError(
        Code.TEMPLATE_NOT_FOUND,
        f'There is no template with the id "{template_id}".',
        pointer="/TemplateId",
        remedy=nearest(
            template_id,
            {known.id: known.name for known in templates.values()},
            [known.id for known in templates.values() if known.kind is Kind.STATIC],
        )
        or "Use the id of a preset (mediaflow template list --presets), or of a custom template "
        "that is not deleted.",
    )


def custom_template(template_id: str, name: str, sections: Sections) -> Template:
    """Return the template of a user's sections."""
    return _of(template_id, name, Kind.CUSTOM, sections)


def _custom(template_id: str, document: Mapping[str, Json]) -> Template:
    named = f'The custom template "{template_id}" cannot be used'
    try:
        sections = Sections.model_validate({k: v for k, v in document.items() if k != "Name"})
    except ValidationError as error:
        code, message = _first_fault(error)
        remedy = "Update the template, or use another one."
        raise InvalidInputError(
            code, f"{named}: {message}", pointer="/TemplateId", remedy=remedy
        ) from error
    return custom_template(template_id, document.get("Name", ""), sections)


def from_analysis(entry: Mapping[str, Any]) -> Template:
    """Return the template that one item of an Analysis TemplateList describes.

    Specification: analysis, 4. Fields that only answers have (`Video.echoed`) are passed over.
    Raises ActivityError for an item that is not valid, such as one of a size out of range.
    """
    answers = {"Video": Video.echoed, "Audio": Audio.echoed}
    own_sections = {
        name: {k: v for k, v in entry[name].items() if k not in echoed}
        for name, echoed in answers.items()
        if entry.get(name)
    }
    try:
        sections = Sections.model_validate({**entry, **own_sections})
    except ValidationError as error:
        code, message = _first_fault(error)
        raise ActivityError(
            code,
            f'The template "{entry["Id"]}" of the Analysis cannot be used: {message}',
            remedy="Use a static template (S00000001-...) with the fields that you need.",
        ) from error
    template = _of(entry["Id"], entry.get("Name", ""), Kind.INTELLIGENT, sections)
    video = cast("Mapping[str, Any]", entry.get("Video") or {})
    bounds = cast("Mapping[str, Any]", video.get("BitrateBnd") or {})
    if not bounds:
        return template
    return replace(template, rate_bounds=(float(bounds["Min"]), float(bounds["Max"])))


def _of(template_id: str, name: str, kind: Kind, sections: Sections) -> Template:
    return Template(
        id=template_id,
        name=name,
        kind=kind,
        container=sections.container,
        video=sections.video,
        audio=sections.audio,
        trans_config=sections.trans_config,
        mux_config=sections.mux_config,
    )


def _first_fault(error: ValidationError) -> tuple[str, str]:
    """Return code and words of the first thing that is wrong with a template's sections."""
    first = error.errors(include_url=False)[0]
    code = first["type"] if first["type"].startswith(Code.INVALID) else Code.INVALID
    return code, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


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
    if kind in (Kind.DOUBLING, Kind.NARROWBAND):
        # the documents give a maximum only: constant quality under it, over two seconds
        rate = row["video_kbps"]
        slow = {"Preset": "slow"} if kind is Kind.NARROWBAND else {}
        capped = {"Maxrate": rate, "Bufsize": max(1000, 2 * rate)}
        return Video.model_validate({"Width": row["width"], **capped, **slow})
    # Profile and Preset are left to the codec's defaults: an output may name another codec
    return Video.model_validate({"Width": row["width"], "Bitrate": row["video_kbps"]})


def _audio(kind: Kind, row: dict[str, Any]) -> Audio | None:
    section = {"Bitrate": row["audio_kbps"]} if "audio_kbps" in row else {}
    if kind is Kind.AUDIO:
        section["Codec"] = "MP3"
    return Audio.model_validate(section)


def wire_form(template: Template) -> dict[str, Json]:
    """Return the Name and the sections of a preset as answers write them, all values strings.

    Only what the preset fixes is in it; the sections of remux and intelligent ones are empty.
    """
    sections: dict[str, WireModel | None] = {
        "Container": template.container,
        "Video": template.video,
        "Audio": template.audio,
    }
    encoded = template.kind not in (Kind.REMUX, Kind.INTELLIGENT)
    return {"Name": template.name} | {
        name: _strings(section, encoded) for name, section in sections.items() if section
    }


def _strings(section: WireModel, encoded: bool) -> dict[str, str]:
    fields = section.model_dump(by_alias=True, exclude_unset=True)
    if encoded and isinstance(section, Video | Audio):
        fields = {"Codec": section.codec} | fields
    return {name: f"{v:g}" if isinstance(v, float) else str(v) for name, v in fields.items()}
