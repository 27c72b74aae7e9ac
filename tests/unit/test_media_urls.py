"""URLs of objects, and the files that media are of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_engine.buckets import check_bucket_name, object_url, parse
from workflow_engine.catalog.media import media_id
from workflow_engine.catalog.media_details import media_file
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import check_key


@pytest.mark.parametrize(
    ("bucket", "key", "location", "url"),
    [
        ("vod", "a/b.mp4", "", "http://vod.local.aliyuncs.com/a/b.mp4"),
        ("vod", "b.mp4", "oss-cn-hangzhou", "http://vod.oss-cn-hangzhou.aliyuncs.com/b.mp4"),
        ("vod", "a b+%41?#.mp4", "local", "http://vod.local.aliyuncs.com/a%20b%2B%2541%3F%23.mp4"),
        ("vod", "中.mp4", "", "http://vod.local.aliyuncs.com/%E4%B8%AD.mp4"),
        ("exampleBucket", "a b.mp4", "", "oss://exampleBucket/a b.mp4"),
        ("a.b", "k", "", "oss://a.b/k"),
        ("vod", "k", "Somewhere else", "oss://vod/k"),
    ],
)
def test_urls_of_objects(bucket: str, key: str, location: str, url: str) -> None:
    assert object_url(ObjectRef(bucket=bucket, object=key, location=location)) == url
    assert parse(url) == ObjectRef(bucket=bucket, object=key)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True), st.text(), st.text())
def test_every_object_is_found_by_its_url(bucket: str, key: str, location: str) -> None:
    try:
        check_bucket_name(bucket)
        check_key(key)
    except InvalidInputError:
        return
    found = parse(object_url(ObjectRef(bucket=bucket, object=key, location=location)))
    assert found == ObjectRef(bucket=bucket, object=key)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://vod.oss-cn-hangzhou.aliyuncs.com/a.mp4", "oss-cn-hangzhou"),
        ("HTTPS://vod.local.aliyuncs.com:443/a.mp4?Signature=x", "local"),
        ("oss://vod/a.mp4", ""),
        ("s3://vod/a.mp4", ""),
    ],
)
def test_the_location_of_a_file_is_that_of_its_url(url: str, location: str) -> None:
    assert media_file(url) == ObjectRef(bucket="vod", object="a.mp4", location=location)


def test_one_object_is_one_media_whatever_its_url() -> None:
    http = media_file("http://vod.oss-cn-hangzhou.aliyuncs.com/a.mp4")
    assert media_id(http) == media_id(media_file("oss://vod/a.mp4"))
    assert media_id(http) != media_id(media_file("oss://vod/b.mp4"))
    assert len(media_id(http)) == 32


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("vod/a.mp4", Code.INVALID),
        ("http://example.org/a.mp4", Code.RESOURCE_NOT_SUPPORTED),
        ("oss://vod/", Code.OBJECT_KEY),
        ("oss:///a.mp4", Code.BUCKET_NAME),
    ],
)
def test_what_is_no_object_is_refused_by_the_name_of_its_parameter(url: str, code: Code) -> None:
    with pytest.raises(InvalidInputError) as caught:
        media_file(url, "/FileURLs/1")
    assert (caught.value.code, caught.value.pointer) == (code, "/FileURLs/1")
