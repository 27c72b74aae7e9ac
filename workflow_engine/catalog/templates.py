"""Custom templates and watermark templates (specification, api, 6 and 8).

What a template may hold is known to the activity type Transcode: it brings the models of the
documents, and the presets, which can be read here like templates of one's own. Pointers of
errors name the parameters of the API.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from workflow_engine.activity import Registry
from workflow_engine.catalog.checks import Named, check
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError
from workflow_engine.records import Json, new_id, utc_now
from workflow_engine.records.catalog import TemplateKind, TemplateRecord, TemplateState
from workflow_engine.topology import key_problems, problems_of
from workflow_engine.topology.encoded import without
from workflow_engine.topology.wire import WireModel, models_inside, shown

if TYPE_CHECKING:
    from workflow_engine.store import Store

log = logging.getLogger(__name__)

#: the activity type that the templates are for
_TYPE = "Transcode"
#: when the presets were made: unknown
PRESETS_CREATED = datetime.fromtimestamp(0, UTC)


class Templates:
    """The templates of one kind."""

    def __init__(self, store: "Store", kind: TemplateKind, registry: Registry) -> None:
        self._store = store
        self._kind = kind
        self._registry = registry
        transcode = kind is TemplateKind.TRANSCODE
        self._parameter = "TemplateId" if transcode else "WaterMarkTemplateId"
        self._command = "mediaflow template list" + ("" if transcode else " --watermark")

    def add(self, name: str, content: Mapping[str, Json]) -> TemplateRecord:
        """Add a template.

        Raises InvalidInputError; for the content it is a TopologyError with every problem.
        """
        check(Named, Name=name)
        record = TemplateRecord(
            id=new_id(),
            kind=self._kind,
            name=name,
            content=self._checked(content),
            created=utc_now(),
        )
        self._store.templates.add(record)
        return record

    def get(self, template_id: str) -> TemplateRecord:
        """Return a template, a deleted one and a preset too.

        Raises InvalidInputError (`ResourceNotFound`).
        """
        record = self._store.templates.get(template_id)
        if record is not None and record.kind is self._kind:
            return record
        if preset := self._presets.get(template_id):
            return preset
        raise InvalidInputError(
            Code.RESOURCE_NOT_FOUND,
            f'There is no template with the id "{template_id}".',
            pointer=f"/{self._parameter}",
            remedy=f"See {self._command}.",
        )

    def update(self, template_id: str, name: str, content: Mapping[str, Json]) -> TemplateRecord:
        """Replace name and content of a template that no waiting job uses.

        Raises InvalidInputError like `add`.
        """
        record = self._changeable(template_id)
        check(Named, Name=name)
        record = replace(record, name=name, content=self._checked(content))
        self._store.templates.save(record)
        return record

    def delete(self, template_id: str) -> TemplateRecord:
        """Delete a template that no waiting job uses; it can still be looked at.

        Raises InvalidInputError.
        """
        record = replace(self._changeable(template_id), state=TemplateState.DELETED)
        self._store.templates.save(record)
        return record

    def by_ids(self, template_ids: Collection[str]) -> list[TemplateRecord]:
        """Return those of some templates that exist, presets too, in the order of the ids."""
        stored = self._store.templates.by_ids(template_ids, self._kind)
        found = {**self._presets, **{record.id: record for record in stored}}
        return [found[one] for one in template_ids if one in found]

    def search(
        self, state: TemplateState | None, *, page_number: int, page_size: int
    ) -> tuple[list[TemplateRecord], int]:
        """Return a page of the custom templates, newest first, and how many there are in all."""
        offset = (page_number - 1) * page_size
        return self._store.templates.search(self._kind, state, offset=offset, limit=page_size)

    def presets(self) -> list[TemplateRecord]:
        """Return every preset."""
        return list(self._presets.values())

    def _changeable(self, template_id: str) -> TemplateRecord:
        record = self.get(template_id)
        if template_id in self._presets:
            raise self._refused(
                Code.NOT_SUPPORTED,
                f'The template "{template_id}" is a preset and cannot be changed.',
                "Add a template of your own.",
            )
        if record.state is TemplateState.DELETED:
            raise self._refused(
                Code.RESOURCE_DELETED,
                f'The template "{template_id}" has been deleted.',
                "Add another one.",
            )
        if record.file:
            raise self._refused(
                Code.INVALID_STATE,
                f'The template "{template_id}" belongs to the file "{record.file}" and cannot be '
                "changed.",
                "Change or remove the file.",
            )
        if self._store.queue.uses_template(template_id):
            raise self._refused(
                Code.INVALID_STATE,
                f'The template "{template_id}" is used by a job that has not started.',
                "Wait until the job starts, or cancel it.",
            )
        return record

    def _refused(self, code: Code, message: str, remedy: str) -> InvalidInputError:
        return InvalidInputError(code, message, pointer=f"/{self._parameter}", remedy=remedy)

    @cached_property
    def _presets(self) -> Mapping[str, TemplateRecord]:
        if self._kind is not TemplateKind.TRANSCODE:
            return {}
        presets: dict[str, TemplateRecord] = {}
        for template_id, sections in self._registry[_TYPE].presets().items():
            content = dict(sections)
            name = content.pop("Name")
            presets[template_id] = TemplateRecord(
                id=template_id,
                kind=self._kind,
                name=name,
                content=content,
                created=PRESETS_CREATED,
            )
        return presets

    def _checked(self, content: Mapping[str, Json]) -> dict[str, Json]:
        """Return the content as it is kept; keys that have no effect are logged."""
        kept, warnings = checked_content(self._kind, content, self._registry)
        for problem in warnings:
            log.warning(
                "The key %s of a template is not known. %s",
                shown(problem.pointer),
                problem.remedy,
            )
        return kept


def checked_content(
    kind: TemplateKind, content: Mapping[str, Json], registry: Registry
) -> tuple[dict[str, Json], list[Problem]]:
    """Return a content with decoded values, and warnings of keys without effect, left out.

    Pointers are those of the API's parameters, where a watermark has its Config. Raises
    TopologyError with every problem.
    """
    transcode = kind is TemplateKind.TRANSCODE
    base = "" if transcode else "/Config"
    document = registry[_TYPE].documents["Template" if transcode else "WaterMarkTemplate"]
    try:
        model = document.model_validate(dict(content))
    except ValidationError as error:
        raise TopologyError(problems_of(error, base)) from None
    kept = _content(model)
    if transcode:
        kept["Container"] = {"Format": "mp4", **kept.get("Container", {})}
    return kept, list(key_problems(model, base))


def lookup_form(record: TemplateRecord) -> Mapping[str, Json]:
    """Return a template as a `TemplateLookup` gives it."""
    if record.kind is TemplateKind.WATERMARK:
        return {"Name": record.name, "Config": record.content}
    return {"Name": record.name, **record.content}


def preset_ids(registry: Registry) -> Collection[str]:
    """Return the ids of the presets."""
    return registry[_TYPE].presets()


def _content(model: WireModel) -> dict[str, Json]:
    """Return what was given of a model, in wire names, without the keys that no field takes."""
    given = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    unknown = [
        (*path, key) for path, inner in models_inside(model) for key in inner.model_extra or ()
    ]
    return cast("dict[str, Json]", without(given, unknown))
