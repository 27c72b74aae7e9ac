"""OpeningList and TailSlateList: clips over the beginning, and behind the end.

Specification: transcode, 14.
"""

from collections.abc import Iterator
from fractions import Fraction

from activities.objects import object_of
from activities.probe import VideoStream
from activities.transcode.command.filters import Chain, Filter, Input, filter_of
from activities.transcode.command.rendition import Size
from activities.transcode.features.media_facts import MEDIA, media_of
from activities.transcode.model.joined import FULL, OWN, Slate, Tail
from activities.transcode.source.geometry import upright
from activities.transcode.source.scene import Request, Scene, SoundScene
from activities.transcode.source.segments import (
    Piece,
    picture_steps,
    piece_of,
    sound_chain,
    together,
)
from workflow_engine.activity import SideInput, SideInputFacts
from workflow_engine.errors import ActivityError, Code, pointer_to


def slate_reads(request: Request) -> Iterator[SideInput]:
    """Yield the openings and the tails."""
    output = request.settings.output
    yield from (_media(opening.open_url) for opening in output.opening_list or ())
    yield from (_media(tail.tail_url) for tail in output.tail_slate_list or ())


def tails_of(request: Request, rate: Fraction | None) -> tuple[Piece, ...]:
    """Return the tails for an output of this frame rate.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`).
    """
    found: list[Piece] = []
    for n, tail in enumerate(request.settings.output.tail_slate_list or ()):
        at = pointer_to("TailSlateList", n)
        heard = tail.is_merge_audio and request.settings.audio is not None
        piece = _piece(request, tail.tail_url, f"{at}/TailUrl", rate, heard=heard)
        if tail.blend_duration > piece.length:
            raise ActivityError(
                Code.OUT_OF_RANGE,
                f"The BlendDuration {tail.blend_duration:g} is out of range: the tail has "
                f"{piece.length:.3f} seconds.",
                pointer=f"{at}/BlendDuration",
                remedy="Use at most the length of the tail.",
            )
        found.append(piece)
    return tuple(found)


def lay_openings(scene: Scene) -> Iterator[Filter]:
    """Yield the filters that lay openings over the middle of the picture; their sound is not heard.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`, `.OutOfRange`).
    """
    joint, whole = scene.timeline.joint, scene.timeline.duration
    body = float(joint.body) if joint and joint.body is not None else whole
    for n, opening in enumerate(scene.request.settings.output.opening_list or ()):
        at = pointer_to("OpeningList", n)
        piece = _piece(scene.request, opening.open_url, f"{at}/OpenUrl", scene.rate, heard=False)
        assert piece.seconds is not None
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
        start, end = float(begin - half), float(begin + piece.seconds - half)
        # its times count frames
        late = filter_of("setpts", expr=f"PTS+{first}")
        size = _size(opening, piece, scene)
        chain = _picture(piece, scene, size, (*picture_steps(piece), late))
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
    joint = scene.timeline.joint
    if joint is None or not joint.tails:
        return
    assert joint.body is not None
    frames = round(joint.body * scene.rate)
    for tail, piece in zip(_tails(scene.request), joint.tails, strict=True):
        size = _size(tail, piece, scene)
        chain = _picture(piece, scene, size, (*_canvas(tail, size, scene), *picture_steps(piece)))
        blend = min(round(tail.blend_duration * scene.rate), piece.frames)
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
            yield together([chain], picture=True)
        frames += piece.frames


def append_tail_sounds(scene: SoundScene) -> Iterator[Filter]:
    """Yield the filter that appends the tails' sounds, or silence."""
    joint = scene.timeline.joint
    if joint and joint.tails:
        yield together([sound_chain(tail, scene.wanted) for tail in joint.tails], picture=False)


def _tails(request: Request) -> tuple[Tail, ...]:
    return request.settings.output.tail_slate_list or ()


def _media(url: str) -> SideInput:
    return SideInput(ref=object_of(url), kind=MEDIA)


def _piece(
    request: Request, url: str, pointer: str, rate: Fraction | None, *, heard: bool
) -> Piece:
    side: SideInputFacts = request.side[_media(url)]
    media = media_of(side.facts)
    piece = None
    if media.video:
        piece = piece_of(
            media,
            Input(file=side.name),
            video=media.video,
            audio=media.default_audio if heard else None,
            rate=rate,
        )
    if piece is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "{url}" is not supported: it has no video stream.',
            pointer=pointer,
            remedy="Use a clip with a picture.",
        )
    if piece.seconds is None:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "{url}" is not supported: it does not tell its length.',
            pointer=pointer,
            remedy="Remux the file first.",
        )
    return piece


def _size(slate: Slate, piece: Piece, scene: Scene) -> Size:
    """Return the even size of a clip in the picture; what is larger is made to fit, as a whole."""
    assert piece.video is not None
    own = _own(piece.video, scene.sar)
    sides = [
        Fraction(whole) if given == FULL else side if given == OWN else Fraction(given)
        for given, side, whole in zip((slate.width, slate.height), own, scene.size, strict=True)
    ]
    shrink = min(1, *(whole / side for side, whole in zip(sides, scene.size, strict=True)))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in sides)
    return width, height


def _own(stream: VideoStream, sar: Fraction) -> tuple[Fraction, Fraction]:
    source = upright(stream)
    return source.width * source.sar / sar, Fraction(source.height)


def _canvas(tail: Tail, size: Size, scene: Scene) -> tuple[Filter, ...]:
    if size == scene.size:
        return ()
    width, height = scene.size
    left, top = (width - size[0]) // 4 * 2, (height - size[1]) // 4 * 2
    return (filter_of("pad", w=width, h=height, x=left, y=top, color=tail.bg_color),)


def _picture(piece: Piece, scene: Scene, size: Size, steps: tuple[Filter, ...]) -> Chain:
    assert piece.video is not None
    bob = (filter_of("bwdif", mode="send_frame"),) if piece.video.interlaced else ()
    sar = scene.sar
    return Chain(
        input=piece.input,
        stream=str(piece.video.index),
        filters=(
            *bob,
            filter_of("scale", w=size[0], h=size[1]),
            filter_of("setsar", sar=f"{sar.numerator}/{sar.denominator}", max=65535),
            *steps,
        ),
    )
