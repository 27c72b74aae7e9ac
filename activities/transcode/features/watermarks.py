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
    Placement,
    Timeline,
    find_watermark,
    pixels,
)
from activities.transcode.command.filters import (
    Chain,
    Filter,
    Input,
    WorkFile,
    filter_of,
    shown_between,
)
from activities.transcode.command.rendition import Size
from activities.transcode.model.settings import Settings, problem
from activities.transcode.model.watermarks import TextWaterMark, WaterMark
from activities.transcode.source.scene import Request, Scene
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
MARK = "watermark"
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


def watermark_faults(settings: Settings, templates: TemplateLookup) -> Iterator[Problem]:
    """Yield what is wrong with the watermarks of an output, pointers relative to it."""
    marks = settings.output.water_marks or ()
    if marks and settings.video is None:
        yield problem(
            Code.NOT_SUPPORTED,
            "/WaterMarks",
            "The output has no picture to put a watermark on.",
            "Take WaterMarks out, or use a template with video.",
        )
    for index, mark in enumerate(marks):
        base = pointer_to("WaterMarks", index)
        for found in _faults(mark, templates):
            yield replace(found, pointer=base + found.pointer)


def _faults(mark: WaterMark, templates: TemplateLookup) -> Iterator[Problem]:
    try:
        _placement(mark, templates)
    except InvalidInputError as error:
        yield error.problem()
    needed = "text_water_mark" if mark.type == "Text" else "input_file"
    if getattr(mark, needed) is None:
        field = WaterMark.model_fields[needed].alias
        yield problem(
            Code.NULL_VALUE,
            f"/{field}",
            f"A watermark of the type {mark.type} needs {field}.",
            f"Add {field}, or change Type.",
        )
        return
    for name in _MEANINGLESS[mark.type]:
        if name in mark.model_fields_set:
            field = WaterMark.model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{field}",
                f"{field} has no meaning for a watermark of the type {mark.type}.",
                "Take it out; a text has its place and size in TextWaterMark.",
                Severity.WARNING,
            )
    if mark.input_file:
        yield from name_faults(mark.input_file.object, SOURCE_NAMES, "/InputFile/Object")
    if mark.text_water_mark:
        yield from fonts.font_faults(mark.text_water_mark.font_name, "/TextWaterMark/FontName")
        if mark.text_water_mark.border_width > MAX_BORDER:
            yield problem(
                Code.NOT_SUPPORTED,
                "/TextWaterMark/BorderWidth",
                f"The outline is drawn {MAX_BORDER} pixels wide.",
                f"Use at most {MAX_BORDER}.",
                Severity.WARNING,
            )


def _placement(mark: WaterMark, templates: TemplateLookup) -> Placement:
    """Return the template's values with those of the item in their places."""
    template: Placement = Placement()
    if mark.water_mark_template_id:
        template = find_watermark(mark.water_mark_template_id, templates)
    names = mark.model_fields_set & set(Placement.model_fields)
    given: dict[str, object] = {name: getattr(mark, name) for name in names}
    if template.timeline and mark.timeline:
        times = {name: getattr(mark.timeline, name) for name in mark.timeline.model_fields_set}
        given["timeline"] = template.timeline.model_copy(update=times)
    return template.model_copy(update=given)


def read_watermarks(request: Request) -> Iterator[SideInput]:
    """Yield the pictures of an output's watermarks."""
    for mark in request.settings.output.water_marks or ():
        if mark.type == "Image" and mark.input_file:
            yield _side_input(request, mark.input_file)


def _side_input(request: Request, file: ObjectTarget) -> SideInput:
    return SideInput(ref=file.ref(request.names), kind=MARK)


