"""XML as a small tree, read safely: no document types, so no entities, and limits on size.

A document type is all that can make an XML file grow or reach out of itself; TTML has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from activities.subtitles.document import SubtitleError

#: elements of one document, and how deep they stand in each other
MAX_ELEMENTS = 100_000
MAX_DEPTH = 64

_SEPARATOR = "\n"
_XML = "http://www.w3.org/XML/1998/namespace"


@dataclass(frozen=True, kw_only=True)
class Element:
    """An element: its name, attributes by namespace and name, and texts and elements inside.

    `line` is where it begins in the file.
    """

    namespace: str
    name: str
    attributes: Mapping[tuple[str, str], str]
    line: int
    children: "list[Element | str]" = field(default_factory=list["Element | str"])

    def elements(self, name: str) -> "list[Element]":
        """Return the children of a name, whatever their namespace."""
        return [one for one in self.children if isinstance(one, Element) and one.name == name]

    def xml(self, name: str) -> str | None:
        """Return an attribute of XML itself, such as `lang`."""
        return self.attributes.get((_XML, name))


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _doctype(self, *_: object) -> None:
        raise SubtitleError("it has a document type (<!DOCTYPE>), which no TTML file has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise SubtitleError(
                f"it has more than {MAX_ELEMENTS} elements, or more than {MAX_DEPTH} inside "
                "each other"
            )
        namespace, local = _split(name)
        element = Element(
            namespace=namespace,
            name=local,
            attributes={_split(key): value for key, value in attributes.items()},
            line=self.parser.CurrentLineNumber,
        )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].children.append(text)


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(_SEPARATOR)
    return namespace, local


def read_xml(content: bytes) -> Element:
    """Return the root element. Raises SubtitleError for what is not well-formed XML."""
    builder = _Builder()
    try:
        builder.parser.Parse(content, True)
    except expat.ExpatError as error:
        words = expat.errors.messages[error.code]
        raise SubtitleError(f"it is not well-formed XML: {words} in line {error.lineno}") from None
    except (ValueError, LookupError) as error:
        if isinstance(error, SubtitleError):
            raise
        raise SubtitleError(f"its encoding cannot be read: {error}") from None
    assert builder.root is not None
    return builder.root
