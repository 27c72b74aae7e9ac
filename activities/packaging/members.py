"""What the topology says of the streams of a package, joined to what was measured of them. Pure.

Specification: topology, 5.2 and 5.3.
"""

from collections.abc import Mapping, Sequence

from activities.packaging.models import MasterStream
from activities.packaging.package import Package, StreamNode, group_parameters
from activities.packaging.streams import Member, Stream, StreamKind


def members_of(package: Package, made: Sequence[tuple[StreamNode, Stream]]) -> list[Member]:
    """Return the members of a package in the order of its lists.

    HLS: pictures as the MasterPlayList names them, those that it does not name left out; of each
    group the first stream is the default one, of subtitles none is. DASH: all as they stand; the
    first group of sound is the default one.
    """
    if package.protocol == "dash":
        sounds = [node.representation[0] for node, one in made if one.kind is StreamKind.AUDIO]
        return [_representation(node, stream, sounds[:1]) for node, stream in made]
    listed = package.master.master_play_list if package.master else None
    items = listed.multi_bitrate_video_streams if listed else ()
    by_name = {node.name: stream for node, stream in made}
    pictures = [
        _picture(item, by_name[item.ref_activity_name])
        for item in items
        if item.ref_activity_name in by_name
    ]
    defaults: dict[str, str] = {}
    languages: dict[tuple[str, str], str] = {}
    for node, stream in made:
        if stream.kind is StreamKind.AUDIO:
            defaults.setdefault(_group_id(node), node.name)
        # players choose among the languages of a group by themselves (RFC 8216, 4.3.4.1.1)
        languages.setdefault((_group_id(node), _language(node)), node.name)
    return [
        *pictures,
        *(
            _rendition(node, stream, defaults, languages)
            for node, stream in made
            if stream.kind is not StreamKind.VIDEO
        ),
    ]


def _picture(item: MasterStream, stream: Stream) -> Member:
    info = item.ext_x_stream_info
    return Member(
        stream=stream,
        id=_id(item.ref_activity_name),
        audio=info.audio or "",
        subtitles=info.subtitles or "",
        limit_bps=info.band_width,
    )


def _rendition(
    node: StreamNode,
    stream: Stream,
    defaults: Mapping[str, str],
    languages: Mapping[tuple[str, str], str],
) -> Member:
    media = node.parameters.ext_x_media if node.parameters else None
    group, language = _group_id(node), _language(node)
    return Member(
        stream=stream,
        group=group,
        id=_id(node.name),
        name=media.name if media else "",
        language=language,
        default=defaults.get(group) == node.name,
        autoselect=languages.get((group, language)) == node.name,
    )


def _representation(node: StreamNode, stream: Stream, defaults: Sequence[str]) -> Member:
    group, language, own_id = node.representation
    default = stream.kind is StreamKind.AUDIO and group in defaults
    return Member(stream=stream, group=group, language=language, id=own_id, default=default)


def _id(name: str) -> str:
    """Return the name of an activity as an Id in an MPD, which has no white space."""
    return "-".join(name.split())


def _language(node: StreamNode) -> str:
    media = node.parameters.ext_x_media if node.parameters else None
    return (media.language if media else None) or ""


def _group_id(node: StreamNode) -> str:
    parameters = group_parameters(node.group) if node.group else None
    return (parameters.group_id if parameters else None) or ""
