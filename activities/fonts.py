"""The fonts of texts and subtitles: Noto Sans CJK, out of the package noto-cjk-sans-otc.

The documents of MPS name commercial fonts; only free ones can ship, so every name becomes a face
of one family (`face_of`). ffmpeg gets a face as a file of its own beside its other files
(`write_face`): its `drawtext` cannot choose one of a collection, and libass looks at nothing but
the folder that it is given.
"""

import struct
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workflow_engine.activity import Finding
from workflow_engine.errors import Code, InstallationError, Problem, Severity
from workflow_engine.topology.wire import shown

SANS = "Noto Sans CJK SC"
MONO = "Noto Sans Mono CJK SC"
#: the fonts that the specification lists (output_limits, TextWaterMark.FontName), and their free
#: stand-ins
FACES = {
    "SimSun": SANS,
    "方正仿宋简体": SANS,
    "方正楷体简体": SANS,
    "方正书宋简体": SANS,
    "FZHei-B01S": SANS,
    "微软雅黑": SANS,
    "文泉驿微米黑": SANS,
    "WenQuanYi Zen Hei": SANS,
    "WenQuanYi Zen Hei Mono": MONO,
    "WenQuanYi Zen Hei Sharp": SANS,
    "Yuanti SC": SANS,
    "Yuanti SC Regular": SANS,
    "Roboto": SANS,
    "Roboto Bold": SANS,
    SANS: SANS,
    MONO: MONO,
}
DEFAULT_FONT = "SimSun"
#: where fonts lie in a work directory
FOLDER = "fonts"

_PACKAGE = "noto-cjk-sans-otc"
_FAMILY = 1  # OpenType's name 1
_WINDOWS_ENGLISH = (3, 1, 0x409)


def face_of(font: str) -> str:
    """Return the face that is drawn for the name of a font, whichever it is."""
    return FACES.get(font, SANS)


def font_faults(font: str | None, pointer: str) -> Iterator[Problem]:
    """Yield a warning for a font that is not known."""
    if font is not None and font not in FACES:
        yield Problem(
            code=Code.NOT_SUPPORTED,
            message=f"The font {shown(font)} is not known; {SANS} is used.",
            pointer=pointer,
            remedy=f"Use one of {', '.join(FACES)}.",
            severity=Severity.WARNING,
        )


def face_file(face: str) -> str:
    """Return the file name of a face; its version, which shapes pictures, is in it."""
    try:
        return f"{face.replace(' ', '')}-{version(_PACKAGE)}.otf"
    except PackageNotFoundError as error:
        raise _missing() from error


def write_face(face: str, file: Path) -> None:
    """Write one face of the collection as a font of its own. Raises InstallationError."""
    try:
        collection = import_module(_PACKAGE.replace("-", "_")).FONT_PATH.read_bytes()
    except (ImportError, OSError) as error:
        raise _missing() from error
    file.write_bytes(_face(collection, face))


def font_finding() -> Finding:
    """Say whether the fonts are there, for `mediaflow doctor`."""
    try:
        return Finding(name="fonts", works=True, detail=face_file(SANS))
    except InstallationError as error:
        return Finding(name="fonts", works=False, detail=error.message, remedy=error.remedy)


def _missing() -> InstallationError:
    return InstallationError(
        Code.INSTALLATION,
        "The font of texts and subtitles is missing.",
        remedy=f"Install the wheel {_PACKAGE}.",
    )


def _face(collection: bytes, face: str) -> bytes:
    (count,) = struct.unpack_from(">I", collection, 8)
    for start in struct.unpack_from(f">{count}I", collection, 12):
        tables = _tables(collection, start)
        if _name(tables[b"name"][1]) == face:
            return _font(collection[start : start + 4], tables)
    raise _missing()


def _tables(collection: bytes, start: int) -> dict[bytes, tuple[int, bytes]]:
    """Return checksum and content of each table of a face, by its tag."""
    (count,) = struct.unpack_from(">H", collection, start + 4)
    rows = struct.iter_unpack(">4sIII", collection[start + 12 : start + 12 + 16 * count])
    return {tag: (check, collection[at : at + size]) for tag, check, at, size in rows}


def _name(table: bytes) -> str:
    """Return the name of the family out of the table `name`."""
    count, base = struct.unpack_from(">HH", table, 2)
    for row in struct.iter_unpack(">6H", table[6 : 6 + 12 * count]):
        platform, encoding, language, kind, size, at = row
        if (platform, encoding, language) == _WINDOWS_ENGLISH and kind == _FAMILY:
            return table[base + at : base + at + size].decode("utf-16-be")
    return ""


def _font(flavour: bytes, tables: dict[bytes, tuple[int, bytes]]) -> bytes:
    """Return a font file of its own: the head, the directory, the tables at multiples of 4."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    head = struct.pack(
        ">4s4H", flavour, count, power * 16, power.bit_length() - 1, (count - power) * 16
    )
    at = len(head) + 16 * count
    directory: list[bytes] = []
    content: list[bytes] = []
    for tag, (check, table) in tables.items():
        directory.append(struct.pack(">4sIII", tag, check, at, len(table)))
        content.append(table + bytes(-len(table) % 4))
        at += len(content[-1])
    return b"".join((head, *directory, *content))
