"""From renditions to ffmpeg commands: pure, nothing runs.

One process opens a source once and feeds every output (`split`); an output in two passes has
two processes of its own, a GIF one. What is copied from files of ours has one, too: `muxing.py`
says which outputs these are.
"""

from collections.abc import Sequence

from activities.ffmpeg import graph
from activities.ffmpeg.graph import GraphOutput, GraphStream
from activities.transcode.command.decode import Decode, RenditionTarget
from activities.transcode.command.encoder import (
    Options,
    audio_options,
    limit_options,
    muxer_options,
    segment_pattern,
    video_options,
)
from activities.transcode.command.filters import Chain, Filter, WorkFile, simple
from activities.transcode.command.muxing import Mux
from activities.transcode.command.rendition import Picture, Rendition, Sound


def commands(source: str, targets: Sequence[RenditionTarget]) -> list[tuple[str, ...]]:
    """Return the commands that make all targets out of the file `source`, in order.

    Raises InstallationError when there is no ffmpeg.
    """
    together = [target for target in targets if not target.rendition.alone]
    argvs = [_one_process(source, together)] if together else []
    for target in targets:
        if target.rendition.twopass:
            argvs += _two_passes(source, target)
        elif target.rendition.alone:
            argvs.append(_one_process(source, [target]))
    return argvs


def mux_command(mux: Mux) -> tuple[str, ...]:
    """Return the command that makes an output of streams that are encoded already."""
    rendition = mux.target.rendition
    options: Options = {}
    # what begins at another time than the rest of the output must not be moved
    opened = {"copyts": None}
    streams: list[GraphStream] = []
    if rendition.picture:
        streams.append(graph.open_input(mux.picture, opened)["v:0"])
        options |= {"c:v": "copy"} | _tag(rendition, rendition.picture)
    if rendition.sound:
        streams.append(graph.open_input(mux.sound, opened)["a:0"])
        options |= {"c:a": "copy"}
    options |= muxer_options(rendition, mux.target.stem) | limit_options(rendition)
    return graph.argv(graph.output(_file(mux.target), streams, options | _metadata(rendition)))


def encoded_picture(source: str, target: RenditionTarget) -> GraphStream:
    """Return the picture of a target as its encoder gets it, decoded for nothing else."""
    picture = target.rendition.picture
    assert picture is not None
    return _picture(Decode(source, [target]), target, picture)


def _one_process(source: str, targets: Sequence[RenditionTarget]) -> tuple[str, ...]:
    decode = Decode(source, targets)
    return graph.argv(*(_output(decode, target) for target in targets))


def _output(decode: Decode, target: RenditionTarget, extra: Options | None = None) -> GraphOutput:
    rendition = target.rendition
    streams: list[GraphStream] = []
    options: Options = extra or {}
    if rendition.picture:
        streams.append(_picture(decode, target, rendition.picture))
        options |= _video(rendition, rendition.picture)
    if rendition.sound:
        sound, more = _sound(decode, target, rendition.sound)
        streams.append(sound)
        options |= more
    options |= muxer_options(rendition, target.stem) | limit_options(rendition)
    if not rendition.copy:
        options |= _metadata(rendition)
    return graph.output(_file(target), streams, options)


def _metadata(rendition: Rendition) -> Options:
    # a phone writes where and with what it recorded; renditions are published
    options: Options = {"map_metadata": "-1"}
    # their titles are metadata too, and mp4 keeps them in a stream of text
    options["map_chapters"] = "-1"
    if rendition.sound:
        # dropped with the rest, and needed by players
        options["metadata:s:a:0"] = f"language={rendition.sound.language}"
    return options


def _two_passes(source: str, target: RenditionTarget) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rendition, log = target.rendition, {"passlogfile": f"{target.stem}-pass"}
    assert rendition.picture is not None
    decode = Decode(source, [target])
    options = _video(rendition, rendition.picture) | limit_options(rendition) | log
    picture = _picture(decode, target, rendition.picture)
    # the first pass only measures
    first = graph.output("-", [picture], options | {"f": "null", "pass": "1"})
    second = _output(decode, target, log | {"pass": "2"})
    return graph.argv(first), graph.argv(second)


def _picture(decode: Decode, target: RenditionTarget, picture: Picture) -> GraphStream:
    head, done = decode.picture(target, picture.stream)
    filters = picture.encoding.filters if picture.encoding else ()
    return _filtered(decode, target, head, filters[done:])


def _sound(decode: Decode, target: RenditionTarget, sound: Sound) -> tuple[GraphStream, Options]:
    head = None if sound.stream is None else decode.sound(target, sound.stream)
    encoding = sound.encoding
    if encoding is None:
        assert head is not None
        return head, {"c:a": "copy"}
    options = audio_options(encoding)
    if head is not None and simple(encoding.filters) and not decode.shares_sound(target):
        return head, options | {"af": ",".join(map(str, encoding.filters))}
    return _filtered(decode, target, head, encoding.filters), options


def _filtered(
    decode: Decode, target: RenditionTarget, head: GraphStream | None, filters: Sequence[Filter]
) -> GraphStream:
    stream = head
    for one in filters:
        others = [_chain(decode, target, chain) for chain in one.others]
        options = {
            key: target.beside(value.name) if isinstance(value, WorkFile) else value
            for key, value in one.options
        }
        if stream is None:
            stream = graph.generate(one.name, options)
        else:
            stream = stream.filter(one.name, others=others, options=options)
    assert stream is not None
    return stream


def _chain(decode: Decode, target: RenditionTarget, chain: Chain) -> GraphStream:
    head = decode.side_input(chain.input, target)[chain.stream] if chain.input else None
    return _filtered(decode, target, head, chain.filters)


def _video(rendition: Rendition, picture: Picture) -> Options:
    if picture.encoding:
        return video_options(picture.encoding, rendition.mode) | _tag(rendition, picture)
    filters: list[str] = []
    if picture.codec == "mpeg4" and rendition.container == "ts":
        # mp4 and mkv have the headers of MPEG-4 apart from the frames, where ts has no place
        filters.append("dump_extra")
    if picture.shown_until is not None:
        filters.append(_shown_until(picture.shown_until))
    return {
        "c:v": "copy",
        **_tag(rendition, picture),
        **({"bsf:v": ",".join(filters)} if filters else {}),
        # else the record of Dolby Vision would be left out
        **({"strict": "unofficial"} if rendition.container == "mp4" else {}),
    }


def _tag(rendition: Rendition, picture: Picture) -> Options:
    # Apple players refuse the default tag hev1
    boxed = rendition.container in ("mp4", "mpd") or rendition.fragmented
    hevc = picture.codec == "hevc" and boxed
    return {"tag:v": "hvc1"} if hevc else {}


def _shown_until(end: float) -> str:
    """Return the filter that shortens the last packets.

    It stands at the output: at the input, ffmpeg 9 loses the packets that wait in it.
    """
    late = f"gt((PTS+DURATION)*TB,{end:.6f})"
    return f"setts=duration='if({late},max({end:.6f}/TB-PTS,1),DURATION)'"


def _file(target: RenditionTarget) -> str:
    if target.rendition.cuts:
        return segment_pattern(target.stem)
    return target.path
