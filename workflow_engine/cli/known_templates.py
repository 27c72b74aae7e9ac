"""Which custom templates `validate` and `graph` know, where no service has to run."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_engine.errors import Code, MediaflowError, Problem, Severity
from workflow_engine.records import Json

if TYPE_CHECKING:
    from workflow_engine.activity import Registry, TemplateLookup
    from workflow_engine.engine import Engine

#: ids that only presets have
_PRESET = re.compile(r"S\d{8}-\d+")


class KnownTemplates:
    """The templates of files, and of the store of the configuration if there is one."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._unknown: set[str] = set()

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "_engine" in self.__dict__ and self._engine is not None:
            self._engine.close()

    def beside(self, topology: Path) -> "TemplateLookup":
        """Return what finds the templates that a topology file may name."""
        from workflow_engine.catalog.template_files import FOLDER, FolderTemplates

        in_files = FolderTemplates(topology.absolute().parent / FOLDER, self._registry)
        return lambda template_id: in_files(template_id) or self._stored(template_id)

    def forgiven(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return problems with those as warnings that a store might have solved."""
        more = "There is no store to look in; --strict makes this an error."
        return [
            replace(problem, severity=Severity.WARNING, remedy=f"{problem.remedy} {more}")
            if problem.code == Code.TEMPLATE_NOT_FOUND
            and any(f'"{one}"' in problem.message for one in self._unknown)
            else problem
            for problem in problems
        ]

    def _stored(self, template_id: str) -> Mapping[str, Json] | None:
        if self._engine is not None:
            return self._engine.custom_template(template_id)
        if not _PRESET.fullmatch(template_id):
            self._unknown.add(template_id)
        return None

    @cached_property
    def _engine(self) -> "Engine | None":
        """What knows the store; None where there is none, or it cannot be opened."""
        from workflow_engine.cli.common import settings
        from workflow_engine.engine import Engine
        from workflow_engine.store import Store

        chosen = settings()
        if not Store.exists(chosen.store.url):
            return None
        engine = Engine(chosen, registry=self._registry)
        try:
            engine.store  # noqa: B018  it is opened now
        except MediaflowError:
            engine.close()
            return None
        return engine
