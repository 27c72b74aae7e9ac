"""Publish states of media: which moves are allowed, and what they mean for the outputs.

Published outputs are read as their bucket allows, all others only by its owner. That takes
buckets with access rules for single objects; folders have none (decision 17).
Specification: api, 12; topology, 4.5.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from workflow_engine.buckets import Buckets
from workflow_engine.errors import InvalidInputError
from workflow_engine.records.catalog import PublishState
from workflow_engine.store import Store

#: lets objects of a bucket be read as it allows (true), or by its owner only (false)
Access = Callable[[str, Sequence[str], bool], None]


class Caller(Enum):
    """Who moves a media to another publish state."""

    #: a user, by UpdateMediaPublishState
    API = "api"
    #: a run that ended
    WORKFLOW = "workflow"


_MOVES = {
    Caller.API: {
        (PublishState.PUBLISHED, PublishState.UNPUBLISHED),
        (PublishState.UNPUBLISHED, PublishState.PUBLISHED),
    },
    Caller.WORKFLOW: {
        (PublishState.INITIATED, PublishState.PUBLISHED),
        (PublishState.INITIATED, PublishState.UNPUBLISHED),
    },
}


def allowed(caller: Caller, state: PublishState, wanted: PublishState) -> bool:
    """Tell whether a media may go from one state to another; staying is always allowed. Pure."""
    return state is wanted or (state, wanted) in _MOVES[caller]


def state_of(published: bool) -> PublishState:
    """Return the publish state of a media that is, or is not, published. Pure."""
    return PublishState.PUBLISHED if published else PublishState.UNPUBLISHED


def set_published(
    store: Store, media_id: str, published: bool, access: Access | None = None
) -> None:
    """Make a media Published or UnPublish, the outputs of all its runs first.

    `access` is called for the outputs in each bucket; None where no bucket has access
    rules. What it raises leaves the state as it was.
    """
    _grant(store, media_id, published, access)
    store.media.set_publish_state(media_id, state_of(published))


def workflow_ended(
    store: Store, media_id: str, publish: bool, access: Access | None = None
) -> None:
    """Take what a run that ended wants for its media; a state that no run may change stays.

    The outputs follow the state that results. Nothing happens to a deleted media.
    """
    record = store.media.get(media_id)
    if record is None or record.deleted:
        return
    may = allowed(Caller.WORKFLOW, record.publish_state, state_of(publish))
    state = state_of(publish) if may else record.publish_state
    _grant(store, media_id, state is PublishState.PUBLISHED, access)
    if state is not record.publish_state:
        store.media.set_publish_state(media_id, state)


def _grant(store: Store, media_id: str, published: bool, access: Access | None) -> None:
    if access is None:
        return
    for bucket, keys in store.executions.outputs_of_media(media_id).items():
        access(bucket, keys, published)


def access_in(buckets: Buckets) -> Access | None:
    """Return what changes the access of objects in the buckets that can do it; None for none."""
    if not buckets.have_access_rules:
        return None

    def change(name: str, keys: Sequence[str], published: bool) -> None:
        try:
            bucket = buckets.get(name)
        except InvalidInputError:
            return  # a folder that only one run knew
        bucket.set_access(keys, published)

    return change
