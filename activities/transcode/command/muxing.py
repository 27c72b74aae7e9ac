"""Encode once, mux many: which outputs take their streams from the file of another one. Pure.

Outputs of the same picture (or, without any, the same sound) have one encoder. What it makes lies
in an mp4, which keeps every time stamp and the headers that all containers are made of: that of an
output that is one anyway, or one that is only read. The other outputs are copies of its streams,
each written by a process of its own, so that one that fails leaves the others alone. Equal to what
encoders of their own would give, packet by packet, which ffmpeg's tee muxer is too, but only that
way streams can also come out of a file that was there before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.rendition import Rendition
from activities.transcode.model.containers import SEGMENTED

#: containers whose files are the same whether their streams were encoded or copied into them
REMUXED = frozenset({"flv", "m3u8", "m4a", "mp4", "mpd", "ts"})
#: containers from which streams come out as they went in
SOURCES = frozenset({"m4a", "mp4"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mux:
    """An output that is not encoded: the files that have its streams, "" where it has none."""

    target: RenditionTarget
    picture: str = ""
    sound: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """What encodes targets, and what copies from these: `muxes`, by target.

    Files of `encodes` that are in `passing` are no outputs and can go when everything is muxed.
    """

    encodes: tuple[RenditionTarget, ...]
    muxes: Mapping[RenditionTarget, Mux] = field(default_factory=dict[RenditionTarget, Mux])
    passing: tuple[RenditionTarget, ...] = ()


def divide(targets: Sequence[RenditionTarget]) -> Division:
    """Return which of the targets are encoded, and which are muxed from them."""
    alike: dict[object, list[RenditionTarget]] = {}
    for target in targets:
        alike.setdefault(_encoder(target), []).append(target)
    encodes: list[RenditionTarget] = []
    muxes: dict[RenditionTarget, Mux] = {}
    passing: list[RenditionTarget] = []
    for members in (group for equal in alike.values() for group in _compatible(equal)):
        if len(members) == 1:
            encodes += members
            continue
        lead = next((one for one in members if one.rendition.container in SOURCES), None)
        if lead is None:
            lead = _passing(members[0], members[0].rendition, len(passing))
            passing.append(lead)
        encodes.append(_for_all(lead, members))
        sounds = {_sound(lead.rendition): lead.path}
        for one in members:
            sound = _sound(one.rendition)
            if one.rendition.sound and sound not in sounds:
                alone = replace(one.rendition, picture=None, mode="onepass")
                extra = _passing(one, alone, len(passing))
                passing.append(extra)
                encodes.append(extra)
                sounds[sound] = extra.path
            if one != lead:
                muxes[one] = Mux(
                    target=one,
                    picture=lead.path if one.rendition.picture else "",
                    sound=sounds[sound] if one.rendition.sound else "",
                )
    return Division(encodes=tuple(encodes), muxes=muxes, passing=tuple(passing))


def encoder_of(rendition: Rendition) -> object:
    """Return what two renditions have in common that could have one encoder; None: it has its own.

    Where key frames stand is left out.
    """
    picture, sound = rendition.picture, rendition.sound
    if rendition.container not in REMUXED:
        return None
    if picture is None:
        return ("sound", _sound(rendition)) if sound and sound.encoding else None
    if picture.encoding is None:
        return None
    encoding = replace(picture.encoding, key_every=None, key_times=())
    return (rendition.origin, replace(picture, encoding=encoding), rendition.mode)


def _encoder(target: RenditionTarget) -> object:
    return encoder_of(target.rendition) or target


def _compatible(members: Sequence[RenditionTarget]) -> Iterator[list[RenditionTarget]]:
    """Part playlists that are cut at other times; what is not cut joins the first.

    A Gop is the longest distance of key frames, so that more of them are right.
    """
    cut: dict[object, list[RenditionTarget]] = {}
    free: list[RenditionTarget] = []
    for one in members:
        key_frames = _key_frames(one.rendition)
        (cut.setdefault(key_frames, []) if key_frames else free).append(one)
    groups = list(cut.values()) or [[]]
    groups[0] += free
    yield from groups


def _key_frames(rendition: Rendition) -> tuple[Fraction | None, tuple[float, ...]] | None:
    """Return where the key frames of an output have to be, None where they may be anywhere."""
    encoding = rendition.picture.encoding if rendition.picture else None
    if encoding is None or rendition.container not in SEGMENTED:
        return None
    return encoding.key_every, encoding.key_times


def _for_all(lead: RenditionTarget, members: Sequence[RenditionTarget]) -> RenditionTarget:
    """Return a target with the key frames that one of the members needs, as long as the longest."""
    rendition = lead.rendition
    limit = max(one.rendition.limit for one in members)
    needed = next((found for one in members if (found := _key_frames(one.rendition))), None)
    picture = rendition.picture
    if picture and picture.encoding and needed:
        encoding = replace(picture.encoding, key_every=needed[0], key_times=needed[1])
        picture = replace(picture, encoding=encoding)
    return replace(lead, rendition=replace(rendition, picture=picture, limit=limit))


def _sound(rendition: Rendition) -> object:
    sound = rendition.sound
    return None if sound is None else (rendition.origin, replace(sound, language="und"))


def _passing(beside: RenditionTarget, rendition: Rendition, number: int) -> RenditionTarget:
    """Return a target whose file is only read: an mp4 beside the files of another one."""
    plain = replace(
        rendition,
        **{"container": "mp4", "segment": None, "cuts": (), "mux": (), "key": None},
        playlist_tags=(),
        stream=None,
    )
    return RenditionTarget(rendition=plain, stem=beside.beside(f"streams-{number}"))
