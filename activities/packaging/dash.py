"""The manifests of a DASH package (MPD), written from what is measured. Pure.

Specification: topology, 5.4; ISO/IEC 23009-1; ISO/IEC 23001-7, 11 (encryption); thumbnails as
DASH-IF defines them (Guidelines for Implementation, 6.2.6).
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from math import ceil
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from activities.packaging.streams import Member, Stream, StreamKind, VideoRange

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"
_CICP = "urn:mpeg:mpegB:cicp"
_CENC = "urn:mpeg:cenc:2013"
_PROTECTED = "urn:mpeg:dash:mp4protection:2011"
#: the system that tells nothing but the ids of keys (W3C, "cenc" Initialization Data Format)
_COMMON_SYSTEM = UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")
#: layouts of ISO/IEC 23091-3 whose number is not that of their channels
_LAYOUTS = {7: 11, 8: 12}
#: transfer characteristics of ISO/IEC 23091-2
_TRANSFERS = {VideoRange.PQ: 16, VideoRange.HLG: 18}
#: primaries and matrix of BT.2020 there, which high dynamic range comes in
_BT2020 = 9

_TYPES = {
    StreamKind.VIDEO: ("video", "video/mp4"),
    StreamKind.AUDIO: ("audio", "audio/mp4"),
    StreamKind.SUBTITLES: ("text", "text/vtt"),
    StreamKind.IMAGES: ("image", "image/jpeg"),
}

#: from a name relative to the stream's directory to one relative to the manifest
_Place = Callable[[Stream, str], str]


def package_manifest(members: Sequence[Member]) -> str:
    """Return the manifest over the streams of a package: an AdaptationSet per group."""
    return _manifest(members, lambda stream, name: stream.beside(name))


def stream_manifest(member: Member) -> str:
    """Return the manifest of one stream, which lies beside its segments."""
    return _manifest([member], lambda _, name: name)


def _manifest(members: Sequence[Member], place: _Place) -> str:
    longest = max(one.stream.longest for one in members if _plays(one))
    root = Element(
        "MPD",
        {
            "xmlns": _NAMESPACE,
            **({"xmlns:cenc": _CENC} if any(one.stream.key_id for one in members) else {}),
            "profiles": _PROFILE,
            "type": "static",
            "mediaPresentationDuration": _duration(
                max(_end(one.stream) for one in members if _plays(one))
            ),
            "maxSegmentDuration": _duration(longest),
            # bandwidths are those of whole segments, so that one has to be there
            "minBufferTime": _duration(longest),
        },
    )
    period = SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    for number, group in enumerate(_sets(members)):
        _adaptation_set(period, number, group, place)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _plays(member: Member) -> bool:
    """Whether a stream says how long the package is: alone, subtitles do."""
    return member.stream.kind is not StreamKind.IMAGES


def _end(stream: Stream) -> Fraction:
    return stream.seconds + Fraction(stream.start - stream.zero, stream.timescale)


def _sets(members: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """Yield the members of each AdaptationSet, in the order of their kinds and groups."""
    kinds, keys = list(StreamKind), list[tuple[str, ...]]()

    def key(one: Member) -> tuple[str, ...]:
        return (one.group, one.language, one.name)

    for one in members:
        if key(one) not in keys:
            keys.append(key(one))

    def place(one: Member) -> tuple[int, int]:
        return kinds.index(one.stream.kind), keys.index(key(one))

    for _, group in groupby(sorted(members, key=place), key=place):
        yield list(group)


def _adaptation_set(period: Element, number: int, members: Sequence[Member], place: _Place) -> None:
    first, streams = members[0], [one.stream for one in members]
    kind = first.stream.kind
    content, mime = _TYPES[kind]
    attributes = {
        "id": str(number),
        "group": first.group,
        "contentType": content,
        "mimeType": mime,
        "lang": first.language,
        **(_picture_attributes(streams) if kind is StreamKind.VIDEO else {}),
        **_bounds("Bandwidth", [one.peak_bps for one in streams]),
    }
    if kind in (StreamKind.VIDEO, StreamKind.AUDIO):
        attributes |= {
            "segmentAlignment": "true" if _aligned(streams) else "false",
            "startWithSAP": "1",
        }
    node = SubElement(
        period, "AdaptationSet", {name: value for name, value in attributes.items() if value}
    )
    # what not all streams have stands at each of them
    protected = len({one.key_id for one in streams}) == 1
    ranged = len({one.video_range for one in streams}) == 1
    if protected:
        _protection(node, first.stream)
    if ranged:
        _range(node, first.stream)
    if label := first.name or (first.group if first.language else ""):
        SubElement(node, "Label").text = label
    for role in _roles(first):
        SubElement(node, "Role", {"schemeIdUri": _ROLE, "value": role})
    for member in members:
        representation = _representation(node, member)
        if not protected:
            _protection(representation, member.stream)
        if not ranged:
            _range(representation, member.stream)
        _media(representation, member.stream, place)


def _protection(parent: Element, stream: Stream) -> None:
    """Say how a stream is encrypted, if it is, and which key opens it."""
    if not (key_id := stream.key_id):
        return
    scheme = {"schemeIdUri": _PROTECTED, "value": "cbcs", "cenc:default_KID": str(UUID(key_id))}
    SubElement(parent, "ContentProtection", scheme)
    system = {"schemeIdUri": f"urn:uuid:{_COMMON_SYSTEM}"}
    header = base64.b64encode(_pssh(key_id)).decode()
    SubElement(SubElement(parent, "ContentProtection", system), "cenc:pssh").text = header


def _pssh(key_id: str) -> bytes:
    """Return the box that names one key, for players that ask for it before a segment comes."""
    one, no_data = (1).to_bytes(4), (0).to_bytes(4)
    content = b"pssh\1\0\0\0" + _COMMON_SYSTEM.bytes + one + bytes.fromhex(key_id) + no_data
    return (len(content) + 4).to_bytes(4) + content


def _picture_attributes(streams: Sequence[Stream]) -> dict[str, str]:
    largest = max(streams, key=lambda one: (one.width or 0) * (one.height or 0))
    shape = Fraction((largest.width or 1) * largest.sar / (largest.height or 1))
    rates = [one.frame_rate for one in streams if one.frame_rate]
    return {
        "par": f"{shape.numerator}:{shape.denominator}",
        **_bounds("Width", [one.width or 0 for one in streams]),
        **_bounds("Height", [one.height or 0 for one in streams]),
        "maxFrameRate": str(max(rates)) if rates else "",
    }


def _bounds(name: str, values: Sequence[int]) -> dict[str, str]:
    return {f"min{name}": str(min(values)), f"max{name}": str(max(values))}


def _aligned(streams: Sequence[Stream]) -> bool:
    """Whether the segments of all streams begin at the same times."""

    def lengths(one: Stream) -> list[Fraction]:
        # the last ends with its stream
        return [Fraction(segment.ticks, one.timescale) for segment in one.segments[:-1]]

    return all(lengths(one) == lengths(streams[0]) for one in streams[1:])


def _roles(member: Member) -> Iterator[str]:
    match member.stream.kind:
        case StreamKind.VIDEO:
            yield "main"
        case StreamKind.AUDIO:
            yield "main" if member.default else "alternate"
        case StreamKind.SUBTITLES:
            yield "subtitle"
        case StreamKind.IMAGES:
            pass


def _range(parent: Element, stream: Stream) -> None:
    """Say what the colours of pictures of high dynamic range are."""
    if transfer := _TRANSFERS.get(stream.video_range):
        colours = {
            "ColourPrimaries": _BT2020,
            "MatrixCoefficients": _BT2020,
            "TransferCharacteristics": transfer,
        }
        for name, value in colours.items():
            scheme = {"schemeIdUri": f"{_CICP}:{name}", "value": str(value)}
            SubElement(parent, "SupplementalProperty", scheme)


def _representation(parent: Element, member: Member) -> Element:
    stream = member.stream
    sheet = (stream.tiles.columns, stream.tiles.rows) if stream.tiles else (1, 1)
    attributes = {
        "id": member.id or stream.stem,
        "bandwidth": str(stream.peak_bps),
        "codecs": ",".join(stream.codecs),
        "width": str(stream.width * sheet[0]) if stream.width else "",
        "height": str(stream.height * sheet[1]) if stream.height else "",
        "frameRate": str(stream.frame_rate or ""),
        "sar": _sar(stream.sar) if stream.kind is StreamKind.VIDEO else "",
        "audioSamplingRate": str(stream.sample_rate or ""),
    }
    node = SubElement(
        parent, "Representation", {name: value for name, value in attributes.items() if value}
    )
    if stream.channels:
        layout = str(_LAYOUTS.get(stream.channels, stream.channels))
        scheme = {"schemeIdUri": _CHANNELS, "value": layout}
        SubElement(node, "AudioChannelConfiguration", scheme)
    return node


def _media(parent: Element, stream: Stream, place: _Place) -> None:
    """Say where the segments of a stream are."""
    match stream.kind:
        case StreamKind.SUBTITLES:
            SubElement(parent, "BaseURL").text = place(stream, f"{stream.stem}.vtt")
        case StreamKind.IMAGES:
            _sheets(parent, stream, place)
        case _:
            _segments(parent, stream, place)


def _sar(shape: Fraction) -> str:
    return f"{shape.numerator}:{shape.denominator}"


def _segments(parent: Element, stream: Stream, place: _Place) -> None:
    template = SubElement(
        parent,
        "SegmentTemplate",
        {
            "timescale": str(stream.timescale),
            "initialization": place(stream, stream.init or ""),
            "media": place(stream, stream.template),
            "startNumber": str(stream.first),
        },
    )
    timeline = SubElement(template, "SegmentTimeline")
    # the times of an MPD are those behind the edit list (ISO/IEC 23009-1, 5.3.9.6); what it cuts
    # off at the beginning is no part of the first segment
    begin = stream.start - stream.zero
    first, *others = (segment.ticks for segment in stream.segments)
    runs = groupby([first + min(begin, 0), *others])
    for number, (ticks, run) in enumerate(runs):
        starts = {"t": str(max(begin, 0))} if number == 0 else {}
        more = len(list(run)) - 1
        repeated = {"r": str(more)} if more else {}
        SubElement(timeline, "S", {**starts, "d": str(ticks), **repeated})


def _sheets(parent: Element, stream: Stream, place: _Place) -> None:
    tiles = stream.tiles
    assert tiles is not None
    layout = f"{tiles.columns}x{tiles.rows}"
    SubElement(parent, "EssentialProperty", {"schemeIdUri": _TILES, "value": layout})
    length = tiles.columns * tiles.rows * tiles.seconds
    SubElement(
        parent,
        "SegmentTemplate",
        {
            "timescale": str(stream.timescale),
            "duration": str(round(length * stream.timescale)),
            "media": place(stream, stream.template),
            "startNumber": str(stream.first),
        },
    )


def _duration(seconds: Fraction) -> str:
    """Return a duration of XML Schema, in microseconds rounded up."""
    return f"PT{ceil(seconds * 1_000_000) / 1_000_000:.6f}".rstrip("0").rstrip(".") + "S"
