"""Pictures whose size or shape changes in the middle: a turned phone, a broadcast from 4:3 to 16:9.

ffmpeg hands each picture on as it is coded. `steady` brings all of them to the size that the
stream announces before anything else is done: what has another shape stands whole on black. For
pictures that are as announced it costs next to nothing. Specification: transcode, 10 (how parts of
another shape are joined) and 22.4.
"""

from collections.abc import Iterator

from activities.probe import VideoStream

#: opened like this, ffmpeg keeps one graph of filters for all sizes: a new one would count the
#: time from 0 again. Sound is left out, its filters cannot follow a change
OPENED = {"reinit_filter:v": "0"}

#: how far two shapes may be apart and still count as one
_NEAR = 0.01
#: seconds by which the times of frames may be rounded
_ROUNDED = 0.002


def followed(stream: VideoStream) -> bool:
    """Whether changes of a stream's shape can be followed.

    ffmpeg turns pictures upright before its first filter, for one size; pad takes even sides.
    """
    return not (stream.rotation or stream.width % 2 or stream.height % 2)


def steady(
    stream: VideoStream, *, begin: float = 0.0, squeeze: bool = False
) -> Iterator[tuple[str, dict[str, str | int]]]:
    """Yield names and options of the filters that give every picture the announced size.

    A palette with transparent colours becomes RGBA.
    `begin` is the second of the file at which the filters count 0. `squeeze` fills the size,
    whatever becomes of the shape (AdjDarMethod rescale).
    """
    if not followed(stream):
        return
    width, height = stream.width, stream.height
    if stream.colour.alpha and stream.pix_fmt in ("", "pal8"):
        # pad takes no palettes, and what ffmpeg would choose instead is opaque
        yield "format", {"pix_fmts": "rgba"}
    if squeeze:
        yield "scale", {"w": width, "h": height, "interl": -1, "eval": "frame"}
        return
    shape = _shape(stream, begin)
    same = f"eq(iw,{width})*eq(ih,{height})*lt(abs({shape}-{width}/{height}),{_NEAR})"
    wider = f"gt({shape},{width}/{height})"
    inner_width = f"max(2,2*round({height}*{shape}/2))"
    # by four lines, so that those of two fields stay apart
    inner_height = f"max(4,4*round({width}/{shape}/4))"
    yield (
        "scale",
        {
            "w": f"if({same}+{wider},{width},{inner_width})",
            "h": f"if({same},{height},if({wider},{inner_height},{height}))",
            "interl": -1,
            "eval": "frame",
        },
    )
    centre = {"x": "(ow-iw)/2", "y": "2*trunc((oh-ih)/4)"}
    yield "pad", {"w": width, "h": height, **centre, "eval": "frame", "color": "black"}
    yield "setsar", {"sar": f"{stream.sar.numerator}/{stream.sar.denominator}", "max": 65535}


def _shape(stream: VideoStream, begin: float) -> str:
    """Return the expression of width over height, in pixels of the announced shape.

    `dar` knows the size of each picture; ffmpeg gives all pixels the first shape of the stream.
    """
    announced = float(stream.sar)
    shape = "dar" if stream.sar == 1 else f"(dar/{announced:.6f})"
    steps, before = "", announced
    for time, sar in stream.changes:
        step = (float(sar) - before) / announced
        steps += f"{step:+.6f}*gte(t,{time - begin - _ROUNDED:.4f})"
        before = float(sar)
    return f"({shape}*(1{steps}))" if steps else shape
