"""Playlists of HLS, read for the rules: tags, attributes, segments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|$)')


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A line of a list; `attributes` without quotes, `uri` the line behind it."""

    name: str
    value: str
    attributes: dict[str, str]
    uri: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A segment of a list: its file, its seconds, and the bytes from and to."""

    name: str
    seconds: float
    span: tuple[int, int] | None


@dataclass(kw_only=True)
class Playlist:
    """A list as it stands in a file."""

    path: Path
    lines: Sequence[str]
    tags: list[Tag] = field(default_factory=list[Tag])
    entries: list[Entry] = field(default_factory=list[Entry])

    @classmethod
    def read(cls, path: Path) -> "Playlist":
        """Read a list."""
        made = cls(path=path, lines=path.read_text(encoding="utf-8").splitlines())
        uris = [line for line in made.lines if line and line[0] != "#"]
        seconds, span, passed = 0.0, None, 0
        for line in made.lines:
            if line and line[0] != "#":
                made.entries.append(Entry(name=line, seconds=seconds, span=span))
                span, passed = None, passed + 1
                continue
            name, _, value = line.removeprefix("#").partition(":")
            if name == "EXTINF":
                seconds = float(value.partition(",")[0])
            elif name == "EXT-X-BYTERANGE":
                length, _, begin = value.partition("@")
                span = (int(begin or 0), int(begin or 0) + int(length))
            attributes = {key: text.strip('"') for key, text in _ATTRIBUTE.findall(value)}
            uri = uris[passed] if passed < len(uris) else ""
            made.tags.append(Tag(name=name, value=value, attributes=attributes, uri=uri))
        return made

    def all(self, name: str) -> Sequence[Tag]:
        """All tags of a name."""
        return [tag for tag in self.tags if tag.name == name]

    def one(self, name: str) -> Tag | None:
        """The first tag of a name."""
        return next(iter(self.all(name)), None)

    @property
    def init(self) -> Path | None:
        """The initialization segment."""
        tag = self.one("EXT-X-MAP")
        return self.path.with_name(tag.attributes["URI"]) if tag else None

    @property
    def version(self) -> int:
        """The version of the protocol that the list says it needs; 1 where it says none."""
        tag = self.one("EXT-X-VERSION")
        return int(tag.value) if tag else 1
