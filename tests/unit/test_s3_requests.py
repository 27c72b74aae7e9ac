"""What object-store buckets ask for and keep in memory; no server is asked here."""

import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from workflow_engine.buckets import Buckets, s3_write
from workflow_engine.buckets.s3 import S3Bucket
from workflow_engine.buckets.s3_read import Version
from workflow_engine.buckets.s3_write import COPY_PART, MAX_PARTS, PART, Memory, Stream, part_size
from workflow_engine.records import Digests
from workflow_engine.settings import BucketSettings

MIB, TIB = 1 << 20, 1 << 40
OSS = "https://s3.oss-cn-hangzhou.aliyuncs.com"


@pytest.mark.parametrize("size", [0, 1, PART, PART * MAX_PARTS, PART * MAX_PARTS + 1, 5 * TIB])
@pytest.mark.parametrize("least", [PART, COPY_PART])
def test_parts_are_never_too_many(size: int, least: int) -> None:
    step = part_size(size, least)
    assert step >= least and step % MIB == 0
    assert -(-size // step) <= MAX_PARTS
    if size <= PART * MAX_PARTS:
        assert step == least


def test_memory_is_bounded() -> None:
    memory, most, now = Memory(10), 0, 0
    lock = threading.Lock()

    def work(count: int) -> None:
        nonlocal most, now
        for _ in range(200):
            memory.take(count)
            with lock:
                now += count
                most = max(most, now)
            with lock:
                now -= count
            memory.free(count)

    threads = [threading.Thread(target=work, args=(count,)) for count in (3, 4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most <= 10 and now == 0
    memory.take(50)  # longer than the limit: alone
    memory.free(50)


@pytest.mark.parametrize("blocks", [[], [b"abcdefg"], [b"a", b"bcd", b"efg"], [b"abc", b"defg"]])
def test_streams_are_cut_anew(blocks: list[bytes]) -> None:
    stream = Stream(iter(blocks))
    parts = [bytes(stream.read(3)) for _ in range(4)]
    whole = b"".join(blocks)
    assert parts == [whole[at : at + 3] for at in (0, 3, 6, 9)]
    assert stream.total.result().size == len(whole)


def test_digests_of_large_blocks(tmp_path: Any) -> None:
    data = bytes(range(256)) * 8192
    (tmp_path / "f").write_bytes(data)
    stream = Stream(iter([data]))
    assert bytes(stream.read(len(data))) == data
    assert stream.total.result() == Digests.of(tmp_path / "f")


MD5 = "5eb63bbbe01eeed093cb22bb8f5acdc3"
ANSWER: dict[str, Any] = {
    "ETag": f'"{MD5.upper()}"',
    "ContentLength": 11,
    "LastModified": datetime(2024, 4, 1, 6, 53, 43, 900_000, tzinfo=UTC),
}


class TestVersions:
    def test_without_version_ids(self) -> None:
        version = Version.of("k", ANSWER)
        assert version.info.version == f"{MD5}-11-1711954423"
        assert version.info.etag == version.md5 == MD5
        # OSS writes it in upper case, and compares letters
        assert version.conditions() == {"IfMatch": f'"{MD5.upper()}"'}

    @pytest.mark.parametrize(("given", "version_id"), [("null", ""), ("v1", "v1"), ("", "")])
    def test_version_ids(self, given: str, version_id: str) -> None:
        version = Version.of("k", ANSWER | {"VersionId": given})
        assert version.version_id == version_id
        assert version.info.version == version_id or not version_id

    @pytest.mark.parametrize(
        "more",
        [
            {"ETag": f'"{MD5}-3"'},
            {"ServerSideEncryption": "aws:kms"},
            {"SSECustomerAlgorithm": "AES256"},
            {"ResponseMetadata": {"HTTPHeaders": {"x-oss-object-type": "Appendable"}}},
        ],
    )
    def test_etags_that_are_no_md5(self, more: dict[str, Any]) -> None:
        assert Version.of("k", ANSWER | more).md5 == ""


@pytest.mark.parametrize(
    ("settings", "begin"),
    [
        (
            {"url": "s3://real", "region": "eu-west-1"},
            "https://real.s3.eu-west-1.amazonaws.com/a%20b",
        ),
        (
            {"url": "s3://real", "endpoint_url": "http://minio.example:9000"},
            "http://minio.example:9000/real/a%20b",
        ),
        (
            {
                "url": "s3://real",
                "endpoint_url": "http://store.example",
                "addressing_style": "virtual",
            },
            "http://real.store.example/a%20b",
        ),
        (
            {"url": "oss://real", "endpoint_url": OSS},
            "https://real.s3.oss-cn-hangzhou.aliyuncs.com/a%20b",
        ),
    ],
)
def test_how_the_bucket_stands_in_urls(
    settings: dict[str, str], begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "AKIA")
    monkeypatch.setenv("SECRET", "secret")
    keys = {"access_key_id_env": "KEY", "secret_access_key_env": "SECRET"}
    buckets = Buckets({"b": BucketSettings(**settings, **keys)}, fallback_root=None)  # type: ignore[arg-type]
    bucket = buckets.get("b")
    assert isinstance(bucket, S3Bucket)
    wanted = {"Bucket": bucket.client.real_name, "Key": "a b"}
    url: str = bucket.client.boto3().generate_presigned_url("get_object", Params=wanted)
    assert url.startswith(begin + "?") and "secret" not in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in urlsplit(url).query
    buckets.close()


@pytest.mark.parametrize(
    ("key", "media_type"),
    [
        ("a/b.mp4", "video/mp4"),
        ("A.M3U8", "application/vnd.apple.mpegurl"),
        ("a.b/c", "application/octet-stream"),
    ],
)
def test_content_types(key: str, media_type: str) -> None:
    assert s3_write.content_type(key) == media_type
