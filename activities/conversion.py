"""From the colours of one picture to those of another: filters of ffmpeg, by name and options.

Light is converted only where it must be: from HDR, whose highlights are compressed (tone
mapping), and from colours that BT.709 has not. Everything else differs in the matrix and the
range. Specification: transcode, 22.1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from activities.probe import VideoStream
from activities.probe.colour import Colour
from workflow_engine.errors import ActivityError, Code

#: a filter of ffmpeg: its name and its options
Step = tuple[str, Mapping[str, str]]

#: what a web player shows without being told
SDR = Colour(matrix="bt709", transfer="bt709", primaries="bt709")
#: JPEG is BT.601 in full range by definition
JPEG = Colour(matrix="smpte170m", transfer="bt709", primaries="bt709", full=True)

#: candelas per square metre of white in a picture of standard dynamic range (BT.2408)
_WHITE = 203
#: the brightest light of each transfer, in the same unit
_BRIGHTEST = {"PQ": 10_000, "HLG": 1_000}
#: what encoders would write about the light of pictures that have another by then
_HDR_METADATA = (
    *("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DYNAMIC_HDR_PLUS"),
    "AMBIENT_VIEWING_ENVIRONMENT",
)
#: and about those of another size; the base layer does without
_DOLBY_VISION = ("DOVI_METADATA", "DOVI_RPU_BUFFER")
#: matrices that compute alike
_ALIKE = {"bt470bg": "smpte170m"}
#: matrices that `scale` does not compute, so that even a change of size fails
_NOT_FOR_SCALE = frozenset({"bt2020c", "ycgco"})
#: what `colorspace` takes, and is no full range by its name
_PLAIN = "|".join(
    f"yuv{chroma}p{bits}" for bits in ("", "10le", "12le") for chroma in (420, 422, 444)
)
#: what `colorspace` must be told, and what its fast mode does not convert
_NAMES = {"trc": "bt709", "primaries": "bt709", "range": "tv"}


def named(video: VideoStream) -> Iterator[Step]:
    """Yield the filters that say what a stream's pictures mean; they stand before all others.

    A matrix that further filters do not know becomes an ordinary one.
    """
    found = video.colour
    yield "setparams", _tags(found)
    if found.matrix in _NOT_FOR_SCALE:
        yield "zscale", {"m": _usable(found).matrix, "r": "limited"}


def _usable(found: Colour) -> Colour:
    """Return the colours that pictures have behind `named`."""
    if found.matrix not in _NOT_FOR_SCALE:
        return found
    return replace(found, matrix="bt2020nc" if found.wide else "bt709", full=False)


def conversion(video: VideoStream, target: Colour, pix_fmt: str) -> Iterator[Step]:
    """Yield the filters that give pictures behind `named` the colours of `target`, and its tags.

    What is transparent lies on black.

    Raises ActivityError (`InvalidParameter.ResourceNotSupported`) for a stream that only a player
    of Dolby Vision can show.
    """
    if video.tags.hidden:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            'The resource operated "InputFile" is not supported: its picture is Dolby Vision '
            f"profile {video.tags.dolby_vision} without a base layer that other players show.",
            remedy="Export it as HDR10, HLG or SDR, or as Dolby Vision profile 8.",
        )
    found = _usable(video.colour)
    if found.hdr:
        for kind in _DOLBY_VISION if target.hdr else _DOLBY_VISION + _HDR_METADATA:
            yield "sidedata", {"mode": "delete", "type": kind}
    steps = tuple(_steps(found, target))
    yield from steps
    if steps:
        yield "format", {"pix_fmts": pix_fmt}
    if steps or _tags(found) != _tags(target):
        yield "setparams", _tags(target)


def _steps(found: Colour, target: Colour) -> Iterator[Step]:
    """Yield what converts; nothing where nothing differs."""
    if found.alpha:
        yield "format", {"pix_fmts": "gbrap16" if found.deep else "gbrap"}
        yield "premultiply", {"inplace": "1"}
        found = replace(found, matrix="gbr", full=True)
    if needs_light(found, target):
        yield from _light(found)
        found = SDR
    if target.rgb:
        if not found.rgb:
            yield "format", {"pix_fmts": "gbrp"}
    elif found.rgb:
        yield "scale", {"out_color_matrix": target.matrix, **_range(target)}
    elif _ALIKE.get(found.matrix, found.matrix) == _ALIKE.get(target.matrix, target.matrix):
        if found.full is not target.full:
            yield "scale", _range(target)
    else:
        if found.full:
            yield "scale", _range(SDR)
        # the names with a j are of full range, whatever is said of it
        yield "format", {"pix_fmts": _PLAIN}
        # computes the matrix from YUV to YUV; `scale` would go by RGB of 8 bits
        yield "colorspace", {**_NAMES, "space": target.matrix, "fast": "1"}
        if target.full:
            yield "scale", _range(target)


def _range(colour: Colour) -> Mapping[str, str]:
    # without the flag, pure colours are up to three steps off
    return {"out_range": "full" if colour.full else "limited", "flags": "accurate_rnd"}


def needs_light(found: Colour, target: Colour) -> bool:
    """Whether more differs than matrix and range, so that light itself is converted."""
    brighter, wider = found.hdr and not target.hdr, found.wide and not target.wide
    return bool(brighter or wider)


def _light(found: Colour) -> Iterator[Step]:
    """From linear light to BT.709."""
    yield "zscale", {"t": "linear", "npl": str(_WHITE)}
    yield "format", {"pix_fmts": "gbrpf32le"}
    yield "zscale", {"p": "bt709"}
    if found.hdr:
        # keeps the colours of what is not brighter than white, and compresses the rest; the
        # brightest light that there can be is named, so that no metadata changes the picture
        peak = _BRIGHTEST[found.hdr] / _WHITE
        yield "tonemap", {"tonemap": "mobius", "desat": "0", "peak": f"{peak:.3f}"}
    yield "zscale", {"t": "bt709", "m": "bt709", "r": "limited"}


def _tags(colour: Colour) -> Mapping[str, str]:
    return {
        "colorspace": colour.matrix,
        "color_trc": colour.transfer,
        "color_primaries": colour.primaries,
        "range": "full" if colour.full else "limited",
    }


def told(video: VideoStream, target: Colour) -> Iterator[tuple[str, str]]:
    """Yield what the user should know of a conversion: a sentence, and what to do about it."""
    if video.contradiction:
        yield (
            f"The colour tags of the source contradict each other: {video.contradiction}. What "
            "they cannot mean is replaced by what is usual for the size of the picture.",
            "Set the right tags in the source, if the colours come out wrong.",
        )
    if video.colour.hdr and not target.hdr:
        yield (
            f"The source is HDR ({video.colour.hdr}), and its picture is tone-mapped to SDR.",
            'Use Hdr "Keep" with H.265 or AV1 and PixFmt yuv420p10le, to keep HDR.',
        )
