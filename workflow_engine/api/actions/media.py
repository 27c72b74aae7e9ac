"""Actions on the media library (specification, api, 12; topology, 12)."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict

from pydantic import Field

from workflow_engine.api.action import Request, action
from workflow_engine.api.media_shapes import (
    SNAPSHOT,
    TRANSCODE,
    MediaShape,
    media_info,
    media_shape,
    play_list,
    snapshot_list,
    summary_list,
)
from workflow_engine.api.parameters import CommaList, Identifier, Identifiers, JsonText, UserData
from workflow_engine.api.shapes import Done
from workflow_engine.catalog import media as library
from workflow_engine.catalog.media import NewMedia
from workflow_engine.catalog.media_details import MAX_CATEGORY, MAX_URL, Details, media_file
from workflow_engine.engine import Engine
from workflow_engine.errors import pointer_to
from workflow_engine.records.catalog import MediaRecord
from workflow_engine.store import Published
from workflow_engine.topology.wire import Boolean, Number, Text

#: of any length: the library has the limits
Plain = Annotated[str, Text()]
Flag = Annotated[bool, Boolean()]
CategoryId = Annotated[int, Number(0, MAX_CATEGORY)]


class IncludesRequest(Request):
    """What is told of each media beside its basics."""

    include_play_list: Flag = False
    include_snapshot_list: Flag = False
    include_media_info: Flag = False
    include_summary_list: Flag = False

    def types(self) -> list[str]:
        """The types of the activities that made what is to be told."""
        renditions = self.include_play_list or self.include_summary_list
        return [TRANSCODE] * renditions + [SNAPSHOT] * self.include_snapshot_list


NOTHING = IncludesRequest()
EVERYTHING = IncludesRequest.model_validate(
    {
        "IncludePlayList": True,
        "IncludeSnapshotList": True,
        "IncludeMediaInfo": True,
        "IncludeSummaryList": True,
    }
)


def shapes_of(
    engine: Engine, records: Sequence[MediaRecord], include: IncludesRequest = NOTHING
) -> list[MediaShape]:
    """Return media with their runs, and what is to be included of what these made."""
    media_ids = [record.id for record in records]
    run_ids = engine.store.executions.run_ids_of_media(media_ids)
    made = engine.store.executions.published_of_media(media_ids, include.types())
    return [_shape(record, run_ids[record.id], made[record.id], include) for record in records]


def _shape(
    record: MediaRecord,
    run_ids: Sequence[str],
    made: Sequence[Published],
    include: IncludesRequest,
) -> MediaShape:
    shape = media_shape(record, run_ids)
    if include.include_media_info and record.properties:
        shape["MediaInfo"] = media_info(record.properties)
    if include.include_play_list:
        shape["PlayList"] = {"Play": play_list(made)}
    if include.include_snapshot_list:
        shape["SnapshotList"] = {"Snapshot": snapshot_list(made)}
    if include.include_summary_list:
        shape["SummaryList"] = {"Summary": summary_list(made)}
    return shape


class DetailsRequest(Request):
    """What people say about a media."""

    title: Plain = ""
    description: Plain = ""
    cover_url: Annotated[Plain, Field(alias="CoverURL")] = ""
    tags: Plain = ""
    cate_id: CategoryId | None = None

    def details(self) -> Details:
        """The same for the library."""
        return {
            "title": self.title,
            "description": self.description,
            "cover_url": self.cover_url,
            "tags": self.tags.split(","),
            "category_id": self.cate_id,
        }


class MediaAnswer(TypedDict):
    """One media."""

    Media: MediaShape


class AddMediaRequest(DetailsRequest):
    """Parameters of AddMedia. `input_unbind` true checks that the workflow takes this file."""

    file_url: Annotated[Plain, Field(alias="FileURL")]
    media_workflow_id: Identifier = ""
    media_workflow_user_data: UserData = ""
    input_unbind: Flag = False
    override_params: JsonText = ""


@action("AddMedia")
def add_media(engine: Engine, request: AddMediaRequest) -> MediaAnswer:
    """Add a file to the library and run a workflow on it."""
    given = NewMedia(
        file_url=request.file_url,
        details=request.details(),
        workflow_id=request.media_workflow_id,
        user_data=request.media_workflow_user_data,
        check_path=request.input_unbind,
        overrides=request.override_params,
    )
    (shape,) = shapes_of(engine, [engine.add_media(given)])
    return {"Media": shape}


class DeleteMediaRequest(Request):
    """Parameters of DeleteMedia."""

    media_ids: Identifiers


@action("DeleteMedia")
def delete_media(engine: Engine, request: DeleteMediaRequest) -> Done:
    """Delete media from the library; their files stay."""
    engine.media.delete(request.media_ids)
    return {}


class UpdateMediaRequest(DetailsRequest):
    """Parameters of UpdateMedia; what is not given is cleared."""

    media_id: Identifier


@action("UpdateMedia")
def update_media(engine: Engine, request: UpdateMediaRequest) -> MediaAnswer:
    """Replace what people say about a media."""
    record = engine.media.update(request.media_id, **request.details())
    (shape,) = shapes_of(engine, [record])
    return {"Media": shape}


class UpdateMediaCategoryRequest(Request):
    """Parameters of UpdateMediaCategory; without CateId the media has none."""

    media_id: Identifier
    cate_id: CategoryId | None = None


@action("UpdateMediaCategory")
def update_media_category(engine: Engine, request: UpdateMediaCategoryRequest) -> Done:
    """Put a media into a category."""
    engine.media.set_category(request.media_id, request.cate_id)
    return {}


class UpdateMediaCoverRequest(Request):
    """Parameters of UpdateMediaCover; without CoverURL the media has none."""

    media_id: Identifier
    cover_url: Annotated[Plain, Field(alias="CoverURL")] = ""


@action("UpdateMediaCover")
def update_media_cover(engine: Engine, request: UpdateMediaCoverRequest) -> Done:
    """Give a media a cover."""
    engine.media.set_cover(request.media_id, request.cover_url)
    return {}


class MediaTagRequest(Request):
    """Parameters of AddMediaTag and DeleteMediaTag."""

    media_id: Identifier
    tag: Plain


@action("AddMediaTag")
def add_media_tag(engine: Engine, request: MediaTagRequest) -> Done:
    """Give a media one more tag."""
    engine.media.add_tag(request.media_id, request.tag)
    return {}


@action("DeleteMediaTag")
def delete_media_tag(engine: Engine, request: MediaTagRequest) -> Done:
    """Take a tag from a media."""
    engine.media.remove_tag(request.media_id, request.tag)
    return {}


class UpdateMediaPublishStateRequest(Request):
    """Parameters of UpdateMediaPublishState."""

    media_id: Identifier
    publish: Flag


@action("UpdateMediaPublishState")
def update_media_publish_state(engine: Engine, request: UpdateMediaPublishStateRequest) -> Done:
    """Publish the outputs of a media, or make them private."""
    engine.media.set_published(request.media_id, request.publish)
    return {}


class MediaItems(TypedDict):
    """The list of media."""

    Media: list[MediaShape]


class MediaIds(TypedDict):
    """A list of identifiers."""

    MediaId: list[str]


class FileUrls(TypedDict):
    """A list of URLs."""

    FileURL: list[str]


class QueryMediaListRequest(IncludesRequest):
    """Parameters of QueryMediaList."""

    media_ids: Identifiers


class QueryMediaListAnswer(TypedDict):
    """The media that exist, in the order of the ids, and the ids of the others."""

    MediaList: MediaItems
    NonExistMediaIds: NotRequired[MediaIds]


@action("QueryMediaList")
def query_media_list(engine: Engine, request: QueryMediaListRequest) -> QueryMediaListAnswer:
    """Return media by their ids, deleted ones too."""
    records = engine.media.by_ids(request.media_ids)
    answer = QueryMediaListAnswer(MediaList={"Media": shapes_of(engine, records, request)})
    known = {record.id for record in records}
    if missing := [one for one in request.media_ids if one not in known]:
        answer["NonExistMediaIds"] = {"MediaId": missing}
    return answer


class QueryMediaListByUrlRequest(IncludesRequest):
    """Parameters of QueryMediaListByURL; a comma inside of a URL is percent-encoded."""

    file_urls: Annotated[
        tuple[str, ...], CommaList(identifiers=False, max_bytes=MAX_URL), Field(alias="FileURLs")
    ]


class QueryMediaListByUrlAnswer(TypedDict):
    """The media of the URLs, in their order, and the URLs that have none."""

    MediaList: MediaItems
    NonExistFileURLs: NotRequired[FileUrls]


@action("QueryMediaListByURL")
def query_media_list_by_url(
    engine: Engine, request: QueryMediaListByUrlRequest
) -> QueryMediaListByUrlAnswer:
    """Return media by the URLs of their files, deleted ones too."""
    ids = {
        url: library.media_id(media_file(url, pointer_to("FileURLs", index)))
        for index, url in enumerate(request.file_urls)
    }
    records = engine.media.by_ids(tuple(dict.fromkeys(ids.values())))
    answer = QueryMediaListByUrlAnswer(MediaList={"Media": shapes_of(engine, records, request)})
    known = {record.id for record in records}
    if missing := [url for url in ids if ids[url] not in known]:
        answer["NonExistFileURLs"] = {"FileURL": missing}
    return answer
