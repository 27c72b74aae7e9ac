"""Finds custom templates by id: in folders beside topologies first, then in the store."""

from collections.abc import Callable, Mapping
from pathlib import Path

from workflow_engine.activity import Registry
from workflow_engine.catalog.template_files import FOLDER, FolderTemplates
from workflow_engine.catalog.templates import lookup_form
from workflow_engine.records import Json
from workflow_engine.records.catalog import TemplateState
from workflow_engine.store import Store


class TemplateFinder:
    """The custom templates that topologies may name.

    `store` gives the store, or None where there is none to ask yet.
    """

    def __init__(self, store: Callable[[], Store | None], registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._folders: dict[Path, FolderTemplates] = {}

    def know_beside(self, folder: Path) -> None:
        """Find templates in files, too, which need no `serve` to have seen them."""
        self._folders.setdefault(folder, FolderTemplates(folder / FOLDER, self._registry))

    def current(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a custom template that is not deleted; a `TemplateLookup`."""
        return self._find(template_id, deleted=False)

    def accepted(self, template_id: str) -> Mapping[str, Json] | None:
        """Return a custom template, also a deleted one: executions that exist continue with it."""
        return self._find(template_id, deleted=True)

    def _find(self, template_id: str, *, deleted: bool) -> Mapping[str, Json] | None:
        for templates in self._folders.values():
            if (found := templates(template_id)) is not None:
                return found
        store = self._store()
        record = store.templates.get(template_id) if store is not None else None
        if record is None or (record.state is TemplateState.DELETED and not deleted):
            return None
        return lookup_form(record)
