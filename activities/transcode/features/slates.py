"""OpeningList and TailSlateList: clips over the beginning, and behind the end.

Specification: transcode, 14.
"""

from collections.abc import Iterator
from fractions import Fraction

from activities.fields import whole_pictures
from activities.objects import object_of
from activities.probe import VideoStream
from activities.transcode.command.filters import Chain, CommandInput, Filter, filter_of
from activities.transcode.command.rendition import Size
from activities.transcode.features.media_facts import MEDIA, media_of
from activities.transcode.model.joined import FULL, OWN, Slate, TailSlate
from activities.transcode.source.colour import colour_filters, named_colours
from activities.transcode.source.geometry import upright
from activities.transcode.source.scene import OutputRequest, Scene, SoundScene
from activities.transcode.source.segments import (
    MediaSegment,
    concatenation,
    picture_steps,
    segment_of,
    sound_chain,
)
from workflow_engine.activity import SideInput, SideInputFacts
from workflow_engine.errors import ActivityError, Code, pointer_to


def slate_inputs(request: OutputRequest) -> Iterator[SideInput]:
    """Yield the openings and the tails."""
    output = request.settings.output
    yield from (_media(opening.open_url) for opening in output.opening_list or ())
    yield from (_media(tail.tail_url) for tail in output.tail_slate_list or ())


def tails_of(request: OutputRequest, rate: Fraction | None) -> tuple[MediaSegment, ...]:
    """Return the tails for an output of this frame rate.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`).
    """
    tails: list[MediaSegment] = []
    for n, tail in enumerate(request.settings.output.tail_slate_list or ()):
        at = pointer_to("TailSlateList", n)
        heard = tail.is_merge_audio and request.settings.audio is not None
        segment = _segment(request, tail.tail_url, f"{at}/TailUrl", rate, heard=heard)
        if tail.blend_duration > segment.length:
            raise ActivityError(
                Code.OUT_OF_RANGE,
                f"The BlendDuration {tail.blend_duration:g} is out of range: the tail has "
                f"{segment.length:.3f} seconds.",
                pointer=f"{at}/BlendDuration",
                remedy="Use at most the length of the tail.",
            )
        tails.append(segment)
    return tuple(tails)


