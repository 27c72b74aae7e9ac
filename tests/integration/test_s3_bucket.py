"""Object-store buckets on real servers: what readers see, what breaks, what is never shown."""

import hashlib
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.s3 import ENVIRONMENT, Proxy, S3Server, running
from tests.unit.test_placeholders import HOSTILE_KEYS
from workflow_engine.buckets import Bucket, Buckets, S3Bucket, s3, s3_client, s3_read, s3_write
from workflow_engine.errors import Code, InterruptedRunError, InvalidInputError, MediaflowError
from workflow_engine.records import Digests, utc_now

MIB = 1 << 20
_numbers = count()

#: what stands in keys of real users and is easily lost on the way
ODD_NAMES = [
    "a b.mp4",
    "a+b.mp4",
    "a%2Bb%20c.mp4",
    "100%.mp4",
    "clip 🎬/ünï.mp4",
    "Case.mp4",
    "case.mp4",
    "a?b#c&d=e.mp4",
    "a'b\"c<d>.mp4",
    ".hidden/x",
    "x.part",
    "-rf",
    "{RunId}",
    "...",
]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def buckets(server: S3Server, proxy: Proxy, tmp_path: Path) -> Iterator[Buckets]:
    """`vod` and `other` on the server, `near` is `vod` behind the proxy, all else are folders."""
    settings = {
        "vod": server.settings("test-vod"),
        "other": server.settings("test-other"),
        "near": server.settings("test-vod", endpoint_url=proxy.url),
    }
    made = Buckets(settings, fallback_root=tmp_path / "folders")
    yield made
    made.close()


@pytest.fixture
def vod(buckets: Buckets) -> Bucket:
    return buckets.get("vod")


@pytest.fixture
def prefix() -> str:
    """The servers live as long as the session: each test has a folder of its own."""
    return f"t{next(_numbers):04}/"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[bytes], Path]:
    def make_file(content: bytes) -> Path:
        path = tmp_path / f"file-{next(_numbers)}"
        path.write_bytes(content)
        return path

    return make_file


Make = Callable[[bytes], Path]


def keys(bucket: Bucket, prefix: str, start_after: str = "") -> list[str]:
    return [info.key for info in bucket.list(prefix, start_after)]


def content(bucket: Bucket, key: str) -> bytes:
    return b"".join(bucket.read(key))


def uploads(server: S3Server, prefix: str, real_name: str = "test-vod") -> list[str]:
    """Return the keys of the uploads that nobody has ended."""
    with server.client() as client:
        try:
            found = client.list_multipart_uploads(Bucket=real_name).get("Uploads", [])
        except client.exceptions.NoSuchUpload:  # rclone, as long as there was none
            found = []
    return [one["Key"] for one in found if one["Key"].startswith(prefix)]


def error_of(action: Callable[[], Any]) -> MediaflowError:
    with pytest.raises(MediaflowError) as caught:
        action()
    return caught.value


