"""From renditions to ffmpeg commands, as graphs of ffmpeg-python: pure, nothing runs.

One process reads the source once and feeds every output (`split`); an output in two passes has
two processes of its own. The only module here that touches ffmpeg-python, which has no types.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from activities.ffmpeg import argv, input_options
from activities.transcode.encoder import (
    Options,
    audio_options,
    limit_options,
    muxer_options,
    segment_pattern,
    video_options,
)
from activities.transcode.rendition import Rendition

#: a stream or an output of ffmpeg-python
Node = Any


@dataclass(frozen=True, kw_only=True)
class Target:
    """A rendition and where its files go: `stem` is their path without suffix."""

    rendition: Rendition
    stem: str

    @property
    def path(self) -> str:
        """The file; of an HLS output, the playlist."""
        return f"{self.stem}.{self.rendition.container}"


def commands(source: str, targets: Sequence[Target]) -> list[tuple[str, ...]]:
    """Return the commands that make all targets out of the file `source`, in order.

    Raises InstallationError when there is no ffmpeg.
    """
    together = [target for target in targets if not target.rendition.twopass]
    alone = [target for target in targets if target.rendition.twopass]
    found = [_one_process(source, together)] if together else []
    return found + [command for target in alone for command in _two_passes(source, target)]


def _one_process(source: str, targets: Sequence[Target]) -> tuple[str, ...]:
    origin = ffmpeg.input(f"file:{source}", **input_options())
    encoded = [t for t in targets if t.rendition.picture and t.rendition.picture.encoding]
    # one decoder for all: every branch of the split gets each frame
    branches: Node = None
    if len(encoded) > 1:
        branches = _picture(origin, encoded[0].rendition).split()
    outputs: list[Node] = []
    for target in targets:
        branch = (
            branches[encoded.index(target)] if branches is not None and target in encoded else None
        )
        outputs.append(_output(origin, branch, target))
    return argv(ffmpeg.merge_outputs(*outputs))


def _output(origin: Node, branch: Node, target: Target, extra: Options | None = None) -> Node:
    rendition = target.rendition
    streams: list[Node] = []
    options: Options = extra or {}
    if rendition.picture:
        streams.append(_filtered(origin, branch, rendition))
        options |= _video(rendition)
    if rendition.sound:
        # sound needs no split: each output has an encoder and a filter chain of its own anyway
        streams.append(origin[str(rendition.sound.stream)])
        encoding = rendition.sound.encoding
        options |= audio_options(encoding) if encoding else {"c:a": "copy"}
    options |= muxer_options(rendition, target.stem) | limit_options(rendition)
    if not rendition.copy:
        # a phone writes where and with what it recorded; renditions are published
        options["map_metadata"] = "-1"
        # their titles are metadata too, and mp4 keeps them in a stream of text
        options["map_chapters"] = "-1"
        if rendition.sound:
            # dropped with the rest, and needed by players
            options["metadata:s:a:0"] = f"language={rendition.sound.language}"
    return ffmpeg.output(*streams, _file(target), **options)


def _two_passes(source: str, target: Target) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rendition, log = target.rendition, {"passlogfile": f"{target.stem}-pass"}
    origin = ffmpeg.input(f"file:{source}", **input_options())
    options = _video(rendition) | limit_options(rendition) | log
    # the first pass only measures
    first = ffmpeg.output(
        _filtered(origin, None, rendition), "-", **(options | {"f": "null", "pass": "1"})
    )
    second = _output(origin, None, target, log | {"pass": "2"})
    return argv(first), argv(second)


def _picture(origin: Node, rendition: Rendition) -> Node:
    assert rendition.picture is not None
    # by index: the first video stream may be a cover picture
    return origin[str(rendition.picture.stream)]


def _filtered(origin: Node, branch: Node, rendition: Rendition) -> Node:
    picture = rendition.picture
    assert picture is not None
    stream: Node = branch if branch is not None else _picture(origin, rendition)
    for step in picture.encoding.filters if picture.encoding else ():
        stream = stream.filter(step.name, **dict(step.options))
    return stream


def _video(rendition: Rendition) -> Options:
    picture = rendition.picture
    assert picture is not None
    if picture.encoding:
        return video_options(picture.encoding, rendition.mode, rendition.container)
    hevc = picture.codec == "hevc" and rendition.container == "mp4"
    return {"c:v": "copy", **({"tag:v": "hvc1"} if hevc else {})}


def _file(target: Target) -> str:
    if target.rendition.cuts:
        return segment_pattern(target.stem)
    return target.path
