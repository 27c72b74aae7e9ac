"""What lands in the buckets: who listens, what waits, and what became of it, or why nothing did."""

from starlette.responses import Response

from workflow_engine.engine import Engine
from workflow_engine.errors import InvalidInputError
from workflow_engine.ingest.checks import Check, checks
from workflow_engine.ingest.explanation import Explanation, Facts
from workflow_engine.records import utc_now
from workflow_engine.web.serving import Visit

#: objects that waited and that landed last
_SHOWN = 100


class TriggerPage:
    """`/triggers`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def show(self, visit: Visit) -> Response:
        """Show listeners and landings, and explain an object that is asked for."""
        given = visit.request.query.get("object", "").strip()
        found: Explanation | None = None
        problem: InvalidInputError | None = None
        if given:
            try:
                found = self._engine.intake.explain(_url(given))
            except InvalidInputError as error:
                problem = error
        landings = self._engine.store.landings
        return visit.page(
            "triggers.html",
            status=400 if problem else 200,
            here="/triggers",
            given=given,
            explained=found,
            checks=checks(found.facts) if found and found.facts else list[Check](),
            workflows=_workflows(found.facts) if found and found.facts else [],
            problem=problem,
            buckets=self._engine.intake.status(),
            waiting=landings.waiting(limit=_SHOWN),
            landed=landings.newest(limit=_SHOWN),
            now=utc_now(),
        )


def _url(given: str) -> str:
    """Return the URL of an object that is given by one, or as BUCKET/KEY; never a path."""
    return given if "://" in given else f"oss://{given.lstrip('/')}"


def _workflows(facts: Facts) -> list[tuple[str, str, bool, str, str]]:
    """Return what each workflow makes of an object: id, name, whether it starts, why, its run."""
    rows: list[tuple[str, str, bool, str, str]] = []
    for verdict in facts.verdicts:
        run = facts.run_of(verdict)
        why = "; ".join(verdict.reasons) or "takes it"
        if verdict.starts and facts.known and not run:
            why = "takes it now, but has no run of this version"
        rows.append((verdict.workflow.id, verdict.workflow.name, verdict.starts, why, run))
    return rows
