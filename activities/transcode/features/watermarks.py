"""Watermarks: pictures and texts over the video. Specification: transcode, 9.

An image is an input of its own, scaled and laid over; a text is written to a file that
`drawtext` reads, so that nothing of it is ever part of a filter.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from activities import fonts
from activities.ffmpeg import MAX_PIXELS, probe_json
from activities.objects import SOURCE_NAMES, ObjectTarget, name_faults
from activities.probe import MediaInfo
from activities.probe.png import is_png, png_size
from activities.templates.watermark import (
    WatermarkPlacement,
    WatermarkTimeline,
    find_watermark,
    pixels,
)
from activities.transcode.command.filters import (
    Chain,
    CommandInput,
    Filter,
    WorkFile,
    filter_of,
    shown_between,
)
from activities.transcode.command.rendition import Size
from activities.transcode.model.settings import OutputSettings, problem
from activities.transcode.model.watermarks import TextWaterMark, WaterMark
from activities.transcode.source.scene import OutputRequest, Scene
from workflow_engine.activity import ActivityContext, SideInput, TemplateLookup
from workflow_engine.errors import (
    ActivityError,
    Code,
    InvalidInputError,
    Problem,
    Severity,
    pointer_to,
)
from workflow_engine.records import Json

#: `SideInput.kind` of a watermark's picture
WATERMARK = "watermark"
#: width without any side given, as a share of the output's
DEFAULT_SHARE = "0.12"
#: pixels; a ratio may ask for more than anybody wants to see
MAX_SIDE = 8192
#: pixels; a wider outline would hold megabytes for each character
MAX_BORDER = 256

#: by type: fields that have no effect
_MEANINGLESS = {
    "Text": ("input_file", "width", "height", "dx", "dy", "refer_pos"),
    "Image": ("text_water_mark",),
}


def watermark_faults(settings: OutputSettings, templates: TemplateLookup) -> Iterator[Problem]:
    """Yield what is wrong with the watermarks of an output, pointers relative to it."""
    watermarks = settings.output.water_marks or ()
    if watermarks and settings.video is None:
        yield problem(
            Code.NOT_SUPPORTED,
            "/WaterMarks",
            "The output has no picture to put a watermark on.",
            "Take WaterMarks out, or use a template with video.",
        )
    for index, watermark in enumerate(watermarks):
        base = pointer_to("WaterMarks", index)
        for fault in _faults(watermark, templates):
            yield replace(fault, pointer=base + fault.pointer)


def _faults(watermark: WaterMark, templates: TemplateLookup) -> Iterator[Problem]:
    try:
        _placement(watermark, templates)
    except InvalidInputError as error:
        yield error.problem()
    needed = "text_water_mark" if watermark.type == "Text" else "input_file"
    if getattr(watermark, needed) is None:
        field = WaterMark.model_fields[needed].alias
        yield problem(
            Code.NULL_VALUE,
            f"/{field}",
            f"A watermark of the type {watermark.type} needs {field}.",
            f"Add {field}, or change Type.",
        )
        return
    for name in _MEANINGLESS[watermark.type]:
        if name in watermark.model_fields_set:
            field = WaterMark.model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{field}",
                f"{field} has no meaning for a watermark of the type {watermark.type}.",
                "Take it out; a text has its place and size in TextWaterMark.",
                Severity.WARNING,
            )
    if watermark.input_file:
        yield from name_faults(watermark.input_file.object, SOURCE_NAMES, "/InputFile/Object")
    if watermark.text_water_mark:
        yield from fonts.font_faults(watermark.text_water_mark.font_name, "/TextWaterMark/FontName")
        if watermark.text_water_mark.border_width > MAX_BORDER:
            yield problem(
                Code.NOT_SUPPORTED,
                "/TextWaterMark/BorderWidth",
                f"The outline is drawn {MAX_BORDER} pixels wide.",
                f"Use at most {MAX_BORDER}.",
                Severity.WARNING,
            )


def _placement(watermark: WaterMark, templates: TemplateLookup) -> WatermarkPlacement:
    """Return the template's values with those of the item in their places."""
    template: WatermarkPlacement = WatermarkPlacement()
    if watermark.water_mark_template_id:
        template = find_watermark(watermark.water_mark_template_id, templates)
    names = watermark.model_fields_set & set(WatermarkPlacement.model_fields)
    update: dict[str, object] = {name: getattr(watermark, name) for name in names}
    if template.timeline and watermark.timeline:
        times = {
            name: getattr(watermark.timeline, name) for name in watermark.timeline.model_fields_set
        }
        update["timeline"] = template.timeline.model_copy(update=times)
    return template.model_copy(update=update)


def watermark_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the pictures of an output's watermarks."""
    for watermark in request.settings.output.water_marks or ():
        if watermark.type == "Image" and watermark.input_file:
            yield _side_input(request, watermark.input_file)


def _side_input(request: OutputRequest, file: ObjectTarget) -> SideInput:
    return SideInput(ref=file.ref(request.names), kind=WATERMARK)


