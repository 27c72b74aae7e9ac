"""Graphs of ffmpeg commands, typed: the only module that knows ffmpeg-python, which has no types.

A command is opened inputs, filters behind their streams, and outputs; `argv` writes it down with
every guard of `flags.py`. Values of options are written with `str`; None is an option without one.

>>> picture = open_input("source.mp4")["v:0"].filter("scale", w=640, h=-2)
>>> argv(output("out.mp4", [picture], {"c:v": "libx264"}))[-5:]
('-map', '[s0]', '-c:v', 'libx264', 'out.mp4')
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg
from ffmpeg.nodes import FilterableStream, FilterNode, InputNode

from activities.ffmpeg.flags import GLOBAL_FLAGS, input_guards
from activities.ffmpeg.tools import ffmpeg_path


@dataclass(frozen=True, slots=True, eq=False)
class GraphStream:
    """A stream of an input, or what comes out of a filter; `node` is for this module only."""

    node: Any

    def __getitem__(self, selector: str) -> "GraphStream":
        """Return one stream of an input: its index, `v:0` or `a`."""
        return GraphStream(self.node[selector])

    def filter(
        self,
        name: str,
        *arguments: object,
        others: Sequence["GraphStream"] = (),
        options: Mapping[str, object] | None = None,
        **more: object,
    ) -> "GraphStream":
        """Return the stream behind a filter; `others` are its further inputs."""
        streams = [self.node, *(other.node for other in others)]
        return GraphStream(ffmpeg.filter(streams, name, *arguments, **(options or {}), **more))

    def chain(self, steps: Iterable[tuple[str, Mapping[str, object]]]) -> "GraphStream":
        """Return the stream behind a line of filters, by name and options."""
        stream = self
        for name, options in steps:
            stream = stream.filter(name, options=options)
        return stream

    def split(self, count: int, *, sound: bool = False) -> list["GraphStream"]:
        """Return the stream `count` times."""
        if count == 1:
            return [self]
        branches = ffmpeg.filter_multi_output(self.node, "asplit" if sound else "split")
        return [GraphStream(branches[number]) for number in range(count)]


@dataclass(frozen=True, slots=True, eq=False)
class GraphOutput:
    """One file that a command writes; `node` is for this module only."""

    node: Any


class _SourceNode(FilterNode):
    """A filter without inputs; ffmpeg-python has none."""

    def __init__(self, name: str, options: Mapping[str, object]) -> None:
        super(FilterNode, self).__init__(
            stream_spec=None,
            name=name,
            incoming_stream_types={FilterableStream},
            outgoing_stream_type=FilterableStream,
            min_inputs=0,
            max_inputs=0,
            args=[],
            kwargs=dict(options),
        )

    def __hash__(self) -> int:
        # two equal ones are two streams
        return id(self)


def open_input(
    path: object,
    options: Mapping[str, object] | None = None,
    *,
    number: int = 0,
    playlists: bool = False,
) -> GraphStream:
    """Open a file under the `input_guards`; `playlists` is theirs.

    Inputs that are opened alike are one input of the command, unless a `number` tells them apart.
    """
    values = dict(options or {})
    guards = input_guards(str(values.get("f", "")), playlists=playlists)
    values |= {**guards, "filename": f"file:{path}"}
    # `args` are part of a node's identity and not of the command
    return GraphStream(InputNode("input", args=[number] if number else [], kwargs=values).stream())


def open_parts(names: str, demuxer: str) -> GraphStream:
    """Open files behind each other, as one; `names` is a list of ours in ffmpeg's own form.

    The files lie beside the list and are opened with `demuxer` only.
    """
    guards = {**input_guards("concat"), "format_whitelist": f"concat,{demuxer}"}
    values = {"f": "concat", **guards, "filename": f"file:{names}"}
    return GraphStream(InputNode("input", kwargs=values).stream())


def open_pictures(pattern: str, rate: object = 25) -> GraphStream:
    """Open numbered pictures of ours as a film; `pattern` has a `%05d`, `rate` is in frames/s."""
    guards = {**input_guards("image2"), "framerate": rate}
    values = {"f": "image2", **guards, "filename": f"file:{pattern}"}
    return GraphStream(InputNode("input", kwargs=values).stream())


def generate(name: str, options: Mapping[str, object]) -> GraphStream:
    """Return the stream of a filter without inputs, such as `color` and `anullsrc`."""
    return GraphStream(_SourceNode(name, options).stream())


def output(file: str, streams: Sequence[GraphStream], options: Mapping[str, object]) -> GraphOutput:
    """Return the output of these streams into a file; `-` is nowhere, with the format `null`."""
    return GraphOutput(ffmpeg.output(*(stream.node for stream in streams), file, **options))


def argv(*outputs: GraphOutput) -> tuple[str, ...]:
    """Return the argument vector of one process that writes all outputs.

    Raises InstallationError when there is no ffmpeg.
    """
    arguments = ffmpeg.get_args(ffmpeg.merge_outputs(*(one.node for one in outputs)))
    return (str(ffmpeg_path()), *GLOBAL_FLAGS, *(str(argument) for argument in arguments))


def filters_of(command: Sequence[str]) -> frozenset[str]:
    """Return the names of the filters in a command that `argv` has written down."""
    graph = command[command.index("-filter_complex") + 1] if "-filter_complex" in command else ""
    # one filter behind the labels of its inputs: [0:v:0]scale=640:-2[s0];[s0]...
    return frozenset(re.findall(r"(?:^|;)(?:\[[^]]+\])*(\w+)", graph))
