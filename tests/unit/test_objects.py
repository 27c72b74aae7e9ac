"""Objects as parameters: URLs that name one, and those that do not."""

import pytest
from pydantic import ValidationError

from activities.objects import ObjectUrl, object_of
from workflow_engine.errors import Code
from workflow_engine.records import ObjectRef
from workflow_engine.topology.wire import WireModel


@pytest.mark.parametrize(
    "url",
    ["oss://b/a/c.mp4", "s3://b/a/c.mp4", "http://b.oss-cn-hangzhou.aliyuncs.com/a/c.mp4"],
)
def test_object_urls(url):
    class Part(WireModel):
        merge_url: ObjectUrl

    assert object_of(Part.model_validate({"MergeUrl": url}).merge_url) == ObjectRef(
        bucket="b", object="a/c.mp4"
    )


@pytest.mark.parametrize("url", ["http://10.0.0.1/c.mp4", "c.mp4", "file:///etc/passwd"])
def test_other_addresses_are_refused(url):
    class Part(WireModel):
        merge_url: ObjectUrl

    with pytest.raises(ValidationError) as caught:
        Part.model_validate({"MergeUrl": url})
    assert caught.value.errors()[0]["type"] == Code.RESOURCE_NOT_SUPPORTED
