"""What the end of an activity means outside of its execution: the media library and messages.

The runner asks before it commits a state, and keeps the message in the same transaction. Changes
of the library come first and may be repeated: a crash in between runs the activity again. None
of them can fail an execution. Specification: topology, 4.5 and 12; api, 12; snapshot, 6.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from workflow_engine.activity import (
    DescribeMedia,
    Effect,
    KeepPredictions,
    Publish,
    Role,
    SetCover,
)
from workflow_engine.buckets import object_url
from workflow_engine.catalog import publish_states
from workflow_engine.errors import Code, StoreError
from workflow_engine.messages import Outbox, Outgoing
from workflow_engine.planning.graph import Graph
from workflow_engine.records import (
    ActivityRecord,
    ActivityState,
    ExecutionKind,
    ExecutionRecord,
    Json,
    Prediction,
)
from workflow_engine.store import Claim, Store

log = logging.getLogger(__name__)


class Completion:
    """Tells the library and the receivers of messages how one execution goes.

    `graph` is None when the topology cannot be read any more. `access` changes who may read an
    output; None where no bucket has rules for that. Everything raises StoreError.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        graph: Graph | None,
        access: publish_states.Access | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._graph = graph
        self._access = access

    def activity_ends(self, execution: ExecutionRecord, activity: ActivityRecord) -> Outgoing:
        """Take the end of an activity, before it is committed; return its message.

        Report's own message tells the end of the execution, so it comes with that.
        """
        if execution.kind is not ExecutionKind.WORKFLOW:
            return Outgoing()
        for effect in self._effects(activity):
            match effect:
                case SetCover(ref=ref):
                    self._set_cover(execution, object_url(ref))
                case Publish(published=published):
                    self._publish(execution, published=published)
                case KeepPredictions(predictions=found):
                    if not activity.reused:  # counted when it was made
                        self._keep(execution, activity, found)
                case DescribeMedia():
                    pass  # `described` has it: it is committed with the activity
        assert self._graph is not None
        role = self._graph.nodes[activity.name].role
        if role is Role.START:
            return self._announced(execution, activity.name)
        succeeded = activity.state is ActivityState.SUCCESS
        if role is Role.RENDITION and succeeded and self._graph.publishes_renditions:
            self._publish(execution, published=True)
            return self._announced(execution, activity.name)
        if role is Role.REPORT:
            return Outgoing(result=self._announced(execution, activity.name).result)
        return Outgoing()

    def described(self, activity: ActivityRecord) -> Mapping[str, Json] | None:
        """Return what an activity found out about its input, None when it found nothing."""
        found = (e.properties for e in self._effects(activity) if isinstance(e, DescribeMedia))
        return next(found, None)

    def _effects(self, activity: ActivityRecord) -> Iterable[Effect]:
        if self._graph is None or activity.state is not ActivityState.SUCCESS:
            return ()
        try:
            return tuple(self._graph.nodes[activity.name].activity.effects(activity.result))
        except Exception as error:
            log.exception("the effects of %s are unknown: %r", activity.name, error)
            return ()

    def end(self, claim: Claim, execution: ExecutionRecord) -> None:
        """Save the end of the execution, and its last message with it."""
        is_job = execution.kind is not ExecutionKind.WORKFLOW
        outgoing = self._job_ends(execution) if is_job else self._workflow_ends(execution)
        self._store.executions.save(
            claim,
            state=execution.state,
            code=execution.code,
            message=execution.message,
            ended=execution.ended,
            report=execution.report,
            message_result=outgoing.result if is_job else None,
            announce=outgoing.message,
        )
        self.committed(outgoing)

    def _job_ends(self, execution: ExecutionRecord) -> Outgoing:
        pipeline = self._store.pipelines.get(execution.pipeline_id)
        if pipeline is None:
            return Outgoing()
        return _written(lambda: self._outbox.announce_job(execution, pipeline))

    def _workflow_ends(self, execution: ExecutionRecord) -> Outgoing:
        report = self._graph.report if self._graph else None
        return self._announced(execution, report.name) if report else Outgoing()

    def _announced(self, execution: ExecutionRecord, name: str) -> Outgoing:
        graph = self._graph
        assert graph is not None
        return _written(lambda: self._outbox.announce(execution, execution.activity(name), graph))

    def committed(self, outgoing: Outgoing) -> None:
        """Have the message sent that was kept."""
        if outgoing.message is not None:
            self._outbox.notify()

    def _set_cover(self, execution: ExecutionRecord, url: str) -> None:
        self._guarded(lambda: self._store.media.set_cover(execution.media_id, url))

    def _publish(self, execution: ExecutionRecord, *, published: bool) -> None:
        media_id = execution.media_id
        self._guarded(
            lambda: publish_states.workflow_ended(self._store, media_id, published, self._access)
        )

    def _keep(
        self, execution: ExecutionRecord, activity: ActivityRecord, found: Sequence[Prediction]
    ) -> None:
        run_id, name = execution.run_id, activity.name
        self._guarded(lambda: self._store.predictions.keep(run_id, name, found))

    def _guarded(self, change: Callable[[], object]) -> None:
        try:
            change()
        except StoreError:
            raise
        except Exception as error:
            log.warning("the media library was not updated: %s", error)


def _written(write: Callable[[], Outgoing]) -> Outgoing:
    """Return a message, or what kept it from being written: no execution fails by that."""
    try:
        return write()
    except Exception as error:
        log.exception("a message cannot be written: %r", error)
        reason = f"The message cannot be written: {error!r}."
        return Outgoing(result={"ErrorCode": str(Code.INTERNAL), "ErrorMessage": reason})
