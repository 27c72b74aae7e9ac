"""The rules of RFC 8216 that matter for a finished package."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.support.package_rules.playlist import Entry, Playlist, Tag
from tests.support.package_rules.segments import Part, parts

_WITH_ATTRIBUTES = frozenset(
    {"EXT-X-MEDIA", "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MAP", "EXT-X-KEY"}
)
_ATTRIBUTE = r'[A-Z0-9-]+=(?:"[^"]*"|[^",\s]+)'
_ATTRIBUTES = re.compile(f"{_ATTRIBUTE}(?:,{_ATTRIBUTE})*")
#: how much more a list may say that a variant needs than it does
_GENEROUS = 1.1


def broken_hls(master: Path) -> list[str]:
    """Return which rules a package breaks, and how."""
    return list(_master(Playlist.read(master)))


def _master(master: Playlist) -> Iterator[str]:
    yield from _form(master)
    yield from _groups(master)
    missing = list(_missing(master, _uris(master)))
    yield from missing
    if missing:
        return
    streams = master.all("EXT-X-STREAM-INF")
    lists = {uri: Playlist.read(master.path.parent / uri) for uri in _uris(master)}
    images = {tag.attributes["URI"] for tag in master.all("EXT-X-IMAGE-STREAM-INF")}
    for uri, playlist in lists.items():
        if uri not in images:
            yield from _media(playlist)
    broken = [uri for uri, playlist in lists.items() if list(_missing_files(playlist))]
    if broken:
        return
    for tag in streams:
        yield from _variant(master, tag, lists)
    yield from _aligned([lists[tag.uri] for tag in streams])
    for tag in master.all("EXT-X-I-FRAME-STREAM-INF"):
        yield from _key_frames(tag, lists[tag.attributes["URI"]])


def _uris(master: Playlist) -> list[str]:
    variants = [tag.uri for tag in master.all("EXT-X-STREAM-INF")]
    others = [tag.attributes["URI"] for tag in master.tags if "URI" in tag.attributes]
    return [*variants, *others]


def _form(playlist: Playlist) -> Iterator[str]:
    name = playlist.path.name
    if playlist.lines[:1] != ["#EXTM3U"]:
        yield f"first-line: {name} does not begin with #EXTM3U"
    if len(playlist.all("EXT-X-VERSION")) != 1:
        yield f"version: {name} does not say one version"
    needed = max((version for version in _versions(playlist)), default=1)
    if playlist.version < needed:
        yield f"version: {name} says {playlist.version} and needs {needed}"
    for tag in playlist.tags:
        if tag.name in _WITH_ATTRIBUTES and not _ATTRIBUTES.fullmatch(tag.value):
            yield f"attributes: {name} has {tag.value}"


def _versions(playlist: Playlist) -> Iterator[int]:
    """Yield the versions that a list needs (RFC 8216, 7)."""
    key_frames = playlist.one("EXT-X-I-FRAMES-ONLY") is not None
    if any("." in tag.value for tag in playlist.all("EXTINF")):
        yield 3
    if playlist.one("EXT-X-BYTERANGE") or key_frames:
        yield 4
    if playlist.one("EXT-X-MAP"):
        yield 5 if key_frames else 6


def _groups(master: Playlist) -> Iterator[str]:
    media = master.all("EXT-X-MEDIA")
    groups = {(tag.attributes["TYPE"], tag.attributes["GROUP-ID"]) for tag in media}
    for tag in master.all("EXT-X-STREAM-INF"):
        for kind in ("AUDIO", "SUBTITLES"):
            named = tag.attributes.get(kind)
            if named is not None and (kind, named) not in groups:
                yield f"group: {tag.uri} names the {kind} group {named}, which has no member"
    for group in groups:
        of_group = [tag.attributes for tag in media if _group(tag) == group]
        names = [one["NAME"] for one in of_group]
        if len(set(names)) < len(names):
            yield f"names: {group} has two members of one name"
        if sum(one.get("DEFAULT") == "YES" for one in of_group) > 1:
            yield f"default: {group} has two members that are the default"
        if any((one.get("DEFAULT"), one.get("AUTOSELECT")) == ("YES", "NO") for one in of_group):
            yield f"autoselect: the default of {group} is not selected by itself"
        chosen = [one.get("LANGUAGE") for one in of_group if one.get("AUTOSELECT") == "YES"]
        if len(set(chosen)) < len(chosen):
            yield f"autoselect: {group} has two members of one language"


def _group(tag: Tag) -> tuple[str, str]:
    return tag.attributes["TYPE"], tag.attributes["GROUP-ID"]


def _missing(playlist: Playlist, uris: Iterable[str]) -> Iterator[str]:
    for uri in uris:
        if re.match(r"[a-z+]+:|/", uri) or not (playlist.path.parent / uri).is_file():
            yield f"uri: {playlist.path.name} names {uri}, which is not there"


def _missing_files(playlist: Playlist) -> Iterator[str]:
    names = [entry.name for entry in playlist.entries]
    yield from _missing(playlist, [playlist.init.name, *names] if playlist.init else names)


def _media(playlist: Playlist) -> Iterator[str]:
    name = playlist.path.name
    yield from _form(playlist)
    target = playlist.one("EXT-X-TARGETDURATION")
    longest = max(entry.seconds for entry in playlist.entries)
    if target is None or int(target.value) < int(longest + 0.5):
        yield f"target-duration: {name} has a segment of {longest} s"
    elif int(target.value) > longest + 1:
        yield f"target-duration: {name} says {target.value} and its longest segment has {longest} s"
    if playlist.one("EXT-X-ENDLIST") is None:
        yield f"end: {name} has no EXT-X-ENDLIST"
    missing = list(_missing_files(playlist))
    yield from missing
    if missing or playlist.one("EXT-X-KEY"):
        return
    if playlist.entries[0].name.endswith(".vtt"):
        yield from _texts(playlist)
    elif playlist.one("EXT-X-I-FRAMES-ONLY") is None:
        yield from _segments(playlist)


def _texts(playlist: Playlist) -> Iterator[str]:
    for entry in playlist.entries:
        text = playlist.path.with_name(entry.name).read_text(encoding="utf-8")
        header = text.partition("\n\n")[0]
        if not text.startswith("WEBVTT") or "X-TIMESTAMP-MAP=" not in header:
            yield f"webvtt: {entry.name} has no header with X-TIMESTAMP-MAP"


def _segments(playlist: Playlist) -> Iterator[str]:
    leading = [_part(playlist, entry) for entry in playlist.entries]
    for entry, part in zip(playlist.entries, leading, strict=True):
        if part.kind == "video" and not part.packets[0].key:
            yield f"key-frame: {entry.name} does not begin with a key frame"
    follow = [part.begin for part in leading[1:]] + [leading[-1].end]
    for entry, part, end in zip(playlist.entries, leading, follow, strict=True):
        if abs(end - part.begin - entry.seconds) > part.packet_seconds + 0.001:
            yield f"extinf: {entry.name} lasts {end - part.begin:.3f}, not {entry.seconds} s"
    for before, part in itertools.pairwise(leading):
        if abs(part.begin - before.end) > 1.5 * part.packet_seconds:
            begins = f"{playlist.path.name} goes on at {part.begin:.3f}"
            yield f"continuity: {begins}, and not at {before.end:.3f} s"
    told, real = _seconds(playlist), leading[-1].end - leading[0].begin
    if abs(told - real) > leading[0].packet_seconds:
        yield f"extinf-sum: {playlist.path.name} tells {told:.3f} of {real:.3f} s"


def _part(playlist: Playlist, entry: Entry) -> Part:
    """The first stream of a segment: of pictures with sound, the pictures."""
    return parts(playlist.path.with_name(entry.name), playlist.init, entry.span)[0]


def _seconds(playlist: Playlist) -> float:
    return sum(entry.seconds for entry in playlist.entries)


def _variant(master: Playlist, tag: Tag, lists: dict[str, Playlist]) -> Iterator[str]:
    told, picture = tag.attributes, lists[tag.uri]
    members = {
        kind: [
            lists[one.attributes["URI"]]
            for one in master.all("EXT-X-MEDIA")
            if _group(one) == (kind, told.get(kind))
        ]
        for kind in ("AUDIO", "SUBTITLES")
    }
    for name, rate in (("BANDWIDTH", _peak), ("AVERAGE-BANDWIDTH", _average)):
        needed = rate(picture) + sum(
            max(map(rate, group), default=0.0) for group in members.values()
        )
        if not needed - 1 <= int(told.get(name, 0)) <= needed * _GENEROUS:
            yield f"bandwidth: {tag.uri} says {name}={told.get(name)} and needs {needed:.0f}"
    if picture.one("EXT-X-KEY"):
        return
    files = [picture, *members["AUDIO"]]
    every = [parts(one.path.with_name(one.entries[0].name), one.init) for one in files]
    codecs = {part.codec for found in every for part in found}
    said = set(told.get("CODECS", "").split(","))
    # ffprobe has no name for some
    if codecs - {""} - said or len(said) != len(codecs):
        yield f"codecs: {tag.uri} says {sorted(said)} and has {sorted(codecs)}"
    part = every[0][0]
    size = f"{round((part.width or 0) * part.sar)}x{part.height}"
    if told.get("RESOLUTION") != size:
        yield f"resolution: {tag.uri} says {told.get('RESOLUTION')} and has {size}"
    rate = float(part.rate or 0)
    if abs(float(told.get("FRAME-RATE", 0)) - rate) > 0.001:
        yield f"frame-rate: {tag.uri} says {told.get('FRAME-RATE')} and has {rate}"


def _peak(playlist: Playlist) -> float:
    """The largest rate of segments that last 0.5 to 1.5 target durations together, in bit/s."""
    rows = [(entry.seconds, _size(playlist, entry)) for entry in playlist.entries]
    target = int(getattr(playlist.one("EXT-X-TARGETDURATION"), "value", 1))
    rates = [_average(playlist)]
    for begin, end in itertools.combinations(range(len(rows) + 1), 2):
        seconds = sum(row[0] for row in rows[begin:end])
        if 0.5 * target <= seconds <= 1.5 * target:
            rates.append(sum(row[1] for row in rows[begin:end]) * 8 / seconds)
    return max(rates)


def _average(playlist: Playlist) -> float:
    return sum(_size(playlist, one) for one in playlist.entries) * 8 / _seconds(playlist)


def _size(playlist: Playlist, entry: Entry) -> int:
    if entry.span:
        return entry.span[1] - entry.span[0]
    return playlist.path.with_name(entry.name).stat().st_size


def _aligned(variants: Sequence[Playlist]) -> Iterator[str]:
    """Yield where the segments of a variant begin at other times than those of the first."""
    if any(one.one("EXT-X-KEY") for one in variants):
        return
    begins = [[_part(one, entry).begin for entry in one.entries] for one in variants]
    spare = max(_part(one, one.entries[0]).packet_seconds for one in variants)
    for playlist, own in zip(variants[1:], begins[1:], strict=True):
        pairs = zip(begins[0], own, strict=False)
        if len(own) != len(begins[0]) or any(abs(one - other) > spare for one, other in pairs):
            yield f"alignment: {playlist.path.name} is cut at {own}, not at {begins[0]}"


def _key_frames(tag: Tag, playlist: Playlist) -> Iterator[str]:
    if playlist.one("EXT-X-I-FRAMES-ONLY") is None:
        yield f"i-frames: {playlist.path.name} does not say that it has key frames only"
    for entry in playlist.entries:
        size = playlist.path.with_name(entry.name).stat().st_size
        begin, end = entry.span or (0, 0)
        found = parts(playlist.path.with_name(entry.name), playlist.init, entry.span)
        if not begin < end <= size or not found or not found[0].packets[0].key:
            yield f"i-frames: bytes {begin} to {end} of {entry.name} are not a key frame"
    if not _peak(playlist) - 1 <= int(tag.attributes["BANDWIDTH"]):
        yield f"bandwidth: {playlist.path.name} needs {_peak(playlist):.0f}"
