"""JSON text that knows where each of its values stands.

Parsing is the C parser of the standard library; the index of positions is built only when a
problem has to be shown. Pointers (RFC 6901) continue into JSON documents that stand encoded in
strings: `/Activities/hd/Parameters/Outputs/0/TemplateId` works although Outputs is a string.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any

from workflow_engine.errors import Code, Problem, TopologyError, pointer_to
from workflow_engine.records import Json
from workflow_engine.topology.encoded import DuplicateKeyError, LoneSurrogateError, decode_json

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\],:])|(?P<scalar>[^\s{}\[\],:"]+))',
    re.DOTALL,
)
_ESCAPED = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\."
)


def _same(offset: int) -> int:
    return offset


class _Index:
    """Offsets of every value and key of one JSON text, by pointer.

    `outward` turns an offset of this text into one of the file, for texts inside strings.
    """

    def __init__(self, text: str, outward: Callable[[int], int] = _same) -> None:
        self._text = text
        self._outward = outward
        self.values: dict[str, tuple[int, int]] = {}
        self.keys: dict[str, int] = {}
        self.duplicates: list[tuple[str, int]] = []
        self._inner: dict[str, _Index] = {}
        self._scan()

    def _scan(self) -> None:
        """Walk over the tokens with an explicit stack: [pointer, next index or None, key]."""
        stack: list[list[Any]] = []
        position = 0
        while match := _TOKEN.match(self._text, position):
            position = match.end()
            start, mark = match.start(match.lastgroup or 0), match["mark"]
            if mark in ("}", "]"):
                if not stack:
                    return
                pointer = stack.pop()[0]
                self.values[pointer] = (self.values[pointer][0], position)
            elif mark == ",":
                if stack and stack[-1][1] is not None:
                    stack[-1][1] += 1
                elif stack:
                    stack[-1][2] = None
            elif mark == ":":
                continue
            elif stack and stack[-1][1] is None and stack[-1][2] is None:
                self._take_key(stack[-1], match["string"] or "", start)
            else:
                pointer = self._pointer(stack)
                self.values[pointer] = (start, position)
                if mark:
                    stack.append([pointer, 0 if mark == "[" else None, None])

    def _take_key(self, frame: list[Any], literal: str, start: int) -> None:
        try:
            name = json.loads(literal)
        except ValueError:
            name = literal
        frame[2] = name
        pointer = frame[0] + pointer_to(name)
        if pointer in self.keys:
            self.duplicates.append((pointer, start))
        self.keys[pointer] = start

    @staticmethod
    def _pointer(stack: list[list[Any]]) -> str:
        if not stack:
            return ""
        pointer, index, key = stack[-1]
        return pointer + pointer_to(key if index is None else index)

    def find(self, pointer: str, *, key: bool) -> int | None:
        """Offset in the file of a value, or of its key; None when it does not exist here."""
        found = self.keys.get(pointer) if key else None
        if found is None and pointer in self.values:
            found = self.values[pointer][0]
        if found is not None:
            return self._outward(found)
        head = pointer
        while "/" in head:
            head = head[: head.rindex("/")]
            if head in self.values:
                inner = self._inside(head)
                return inner.find(pointer[len(head) :], key=key) if inner else None
        return None

    def _inside(self, pointer: str) -> "_Index | None":
        """Index of the JSON text that the string at `pointer` holds."""
        if pointer not in self._inner:
            start, end = self.values[pointer]
            literal = self._text[start:end]
            if not literal.startswith('"'):
                return None
            try:
                text = json.loads(literal)
            except ValueError:
                return None
            outward = self._offset_map(literal, start)
            self._inner[pointer] = _Index(text, outward)
        inner = self._inner[pointer]
        # a text that is itself one string continues inside that string
        if inner.values.keys() == {""} and inner._text.lstrip().startswith('"'):
            return inner._inside("")
        return inner

    def _offset_map(self, literal: str, start: int) -> Callable[[int], int]:
        """Map an offset of a string's content to one of the file, over its escapes."""
        decoded, raw = [0], [start + 1]
        for match in _ESCAPED.finditer(literal, 1, len(literal) - 1):
            run = start + match.start() - raw[-1]
            decoded.append(decoded[-1] + run + 1)
            raw.append(start + match.end())

        def outward(offset: int) -> int:
            at = bisect_right(decoded, offset) - 1
            return self._outward(raw[at] + offset - decoded[at])

        return outward


class Document:
    """A parsed JSON text. `value` is what it holds, `file` the name to show."""

    def __init__(self, text: str, file: str = "") -> None:
        """Parse. Raises TopologyError when the text is not JSON or a key stands twice."""
        self.text = text
        self.file = file
        try:
            self.value: Json = decode_json(text)
        except DuplicateKeyError as error:
            raise TopologyError(self._duplicates(error)) from None
        except RecursionError:
            raise self._broken("The JSON nests too deep to be read.", 0) from None
        except json.JSONDecodeError as error:
            inner = error.doc != text
            where = " inside the encoded string" if inner else ""
            sentence = f"The text is not JSON: {error.msg}{where}."
            raise self._broken(sentence, 0 if inner else error.pos) from None
        except LoneSurrogateError as error:
            at = max(text.lower().find("\\ud"), 0)
            raise self._broken(f"The text is not JSON: {error}.", at) from None
        except ValueError as error:
            raise self._broken(f"The text is not JSON: {error}.", 0) from None

    def _broken(self, message: str, offset: int) -> TopologyError:
        line, column = self._line_column(offset)
        return TopologyError(
            [
                Problem(
                    code=Code.JSON_FORMAT,
                    message=message,
                    remedy="Mend the JSON at this place.",
                    file=self.file,
                    line=line,
                    column=column,
                )
            ]
        )

    def _duplicates(self, error: DuplicateKeyError) -> Iterable[Problem]:
        places = self._index.duplicates or [("", 0)]
        for pointer, offset in places:
            name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            line, column = self._line_column(offset)
            yield Problem(
                code=Code.JSON_FORMAT,
                message=f'The key "{name or error.key}" stands twice in one object.',
                pointer=pointer,
                remedy="Remove or rename one of the two.",
                file=self.file,
                line=line,
                column=column,
            )

    @cached_property
    def _index(self) -> _Index:
        return _Index(self.text)

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def _line_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def locate(self, pointer: str, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of a value or of its key; of what encloses it if absent."""
        while True:
            offset = self._index.find(pointer, key=key)
            if offset is not None:
                return self._line_column(offset)
            if not pointer:
                return 1, 1
            pointer = pointer.rpartition("/")[0]

    def place(self, problem: Problem) -> Problem:
        """Return the problem with file, line and column filled in."""
        key = problem.code == Code.UNKNOWN_KEY
        line, column = self.locate(problem.pointer, key=key)
        return replace(problem, file=self.file, line=line, column=column)
