"""The media library: every input object is a media (specification, api, 12; topology, 12).

A media comes to be with its first run, or by `add_media`. Its runs find out what is in the file;
what people say about it, `media_details.py`, is set here.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Unpack

from workflow_engine.buckets import Buckets
from workflow_engine.catalog import publish_states
from workflow_engine.catalog.checks import placed
from workflow_engine.catalog.media_details import (
    MAX_TAGS,
    Details,
    check_submission,
    checked,
    checked_tag,
    media_file,
)
from workflow_engine.catalog.workflows import Workflows
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef, stable_id, utc_now
from workflow_engine.records.catalog import (
    MediaRecord,
    WorkflowRecord,
    WorkflowState,
)
from workflow_engine.store import Store
from workflow_engine.topology.wire import shown


def media_id(ref: ObjectRef) -> str:
    """Return the MediaId of an object, always the same."""
    return stable_id("media", ref.bucket, ref.object)


class MediaLibrary:
    """The media of a store. `buckets` hold the outputs whose access follows the publish state.

    A deleted media can only be looked at: everything else raises InvalidInputError
    (`InvalidParameter.ResourceDeleted`), until it is added again.
    """

    def __init__(self, store: Store, buckets: Buckets) -> None:
        self._store = store
        self._rows = store.media
        self._access = publish_states.access_in(buckets)
        self._lock = threading.Lock()

    def add(self, ref: ObjectRef, **details: Unpack[Details]) -> MediaRecord:
        """Add the media of an object; a deleted one starts over.

        On one that is there already, the details that are given replace its own. Raises
        InvalidInputError for a detail beyond its limits.
        """
        wanted = checked(details).model_dump()
        given = {name: value for name, value in wanted.items() if value not in ("", (), None)}
        with self._lock:
            new = MediaRecord(id=media_id(ref), file=ref, created=utc_now())
            stored = self._rows.add(replace(new, **given))
            changed = replace(stored, **given)
            return stored if changed == stored else self._rows.save(changed) or changed

    def get(self, media_id: str) -> MediaRecord:
        """Return a media, deleted or not. Raises InvalidInputError (`ResourceNotFound`)."""
        record = self._rows.get(media_id)
        if record is None:
            raise _unknown(media_id)
        return record

    def by_ids(self, media_ids: Collection[str]) -> list[MediaRecord]:
        """Return those of some media that exist, deleted or not, in the order of the ids."""
        return self._rows.by_ids(media_ids)

    def search(self, *, offset: int, limit: int) -> tuple[list[MediaRecord], int]:
        """Return some of the media that are not deleted, newest first, and how many there are."""
        return self._rows.search(offset=offset, limit=limit)

    def update(self, media_id: str, **details: Unpack[Details]) -> MediaRecord:
        """Replace all details of a media: those that are not given are cleared."""
        given = checked(details).model_dump()
        return self._change(media_id, lambda record: replace(record, **given))

    def set_category(self, media_id: str, category_id: int | None) -> MediaRecord:
        """Put a media into a category, or into none."""
        given = checked({"category_id": category_id})
        return self._change(media_id, lambda record: replace(record, category_id=given.category_id))

    def set_cover(self, media_id: str, url: str) -> MediaRecord:
        """Give a media a cover picture, without the query string of its URL; "": none."""
        given = checked({"cover_url": url})
        return self._change(media_id, lambda record: replace(record, cover_url=given.cover_url))

    def add_tag(self, media_id: str, tag: str) -> MediaRecord:
        """Add one tag; one that is there already stays."""
        added = checked_tag(tag)

        def tagged(record: MediaRecord) -> MediaRecord:
            if added in record.tags:
                return record
            if len(record.tags) >= MAX_TAGS:
                raise InvalidInputError(
                    Code.OUT_OF_RANGE,
                    f"The media has {MAX_TAGS} tags, so {shown(added)} cannot be added.",
                    pointer="/Tag",
                    remedy="Delete a tag first.",
                )
            return replace(record, tags=(*record.tags, added))

        return self._change(media_id, tagged)

    def remove_tag(self, media_id: str, tag: str) -> MediaRecord:
        """Take one tag away; one that is not there is not an error."""
        gone = checked_tag(tag)
        return self._change(
            media_id,
            lambda record: replace(record, tags=tuple(t for t in record.tags if t != gone)),
        )

    def set_published(self, media_id: str, published: bool) -> MediaRecord:
        """Publish a media whose runs left it unpublished, or take it back.

        Raises InvalidInputError (`InvalidParameter.InvalidState`) before a run has ended.
        """
        wanted = publish_states.state_of(published)
        record = self._living(media_id)
        if not publish_states.allowed(publish_states.Caller.API, record.publish_state, wanted):
            raise InvalidInputError(
                Code.INVALID_STATE,
                f'The media is {record.publish_state} and cannot become "{wanted}".',
                pointer="/Publish",
                remedy="Wait until a run of a workflow on it has ended.",
            )
        publish_states.set_published(self._store, media_id, published, self._access)
        return replace(record, publish_state=wanted)

    def delete(self, media_ids: Collection[str]) -> None:
        """Delete media from the library, all or none; no file is touched.

        What is deleted already stays so. Raises InvalidInputError for an id that is unknown.
        """
        found = {record.id for record in self.by_ids(media_ids)}
        for one in media_ids:
            if one not in found:
                raise _unknown(one, pointer="/MediaIds")
        self._rows.mark_deleted(media_ids)

    def _living(self, media_id: str) -> MediaRecord:
        record = self.get(media_id)
        if record.deleted:
            raise _deleted(media_id)
        return record

    def _change(self, media_id: str, change: Callable[[MediaRecord], MediaRecord]) -> MediaRecord:
        with self._lock:
            saved = self._rows.save(change(self._living(media_id)))
        if saved is None:
            raise _deleted(media_id)
        return saved


def _deleted(media_id: str) -> InvalidInputError:
    return InvalidInputError(
        Code.RESOURCE_DELETED,
        f'The media "{media_id}" has been deleted.',
        pointer="/MediaId",
        remedy="Add its file again.",
    )


def _unknown(media_id: str, pointer: str = "/MediaId") -> InvalidInputError:
    return InvalidInputError(
        Code.RESOURCE_NOT_FOUND,
        f'There is no media with the id "{media_id}".',
        pointer=pointer,
        remedy="See mediaflow media list.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMedia:
    """A file for the library, and the workflow to run on it, if any.

    `check_path` refuses a file that the workflow is not bound to. `overrides` is the JSON text
    of OverrideParams.
    """

    file_url: str
    details: Details = field(default_factory=Details)
    workflow_id: str = ""
    user_data: str = ""
    check_path: bool = False
    overrides: str = ""


def add_media(
    given: NewMedia,
    *,
    library: MediaLibrary,
    buckets: Buckets,
    workflows: Workflows,
    submit: Callable[[WorkflowRecord, ObjectRef], object],
) -> MediaRecord:
    """Add a media, and run the workflow on it that is named and Active.

    Any other state of the workflow runs nothing (specification, topology, 12). Raises
    InvalidInputError, and leaves neither media nor run, for whatever is wrong.
    """
    check_submission(given.file_url, given.user_data)
    checked(given.details)
    ref = media_file(given.file_url)
    with placed("/FileURL"):
        buckets.get(ref.bucket)
    if given.workflow_id:
        workflow = workflows.get(given.workflow_id)
        if given.check_path:
            _require_bound(workflow, ref)
        if workflow.state is WorkflowState.ACTIVE:
            with placed("/FileURL"):
                submit(workflow, ref)
    return library.add(ref, **given.details)


def _require_bound(workflow: WorkflowRecord, ref: ObjectRef) -> None:
    """Raise InvalidInputError for an object that the workflow would not start for."""
    if ref.bucket == workflow.bucket and ref.object.startswith(workflow.prefix):
        return
    raise InvalidInputError(
        Code.INVALID,
        f'The object "{ref.object}" of the bucket "{ref.bucket}" is not an input of the workflow '
        f'"{workflow.name}".',
        pointer="/FileURL",
        remedy=f'It takes the bucket "{workflow.bucket}", keys that begin with '
        f'"{workflow.prefix}".',
    )
