"""Encode once, mux many: which outputs take their streams from the file of another one. Pure.

Outputs of the same picture (or, without any, the same sound) have one encoder. What it makes lies
in an mp4, which keeps every time stamp and the headers that all containers are made of: that of an
output that is one anyway, or one that is only read. The other outputs are copies of its streams,
each written by a process of its own, so that one that fails leaves the others alone. Equal to what
encoders of their own would give, packet by packet, which ffmpeg's tee muxer is too, but only that
way streams can also come out of a file that was there before.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.encoder import SEGMENT_SECONDS
from activities.transcode.command.rendition import Rendition
from activities.transcode.model.containers import SEGMENTED
from workflow_engine.records import Json

#: containers whose files are the same whether their streams were encoded or copied into them
REMUXED = frozenset({"flv", "m3u8", "m4a", "mp4", "mpd", "ts"})
#: containers from which streams come out as they went in
SOURCES = frozenset({"m4a", "mp4"})

#: what the names of files begin with that are only read
PASSING = "streams-"


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
    muxes: Mapping[RenditionTarget, Mux]
    passing: tuple[RenditionTarget, ...]


def agreed(targets: Sequence[RenditionTarget]) -> list[RenditionTarget]:
    """Return the targets with the key frames that those have in common which share an encoder.

    A Gop is the longest distance of key frames, so that more of them are right: what is not cut
    has those of the first playlist of its picture.
    """
    cut: dict[object, tuple[Fraction | None, tuple[float, ...]]] = {}
    for one in targets:
        if key_frames := _key_frames(one.rendition):
            cut.setdefault(_alike(one.rendition), key_frames)

    def changed(one: RenditionTarget) -> RenditionTarget:
        key_frames = cut.get(_alike(one.rendition))
        if key_frames is None or _key_frames(one.rendition) or one.picture_file:
            return one
        return replace(one, rendition=_with_key_frames(one.rendition, *key_frames))

    return [changed(one) for one in targets]


def divide(targets: Sequence[RenditionTarget]) -> Division:
    """Return which of the targets, as they are `agreed`, are encoded, and which are muxed."""
    alike: dict[object, list[RenditionTarget]] = {}
    for target in targets:
        alike.setdefault(encoder_of(target.rendition) or target, []).append(target)
    division = _Division()
    for members in alike.values():
        division.add(members)
    return Division(
        encodes=tuple(division.encodes),
        muxes={mux.target: mux for mux in division.muxes},
        passing=tuple(division.passing),
    )


class _Division:
    """A division that grows by one encoder after another."""

    def __init__(self) -> None:
        self.encodes: list[RenditionTarget] = []
        self.muxes: list[Mux] = []
        self.passing: list[RenditionTarget] = []

    def add(self, members: Sequence[RenditionTarget]) -> None:
        """Add targets that have an encoder in common, or their streams in finished files."""
        lead = None
        picture = next((file for one in members if (file := one.picture_file)), "")
        sounds = {_sound(one.rendition): file for one in members if (file := one.sound_file)}
        if not picture and not (sounds and members[0].rendition.picture is None):
            lead = self._lead(members)
            picture = lead.path
            sounds.setdefault(_sound(lead.rendition), lead.path)
        for one in members:
            if one == lead:
                continue
            sound = _sound(one.rendition)
            if one.rendition.sound and sound not in sounds:
                alone = replace(one.rendition, picture=None, mode="onepass")
                sounds[sound] = self._pass(one, alone).path
            self.muxes.append(
                Mux(
                    target=one,
                    picture=picture if one.rendition.picture else "",
                    sound=sounds[sound] if one.rendition.sound else "",
                )
            )

    def _lead(self, members: Sequence[RenditionTarget]) -> RenditionTarget:
        """Return what is encoded: one of the members, or what they all are muxed from."""
        whole = [one for one in members if one.rendition.container in SOURCES]
        if not whole and len(members) > 1:
            return self._pass(members[0], members[0].rendition)
        lead = (whole or members)[0]
        # what is cut at a limit is refused for it: that of the longest counts
        limit = max(one.rendition.limit for one in members)
        self.encodes.append(replace(lead, rendition=replace(lead.rendition, limit=limit)))
        return lead

    def _pass(self, beside: RenditionTarget, rendition: Rendition) -> RenditionTarget:
        """Encode into a file that is only read: an mp4 beside the files of another target."""
        plain = replace(
            rendition,
            **{"container": "mp4", "segment": None, "cuts": (), "mux": (), "key": None},
            playlist_tags=(),
            stream=None,
        )
        stem = beside.beside(f"{PASSING}{len(self.passing)}")
        target = RenditionTarget(rendition=plain, stem=stem)
        self.passing.append(target)
        self.encodes.append(target)
        return target


def encoder_of(rendition: Rendition) -> Hashable:
    """Return what renditions have in common that can have one encoder; None: it has its own."""
    picture, sound = rendition.picture, rendition.sound
    if rendition.container not in REMUXED:
        return None
    if picture is None:
        return ("sound", _sound(rendition)) if sound and sound.encoding else None
    if picture.encoding is None:
        return None
    every = picture.encoding.key_every or SEGMENT_SECONDS
    encoding = replace(picture.encoding, key_every=every)
    return (rendition.origin, replace(picture, encoding=encoding), rendition.mode)


def streams_of(rendition: Rendition) -> Mapping[str, Json]:
    """Return what shapes the bytes of the streams that a rendition may have from elsewhere.

    By `picture` and `sound`, the first being what most of the work is.
    """
    encoder, sound = encoder_of(rendition), rendition.sound
    if encoder is None:
        return {}
    found = {"picture": encoder} if rendition.picture else {}
    if sound and sound.encoding:
        found["sound"] = ("sound", _sound(rendition))
    return {name: repr(value) for name, value in found.items()}


def picture_key(rendition: Rendition) -> str:
    """Return the `picture` of `streams_of`, "" where there is none."""
    return str(streams_of(rendition).get("picture", ""))


def _alike(rendition: Rendition) -> Hashable:
    """Return what renditions have in common whose pictures differ in key frames only, at most."""
    if encoder_of(rendition) is None:
        return None
    return encoder_of(_with_key_frames(rendition, None, ()))


def _with_key_frames(
    rendition: Rendition, every: Fraction | None, times: tuple[float, ...]
) -> Rendition:
    picture = rendition.picture
    if picture is None or picture.encoding is None:
        return rendition
    encoding = replace(picture.encoding, key_every=every, key_times=times)
    return replace(rendition, picture=replace(picture, encoding=encoding))


def _key_frames(rendition: Rendition) -> tuple[Fraction | None, tuple[float, ...]] | None:
    """Return where the key frames of an output have to be, None where they may be anywhere."""
    encoding = rendition.picture.encoding if rendition.picture else None
    if encoding is None or rendition.container not in SEGMENTED:
        return None
    return encoding.key_every, encoding.key_times


def _sound(rendition: Rendition) -> Hashable:
    sound = rendition.sound
    return None if sound is None else (rendition.origin, replace(sound, language="und"))
