"""One decode for several outputs: the inputs of a process, opened once, split and scaled in steps.

`commands.py` says what becomes of the streams. Which picture is scaled from which is decided in
`cascade.py`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from activities.ffmpeg.graph import GraphStream, open_input
from activities.shape import OPENED
from activities.transcode.command.cascade import Rung, follows, parents, rung_of
from activities.transcode.command.filters import CommandInput, Filter, simple
from activities.transcode.command.rendition import Rendition, RenditionJob, Size, VideoEncoding


@dataclass(frozen=True, kw_only=True)
class RenditionTarget:
    """A rendition and where its files go: `stem` is their path without suffix.

    The files that the rendition reads beside the source lie in the same directory.
    `picture_file` and `sound_file` are paths of files that have its encoded streams already, if
    any.
    """

    rendition: Rendition
    stem: str
    picture_file: str = ""
    sound_file: str = ""

    @classmethod
    def of(cls, job: RenditionJob, stem: PurePath) -> "RenditionTarget":
        """Return the target of a job whose files are called `stem` and what follows."""
        picture, sound = (
            str(stem.parent / name) if name else "" for name in (job.picture_file, job.sound_file)
        )
        return cls(rendition=job.rendition, stem=str(stem), picture_file=picture, sound_file=sound)

    @property
    def path(self) -> str:
        """The file; of an HLS or DASH output, the playlist or manifest."""
        return f"{self.stem}.{self.rendition.container}"

    def beside(self, name: str) -> str:
        """Return the path of another file of its directory, or of one below it."""
        return str(PurePath(self.stem).parent / name)


class Decode:
    """The inputs of one process and the streams of its source, split for those that share them."""

    def __init__(self, source: str, targets: Sequence[RenditionTarget]) -> None:
        self._source = source
        encodings = [encoding for target in targets if (encoding := _encoding(target))]
        self._options = dict(OPENED) if any(follows(one.filters) for one in encodings) else {}
        self._opened = 0
        self._pictures: dict[RenditionTarget, tuple[GraphStream, int]] = {}
        self._cascade([target for target in targets if _encoding(target)])
        heard = {
            target: (target.rendition.origin, sound.stream)
            for target in targets
            if (sound := target.rendition.sound) and sound.stream is not None and sound.encoding
        }
        users = Counter(heard.values())
        # ffmpeg would filter a sound for each output by itself (-af), but then its threads may wait
        # for each other for ever where the source has a gap
        shared = {target: head for target, head in heard.items() if users[head] > 1}
        self._sounds = self._split(shared, sound=True)

    def _split(
        self, origins: Mapping[RenditionTarget, tuple[CommandInput, int]], *, sound: bool
    ) -> dict[RenditionTarget, GraphStream]:
        alike: dict[tuple[CommandInput, int], list[RenditionTarget]] = {}
        for target, head in origins.items():
            alike.setdefault(head, []).append(target)
        heads: dict[RenditionTarget, GraphStream] = {}
        for (origin, stream), members in alike.items():
            # by index: the first video stream may be a cover picture
            branches = self._origin(origin)[str(stream)].split(len(members), sound=sound)
            heads |= dict(zip(members, branches, strict=True))
        return heads

    def _cascade(self, targets: Sequence[RenditionTarget]) -> None:
        """Decode and scale for all targets: what can be shared is done once.

        One decoder serves all that open the source alike, and a ladder of sizes behind equal
        filters is scaled rung by rung.
        """
        ladders: dict[object, list[RenditionTarget]] = {}
        for number, target in enumerate(targets):
            picture, encoding = target.rendition.picture, _encoding(target)
            assert picture and encoding
            rung = rung_of(encoding.filters)
            # pictures of one rung have one pixel format: ffmpeg settles on that of the first
            key = number
            if rung and simple(rung.before):
                key = (rung.before, rung.colours, picture.part, encoding.pix_fmt)
            head = (target.rendition.origin, picture.stream)
            ladders.setdefault((head, key), []).append(target)
        firsts = {
            members[0]: (members[0].rendition.origin, _stream(members[0]))
            for members in ladders.values()
        }
        heads = self._split(firsts, sound=False)
        for members in ladders.values():
            self._climb(heads[members[0]], members)

    def _climb(self, head: GraphStream, members: Sequence[RenditionTarget]) -> None:
        """Give each target of a ladder its picture, and say how many filters that took."""
        first = members[0].rendition.picture
        assert first and first.encoding
        rungs = [rung for member in members if (rung := _rung(member))]
        if len(members) == 1 or not rungs:
            self._pictures |= {member: (head, 0) for member in members}
            return
        sizes = [rung.size for rung in rungs]
        above = parents(sizes, first.part)
        head = _behind(head, rungs[0].before)
        users: dict[Size | None, int] = Counter(above.values())
        users.update({size: users.get(size, 0) + sizes.count(size) for size in above})
        outlets: dict[Size | None, Iterator[GraphStream]] = {None: iter(head.split(users[None]))}
        for size, parent in above.items():
            scaled = next(outlets[parent]).filter("scale", w=size[0], h=size[1])
            if parent is None:
                scaled = _behind(scaled, rungs[0].colours)
            outlets[size] = iter(scaled.split(users[size]))
        for member, rung in zip(members, rungs, strict=True):
            self._pictures[member] = next(outlets[rung.size]), rung.length

    def _origin(self, origin: CommandInput) -> GraphStream:
        return open_input(self._source, self._options | dict(origin.options))

    def picture(self, target: RenditionTarget, stream: int) -> tuple[GraphStream, int]:
        """Return the picture for a target, and how many of its filters are done."""
        return self._pictures.get(target) or (
            self._origin(target.rendition.origin)[str(stream)],
            0,
        )

    def sound(self, target: RenditionTarget, stream: int) -> GraphStream:
        """Return the sound for a target."""
        head = self._sounds.get(target)
        return self._origin(target.rendition.origin)[str(stream)] if head is None else head

    def shares_sound(self, target: RenditionTarget) -> bool:
        """Whether the sound for a target comes out of a split."""
        return target in self._sounds

    def side_input(self, opened: CommandInput, target: RenditionTarget) -> GraphStream:
        """Open an input for one chain: equal chains have an input each."""
        self._opened += 1
        options = dict(opened.options)
        if not opened.file:
            return open_input(self._source, self._options | options, number=self._opened)
        return open_input(target.beside(opened.file), options, number=self._opened)


def _encoding(target: RenditionTarget) -> VideoEncoding | None:
    picture = target.rendition.picture
    return picture.encoding if picture else None


def _rung(target: RenditionTarget) -> Rung | None:
    encoding = _encoding(target)
    return rung_of(encoding.filters) if encoding else None


def _behind(head: GraphStream, filters: Sequence[Filter]) -> GraphStream:
    return head.chain((one.name, dict(one.options)) for one in filters)


def _stream(target: RenditionTarget) -> int:
    assert target.rendition.picture is not None
    return target.rendition.picture.stream
