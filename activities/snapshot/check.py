"""What is wrong with the object names of a Snapshot, before any file is seen.

Specification: snapshot, 2 and 5.
"""

from collections.abc import Iterator
from dataclasses import replace

from activities.objects import name_faults
from activities.snapshot.config import SnapshotConfig
from activities.snapshot.names import fill, index_key
from activities.snapshot.preview import EXTENSIONS, extension_of
from workflow_engine.errors import Code, Problem
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import decode_object, placeholders_in

_PLACEHOLDERS = frozenset(
    {"ObjectPrefix", "FileName", "ExtName", "RunId", "MediaId", "SnapshotTime", "Count"}
)
_PICTURE = "/SnapshotConfig/OutputFile/Object"
_SPRITE = "/SnapshotConfig/TileOutputFile/Object"


def name_problems(config: SnapshotConfig) -> Iterator[Problem]:
    """Yield what is wrong with the object names of pictures, sprites and their index."""
    name, sprites = config.output_file.object, config.tile_output_file
    faults = list(name_faults(name, _PLACEHOLDERS, _PICTURE))
    if sprites:
        faults += name_faults(sprites.object, _PLACEHOLDERS | {"TileCount"}, _SPRITE)
    yield from faults
    if faults:
        return
    if config.sequence and config.keeps_pictures and "Count" not in placeholders_in(name):
        yield _missing(name, "Count", "a sequence has", "pictures", _PICTURE)
    elif sprites and _many(config) and "TileCount" not in placeholders_in(sprites.object):
        yield _missing(sprites.object, "TileCount", "the sprites has", "sprites", _SPRITE)
    elif config.preview and extension_of(name) not in EXTENSIONS:
        yield Problem(
            code=Code.FORMAT,
            message=f'The object name "{name}" of a Preview has another extension than '
            f"{' and '.join(EXTENSIONS)}.",
            pointer=_PICTURE,
            remedy="End the name with .webp or .mp4.",
        )
    else:
        yield from _collisions(config)


def _many(config: SnapshotConfig) -> bool:
    """Whether there may be more than one sprite."""
    tiles = config.tiles
    if tiles is None or not config.sequence:
        return False
    room = tiles.lines * tiles.columns * tiles.cell_sel_step
    return config.num is None or config.num > room


def _missing(name: str, placeholder: str, of: str, what: str, pointer: str) -> Problem:
    return Problem(
        code=Code.FORMAT,
        message=f'The object name "{name}" of {of} no {{{placeholder}}}, so its {what} would '
        "overwrite each other.",
        pointer=pointer,
        remedy=f"Put {{{placeholder}}} into the name.",
    )


def first_objects(config: SnapshotConfig) -> Iterator[tuple[str, ObjectRef]]:
    """Yield what each kind of output is called, and the template of its first object."""
    picture = config.output_file.template()
    key = decode_object(picture.object)
    if config.keeps_pictures:
        yield "picture", replace(picture, object=fill(key, 1, config.time))
    if config.tile_output_file:
        sprite = config.tile_output_file.template()
        first = decode_object(sprite.object).replace("{TileCount}", "00001")
        yield "sprite", replace(sprite, object=fill(first, 1, config.time))
    if config.format:
        yield "WebVTT", replace(picture, object=index_key(key))


def _collisions(config: SnapshotConfig) -> Iterator[Problem]:
    """Yield the outputs that have one name, by the first of each kind."""
    seen: dict[tuple[str, str], str] = {}
    for what, ref in first_objects(config):
        place = ref.bucket, ref.object
        if place in seen:
            yield Problem(
                code=Code.FORMAT,
                message=f'The first {seen[place]} and the {what} would both be "{ref.object}".',
                pointer=_SPRITE if what == "sprite" else _PICTURE,
                remedy="Give pictures, sprites and WebVTT different names.",
            )
        seen.setdefault(place, what)
