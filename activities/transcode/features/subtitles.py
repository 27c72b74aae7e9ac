"""Subtitle files burnt into the picture. Specification: transcode, 13.

What is drawn is the document that `activities.subtitles` made of a file, by libass, which opens
nothing but that document and the folder of the bundled fonts. Each further file has its lines
above those of the one before.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from activities import fonts
from activities.objects import SOURCE_NAMES, name_faults
from activities.subtitles import SubtitleDocument, SubtitleError, read
from activities.transcode.command.filters import Filter, WorkFile, filter_of
from activities.transcode.model.settings import OutputSettings, problem
from activities.transcode.model.subtitles import ExtSubtitle
from activities.transcode.source.scene import OutputRequest, Scene
from workflow_engine.activity import ActivityContext, SideInput, TemplateLookup
from workflow_engine.errors import ActivityError, Code, Problem, pointer_to
from workflow_engine.records import Json

#: `SideInput.kind` of a subtitle file
SUBTITLES = "subtitles"


def subtitle_faults(settings: OutputSettings, templates: TemplateLookup) -> Iterator[Problem]:
    """Yield what is wrong with the subtitles of an output, pointers relative to it."""
    listed = _listed(settings)
    if listed and settings.video is None:
        yield problem(
            Code.NOT_SUPPORTED,
            "/SubtitleConfig",
            "The output has no picture to burn subtitles into.",
            "Take SubtitleConfig out, or use a template with video.",
        )
    for index, one in enumerate(listed):
        base = _pointer(index)
        yield from name_faults(one.input.object, SOURCE_NAMES, f"{base}/Input/Object")
        yield from fonts.font_faults(one.font_name, f"{base}/FontName")


def _listed(settings: OutputSettings) -> Sequence[ExtSubtitle]:
    config = settings.output.subtitle_config
    return config.ext_subtitle_list if config else ()


def _pointer(index: int) -> str:
    return pointer_to("SubtitleConfig", "ExtSubtitleList", index)


def subtitle_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the subtitle files of an output."""
    for one in _listed(request.settings):
        yield _side_input(request, one)


class SubtitleInput(SideInput):
    """A subtitle file; `query` holds `encoding` and `font`."""

    @property
    def identity(self) -> str:
        """Kind, encoding and font as words, as the content keys of finished steps have them."""
        return f"{self.kind} {self.query['encoding']} {self.query['font']}".rstrip()


def _side_input(request: OutputRequest, one: ExtSubtitle) -> SideInput:
    query: dict[str, Json] = {"encoding": one.char_enc, "font": one.font_name or ""}
    return SubtitleInput(ref=one.input.ref(request.names), kind=SUBTITLES, query=query)


def describe_subtitles(side_input: SideInput, context: ActivityContext) -> Mapping[str, Json]:
    """Return the document of a subtitle file, or what is wrong with it."""
    try:
        return read(
            context.source, side_input.query["encoding"], side_input.query["font"]
        ).to_json()
    except SubtitleError as error:
        return {"fault": str(error)}


def burn_subtitles(scene: Scene) -> Iterator[Filter]:
    """Draw every subtitle file, in the time of the source."""
    taken, (begin, end) = 0.0, _shown(scene)
    for index, one in enumerate(_listed(scene.request.settings)):
        side_input = _side_input(scene.request, one)
        ref, facts = side_input.ref, scene.request.side_inputs[side_input].facts
        if "fault" in facts:
            raise ActivityError(
                Code.RESOURCE_NOT_SUPPORTED,
                f'The subtitle file "{ref.object}" of the bucket "{ref.bucket}" cannot be used: '
                f"{facts['fault']}.",
                pointer=f"{_pointer(index)}/Input",
                remedy="Use an srt or ass file, and its encoding as CharEnc.",
            )
        document = SubtitleDocument.from_json(facts).between(begin, end)
        if document.events:
            fitted = document.fitted(*scene.size)
            yield _burnt(fitted.raised(taken))
            taken += fitted.tall


def _shown(scene: Scene) -> tuple[float, float]:
    """Return where in the source the output begins, and where it leaves it for something else."""
    start, joint = scene.timeline.start, scene.timeline.joined
    if joint is None:
        return start, math.inf
    # a Clip may come behind merging
    begin, end = joint.cut or (Fraction(0), None)
    own = [one for one in (joint.first.seconds, end) if one is not None]
    # half a frame earlier: times of frames are rounded
    return start + float(begin), start + float(min(own) - 1 / scene.rate / 2) if own else math.inf


def _burnt(document: SubtitleDocument) -> Filter:
    text = str(document)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    faces = [
        WorkFile(name=f"{fonts.FOLDER}/{fonts.face_file(face)}", face=face)
        for face in (fonts.SANS, fonts.MONO)
        if face in text
    ]
    return filter_of(
        "ass",
        filename=WorkFile(name=f"subtitles-{digest}.ass", text=text),
        fontsdir=WorkFile(name=fonts.FOLDER, files=tuple(faces)),
    )
