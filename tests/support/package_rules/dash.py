"""The rules of ISO/IEC 23009-1 that matter for a finished package, static and of one period."""

import itertools
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from PIL import Image

from tests.support.package_rules.segments import Part, parts

_NS = "{urn:mpeg:dash:schema:mpd:2011}"
_PLACE = re.compile(r"\$Number(?:%0(\d+)d)?\$")
_NEEDED = {
    "video": ("codecs", "width", "height", "frameRate"),
    "audio": ("codecs", "audioSamplingRate"),
    "text": (),
    "image": ("width", "height"),
}


def broken_dash(manifest: Path) -> list[str]:
    """Return which rules a package breaks, and how."""
    return list(_manifest(ElementTree.parse(manifest).getroot(), manifest.parent))


def _manifest(root: Element, folder: Path) -> Iterator[str]:
    if root.tag != f"{_NS}MPD" or root.get("type", "static") != "static":
        yield "mpd: it is not a static MPD"
    if not root.get("profiles") or not root.get("minBufferTime"):
        yield "mpd: profiles and minBufferTime are required"
    sets = root.findall(f"{_NS}Period/{_NS}AdaptationSet")
    representations = root.findall(f".//{_NS}Representation")
    for nodes, name in ((sets, "AdaptationSet"), (representations, "Representation")):
        ids = [node.get("id", "") for node in nodes]
        if len(set(ids)) < len(ids) or any(not one or re.search(r"\s", one) for one in ids):
            yield f"id: {name} has the ids {ids}"
    longest, buffered = Fraction(0), _seconds(root.get("minBufferTime", ""))
    for node in sets:
        yield from _set(node)
        for one in node.findall(f"{_NS}Representation"):
            timeline = _timeline(one)
            yield from _representation(node, one, folder, float(buffered))
            if timeline:
                longest = max(longest, timeline[-1][1] - _offset(one))
    told = _seconds(root.get("mediaPresentationDuration", ""))
    if longest and abs(told - longest) > Fraction(1, 20):
        yield f"duration: it says {float(told)} s and lasts {float(longest)} s"


def _seconds(text: str) -> Fraction:
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", text)
    hours, minutes, seconds = found.groups(default="0") if found else ("0", "0", "0")
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def _set(node: Element) -> Iterator[str]:
    name, content = f"AdaptationSet {node.get('id')}", node.get("contentType", "")
    members = node.findall(f"{_NS}Representation")
    if not node.get("mimeType", "").startswith(("video/", "audio/", "text/", "image/")):
        yield f"mime-type: {name} has {node.get('mimeType')}"
    if content not in _NEEDED or not members:
        yield f"content: {name} of {content} has {len(members)} members"
    language = node.get("lang")
    if language is not None and not re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", language):
        yield f"lang: {name} has {language}"
    for attribute in ("bandwidth", "width", "height"):
        values = [int(one.get(attribute, 0)) for one in members]
        bound = attribute.capitalize()
        for side, value in (("min", min(values)), ("max", max(values))):
            told = node.get(side + bound)
            if told is not None and int(told) != value:
                yield f"bounds: {name} says {side}{bound}={told} and has {value}"
    if node.get("segmentAlignment") == "true":
        begins = [[begin for begin, _ in _timeline(one)] for one in members]
        if any(one != begins[0] for one in begins):
            yield f"alignment: {name} is cut at different times"
    if content == "video":
        yield from _shape(node, members)


def _shape(node: Element, members: Sequence[Element]) -> Iterator[str]:
    width, _, height = node.get("par", "0:1").partition(":")
    for one in members:
        sar = Fraction(one.get("sar", "1:1").replace(":", "/"))
        shown = Fraction(int(one.get("width", 0)), int(one.get("height", 1))) * sar
        # sizes are whole, even pixels
        if abs(shown / Fraction(int(width), int(height) or 1) - 1) > 0.05:
            yield f"par: {one.get('id')} is not shown as {node.get('par')}"


def _representation(parent: Element, node: Element, folder: Path, buffered: float) -> Iterator[str]:
    name, content = node.get("id"), parent.get("contentType", "")
    missing = [one for one in (*_NEEDED.get(content, ()), "bandwidth") if not node.get(one)]
    if missing:
        yield f"attributes: {name} has no {missing}"
    if content == "audio" and node.find(f"{_NS}AudioChannelConfiguration") is None:
        yield f"channels: {name} does not say how many it has"
    files = _files(node, folder)
    absent = [path.name for path in files if not path.is_file()]
    if absent or not files:
        yield f"files: {name} names {absent}, which are not there"
        return
    match content:
        case "text":
            if not files[0].read_text(encoding="utf-8").startswith("WEBVTT"):
                yield f"webvtt: {files[0].name} is not WebVTT"
        case "image":
            yield from _sheets(node, files)
        case _:
            yield from _segments(parent, node, files, buffered)


