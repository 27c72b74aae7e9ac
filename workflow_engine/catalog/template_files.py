"""Templates that files define: `templates/ID.json` is the template ID of the workflows beside it.

A file holds the parameters of AddTemplate as one JSON object, or those of AddWaterMarkTemplate
(Name and Config). `FileTemplates` brings the files of `[workflows] dir` into the store, where
`service/workflow_files.py` watches them; `FolderTemplates` reads a folder without any store.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from workflow_engine.activity import Registry
from workflow_engine.catalog.checks import Named, check
from workflow_engine.catalog.templates import checked_content, lookup_form, preset_ids
from workflow_engine.catalog.workflow_rules import problem_text, refused_file
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError, pointer_to
from workflow_engine.records import Json, utc_now
from workflow_engine.records.catalog import (
    TemplateKind,
    TemplateRecord,
    TemplateState,
    WorkflowFileRecord,
)
from workflow_engine.settings.files import read_text
from workflow_engine.topology.document import Document
from workflow_engine.topology.encoded import decode_json
from workflow_engine.topology.wire import shown

if TYPE_CHECKING:
    from workflow_engine.store import Store

log = logging.getLogger(__name__)

#: the folder of template files, beside those of workflows
FOLDER = "templates"
#: of the objects that answers have: what a file may hold and nothing reads
ANSWERED = frozenset({"Id", "State", "CreationTime", "RatioRefer"})

#: bytes of a template's id, as lists of ids in the API take it
_MAX_ID = 64


def object_in(document: Document) -> dict[str, Json]:
    """Return the members of a template's file. Raises InvalidInputError."""
    value: Json = document.value
    if not isinstance(value, dict):
        raise InvalidInputError(
            Code.JSON_OBJECT_FORMAT,
            f'The file "{document.file}" does not hold a JSON object.',
            remedy='Write {"Container": {...}, "Video": {...}, "Audio": {...}}.',
        )
    members = cast("dict[str, Json]", value)
    return {key: member for key, member in members.items() if key not in ANSWERED}


def template_of_file(
    path: str, text: str, registry: Registry
) -> tuple[TemplateRecord, list[Problem]]:
    """Return the template that the text of a file defines, and warnings about it.

    Raises InvalidInputError, for the content a TopologyError with every problem and its line.
    """
    template_id = Path(path).stem
    _check_id(template_id, registry)
    document = Document(text, path)
    content = object_in(document)
    name = content.pop("Name", None) or template_id
    kind = TemplateKind.TRANSCODE
    try:
        name = check(Named, Name=name).name
        if "Config" in content:
            kind = TemplateKind.WATERMARK
            content = _config(content)
        content, warnings = checked_content(kind, content, registry)
    except TopologyError as error:
        raise TopologyError(map(document.place, error.problems)) from None
    except InvalidInputError as error:
        raise TopologyError([document.place(error.problem())]) from None
    record = TemplateRecord(
        id=template_id, kind=kind, name=name, content=content, created=utc_now(), file=path
    )
    return record, [document.place(problem) for problem in warnings]


class FolderTemplates:
    """The templates of a folder, read when one is asked for."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        self._registry = registry

    def __call__(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a template as a `TemplateLookup` does. Raises InvalidInputError for a bad file.

        Its pointer is relative to the output that names the template.
        """
        if "/" in template_id or "\0" in template_id or template_id.startswith("."):
            return None
        path = self._folder / f"{template_id}.json"
        if not path.is_file():
            return None
        try:
            record, _ = template_of_file(str(path), read_text(path), self._registry)
        except InvalidInputError as error:
            raise InvalidInputError(
                error.code,
                f'The template file "{path}" cannot be used: {error.message}',
                pointer="/TemplateId",
                remedy="Run mediaflow validate on that file.",
            ) from None
        return lookup_form(record)


