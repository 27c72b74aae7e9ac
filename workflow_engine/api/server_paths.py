"""Keeps the paths of the server out of answers.

Errors and records name files as people on the machine need them; a caller of the API knows
buckets and keys. `/srv/media/uploads/a.mp4` becomes `uploads/a.mp4`.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from workflow_engine.api.answers import json_bytes, xml_text
from workflow_engine.settings import Settings

#: the fields of answers that hold sentences
_SENTENCES = frozenset({"Message", "ErrorMessage"})
_SQLITE = "sqlite:///"


class ServerPaths:
    """The folders of one configuration, and what they are called outside."""

    def __init__(self, settings: Settings) -> None:
        names = {
            str(path): name
            for folder, name in _folders(settings)
            for path in (folder, folder.resolve())
            if len(path.parts) > 1  # "/" stands for nothing
        }
        longest_first = sorted(names, key=len, reverse=True)
        self._names = names
        self._pattern = re.compile(
            rf"(?<![\w.~-])({'|'.join(map(re.escape, longest_first))})(?![\w~-])"
        )
        self._written = {form(path) for path in names for form in (_in_json, _in_xml)}

    def hidden(self, text: str) -> str:
        """Return a sentence with the names of folders in place of their paths."""
        return self._pattern.sub(lambda match: self._names[match[0]], text)

    def are_in(self, body: bytes) -> bool:
        """Whether an answer that is written may hold a path; hardly one does."""
        return any(path in body for path in self._written)

    def hidden_in(self, content: Any) -> Any:
        """Return the content of an answer with its sentences changed as `hidden` does."""
        if isinstance(content, Mapping):
            return {
                key: self.hidden(value)
                if key in _SENTENCES and isinstance(value, str)
                else self.hidden_in(value)
                for key, value in cast("Mapping[str, Any]", content).items()
            }
        if isinstance(content, list | tuple):
            return [self.hidden_in(item) for item in cast("list[Any]", content)]
        return content


def _folders(settings: Settings) -> Iterator[tuple[Path, str]]:
    yield Path(sys.prefix), "(installation)"
    yield settings.data_dir, "(data directory)"
    if settings.store.url.startswith(_SQLITE):
        yield Path(settings.store.url.removeprefix(_SQLITE)).parent, "(data directory)"
    yield settings.workflows.dir, "(workflow files)"
    for receivers in (settings.queues, settings.topics):
        for name, receiver in receivers.items():
            if receiver.file is not None:
                yield receiver.file, name
    for name, bucket in settings.buckets.items():
        if bucket.path is not None:
            yield bucket.path, name


def _in_json(path: str) -> bytes:
    return json_bytes({"": path})[5:-2]


def _in_xml(path: str) -> bytes:
    return xml_text(path).encode("utf-8", "replace")
