"""The Config of SubmitMediaConvertJob, and the outputs that it asks for.

`wanted_outputs` reads what `ConvertConfig` has checked.

Specification: other_seeds, 2.1. What this version does not do is refused by its name.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter

from workflow_engine.api.ims.inputs import ImsFile, inside, named, validated
from workflow_engine.errors import Code, InvalidInputError, pointer_to
from workflow_engine.jobs.topologies import WantedOutput
from workflow_engine.records import DEFAULT_PRIORITY, Json
from workflow_engine.topology.wire import (
    Choice,
    ClockTime,
    JsonArray,
    JsonObject,
    Number,
    Text,
    WireModel,
)

#: most outputs of one job, as in MPS
MAX_OUTPUTS = 30
#: most watermarks of one output
MAX_WATERMARKS = 4

#: sections of OverrideParams that are sections of an Output, too
_SECTIONS = ("Container", "Video", "Audio", "MuxConfig", "TransConfig")


class NamedInput(WireModel):
    """The file to convert."""

    name: Annotated[str, Text(empty=True)] = ""
    input_file: Annotated[ImsFile, JsonObject]


class TimeSpan(WireModel):
    """Which part of the input is taken. Here `end` is a moment of the input, not of its tail."""

    seek: ClockTime = 0.0
    duration: ClockTime | None = None
    end: ClockTime | None = None


class Clip(WireModel):
    """A part of the input."""

    time_span: Annotated[TimeSpan, JsonObject]


class Watermark(WireModel):
    """A text over the picture; `x` and `y` are its left and top, in pixels."""

    type: Annotated[str, Choice(("Text",), later=("Image",))]
    x: Any = 0
    y: Any = 0
    content: Annotated[str, Text()]
    font_name: Any = None
    font_size: Any = None
    font_color: Any = None
    font_alpha: Any = None
    border_width: Any = None
    border_color: Any = None


class Features(WireModel):
    """What happens to an output beside its encoding."""

    later: ClassVar[frozenset[str]] = frozenset({"Metadata"})

    clip: Annotated[Clip, JsonObject] | None = None
    watermarks: Annotated[tuple[Annotated[Watermark, JsonObject], ...], JsonArray] = ()


class AnyOutput(WireModel):
    """What outputs have in common; parameters of the template are replaced one by one."""

    name: Annotated[str, Text(empty=True)] = ""
    template_id: Annotated[str, Text()]
    priority: Annotated[int, Number(1, 10)] = DEFAULT_PRIORITY
    override_params: Annotated[dict[str, Any], JsonObject] | None = None
    features: Annotated[Features, JsonObject] | None = None


class SingleOutput(AnyOutput):
    """An output that is a file of its own."""

    output_file: Annotated[ImsFile, JsonObject]


class GroupOutput(AnyOutput):
    """An output in the folder of its group."""

    later: ClassVar[frozenset[str]] = frozenset({"HlsGroupConfig"})

    output_file_name: Annotated[str, Text(max_bytes=1023)]


class GroupConfig(WireModel):
    """What a group is, and where its files go."""

    later: ClassVar[frozenset[str]] = frozenset({"ManifestExtend", "ManifestName"})

    type: Annotated[str, Choice(("File",), later=("Hls", "Dash"))]
    output_file_base: Annotated[ImsFile, JsonObject]


class OutputGroup(WireModel):
    """Outputs that lie in one folder."""

    name: Annotated[str, Text(empty=True)] = ""
    group_config: Annotated[GroupConfig, JsonObject]
    outputs: Annotated[tuple[Annotated[GroupOutput, JsonObject], ...], JsonArray]


class ConvertConfig(WireModel):
    """What a job reads and makes."""

    job_name: Annotated[str, Text(max_bytes=64, empty=True)] = ""
    inputs: Annotated[tuple[Annotated[NamedInput, JsonObject], ...], JsonArray]
    outputs: Annotated[tuple[Annotated[SingleOutput, JsonObject], ...], JsonArray] = ()
    output_groups: Annotated[tuple[Annotated[OutputGroup, JsonObject], ...], JsonArray] = Field(
        default=(), alias="OutputGroups"
    )

    def members(self) -> Iterator[tuple[str, AnyOutput]]:
        """Yield every output with its pointer in the Config: single ones, then group by group."""
        for place, output in enumerate(self.outputs):
            yield pointer_to("Outputs", place), output
        for number, group in enumerate(self.output_groups):
            for place, output in enumerate(group.outputs):
                yield pointer_to("OutputGroups", number, "Outputs", place), output


def wanted_outputs(config: ConvertConfig, base: str = "/Config") -> list[WantedOutput]:
    """Return what is to be made, in the order of `ConvertConfig.members`.

    Raises InvalidInputError; its pointer begins with `base`.
    """
    members = list(config.members())
    if len(config.inputs) != 1:
        raise _counted(base + "/Inputs", "inputs", len(config.inputs), "exactly one")
    if not 1 <= len(members) <= MAX_OUTPUTS:
        raise _counted(base + "/Outputs", "outputs", len(members), f"1 to {MAX_OUTPUTS}")
    single = [_single(output, base + pointer) for pointer, output in members[: len(config.outputs)]]
    rest = iter(members[len(config.outputs) :])
    grouped = [
        _in_group(group, output, base, number, next(rest)[0])
        for number, group in enumerate(config.output_groups)
        for output in group.outputs
    ]
    wanted = single + grouped
    first: dict[tuple[str, str], str] = {}
    for one in wanted:
        name = (one.target.bucket, one.target.object)
        if name in first:
            raise InvalidInputError(
                Code.INVALID,
                f'The object "{one.target.object}" is written by another output, too.',
                pointer=one.pointer + one.fields["/OutputObject"],
                remedy=f"Give it another name than that of {first[name]}.",
            )
        first[name] = one.pointer
    return wanted


def _counted(pointer: str, what: str, count: int, allowed: str) -> InvalidInputError:
    return InvalidInputError(
        Code.OUT_OF_RANGE,
        f"The job has {count} {what}.",
        pointer=pointer,
        remedy=f"Give {allowed}.",
    )


def _single(output: AnyOutput, pointer: str) -> WantedOutput:
    assert isinstance(output, SingleOutput)
    target = named(output.output_file, f"{pointer}/OutputFile")
    return WantedOutput(
        target=target,
        output=_parameters(output, pointer),
        pointer=pointer,
        fields={**_FIELDS, "/OutputObject": "/OutputFile/Media"},
    )


def _in_group(
    group: OutputGroup, output: GroupOutput, base: str, number: int, pointer: str
) -> WantedOutput:
    where = f"{base}{pointer_to('OutputGroups', number, 'GroupConfig', 'OutputFileBase')}"
    folder = group.group_config.output_file_base
    target = inside(folder, output.output_file_name.lstrip("/"), where)
    return WantedOutput(
        target=target,
        output=_parameters(output, base + pointer),
        pointer=base + pointer,
        fields={**_FIELDS, "/OutputObject": "/OutputFileName"},
    )


#: where the fields of an Output of Transcode stand in one of IMS
_FIELDS: Mapping[str, str] = {
    **{f"/{name}": f"/OverrideParams/{name}" for name in _SECTIONS},
    "/Audio/Volume": "/OverrideParams/Volume",
    "/Clip": "/Features/Clip",
    "/WaterMarks": "/Features/Watermarks",
}


_SECTION: TypeAdapter[dict[str, Any]] = TypeAdapter(Annotated[dict[str, Any], JsonObject])


def _parameters(output: AnyOutput, pointer: str) -> dict[str, Json]:
    """Return an Output of Transcode without its name. Raises InvalidInputError."""
    asked = dict(output.override_params or {})
    volume = asked.pop("Volume", None)
    for name in asked:
        if name not in _SECTIONS:
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f'The section "{name}" is not supported.',
                pointer=f"{pointer}/OverrideParams/{name}",
                remedy=f"Use {', '.join((*_SECTIONS, 'Volume'))}.",
            )
    if volume:
        where = f"{pointer}/OverrideParams/Audio"
        audio = validated(_SECTION, asked["Audio"], where) if asked.get("Audio") else {}
        asked["Audio"] = {**audio, "Volume": volume}
    made: dict[str, Json] = {"TemplateId": output.template_id, **asked}
    features = output.features
    if features and features.clip:
        made["Clip"] = {"TimeSpan": _time_span(features.clip.time_span, pointer)}
    if features and features.watermarks:
        if len(features.watermarks) > MAX_WATERMARKS:
            raise _counted(
                f"{pointer}/Features/Watermarks",
                "watermarks",
                len(features.watermarks),
                f"at most {MAX_WATERMARKS}",
            )
        made["WaterMarks"] = [_watermark(one) for one in features.watermarks]
    return made


def _time_span(span: TimeSpan, pointer: str) -> dict[str, Json]:
    duration = span.duration
    if span.end is not None:
        duration = span.end - span.seek
        if duration <= 0:
            raise InvalidInputError(
                Code.OUT_OF_RANGE,
                f"The part ends at {span.end:g} s, before it begins at {span.seek:g} s.",
                pointer=f"{pointer}/Features/Clip/TimeSpan/End",
                remedy="Give the moment of the input at which the part ends.",
            )
    given = {"Seek": f"{span.seek:.3f}"}
    return given if duration is None else {**given, "Duration": f"{duration:.3f}"}


def _watermark(mark: Watermark) -> dict[str, Json]:
    text = {
        "Content": base64.b64encode(mark.content.encode()).decode(),
        "Left": mark.x,
        "Top": mark.y,
        "FontName": mark.font_name,
        "FontSize": mark.font_size,
        "FontColor": mark.font_color,
        "FontAlpha": mark.font_alpha,
        "BorderWidth": mark.border_width,
        "BorderColor": mark.border_color,
    }
    kept = {name: value for name, value in text.items() if value not in (None, "")}
    return {"Type": "Text", "TextWaterMark": kept}
