"""Actions on media buckets (specification, api, 13)."""

from typing import Annotated, NotRequired, TypedDict

from workflow_engine.api.action import Request, action
from workflow_engine.api.parameters import NextPageToken, PageSize
from workflow_engine.api.shapes import Done
from workflow_engine.engine import Engine
from workflow_engine.records.catalog import BucketType, MediaBucketRecord
from workflow_engine.topology.wire import Text

#: checked where a bucket is bound
BucketName = Annotated[str, Text()]


class BindInputBucketRequest(Request):
    """Parameters of BindInputBucket; role and referer are kept and have no effect."""

    bucket: BucketName
    role_arn: Annotated[str, Text(max_bytes=256)] = ""
    referer: Annotated[str, Text(max_bytes=3200)] = ""


class BucketRequest(Request):
    """The one parameter of the other actions on a bucket."""

    bucket: BucketName


@action("BindInputBucket")
def bind_input_bucket(engine: Engine, request: BindInputBucketRequest) -> Done:
    """Bind a bucket of originals."""
    engine.media_buckets.bind(
        request.bucket, BucketType.INPUT, referer=request.referer, role=request.role_arn
    )
    return {}


@action("BindOutputBucket")
def bind_output_bucket(engine: Engine, request: BucketRequest) -> Done:
    """Bind a bucket of results."""
    engine.media_buckets.bind(request.bucket, BucketType.OUTPUT)
    return {}


@action("UnbindInputBucket")
def unbind_input_bucket(engine: Engine, request: BucketRequest) -> Done:
    """Undo BindInputBucket."""
    engine.media_buckets.unbind(request.bucket, BucketType.INPUT)
    return {}


@action("UnbindOutputBucket")
def unbind_output_bucket(engine: Engine, request: BucketRequest) -> Done:
    """Undo BindOutputBucket."""
    engine.media_buckets.unbind(request.bucket, BucketType.OUTPUT)
    return {}


class ListAllMediaBucketRequest(Request):
    """Parameters of ListAllMediaBucket."""

    next_page_token: NextPageToken = ""
    maximum_page_size: PageSize = 50


class MediaBucketShape(TypedDict):
    """A media bucket. Type is Input or Output."""

    Bucket: str
    Type: str
    Referer: NotRequired[str]


class MediaBucketItems(TypedDict):
    """The list of media buckets."""

    MediaBucket: list[MediaBucketShape]


class ListAllMediaBucketAnswer(TypedDict):
    """A page of media buckets, and the token of the next one if there is one."""

    MediaBucketList: MediaBucketItems
    NextPageToken: NotRequired[str]


@action("ListAllMediaBucket", rate=10)
def list_all_media_bucket(
    engine: Engine, request: ListAllMediaBucketRequest
) -> ListAllMediaBucketAnswer:
    """Return a page of the media buckets, ordered by name."""
    page = engine.media_buckets.page(limit=request.maximum_page_size, after=request.next_page_token)
    answer = ListAllMediaBucketAnswer(
        MediaBucketList={"MediaBucket": [_shape(record) for record in page.items]}
    )
    if page.next_token:
        answer["NextPageToken"] = page.next_token
    return answer


def _shape(record: MediaBucketRecord) -> MediaBucketShape:
    shape = MediaBucketShape(Bucket=record.bucket, Type=str(record.type))
    if record.referer:
        shape["Referer"] = record.referer
    return shape
