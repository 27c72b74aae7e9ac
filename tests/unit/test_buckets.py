"""Object URLs, bucket names, and which bucket a name means."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_engine.buckets import (
    Buckets,
    LocalBucket,
    S3Bucket,
    check_bucket_name,
    parse,
    plain_path,
)
from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.settings import BucketSettings


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "bucket", "key"),
        [
            ("oss://vod/a/b.mp4", "vod", "a/b.mp4"),
            ("s3://vod/a/b.mp4", "vod", "a/b.mp4"),
            ("S3://vod/b", "vod", "b"),
            ("oss://vod/a%20b+c?d#e.mp4", "vod", "a%20b+c?d#e.mp4"),
            ("http://vod.oss-cn-hangzhou.aliyuncs.com/a/b.mp4", "vod", "a/b.mp4"),
            ("https://vod.oss-cn-beijing-internal.aliyuncs.com/a%20b%2B+.mp4", "vod", "a b++.mp4"),
            (
                "https://vod.oss-cn-hangzhou.aliyuncs.com/b.mp4?Signature=x&Expires=1",
                "vod",
                "b.mp4",
            ),
            ("http://VOD.OSS-cn-hangzhou.aliyuncs.com:80/%E4%B8%AD", "vod", "中"),
        ],
    )
    def test_objects(self, url: str, bucket: str, key: str) -> None:
        assert parse(url) == ObjectRef(bucket=bucket, object=key)

    @pytest.mark.parametrize(
        "path",
        ["a/b.mp4", "/a/b.mp4", "./oss:/b", "b.mp4", "a://"[1:], "100%.mp4", "", "file:///x"],
    )
    def test_plain_paths_are_no_objects(self, path: str) -> None:
        assert parse(path) is None

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("oss://vod", Code.OBJECT_KEY),
            ("oss://vod/", Code.OBJECT_KEY),
            ("oss://vod/../x", Code.OBJECT_KEY),
            ("oss://vod//x", Code.OBJECT_KEY),
            ("oss:///x", Code.BUCKET_NAME),
            ("s3://../x", Code.BUCKET_NAME),
            ("http://vod.oss-cn-hangzhou.aliyuncs.com/%2e%2e/x", Code.OBJECT_KEY),
            ("http://vod.oss-cn-hangzhou.aliyuncs.com/a%00", Code.OBJECT_KEY),
            ("http://vod.oss-cn-hangzhou.aliyuncs.com/%FF", Code.OBJECT_KEY),
            ("http://vod.oss-cn-hangzhou.aliyuncs.com.evil.org/x", Code.RESOURCE_NOT_SUPPORTED),
            ("http://aliyuncs.com/x", Code.RESOURCE_NOT_SUPPORTED),
            ("http://evilaliyuncs.com/x", Code.RESOURCE_NOT_SUPPORTED),
            ("http://vod.oss@evil.org/x", Code.RESOURCE_NOT_SUPPORTED),
            ("http://[::/x", Code.RESOURCE_NOT_SUPPORTED),
            ("ftp://vod.oss-cn-hangzhou.aliyuncs.com/x", Code.RESOURCE_NOT_SUPPORTED),
        ],
    )
    def test_other_urls_are_refused(self, url: str, code: Code) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parse(url)
        assert caught.value.code == code

    def test_signatures_are_not_shown(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parse("https://example.org/x?Signature=secret")
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("given", "path"),
        [
            ("a/b.mp4", "a/b.mp4"),
            ("file:///a/my%20clip.mp4", "/a/my clip.mp4"),
            ("FILE://localhost/a", "/a"),
            ("file:a", "file:a"),
        ],
    )
    def test_files(self, given: str, path: str) -> None:
        assert plain_path(given) == path

    @pytest.mark.parametrize("url", ["file://host/a", "file://"])
    def test_files_elsewhere(self, url: str) -> None:
        with pytest.raises(InvalidInputError):
            plain_path(url)

    @given(st.text())
    def test_never_another_error(self, text: str) -> None:
        for url in (text, "oss://" + text, f"http://{text}", f"http://b.x.aliyuncs.com/{text}"):
            try:
                parse(url)
            except InvalidInputError:
                continue


class TestNames:
    @pytest.mark.parametrize(
        "name", ["in", "out", "example-vod", "exampleBucket", "a.b_c-1", "a" * 64]
    )
    def test_allowed(self, name: str) -> None:
        check_bucket_name(name)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", ".a", "-a", "a/b", "a\\b", "a\0", "a b", "ä", "a" * 65, "a\n"]
    )
    def test_refused(self, name: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            check_bucket_name(name)
        assert caught.value.code == Code.BUCKET_NAME


class TestRegistry:
    settings = {  # noqa: RUF012
        "example-vod": BucketSettings(path=Path("/media/vod")),
        "archive": BucketSettings(url="s3://real-name"),
        "near": BucketSettings(url="s3://real-near", endpoint_url="http://127.0.0.1:9000"),
    }

    def test_configured_bucket(self) -> None:
        bucket = Buckets(self.settings, fallback_root=None).get("example-vod")
        assert isinstance(bucket, LocalBucket)
        assert (bucket.name, bucket.place("a/b")) == ("example-vod", "/media/vod/a/b")

    def test_configured_bucket_wins_over_the_fallback(self, tmp_path: Path) -> None:
        buckets = Buckets(self.settings, fallback_root=tmp_path)
        assert buckets.get("example-vod").place("k") == "/media/vod/k"
        assert buckets.get("other").place("k") == str(tmp_path / "other" / "k")

    def test_unknown_bucket_names_the_nearest(self) -> None:
        with pytest.raises(InvalidInputError, match="example-vdo") as caught:
            Buckets(self.settings, fallback_root=None).get("example-vdo")
        assert '"example-vod"' in caught.value.remedy
        assert "[buckets.example-vdo]" in caught.value.remedy

    def test_object_stores_keep_their_connections(self, tmp_path: Path) -> None:
        buckets = Buckets(self.settings, fallback_root=tmp_path)
        bucket = buckets.get("archive")
        assert isinstance(bucket, S3Bucket)
        assert bucket.place("a/b c") == "s3://archive/a/b c"
        assert buckets.get("archive") is bucket
        assert buckets.below(None).get("archive") is bucket

    def test_recorded_places(self, tmp_path: Path) -> None:
        buckets = Buckets(self.settings, fallback_root=None)
        file = tmp_path / "a:" / "b.mp4"
        file.parent.mkdir()
        file.write_bytes(b"abc")
        place = buckets.at(f"{tmp_path}/a://b.mp4"[:-4] + ".mp4")
        assert place.content() == b"abc" and place.digests().size == 3
        stored = buckets.at("s3://archive/a/b%20c")
        assert (stored.bucket.name, stored.key) == ("archive", "a/b%20c")
        assert str(stored) == "s3://archive/a/b%20c"
        with pytest.raises(InvalidInputError, match="not configured"):
            buckets.at("s3://gone/a")
        with pytest.raises(InvalidInputError):
            buckets.at("relative/a")

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:9000/real-near/a/my%20clip.mp4?X-Amz-Signature=s",
            "http://real-near.127.0.0.1:9000/a/my%20clip.mp4",
            "s3://near/a/my clip.mp4",
        ],
    )
    def test_urls_of_configured_endpoints(self, url: str) -> None:
        buckets = Buckets(self.settings, fallback_root=None)
        assert buckets.parse(url) == ObjectRef(bucket="near", object="a/my clip.mp4")

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:9000/other/a", "http://127.0.0.1:9000/real-near/", "http://[::/x"]
    )
    def test_urls_of_other_endpoints(self, url: str) -> None:
        with pytest.raises(InvalidInputError):
            Buckets(self.settings, fallback_root=None).parse(url)

    def test_invalid_names(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError):
            Buckets({}, fallback_root=tmp_path).get("..")
        with pytest.raises(InvalidInputError):
            Buckets({"a/b": BucketSettings(path=tmp_path)}, fallback_root=None)