def describe_watermark(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Return size, stream and kind of a watermark's picture, or what is wrong with it."""
    try:
        if is_png(context.source):
            width, height = png_size(context.source)
            if width * height > MAX_PIXELS:
                return {"fault": f"it has {width}x{height} pixels"}
            return {"stream": 0, "width": width, "height": height, "moving": False}
        media = MediaInfo.parse(probe_json(context.source, cancel=context.cancel))
    except (ValueError, ActivityError) as error:
        reason = str(error).partition('"InputFile" ')[2].rstrip(".")
        return {"fault": f"it {reason}" if reason else str(error)}
    video = media.video
    if video is None or not media.format_name.startswith("mov,") or media.duration == 0:
        return {"fault": f"it is neither PNG nor MOV, but {media.format_name}"}
    width, height = video.display_size
    return {"stream": video.index, "width": width, "height": height, "moving": True}


def draw_watermarks(scene: Scene) -> Iterator[Filter]:
    """Lay every watermark over the picture, the first one lowest."""
    for index, watermark in enumerate(scene.request.settings.output.water_marks or ()):
        placement = _placement(watermark, scene.request.context.templates)
        if watermark.text_water_mark and watermark.type == "Text":
            yield _text(watermark.text_water_mark, placement.timeline)
        elif watermark.input_file:
            yield _image(scene, watermark.input_file, placement, pointer_to("WaterMarks", index))


def _text(text: TextWaterMark, timeline: WatermarkTimeline | None) -> Filter:
    face = fonts.face_of(text.font_name)
    digest = hashlib.sha256(text.content.encode()).hexdigest()[:16]
    return filter_of(
        "drawtext",
        textfile=WorkFile(name=f"text-{digest}.txt", text=text.content),
        # a percent sign is a percent sign
        expansion="none",
        fontfile=WorkFile(name=f"{fonts.FOLDER}/{fonts.face_file(face)}", face=face),
        fontsize=text.font_size,
        fontcolor=f"{text.font_color}@{text.font_alpha:g}",
        x=text.left,
        y=text.top,
        borderw=min(text.border_width, MAX_BORDER),
        bordercolor=f"{text.border_color}@{text.font_alpha:g}",
        **_enabled(timeline),
    )


def _image(scene: Scene, file: ObjectTarget, placement: WatermarkPlacement, pointer: str) -> Filter:
    side_input = _side_input(scene.request, file)
    ref, described = side_input.ref, scene.request.side_inputs[side_input]
    facts = described.facts
    if "fault" in facts:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The watermark "{ref.object}" of the bucket "{ref.bucket}" cannot be used: '
            f"{facts['fault']}.",
            pointer=f"{pointer}/InputFile",
            remedy="Use a PNG picture or a MOV file.",
        )
    picture_size = (cast("int", facts["width"]), cast("int", facts["height"]))
    width, height = _sides(placement, scene.size, picture_size, pointer)
    left, top = pixels(placement.dx, scene.size[0]), pixels(placement.dy, scene.size[1])
    filters = [filter_of("scale", w=width, h=height), filter_of("format", pix_fmts="rgba")]
    moving, start = bool(facts["moving"]), _start(placement.timeline)
    if moving and start:
        filters.append(filter_of("setpts", expr=f"PTS+{start:.6f}/TB"))
    return filter_of(
        "overlay",
        Chain(
            # a moving one begins again until the picture ends
            input=CommandInput(
                file=described.name, options=(("stream_loop", "-1"),) if moving else ()
            ),
            stream=str(facts["stream"]),
            filters=tuple(filters),
        ),
        x=scene.size[0] - width - left if "Right" in placement.refer_pos else left,
        y=scene.size[1] - height - top if "Bottom" in placement.refer_pos else top,
        # the pixel format of the picture; the default would make 8 bits and 4:2:0 of every one
        format="auto",
        **({"shortest": 1} if moving else {}),
        **_enabled(placement.timeline),
    )


def _sides(placement: WatermarkPlacement, size: Size, picture_size: Size, pointer: str) -> Size:
    """Return width and height on the picture; a missing one follows from `picture_size`."""
    wide, high = placement.width, placement.height
    if wide is None and high is None:
        wide = DEFAULT_SHARE
    width = max(1, pixels(wide, size[0])) if wide is not None else None
    height = max(1, pixels(high, size[1])) if high is not None else None
    if width is None:
        assert height is not None
        width = max(1, round(height * picture_size[0] / picture_size[1]))
    elif height is None:
        height = max(1, round(width * picture_size[1] / picture_size[0]))
    if max(width, height) > MAX_SIDE:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The watermark would have {width}x{height} pixels: the ratio of its picture is "
            f"{picture_size[0]}:{picture_size[1]}.",
            pointer=f"{pointer}/{'Width' if placement.width is not None else 'Height'}",
            remedy="Give both sides, or a smaller one.",
        )
    return width, height


def _start(timeline: WatermarkTimeline | None) -> float:
    return float(timeline.start) if timeline else 0.0


def _enabled(timeline: WatermarkTimeline | None) -> dict[str, str]:
    """Return the option `enable` of the frames in [start, start + duration)."""
    if timeline is None:
        return {}
    start = _start(timeline)
    if timeline.duration == "ToEND":
        return {"enable": shown_between(start, None)} if start else {}
    return {"enable": shown_between(start, start + float(timeline.duration))}
