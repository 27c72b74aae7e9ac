"""DASH manifests as ffmpeg's muxer writes them: which files they name, and their final names.

Specification: transcode, 3; topology, 11.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

_NS = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}
#: in the work directory all names begin with the neutral stem, which this finds
_TEMPLATE = re.compile(r'(?<= )(initialization|media)="[^"$]*(?=-\$RepresentationID\$)')


@dataclass(frozen=True, kw_only=True)
class DashRepresentation:
    """One stream: its files in the work directory, and the seconds that its segments take."""

    init: Path
    segments: tuple[Path, ...]
    duration: float

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, the first needed first."""
        return (self.init, *self.segments)


def representations(manifest: Path) -> list[DashRepresentation]:
    """Read a manifest that the muxer has just written, names still neutral."""
    root = ElementTree.parse(manifest).getroot()
    nodes = root.iterfind(".//mpd:Representation", _NS)
    return [_representation(one, manifest) for one in nodes]


def _representation(node: ElementTree.Element, manifest: Path) -> DashRepresentation:
    template = node.find("mpd:SegmentTemplate", _NS)
    assert template is not None
    lengths = list(_lengths(template))
    first = int(template.get("startNumber", "1"))
    named = {"$RepresentationID$": node.get("id", "")}

    def path(pattern: str, number: int = 0) -> Path:
        values = named | {"$Number%05d$": f"{number:05}"}
        for key, value in values.items():
            pattern = pattern.replace(key, value)
        return manifest.with_name(pattern)

    return DashRepresentation(
        init=path(template.get("initialization", "")),
        segments=tuple(path(template.get("media", ""), first + n) for n in range(len(lengths))),
        duration=sum(lengths) / int(template.get("timescale", "1")),
    )


def _lengths(template: ElementTree.Element) -> Iterator[int]:
    for node in template.iterfind("mpd:SegmentTimeline/mpd:S", _NS):
        yield from [int(node.get("d", "0"))] * (int(node.get("r", "0")) + 1)


def named_manifest(text: str, stem: str) -> str:
    """Return a manifest whose files are called `stem` and what follows the neutral stem."""
    # a dollar begins a variable there
    name = quote(stem, safe="").replace("$", "$$")
    return _TEMPLATE.sub(lambda match: f'{match[1]}="{name}', text)