class TestReading:
    def test_head(self, server: S3Server, vod: Bucket, prefix: str) -> None:
        key = f"{prefix}a.mp4"
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=key, Body=b"abc")
        info = vod.head(key)
        assert info is not None
        assert (info.key, info.size) == (key, 3)
        assert info.etag == hashlib.md5(b"abc").hexdigest()
        assert info.version == f"{info.etag}-3-{int(info.modified.timestamp())}"
        assert vod.place(key) == f"s3://vod/{key}"
        assert vod.head(f"{prefix}a") is None and vod.head(f"{prefix}a.mp4/b") is None

    def test_a_clock_of_its_own(self, buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
        vod = buckets.get("vod")
        assert isinstance(vod, S3Bucket)
        assert vod.clock_ahead() == timedelta()
        now = utc_now()
        monkeypatch.setattr(s3, "utc_now", lambda: now - timedelta(hours=1))
        assert timedelta(minutes=59) < vod.clock_ahead() < timedelta(minutes=62)

    def test_a_listing_of_several_pages(self, server: S3Server, vod: Bucket, prefix: str) -> None:
        wanted = sorted(f"{prefix}{number:04}/{'é' * (number % 3)}.ts" for number in range(1_005))
        with server.client() as client, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda k: client.put_object(Bucket="test-vod", Key=k, Body=b"x"), wanted))
            if server.name != "rclone":  # which stores it as "folder"
                client.put_object(Bucket="test-vod", Key=f"{prefix}folder/", Body=b"")
        assert keys(vod, prefix) == wanted
        assert keys(vod, prefix, wanted[1_001]) == wanted[1_002:]
        assert keys(vod, f"{prefix}100") == [k for k in wanted if k.startswith(f"{prefix}100")]
        listed = next(iter(vod.list(prefix)))
        found = vod.head(listed.key)
        assert found is not None
        assert (listed.etag, listed.size) == (found.etag, found.size)
        if server.name == "rclone":  # its HEAD tells when the upload began, a listing when it ended
            assert abs(listed.modified - found.modified) < timedelta(seconds=2)
        else:
            assert listed.version == found.version

    def test_fetch(self, server: S3Server, vod: Bucket, prefix: str, tmp_path: Path) -> None:
        data = os.urandom(20 * MIB + 7)
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=f"{prefix}k", Body=data)
            client.put_object(Bucket="test-vod", Key=f"{prefix}empty", Body=b"")
        info = vod.head(f"{prefix}k")
        assert info is not None
        target = tmp_path / "work" / "source.mp4"
        target.parent.mkdir()
        found = vod.fetch(f"{prefix}k", target, version=info.version)
        assert target.read_bytes() == data
        assert found == Digests.of(target)
        assert found is not None and found.md5 == hashlib.md5(data).hexdigest()
        assert vod.fetch(f"{prefix}empty", tmp_path / "empty") == Digests.of(tmp_path / "empty")
        assert list(target.parent.iterdir()) == [target]

    def test_another_version_is_not_fetched(
        self, server: S3Server, vod: Bucket, prefix: str, tmp_path: Path
    ) -> None:
        key = f"{prefix}k"
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=key, Body=b"one")
            info = vod.head(key)
            assert info is not None
            client.put_object(Bucket="test-vod", Key=key, Body=b"two")
        error = error_of(lambda: vod.fetch(key, tmp_path / "k", version=info.version))
        assert error.code == Code.RESOURCE_CONTENT_BAD and key in error.message
        error = error_of(lambda: vod.fetch(f"{prefix}none", tmp_path / "k"))
        assert error.code == Code.RESOURCE_NOT_FOUND
        assert list(tmp_path.iterdir()) == []

    def test_an_object_that_changes_under_the_reader(
        self, server: S3Server, vod: Bucket, prefix: str
    ) -> None:
        key, size = f"{prefix}k", 9 * s3_read.PART
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=key, Body=b"1" * size)
            blocks = vod.read(key)
            seen = [next(blocks)]
            client.put_object(Bucket="test-vod", Key=key, Body=b"2" * size)
        with pytest.raises(InvalidInputError) as caught:
            seen.extend(blocks)
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD
        assert set(b"".join(seen)) == {ord("1")}

    def test_broken_connections_are_resumed(
        self,
        server: S3Server,
        buckets: Buckets,
        proxy: Proxy,
        prefix: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(s3_read, "FIRST_PAUSE", 0.01)
        data = os.urandom(20 * MIB)
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=f"{prefix}k", Body=data)
        proxy.cuts, proxy.cut_after = 7, 2 * MIB
        found = buckets.get("near").fetch(f"{prefix}k", tmp_path / "k")
        assert proxy.cuts == 0
        assert (tmp_path / "k").read_bytes() == data
        assert found is not None and found.md5 == hashlib.md5(data).hexdigest()
        # what had come was not asked for again
        assert proxy.received < len(data) + 8 * 3 * MIB

    def test_content_that_arrives_damaged(
        self, server: S3Server, buckets: Buckets, proxy: Proxy, prefix: str, tmp_path: Path
    ) -> None:
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=f"{prefix}k", Body=bytes(3 * MIB))
        proxy.spoils = 2 * MIB
        error = error_of(lambda: buckets.get("near").fetch(f"{prefix}k", tmp_path / "k"))
        assert error.code == Code.RESOURCE_CONTENT_BAD and "did not arrive" in error.message
        assert list(tmp_path.iterdir()) == []

    def test_the_md5_of_what_came_in_parts_is_not_computed(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str, tmp_path: Path
    ) -> None:
        source = make(os.urandom(9 * MIB))
        digests = Digests.of(source)
        vod.stage(source, f"{prefix}k").publish()
        found = vod.fetch(f"{prefix}k", tmp_path / "k")
        assert found == digests
        # rclone computes the ETag of the whole
        assert found.md5 == (digests.md5 if server.name == "rclone" else "")

    def test_connections_that_never_hold(
        self,
        server: S3Server,
        buckets: Buckets,
        proxy: Proxy,
        prefix: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(s3_read, "FIRST_PAUSE", 0.01)
        monkeypatch.setattr(s3_client, "ATTEMPTS", 2)
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key=f"{prefix}k", Body=bytes(MIB))
        near = buckets.get("near")
        near.head(f"{prefix}k")
        proxy.cuts, proxy.cut_after = 1_000, 2_000
        error = error_of(lambda: near.fetch(f"{prefix}k", tmp_path / "k"))
        assert not isinstance(error, InvalidInputError) and "cannot be reached" in error.message
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk(
        self, vod: Bucket, make: Make, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vod.stage(make(b"x"), f"{prefix}k").publish()

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        (tmp_path / "work").mkdir()
        error = error_of(lambda: vod.fetch(f"{prefix}k", tmp_path / "work" / "k"))
        assert error.code == Code.NO_SPACE and "No space left" in error.message
        assert list((tmp_path / "work").iterdir()) == []

    def test_a_download_can_be_cancelled(
        self, vod: Bucket, make: Make, prefix: str, tmp_path: Path
    ) -> None:
        vod.stage(make(bytes(MIB)), f"{prefix}k").publish()
        cancel = threading.Event()
        cancel.set()
        with pytest.raises(InterruptedRunError):
            vod.fetch(f"{prefix}k", tmp_path / "k", cancel=cancel)
        assert not (tmp_path / "k").exists()


class TestVersioned:
    @pytest.fixture(autouse=True)
    def versioned(self, server: S3Server) -> None:
        if server.name == "rclone":
            pytest.skip("rclone keeps no versions")
        with server.client() as client:
            client.put_bucket_versioning(
                Bucket="test-other", VersioningConfiguration={"Status": "Enabled"}
            )

    def test_the_version_id_is_the_version(
        self, server: S3Server, buckets: Buckets, make: Make, prefix: str, tmp_path: Path
    ) -> None:
        bucket, key = buckets.get("other"), f"{prefix}k"
        first = bucket.stage(make(b"one"), key).publish()
        with server.client() as client:
            assert client.head_object(Bucket="test-other", Key=key)["VersionId"] == first
        bucket.fetch(key, tmp_path / "first", version=first)
        # the same content again is another version
        second = bucket.stage(make(b"one"), key).publish()
        assert second != first
        error = error_of(lambda: bucket.fetch(key, tmp_path / "again", version=first))
        assert error.code == Code.RESOURCE_CONTENT_BAD

    def test_copies_of_versions(self, buckets: Buckets, make: Make, prefix: str) -> None:
        bucket, key = buckets.get("other"), f"{prefix}k"
        version = bucket.stage(make(b"one"), key).publish()
        origin = buckets.at(f"s3://other/{key}")
        staged = bucket.stage_copy(origin, f"{prefix}copy", origin.digests(), known=version)
        staged.publish()
        assert content(bucket, f"{prefix}copy") == b"one"


class TestPublishing:
    @pytest.fixture(params=["put", "parts"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """Upload as small objects are, then as long ones are."""
        if request.param == "parts":
            monkeypatch.setattr(s3, "PART", -1)
        return request.param

    def test_nothing_is_visible_before_it_is_published(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str, way: str
    ) -> None:
        key = f"{prefix}k.mp4"
        staged = vod.stage(make(b"first"), key)
        assert vod.head(key) is None and keys(vod, prefix) == []
        assert uploads(server, prefix) == ([key] if way == "parts" else [])
        version = staged.publish()
        assert content(vod, key) == b"first" and uploads(server, prefix) == []
        info = vod.head(key)
        # the ETag tells the content of what came by one PUT
        assert info is not None and version == (info.version if way == "parts" else "")
        assert way == "parts" or info.etag == hashlib.md5(b"first").hexdigest()
        again = vod.stage(make(b"second"), key)
        assert content(vod, key) == b"first"
        again.discard()
        again.discard()
        assert content(vod, key) == b"first" and uploads(server, prefix) == []

    def test_large_objects_come_in_parts(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str, tmp_path: Path
    ) -> None:
        source = make(os.urandom(41 * MIB + 13))
        key, digests = f"{prefix}large.mp4", Digests.of(source)
        staged = vod.stage(source, key)
        assert vod.head(key) is None and keys(vod, prefix) == []
        staged.publish()
        assert vod.fetch(key, tmp_path / "back") == digests

    def test_empty_objects(self, vod: Bucket, make: Make, prefix: str) -> None:
        vod.stage(make(b""), f"{prefix}empty").publish()
        info = vod.head(f"{prefix}empty")
        assert info is not None and info.size == 0

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("a.mp4", "video/mp4"),
            ("a.ts", "video/mp2t"),
            ("a.m3u8", "application/vnd.apple.mpegurl"),
            ("a.JPG", "image/jpeg"),
            ("noextension", "application/octet-stream"),
        ],
    )
    def test_players_are_told_the_type(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str, name: str, media_type: str
    ) -> None:
        vod.stage(make(b"x"), prefix + name).publish()
        with server.client() as client:
            head = client.head_object(Bucket="test-vod", Key=prefix + name)
        assert head["ContentType"] == media_type

    def test_a_small_object_takes_one_call(self, vod: Bucket, make: Make, prefix: str) -> None:
        assert isinstance(vod, S3Bucket)
        calls: list[str] = []
        vod.client.boto3().meta.events.register(
            "before-call.s3.*", lambda model, **_: calls.append(model.name)
        )
        key, file = f"{prefix}k", make(b"x")
        vod.stage(file, key, vod.reserve(key, file)).publish()
        assert calls == ["PutObject"]

    def test_what_does_not_arrive_as_it_was_is_refused(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str
    ) -> None:
        if server.name != "seaweedfs":
            pytest.skip("rclone and moto compare nothing")
        assert isinstance(vod, S3Bucket)
        vod.client.boto3().meta.events.register(
            "before-call.s3.PutObject", lambda params, **_: params.update(body=b"y")
        )
        assert error_of(vod.stage(make(b"x"), f"{prefix}k").publish)
        assert vod.head(f"{prefix}k") is None

    def test_an_etag_that_does_not_tell_the_content(
        self, vod: Bucket, make: Make, prefix: str
    ) -> None:
        """As where the bucket is encrypted with a key of its own."""
        assert isinstance(vod, S3Bucket)
        vod.client.boto3().meta.events.register(
            "after-call.s3.*", lambda parsed, **_: parsed.update(ETag='"opaque"')
        )
        version = vod.stage(make(b"x"), f"{prefix}k").publish()
        info = vod.head(f"{prefix}k")
        assert info is not None and info.version == version != ""

    def test_a_small_file_is_published_from_where_it_was_left(
        self, vod: Bucket, make: Make, prefix: str
    ) -> None:
        key, file = f"{prefix}k", make(b"content")
        digests, handle = Digests.of(file), vod.reserve(key, file)
        vod.sweep(key, handle)
        staged = vod.staged(key, handle, digests)
        assert staged is not None and vod.head(key) is None
        staged.publish()
        assert content(vod, key) == b"content"
        file.write_bytes(b"changed")
        assert vod.staged(key, handle, digests) is None
        file.unlink()
        assert vod.staged(key, handle, digests) is None

    def test_a_small_upload_can_be_cancelled(self, vod: Bucket, make: Make, prefix: str) -> None:
        cancel = threading.Event()
        staged = vod.stage(make(b"x"), f"{prefix}k", cancel=cancel)
        cancel.set()
        with pytest.raises(InterruptedRunError):
            staged.publish()
        assert vod.head(f"{prefix}k") is None

    def test_an_upload_that_was_ended_by_somebody(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str
    ) -> None:
        handle = vod.reserve(f"{prefix}k")
        staged = vod.stage(make(b"x"), f"{prefix}k", handle)
        vod.sweep(f"{prefix}k", handle)
        error = error_of(staged.publish)
        assert f"{prefix}k" in error.message
        assert vod.head(f"{prefix}k") is None

    def test_a_lost_answer(
        self, buckets: Buckets, make: Make, proxy: Proxy, prefix: str, way: str
    ) -> None:
        near = buckets.get("near")
        staged = near.stage(make(b"x"), f"{prefix}k")
        proxy.cuts, proxy.cut_after = 1, 0
        version = staged.publish()
        assert proxy.cuts == 0
        info = near.head(f"{prefix}k")
        assert info is not None and version == (info.version if way == "parts" else "")
        assert content(near, f"{prefix}k") == b"x"

    def test_a_sweep_takes_only_its_own(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str
    ) -> None:
        key = f"{prefix}k"
        mine, others = vod.reserve(key), vod.reserve(key)
        vod.sweep(key, mine)
        vod.sweep(key, mine)
        vod.sweep(key, "")
        assert uploads(server, prefix) == [key]
        vod.stage(make(b"x"), key, others).publish()
        vod.sweep(key, others)
        assert content(vod, key) == b"x" and uploads(server, prefix) == []

    def test_a_cancelled_upload_leaves_nothing(
        self, server: S3Server, vod: Bucket, make: Make, prefix: str
    ) -> None:
        cancel = threading.Event()
        cancel.set()
        with pytest.raises(InterruptedRunError):
            vod.stage(make(bytes(20 * MIB)), f"{prefix}k", cancel=cancel)
        assert uploads(server, prefix) == [] and keys(vod, prefix) == []

    def test_a_store_that_goes_away_under_an_upload(
        self,
        buckets: Buckets,
        make: Make,
        proxy: Proxy,
        prefix: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(s3_client, "ATTEMPTS", 2)
        near = buckets.get("near")
        handle = near.reserve(f"{prefix}k")
        proxy.cuts, proxy.cut_after = 1_000, 0
        error = error_of(lambda: near.stage(make(bytes(20 * MIB)), f"{prefix}k", handle))
        assert "cannot be reached" in error.message
        proxy.cuts = 0
        assert keys(near, prefix) == []


class TestCopies:
    def test_from_a_folder_and_back(self, buckets: Buckets, make: Make, prefix: str) -> None:
        folder, vod = buckets.get("folder"), buckets.get("vod")
        source = make(os.urandom(9 * MIB))
        digests, key = Digests.of(source), f"{prefix}k"
        folder.stage(source, key).publish()
        vod.stage_copy(buckets.at(folder.place(key)), key, digests).publish()
        assert buckets.at(vod.place(key)).digests() == digests
        folder.stage_copy(buckets.at(vod.place(key)), f"{key}2", digests).publish()
        assert buckets.at(folder.place(f"{key}2")).digests() == digests

    @pytest.mark.parametrize("by_the_store", [True, False])
    def test_inside_a_store(
        self,
        server: S3Server,
        buckets: Buckets,
        make: Make,
        prefix: str,
        monkeypatch: pytest.MonkeyPatch,
        by_the_store: bool,
    ) -> None:
        monkeypatch.setattr(s3_write, "COPY_PART", 5 * MIB)
        vod, key = buckets.get("vod"), f"{prefix}k 🎬+%2B.ts"
        target = buckets.get("other") if by_the_store else buckets.get("near")
        source = make(os.urandom(11 * MIB))
        digests = Digests.of(source)
        version = vod.stage(source, key).publish()
        staged = target.stage_copy(buckets.at(vod.place(key)), f"{key}2", digests, known=version)
        assert target.head(f"{key}2") is None
        staged.publish()
        assert buckets.at(target.place(f"{key}2")).digests() == digests
        assert uploads(server, prefix) == uploads(server, prefix, "test-other") == []

    def test_what_is_not_what_was_recorded(
        self, server: S3Server, buckets: Buckets, make: Make, prefix: str
    ) -> None:
        vod, other = buckets.get("vod"), buckets.get("other")
        vod.stage(make(b"one"), f"{prefix}k").publish()
        info, digests = vod.head(f"{prefix}k"), Digests.of(make(b"one"))
        assert info is not None
        vod.stage(make(b"two"), f"{prefix}k").publish()
        origin = buckets.at(vod.place(f"{prefix}k"))
        for version in ("", info.version):
            error = error_of(
                lambda version=version: other.stage_copy(
                    origin, f"{prefix}c", digests, known=version
                )
            )
            assert error.code == Code.RESOURCE_CONTENT_BAD
        missing = buckets.at(vod.place(f"{prefix}none"))
        error = error_of(lambda: other.stage_copy(missing, f"{prefix}c", digests))
        assert error.code == Code.RESOURCE_NOT_FOUND
        assert keys(other, prefix) == [] and uploads(server, prefix, "test-other") == []


class TestKeys:
    @pytest.mark.parametrize("key", [key for key, _ in HOSTILE_KEYS])
    def test_hostile_keys_are_refused(
        self, vod: Bucket, make: Make, key: str, tmp_path: Path
    ) -> None:
        for attempt in (
            lambda: vod.head(key),
            lambda: vod.place(key),
            lambda: vod.fetch(key, tmp_path / "target"),
            lambda: vod.stage(make(b"x"), key),
        ):
            assert error_of(attempt).code == Code.OBJECT_KEY

    def test_odd_keys_stay_as_they_are(
        self, buckets: Buckets, make: Make, prefix: str, tmp_path: Path
    ) -> None:
        vod, other = buckets.get("vod"), buckets.get("other")
        longest = "/".join([*["a" * 200] * 4, "é" * 100])
        longest += "b" * (1023 - len(f"{prefix}{longest}".encode()))
        names = [*ODD_NAMES, longest]
        for name in names:
            key, text = prefix + name, name.encode()
            vod.stage(make(text), key).publish()
            info = vod.head(key)
            assert info is not None and info.key == key
            vod.fetch(key, tmp_path / "fetched", version=info.version)
            assert (tmp_path / "fetched").read_bytes() == text
            (tmp_path / "fetched").unlink()
            digests = Digests.of(make(text))
            origin = buckets.at(vod.place(key))
            other.stage_copy(origin, key, digests, known=info.version).publish()
            assert content(other, key) == text
        assert keys(vod, prefix) == sorted(prefix + name for name in names)


@pytest.mark.parametrize("signature_version", ["s3v4", "s3"])
def test_both_signatures(
    server: S3Server, make: Make, prefix: str, tmp_path: Path, signature_version: str
) -> None:
    if (server.name, signature_version) == ("rclone", "s3"):
        pytest.skip("rclone knows version 4 only")
    settings = server.settings("test-vod", signature_version=signature_version)
    buckets = Buckets({"b": settings}, fallback_root=None)
    bucket, key = buckets.get("b"), f"{prefix}a b+c.mp4"
    bucket.stage(make(b"abc"), key).publish()
    assert content(bucket, key) == b"abc"
    buckets.close()


def test_a_store_that_cannot_tell_changes_is_refused(tmp_path: Path, make: Make) -> None:
    (tmp_path / "server").mkdir()
    with running("rclone", tmp_path / "server", "--etag-hash", "") as server:
        server.create("test-vod")
        buckets = Buckets({"b": server.settings("test-vod")}, fallback_root=None)
        with server.client() as client:
            client.put_object(Bucket="test-vod", Key="k", Body=b"x")
        error = error_of(lambda: buckets.get("b").head("k"))
        assert error.code == Code.NOT_SUPPORTED and "ETag" in error.message
        buckets.close()


class TestErrors:
    def refused(self, server: S3Server, **settings: Any) -> Bucket:
        return Buckets({"b": server.settings("test-vod", **settings)}, fallback_root=None).get("b")

    def test_wrong_secrets_are_told_but_not_shown(
        self,
        server: S3Server,
        make: Make,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        if not server.checks_signatures:
            pytest.skip("the server lets everybody in")
        monkeypatch.setenv("TEST_S3_SECRET", "wrong-and-secret")
        caplog.set_level(logging.DEBUG, "workflow_engine")
        buckets = Buckets({"b": server.settings("test-vod")}, fallback_root=None)
        bucket = buckets.get("b")
        for action in (
            lambda: bucket.head("k"),
            lambda: list(bucket.list("")),
            lambda: bucket.stage(make(b"x"), "k").publish(),
            lambda: bucket.fetch("k", tmp_path / "k"),
        ):
            error = error_of(action)
            assert isinstance(error, InvalidInputError)
            assert error.code == Code.RESOURCE_ACCESS
            assert '"b"' in error.message and server.url in error.message
            shown = "".join(traceback.format_exception(error)) + str(error) + caplog.text
            assert "wrong-and-secret" not in shown and "Signature=" not in shown
        buckets.close()

    def test_variables_that_are_not_set(
        self, server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TEST_S3_SECRET")
        error = error_of(lambda: self.refused(server).head("k"))
        assert error.code == Code.RESOURCE_ACCESS and "TEST_S3_SECRET" in error.message

    def test_no_credentials_at_all(
        self, server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        nameless: dict[str, Any] = {"access_key_id_env": None, "secret_access_key_env": None}
        bucket = self.refused(server, **nameless)
        error = error_of(lambda: bucket.head("k"))
        assert error.code == Code.RESOURCE_ACCESS
        assert "AWS_ACCESS_KEY_ID" in error.remedy

    def test_a_bucket_that_does_not_exist(self, server: S3Server, make: Make) -> None:
        buckets = Buckets({"b": server.settings("not-made")}, fallback_root=None)
        bucket = buckets.get("b")
        actions: list[Callable[[], Any]] = [lambda: bucket.head("k"), lambda: keys(bucket, "")]
        if server.name != "seaweedfs":  # which makes the bucket
            actions.append(lambda: bucket.stage(make(b"x"), "k").publish())
        for action in actions:
            error = error_of(action)
            assert error.code == Code.RESOURCE_NOT_FOUND
            assert "not-made" in error.message and "[buckets.b]" in error.remedy
        buckets.close()

    def test_a_server_that_is_not_there(
        self, server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_client, "ATTEMPTS", 1)
        bucket = self.refused(server, endpoint_url="http://127.0.0.1:9")
        error = error_of(lambda: bucket.head("k"))
        assert not isinstance(error, InvalidInputError)
        assert "127.0.0.1:9" in error.message and "endpoint_url" in error.remedy


class TestAccess:
    def grants(self, server: S3Server, key: str) -> set[str]:
        with server.client() as client:
            answer = client.get_object_acl(Bucket="test-vod", Key=key)
        return {grant["Grantee"].get("URI", "owner") for grant in answer["Grants"]}

    @pytest.fixture
    def guarded(self, server: S3Server) -> Iterator[Bucket]:
        buckets = Buckets({"g": server.settings("test-vod", acl=True)}, fallback_root=None)
        yield buckets.get("g")
        buckets.close()

    def test_published_objects_are_as_open_as_their_bucket(
        self, server: S3Server, guarded: Bucket, make: Make, prefix: str
    ) -> None:
        if server.name == "rclone":
            pytest.skip("rclone has no access rules")
        key = f"{prefix}k"
        guarded.stage(make(b"abc"), key).publish()
        everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
        with server.client() as client:
            client.put_bucket_acl(Bucket="test-vod", ACL="public-read")
            guarded.set_access([key], True)
            assert everybody in self.grants(server, key)
            guarded.set_access([key], False)
            assert everybody not in self.grants(server, key)
            client.put_bucket_acl(Bucket="test-vod", ACL="private")
        guarded.set_access([key], True)
        assert everybody not in self.grants(server, key)
        guarded.set_access([f"{prefix}gone", key], True)
        assert content(guarded, key) == b"abc"

    def test_the_access_of_the_bucket_is_read_once_for_many_objects(
        self, server: S3Server, guarded: Bucket, make: Make, prefix: str
    ) -> None:
        if server.name == "rclone":
            pytest.skip("rclone has no access rules")
        assert isinstance(guarded, S3Bucket)
        keys = [f"{prefix}{number}" for number in range(12)]
        for key in keys:
            guarded.stage(make(b"abc"), key).publish()
        calls: list[str] = []
        events = guarded.client.boto3().meta.events
        events.register("before-call.s3.*", lambda model, **_: calls.append(model.name))
        guarded.set_access(keys, True)
        assert sorted(calls) == ["GetBucketAcl", *["PutObjectAcl"] * 12]

    def test_a_server_without_access_rules_is_not_asked(
        self, server: S3Server, guarded: Bucket, make: Make, prefix: str
    ) -> None:
        if server.name != "rclone":
            pytest.skip("it has access rules")
        guarded.stage(make(b"abc"), f"{prefix}k").publish()
        error = error_of(lambda: guarded.set_access([f"{prefix}k"], True))
        assert error.code == Code.NOT_SUPPORTED and "acl = false" in error.remedy
        assert content(guarded, f"{prefix}k") == b"abc"  # not replaced by the body of the call

    def test_without_the_setting_nothing_is_asked(
        self, buckets: Buckets, make: Make, proxy: Proxy, prefix: str
    ) -> None:
        before = proxy.sent
        buckets.get("near").set_access([f"{prefix}k"], True)
        assert proxy.sent == before
