"""An output that is a stream of a package: its settings, and how long all segments are.

The package decides container, segments, and which of picture and sound a stream has; its template
and the output's own fields say the rest. Specification: topology, 5.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from activities.packaging.package import Package
from activities.packaging.streams import StreamKind
from activities.templates import find
from activities.templates.sections import Segment
from activities.transcode.model.output import TranscodeParameters
from activities.transcode.model.settings import OutputSettings, settings_of
from workflow_engine.activity import TemplateLookup
from workflow_engine.errors import InvalidInputError

#: seconds of a segment where nothing says otherwise
SEGMENT_SECONDS = 10


def stream_settings(
    settings: OutputSettings, *, kind: StreamKind, fragmented: bool, muted: bool, seconds: int
) -> OutputSettings:
    """Return the settings of a stream made of those of its output."""
    return replace(
        settings,
        container="fmp4" if fragmented else "m3u8",
        video=None if kind is StreamKind.AUDIO else settings.video,
        audio=None if muted else settings.audio,
        mux=settings.mux.model_copy(
            update={"segment": Segment.model_validate({"Duration": seconds})}
        ),
    )


def segment_seconds(package: Package, templates: TemplateLookup) -> int:
    """Return the seconds of the segments of a package, which all streams share.

    They are those of PackageConfig, else those that all outputs and templates agree upon.
    """
    config = package.parameters
    if config is not None and config.segment_seconds is not None:
        return config.segment_seconds
    wanted = set(wanted_seconds(package, templates))
    return wanted.pop() if len(wanted) == 1 else SEGMENT_SECONDS


def wanted_seconds(package: Package, templates: TemplateLookup) -> Iterator[int]:
    """Yield the Segment.Duration of every picture and sound that has one."""
    for stream in package.of_kind(StreamKind.VIDEO, StreamKind.AUDIO):
        parameters = cast("TranscodeParameters | None", stream.parameters)
        for output in parameters.outputs if parameters else ():
            try:
                settings = settings_of(output, find(output.template_id, templates))
            except InvalidInputError:  # a template that is not known, which is told elsewhere
                continue
            if duration := settings.mux.segment.duration:
                yield duration