def _template(node: Element) -> Element:
    found = node.find(f"{_NS}SegmentTemplate")
    return found if found is not None else Element("SegmentTemplate")


def _offset(node: Element) -> Fraction:
    template = _template(node)
    offset = int(template.get("presentationTimeOffset", 0))
    return Fraction(offset, int(template.get("timescale", 1)))


def _timeline(node: Element) -> list[tuple[Fraction, Fraction]]:
    """When each segment begins and ends, in seconds of the stream's clock."""
    template = _template(node)
    scale, found, at = int(template.get("timescale", 1)), list[tuple[Fraction, Fraction]](), 0
    for entry in template.iterfind(f"{_NS}SegmentTimeline/{_NS}S"):
        at = int(entry.get("t", at))
        for _ in range(int(entry.get("r", 0)) + 1):
            length = int(entry.get("d", 0))
            found.append((Fraction(at, scale), Fraction(at + length, scale)))
            at += length
    return found


def _files(node: Element, folder: Path) -> list[Path]:
    """The files that a Representation names: of media, the initialization segment first."""
    base = node.findtext(f"{_NS}BaseURL")
    if base:
        return [folder / base]
    template = _template(node)
    first, timeline = int(template.get("startNumber", 1)), _timeline(node)
    media = template.get("media", "")

    def file(number: int) -> Path:
        return folder / _PLACE.sub(lambda found: f"{number:0{found[1] or 1}d}", media)

    if not timeline:
        # the length of the film tells how many there are; the first has to be there
        further = itertools.takewhile(Path.is_file, map(file, itertools.count(first + 1)))
        return [file(first), *further] if media else []
    init = folder / template.get("initialization", "")
    return [init, *(file(first + n) for n in range(len(timeline)))]


def _sheets(node: Element, files: Sequence[Path]) -> Iterator[str]:
    name = node.get("id")
    tiles = node.find(f"{_NS}EssentialProperty")
    if tiles is None or not re.fullmatch(r"\d+x\d+", tiles.get("value", "")):
        yield f"tiles: {name} does not say how many pictures a sheet has"
    size = (int(node.get("width", 0)), int(node.get("height", 0)))
    for path in files:
        with Image.open(path) as sheet:
            if sheet.size != size:
                yield f"tiles: {path.name} has {sheet.size} pixels, not {size}"


def _segments(
    parent: Element, node: Element, files: Sequence[Path], buffered: float
) -> Iterator[str]:
    name, (init, *segments) = node.get("id"), files
    timeline = _timeline(node)
    following = segments[-1].with_name(_next_name(segments[-1].name))
    if following.is_file():
        yield f"timeline: {name} does not list {following.name}"
    found = [parts(path, init)[0] for path in segments]
    offset = _offset(node)
    for (begin, end), part, path in zip(timeline, found, segments, strict=True):
        spare = 1.5 * part.packet_seconds
        # what stands before the film, by the edit list, is no part of it
        shown = max(part.begin, 0.0)
        late = shown - float(begin - offset)
        if abs(late) > spare or abs(part.end - shown - float(end - begin)) > spare:
            yield f"timeline: {path.name} is not from {float(begin)} to {float(end)}"
        if parent.get("startWithSAP") == "1" and not part.packets[0].key:
            yield f"key-frame: {path.name} does not begin with a key frame"
        rate = path.stat().st_size * 8 / float(end - begin)
        if path.stat().st_size * 8 > int(node.get("bandwidth", 0)) * buffered * 1.001:
            yield f"bandwidth: {path.name} needs {rate:.0f} bit/s"
    yield from _truth(node, found[0])
    told, real = float(timeline[0][0] - offset), max(found[0].begin, 0.0)
    if abs(told - real) > 0.001:
        yield f"offset: {name} begins at {real:.4f} s, not at {told:.4f} s"


def _next_name(name: str) -> str:
    return re.sub(r"(\d+)(?=\.\w+$)", lambda found: f"{int(found[1]) + 1:0{len(found[1])}d}", name)


def _truth(node: Element, part: Part) -> Iterator[str]:
    told = {
        "codecs": part.codec or None,  # ffprobe has no name for some
        "width": part.width,
        "height": part.height,
        "frameRate": part.rate if part.kind == "video" else None,
        "sar": f"{part.sar.numerator}:{part.sar.denominator}" if part.kind == "video" else None,
        "audioSamplingRate": part.sampling,
    }
    for attribute, value in told.items():
        if value is not None and node.get(attribute, str(value)) != str(value):
            yield f"truth: {node.get('id')} says {attribute}={node.get(attribute)}, it is {value}"
    channels = node.find(f"{_NS}AudioChannelConfiguration")
    told_channels = channels.get("value") if channels is not None else None
    # from seven on, it is the number of a layout
    if told_channels and part.channels in range(1, 7) and told_channels != str(part.channels):
        yield f"truth: {node.get('id')} says {told_channels} channels"