def lay_openings(scene: Scene) -> Iterator[Filter]:
    """Yield the filters that lay openings over the middle of the picture; their sound is not heard.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`).
    """
    joined, whole = scene.timeline.joined, scene.timeline.duration
    body = float(joined.body) if joined and joined.body is not None else whole
    for n, opening in enumerate(scene.request.settings.output.opening_list or ()):
        at = pointer_to("OpeningList", n)
        segment = _segment(
            scene.request, opening.open_url, f"{at}/OpenUrl", scene.rate, heard=False
        )
        assert segment.seconds is not None
        if body is not None and opening.start >= body:
            raise ActivityError(
                Code.OUT_OF_RANGE,
                f"The Start {opening.start:g} is out of range: the main video has {body:.3f} "
                "seconds.",
                pointer=f"{at}/Start",
                remedy="Choose a start inside the main video.",
            )
        first = round(opening.start * scene.rate)
        begin = first / scene.rate
        # half a frame earlier: times of frames are rounded
        half = 1 / scene.rate / 2
        start, end = float(begin - half), float(begin + segment.seconds - half)
        # its times count frames
        late = filter_of("setpts", expr=f"PTS+{first}")
        size = _size(opening, segment, scene)
        chain = _picture(segment, scene, size, (*picture_steps(segment), late))
        left, top = ((whole - own) // 4 * 2 for whole, own in zip(scene.size, size, strict=True))
        yield filter_of(
            "overlay",
            chain,
            x=left,
            y=top,
            enable=f"gte(t,{start:.6f})*lt(t,{end:.6f})",
            # it must not outlast what it lies on
            eof_action="pass",
            format="auto",
        )


def append_tails(scene: Scene) -> Iterator[Filter]:
    """Yield the filters that append the tails' pictures, or fade over to them."""
    joined = scene.timeline.joined
    if joined is None or not joined.tails:
        return
    assert joined.body is not None
    frames = round(joined.body * scene.rate)
    for tail, segment in zip(_tails(scene.request), joined.tails, strict=True):
        size = _size(tail, segment, scene)
        chain = _picture(
            segment, scene, size, (*_canvas(tail, size, scene), *picture_steps(segment))
        )
        blend = min(round(tail.blend_duration * scene.rate), segment.frames)
        if blend:
            # the last frame is held while it fades; `xfade` needs a rate and one time base
            yield filter_of("tpad", stop_mode="clone", stop=blend)
            yield filter_of("fps", fps=scene.rate)
            yield filter_of(
                "xfade",
                chain,
                transition="fade",
                duration=f"{float(blend / scene.rate):.6f}",
                offset=f"{float(frames / scene.rate):.6f}",
            )
        else:
            yield concatenation([chain], picture=True)
        frames += segment.frames


def append_tail_sounds(scene: SoundScene) -> Iterator[Filter]:
    """Yield the filter that appends the tails' sounds, or silence."""
    joined = scene.timeline.joined
    if joined and joined.tails:
        yield concatenation(
            [sound_chain(tail, scene.encoding) for tail in joined.tails], picture=False
        )


def _tails(request: OutputRequest) -> tuple[TailSlate, ...]:
    return request.settings.output.tail_slate_list or ()


def _media(url: str) -> SideInput:
    return SideInput(ref=object_of(url), kind=MEDIA)


def _segment(
    request: OutputRequest, url: str, pointer: str, rate: Fraction | None, *, heard: bool
) -> MediaSegment:
    side_input: SideInputFacts = request.side_inputs[_media(url)]
    media = media_of(side_input.facts)
    segment = None
    if media.video:
        segment = segment_of(
            media,
            CommandInput(file=side_input.name),
            video=media.video,
            audio=media.default_audio if heard else None,
            rate=rate,
        )
    if segment is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "{url}" is not supported: it has no video stream.',
            pointer=pointer,
            remedy="Use a clip with a picture.",
        )
    if segment.seconds is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "{url}" is not supported: it does not tell its length.',
            pointer=pointer,
            remedy="Remux the file first.",
        )
    return segment


def _size(slate: Slate, segment: MediaSegment, scene: Scene) -> Size:
    """Return the even size of a clip in the picture; what is larger is made to fit, as a whole."""
    assert segment.video is not None
    own = _own(segment.video, scene.sar)
    sides = [
        Fraction(whole) if length == FULL else side if length == OWN else Fraction(length)
        for length, side, whole in zip((slate.width, slate.height), own, scene.size, strict=True)
    ]
    shrink = min(1, *(whole / side for side, whole in zip(sides, scene.size, strict=True)))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in sides)
    return width, height


def _own(stream: VideoStream, sar: Fraction) -> tuple[Fraction, Fraction]:
    source = upright(stream)
    return source.width * source.sar / sar, Fraction(source.height)


def _canvas(tail: TailSlate, size: Size, scene: Scene) -> tuple[Filter, ...]:
    if size == scene.size:
        return ()
    width, height = scene.size
    left, top = (width - size[0]) // 4 * 2, (height - size[1]) // 4 * 2
    return (filter_of("pad", w=width, h=height, x=left, y=top, color=tail.bg_color),)


def _picture(segment: MediaSegment, scene: Scene, size: Size, steps: tuple[Filter, ...]) -> Chain:
    video = scene.request.settings.video
    assert segment.video is not None and video is not None
    first = whole_pictures(segment.video, scene.rate)
    sar = scene.sar
    return Chain(
        input=segment.input,
        stream=str(segment.video.index),
        filters=(
            *named_colours(segment.video),
            *(filter_of(name, **options) for name, options in first),
            filter_of("scale", w=size[0], h=size[1]),
            *colour_filters(video, segment.video, scene.colour),
            filter_of("setsar", sar=f"{sar.numerator}/{sar.denominator}", max=65535),
            *steps,
        ),
    )
