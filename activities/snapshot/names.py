"""The objects of one Snapshot: pictures, sprites and their index.

Specification: snapshot, 2 and 5.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from activities.snapshot.config import SnapshotConfig
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import Names, check_key

_OF_ONE = re.compile(r"\{(Count|TileCount|SnapshotTime)\}")
INDEX_EXTENSION = ".vtt"


@dataclass(frozen=True, kw_only=True)
class SnapshotNames:
    """Names with the placeholders of single pictures; `sprite` and `index` where there are some."""

    picture: ObjectRef
    sprite: ObjectRef | None = None
    index: ObjectRef | None = None

    def of_picture(self, number: int, moment: int) -> ObjectRef:
        """Return the object of a picture, by its number from 1 and its moment in milliseconds.

        Raises ActivityError for a key that is not allowed, as the other methods do.
        """
        return _checked(self.picture, fill(self.picture.object, number, moment))

    def of_sprite(self, number: int, first: int, moment: int) -> ObjectRef:
        """Return the object of a sprite, by its number, and number and moment of its first cell."""
        assert self.sprite is not None
        key = self.sprite.object.replace("{TileCount}", f"{number:05d}")
        return _checked(self.sprite, fill(key, first, moment))

    def of_index(self) -> ObjectRef:
        """Return the object of the WebVTT."""
        assert self.index is not None
        return _checked(self.index, self.index.object)

    def relative(self, *, sprites: bool) -> str:
        """Return the URL of pictures, or of sprites, in the WebVTT, placeholders kept."""
        target = self.sprite if sprites else self.picture
        assert target is not None
        return posixpath.relpath(
            f"/{target.object}", posixpath.dirname(f"/{self.of_index().object}")
        )


def snapshot_names(config: SnapshotConfig, names: Names) -> SnapshotNames:
    """Return the objects of a configuration for one run. Raises as `Names.fill` does."""
    picture = replace(config.output_file.template(), object=names.fill(config.output_file.object))
    index = replace(picture, object=index_key(picture.object)) if config.format else None
    target = config.tile_output_file
    sprite = replace(target.template(), object=names.fill(target.object)) if target else None
    return SnapshotNames(picture=picture, sprite=sprite, index=index)


def index_key(picture: str) -> str:
    """Return the key of the WebVTT beside pictures: what stands before their own placeholders."""
    own = _OF_ONE.search(picture)
    stem = picture[: own.start()] if own else posixpath.splitext(picture)[0]
    return stem + INDEX_EXTENSION


def fill(key: str, number: int, moment: int) -> str:
    """Put number (from 1) and moment of one picture into an object key."""
    return key.replace("{Count}", f"{number:05d}").replace("{SnapshotTime}", str(moment))


def require_different(refs: Iterable[ObjectRef]) -> None:
    """Raise ActivityError (`InvalidParameter.Format`) when two outputs have one name."""
    for ref in _repeated(refs):
        raise ActivityError(
            Code.FORMAT,
            f'Two outputs would have the name "{ref.object}".',
            remedy="Give pictures, sprites and WebVTT different names.",
        )


def _repeated(refs: Iterable[ObjectRef]) -> Iterator[ObjectRef]:
    seen: set[tuple[str, str]] = set()
    for ref in refs:
        place = ref.bucket, ref.object
        if place in seen:
            yield ref
        seen.add(place)


def _checked(ref: ObjectRef, key: str) -> ObjectRef:
    try:
        check_key(key)
    except InvalidInputError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from None
    return replace(ref, object=key)