def look_at_mark(wanted: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Return size, stream and kind of a watermark's picture, or what is wrong with it."""
    try:
        if is_png(context.source):
            width, height = png_size(context.source)
            if width * height > MAX_PIXELS:
                return {"fault": f"it has {width}x{height} pixels"}
            return {"stream": 0, "width": width, "height": height, "moving": False}
        media = MediaInfo.parse(probe_json(context.source, cancel=context.cancel))
    except (ValueError, ActivityError) as error:
        said = str(error).partition('"InputFile" ')[2].rstrip(".")
        return {"fault": f"it {said}" if said else str(error)}
    video = media.video
    if video is None or not media.format_name.startswith("mov,") or media.duration == 0:
        return {"fault": f"it is neither PNG nor MOV, but {media.format_name}"}
    width, height = video.display_size
    return {"stream": video.index, "width": width, "height": height, "moving": True}


def draw_watermarks(scene: Scene) -> Iterator[Filter]:
    """Lay every watermark over the picture, the first one lowest."""
    for index, mark in enumerate(scene.request.settings.output.water_marks or ()):
        placement = _placement(mark, scene.request.context.templates)
        if mark.text_water_mark and mark.type == "Text":
            yield _text(mark.text_water_mark, placement.timeline)
        elif mark.input_file:
            yield _image(scene, mark.input_file, placement, pointer_to("WaterMarks", index))


def _text(text: TextWaterMark, timeline: Timeline | None) -> Filter:
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


def _image(scene: Scene, file: ObjectTarget, placement: Placement, pointer: str) -> Filter:
    wanted = _side_input(scene.request, file)
    side = scene.request.side[wanted]
    if "fault" in side.facts:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The watermark "{wanted.ref.object}" of the bucket "{wanted.ref.bucket}" cannot be '
            f"used: {side.facts['fault']}.",
            pointer=f"{pointer}/InputFile",
            remedy="Use a PNG picture or a MOV file.",
        )
    found = (cast("int", side.facts["width"]), cast("int", side.facts["height"]))
    width, height = _sides(placement, scene.size, found, pointer)
    left, top = pixels(placement.dx, scene.size[0]), pixels(placement.dy, scene.size[1])
    filters = [filter_of("scale", w=width, h=height), filter_of("format", pix_fmts="rgba")]
    moving, start = bool(side.facts["moving"]), _start(placement.timeline)
    if moving and start:
        filters.append(filter_of("setpts", expr=f"PTS+{start:.6f}/TB"))
    return filter_of(
        "overlay",
        Chain(
            # a moving one begins again until the picture ends
            input=Input(file=side.name, options=(("stream_loop", "-1"),) if moving else ()),
            stream=str(side.facts["stream"]),
            filters=tuple(filters),
        ),
        x=scene.size[0] - width - left if "Right" in placement.refer_pos else left,
        y=scene.size[1] - height - top if "Bottom" in placement.refer_pos else top,
        # the pixel format of the picture; the default would make 8 bits and 4:2:0 of every one
        format="auto",
        **({"shortest": 1} if moving else {}),
        **_enabled(placement.timeline),
    )


def _sides(placement: Placement, size: Size, found: Size, pointer: str) -> Size:
    """Return width and height on the picture; what is not given follows the ratio of `found`."""
    wide, high = placement.width, placement.height
    if wide is None and high is None:
        wide = DEFAULT_SHARE
    width = max(1, pixels(wide, size[0])) if wide is not None else None
    height = max(1, pixels(high, size[1])) if high is not None else None
    if width is None:
        assert height is not None
        width = max(1, round(height * found[0] / found[1]))
    elif height is None:
        height = max(1, round(width * found[1] / found[0]))
    if max(width, height) > MAX_SIDE:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The watermark would have {width}x{height} pixels: the ratio of its picture is "
            f"{found[0]}:{found[1]}.",
            pointer=f"{pointer}/{'Width' if placement.width is not None else 'Height'}",
            remedy="Give both sides, or a smaller one.",
        )
    return width, height


def _start(timeline: Timeline | None) -> float:
    return float(timeline.start) if timeline else 0.0


def _enabled(timeline: Timeline | None) -> dict[str, str]:
    """Return the option `enable` of the frames in [start, start + duration)."""
    if timeline is None:
        return {}
    start = _start(timeline)
    if timeline.duration == "ToEND":
        return {"enable": shown_between(start, None)} if start else {}
    return {"enable": shown_between(start, start + float(timeline.duration))}