class FileTemplates:
    """The templates of a store that files define; see `catalog/workflows.py` for the workflows."""

    def __init__(self, store: "Store", registry: Registry) -> None:
        self._rows = store.templates
        self._registry = registry
        self._lock = threading.Lock()

    def files(self) -> list[WorkflowFileRecord]:
        """Return what became of each file."""
        return self._rows.files()

    def files_in(self, folder: str) -> list[WorkflowFileRecord]:
        """Return what became of each file of a folder; those of others are not its business."""
        return [file for file in self.files() if os.path.dirname(file.path) == folder]

    def load_file(
        self, path: str, name: str, text: str, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Let the text of a file define the template `name`.

        A file with problems changes nothing but its record, which tells all of them. `known` is
        its record so far.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()
        loaded = WorkflowFileRecord(path=path, name=name, digest=digest, checked=utc_now())
        if known is None:
            # before anything else, so that its removal is noticed whatever happens in between
            known = self._rows.file_saved(loaded, None)
        try:
            record, warnings = template_of_file(path, text, self._registry)
            for problem in warnings:
                log.warning("%s", problem)
            self._define(record)
        except InvalidInputError as error:
            loaded = replace(loaded, problem=problem_text(path, error))
        return self._rows.file_saved(loaded, known)

    def refuse_file(
        self, path: str, name: str, error: InvalidInputError, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Record why a file cannot be read; its template stays as it is."""
        return self._rows.file_saved(refused_file(path, name, error, known), known)

    def remove_file(self, known: WorkflowFileRecord) -> None:
        """Forget a file that is gone and delete its template; runs that exist continue with it."""
        with self._lock:
            record = self._rows.get(known.name)
            if record is not None and record.file == known.path:
                self._rows.save(replace(record, state=TemplateState.DELETED))
            self._rows.remove_file(known.path)

    def _define(self, wanted: TemplateRecord) -> None:
        with self._lock:
            record = self._rows.get(wanted.id)
            if record is not None and not record.file:
                raise InvalidInputError(
                    Code.INVALID_STATE,
                    f'The id "{wanted.id}" belongs to a template that was added by hand.',
                    remedy="Rename the file.",
                )
            if record is not None:
                self._refuse_another(record, wanted.file)
                wanted = replace(wanted, created=record.created)
            if wanted != record:
                self._rows.put(wanted)
            if record is not None and record.file != wanted.file:
                self._rows.remove_file(record.file)

    def _refuse_another(self, record: TemplateRecord, file: str) -> None:
        """Leave a template with the file that defined it first. Raises InvalidInputError."""
        known = record.file != file and any(one.path == record.file for one in self.files())
        if known and os.path.exists(record.file):
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The file "{record.file}" defines the template "{record.id}" already.',
                remedy="Rename one of the two files.",
            )


def _check_id(template_id: str, registry: Registry) -> None:
    """Refuse what topologies cannot name. Raises InvalidInputError."""
    fault = ""
    if len(template_id.encode()) > _MAX_ID:
        fault = f"is longer than {_MAX_ID} bytes"
    elif "," in template_id or not template_id.isprintable():
        fault = "has commas or control characters"
    elif template_id in preset_ids(registry):
        fault = "is that of a preset"
    if fault:
        raise InvalidInputError(
            Code.INVALID,
            f"The name of the file is the template's id, and {shown(template_id)} {fault}.",
            remedy="Rename the file.",
        )


def _config(content: Mapping[str, Json]) -> dict[str, Json]:
    """Return the Config of a watermark. Raises InvalidInputError."""
    for other in content:
        if other != "Config":
            raise InvalidInputError(
                Code.INVALID,
                f"The template of a watermark has the parameter {shown(other)}.",
                pointer=pointer_to(other),
                remedy="Write Name and Config only.",
            )
    try:
        config = decode_json(content["Config"])
    except (ValueError, RecursionError):
        config = None
    if isinstance(config, dict):
        return cast("dict[str, Json]", config)
    raise InvalidInputError(
        Code.JSON_OBJECT_FORMAT,
        "The Config does not hold a JSON object.",
        pointer="/Config",
        remedy='Write {"Config": {"Width": "0.1", ...}}.',
    )
