"""Local buckets on a real file system: readers never see half an object, keys never lead out."""

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.test_placeholders import HOSTILE_KEYS, ODD_KEYS
from workflow_engine.buckets import Bucket, Buckets, LocalBucket, Place, SingleFileBucket, files
from workflow_engine.errors import Code, InterruptedRunError, InvalidInputError, MediaflowError
from workflow_engine.records import Digests

MIB = 1 << 20
NOTHING = Digests(size=0, sha256="", md5="")


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[LocalBucket]:
    (tmp_path / "bucket").mkdir()
    yield LocalBucket("vod", tmp_path / "bucket")
    # some trees are too deep for pytest, which cleans up with shutil
    subprocess.run(["rm", "-rf", tmp_path / "bucket"], check=True)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[bytes], Path]:
    def make_file(content: bytes) -> Path:
        handle, name = tempfile.mkstemp(dir=tmp_path)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        return Path(name)

    return make_file


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [info.key for info in bucket.list(prefix)]


def put(bucket: LocalBucket, source: Path, key: str) -> None:
    bucket.stage(source, key).publish()


def at(place: str) -> Place:
    return Buckets({}, fallback_root=None).at(place)


def copy(bucket: LocalBucket, place: str, key: str) -> None:
    bucket.stage_copy(at(place), key, at(place).digests()).publish()


def every_file(folder: Path) -> list[str]:
    found: list[str] = []
    folders = [str(folder)]  # not recursive: some trees are deep
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found.append(os.path.relpath(entry.path, folder))
    return sorted(found)


class TestReading:
    def test_head(self, bucket: LocalBucket) -> None:
        path = bucket.root / "a.mp4"
        path.write_bytes(b"abc")
        os.utime(path, ns=(0, 1_700_000_000_123_456_789))
        info = bucket.head("a.mp4")
        assert info is not None
        assert (info.key, info.size) == ("a.mp4", 3)
        assert info.version == "3-1700000000123456789"
        assert info.modified.isoformat(timespec="milliseconds") == "2023-11-14T22:13:20.123+00:00"

    def test_version_survives_a_new_inode(self, bucket: LocalBucket) -> None:
        first, second = bucket.root / "a", bucket.root / "b"
        first.write_bytes(b"abc")
        second.write_bytes(b"abc")
        os.utime(first, ns=(0, 5))
        os.utime(second, ns=(0, 5))
        before = bucket.head("a")
        os.replace(second, first)
        assert bucket.head("a") == before

    def test_another_version_is_not_fetched(self, bucket: LocalBucket, tmp_path: Path) -> None:
        (bucket.root / "a").write_bytes(b"one")
        info = bucket.head("a")
        assert info is not None
        bucket.fetch("a", tmp_path / "before", version=info.version)
        assert b"".join(bucket.read("a", version=info.version)) == b"one"
        (bucket.root / "a").write_bytes(b"other")
        for use in (
            lambda: bucket.fetch("a", tmp_path / "after", version=info.version),
            lambda: list(bucket.read("a", version=info.version)),
        ):
            with pytest.raises(InvalidInputError) as caught:
                use()
            assert caught.value.code == Code.RESOURCE_CONTENT_BAD

    def test_a_listing_goes_on_behind_a_key(self, bucket: LocalBucket) -> None:
        for name in ("a", "b", "c"):
            (bucket.root / name).touch()
        assert [info.key for info in bucket.list("", "a")] == ["b", "c"]

    def test_what_is_no_object_is_absent(self, bucket: LocalBucket) -> None:
        (bucket.root / "folder").mkdir()
        (bucket.root / "file").touch()
        os.mkfifo(bucket.root / "pipe")
        (bucket.root / "dangling").symlink_to(bucket.root / "nothing")
        for key in ("none", "none/none", "folder", "file/below", "pipe", "dangling"):
            assert bucket.head(key) is None
        assert keys(bucket) == ["file"]

    def test_absent_bucket_has_no_objects_but_cannot_be_listed(self, tmp_path: Path) -> None:
        bucket = LocalBucket("vod", tmp_path / "unmounted")
        assert bucket.head("a") is None
        with pytest.raises(InvalidInputError, match="unmounted") as caught:
            keys(bucket)
        assert caught.value.code == Code.RESOURCE_ACCESS

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
    def test_unreadable(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            bucket = LocalBucket("vod", Path(folder))
            (bucket.root / "secret").write_bytes(b"x")
            (bucket.root / "secret").chmod(0o600)
            os.seteuid(65534)
            try:
                with pytest.raises(InvalidInputError, match="secret") as caught:
                    bucket.head("secret")
            finally:
                os.seteuid(0)
        assert caught.value.code == Code.RESOURCE_ACCESS

    def test_loop_of_links_is_unreadable(self, bucket: LocalBucket) -> None:
        (bucket.root / "loop").symlink_to("loop")
        with pytest.raises(InvalidInputError) as caught:
            bucket.head("loop")
        assert caught.value.code == Code.RESOURCE_ACCESS
        assert keys(bucket) == []

    def test_time_beyond_the_calendar(self, bucket: LocalBucket) -> None:
        path = bucket.root / "future"
        path.touch()
        try:
            os.utime(path, (10**12, 10**12))
        except OSError:
            pytest.skip("this file system has no such times")
        info = bucket.head("future")
        assert info is not None
        assert info.modified.year >= 2100

    def test_fetch_links_to_the_file(self, bucket: LocalBucket, tmp_path: Path) -> None:
        (bucket.root / "real.mp4").write_bytes(b"abc")
        (bucket.root / "link.mp4").symlink_to("real.mp4")
        target = tmp_path / "source.mp4"
        bucket.fetch("link.mp4", target)
        assert target.read_bytes() == b"abc"
        assert os.readlink(target) == str((bucket.root / "real.mp4").resolve())

    def test_fetch_of_nothing(self, bucket: LocalBucket, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError, match="none") as caught:
            bucket.fetch("none", tmp_path / "source")
        assert caught.value.code == Code.RESOURCE_NOT_FOUND
        assert not os.path.lexists(tmp_path / "source")


def pretend_mounted(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the file system of a folder be of another kind, on which leases are refused alike."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = folder / f"mounts-{kind}"
    mounts.write_text(
        f"1 0 0:1 / /proc rw - proc proc rw\n2 0 {number} / / rw shared:1 - {kind} a:/b rw\n"
    )
    monkeypatch.setattr(files, "_MOUNTS", mounts)


class TestWriters:
    """Whether somebody is still writing: `Bucket.settled`."""

    def test_open_for_writing(self, bucket: LocalBucket) -> None:
        path = bucket.root / "a.mp4"
        with path.open("wb"):
            assert not bucket.settled("a.mp4")
            with path.open("ab"):
                pass
            assert not bucket.settled("a.mp4")
        assert bucket.settled("a.mp4")
        with path.open("rb"):
            assert bucket.settled("a.mp4")

    def test_another_process_and_another_name(self, bucket: LocalBucket) -> None:
        (bucket.root / "a.mp4").write_bytes(b"abc")
        os.link(bucket.root / "a.mp4", bucket.root / "b.mp4")
        (bucket.root / "link.mp4").symlink_to("a.mp4")
        script = "import sys; file = open(sys.argv[1], 'r+'); print(flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", script, bucket.root / "b.mp4"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdin and writer.stdout
            writer.stdout.readline()
            assert not bucket.settled("a.mp4")
            assert not bucket.settled("link.mp4")
            writer.stdin.write(b"\n")
        assert bucket.settled("a.mp4")

    def test_mapped_into_memory(self, bucket: LocalBucket) -> None:
        path = bucket.root / "a.mp4"
        path.write_bytes(b"abc")
        with path.open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 3)
        assert not bucket.settled("a.mp4")
        mapped.close()
        assert bucket.settled("a.mp4")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
    def test_files_of_others_tell_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            bucket = LocalBucket("vod", Path(folder))
            with (bucket.root / "a.mp4").open("wb"):
                os.seteuid(65534)
                try:
                    assert bucket.settled("a.mp4") is None
                finally:
                    os.seteuid(0)
                assert not bucket.settled("a.mp4")

    @pytest.mark.parametrize("kind", ["nfs4", "cifs"])
    def test_network_mounts_tell_nothing(
        self, bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        with (bucket.root / "a.mp4").open("wb"):
            pretend_mounted(kind, tmp_path, monkeypatch)
            assert bucket.settled("a.mp4") is None
            pretend_mounted("ext4", tmp_path, monkeypatch)
            assert bucket.settled("a.mp4") is False

    def test_what_is_gone(self, bucket: LocalBucket) -> None:
        assert bucket.settled("a.mp4") is None
        os.mkfifo(bucket.root / "pipe")
        assert bucket.settled("pipe") is None

    def test_a_writer_that_comes_meanwhile_waits_and_kills_nobody(
        self, bucket: LocalBucket
    ) -> None:
        path = bucket.root / "a.mp4"
        path.write_bytes(b"abc")
        script = (
            "import sys, time\n"
            "longest, end = 0, time.monotonic() + 2\n"
            "while time.monotonic() < end:\n"
            "    began = time.monotonic()\n"
            "    open(sys.argv[1], 'ab').close()\n"
            "    longest = max(longest, time.monotonic() - began)\n"
            "print(longest)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            answers = set[bool]()
            while writer.poll() is None:
                answers.add(bucket.settled("a.mp4"))
            assert writer.stdout
            assert float(writer.stdout.read()) < 1
        assert answers == {False, True}


class TestListing:
    def test_order_and_prefix_of_object_stores(self, bucket: LocalBucket) -> None:
        given = ["a-b", "a.b", "a/b", "a/c/d", "a0", "ab", "a/é", "a/🎬", "a/z", "B"]
        for key in given:
            path = bucket.root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        in_order = sorted(given, key=str.encode)
        assert keys(bucket) == in_order
        for prefix in ("a", "a/", "a/c", "a/c/", "a/c/d", "x", "a/c/d/"):
            assert keys(bucket, prefix) == [key for key in in_order if key.startswith(prefix)]

    def test_unfinished_and_hidden_files_are_left_out(self, bucket: LocalBucket) -> None:
        for name in ("a.part", ".hidden", ".a.mp4.0123.part", ".git/config"):
            path = bucket.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (bucket.root / "a.mp4").touch()
        assert keys(bucket) == ["a.mp4"]

    def test_names_that_no_key_can_have_are_left_out(self, bucket: LocalBucket) -> None:
        for name in (b"\xff.mp4", b"a\nb", b"good"):
            Path(os.fsdecode(os.fsencode(bucket.root) + b"/" + name)).touch()
        assert keys(bucket) == ["good"]

    def test_deep_tree(self, bucket: LocalBucket) -> None:
        # deeper than Python's stack and than any key may be
        here = os.open(bucket.root, os.O_RDONLY)
        for _ in range(1200):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        (bucket.root / "z").touch()
        assert keys(bucket) == ["z"]

    def test_links_to_folders_are_not_followed(self, bucket: LocalBucket) -> None:
        (bucket.root / "a").mkdir()
        (bucket.root / "a" / "f").touch()
        (bucket.root / "a" / "up").symlink_to(bucket.root)
        assert keys(bucket) == ["a/f"]


class TestKeys:
    @pytest.mark.parametrize("key", [key for key, _ in HOSTILE_KEYS])
    def test_hostile_keys_touch_nothing(
        self, bucket: LocalBucket, key: str, make: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        source = make(b"x")
        before = every_file(tmp_path)
        for attempt in (
            lambda: bucket.head(key),
            lambda: bucket.place(key),
            lambda: bucket.fetch(key, tmp_path / "target"),
            lambda: put(bucket, source, key),
            lambda: copy(bucket, str(source), key),
        ):
            with pytest.raises(InvalidInputError) as caught:
                attempt()
            assert caught.value.code == Code.OBJECT_KEY
        assert every_file(tmp_path) == before

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_work(
        self, bucket: LocalBucket, key: str, make: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        put(bucket, make(b"one"), key)
        copy(bucket, str(make(b"three")), key)  # a copy needs a temporary name beside it
        info = bucket.head(key)
        assert info is not None
        assert (info.key, info.size) == (key, 5)
        assert bucket.place(key) == f"{bucket.root}/{key}"
        assert Path(bucket.place(key)).read_bytes() == b"three"
        assert keys(bucket) == ([] if key.startswith(".") else [key])
        bucket.fetch(key, tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == b"three"

    @pytest.mark.parametrize("absolute", [True, False])
    def test_links_out_of_the_bucket(
        self, bucket: LocalBucket, absolute: bool, make: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        (bucket.root / "folder").symlink_to(outside if absolute else "../outside")
        target = outside / "secret"
        (bucket.root / "file").symlink_to(target if absolute else "../outside/secret")
        (bucket.root / "fresh").symlink_to(outside / "new")
        source = make(b"x")
        for key in ("folder/secret", "folder/new", "file", "fresh"):
            for attempt in (
                lambda key=key: bucket.head(key),
                lambda key=key: bucket.place(key),
                lambda key=key: bucket.fetch(key, tmp_path / "target"),
                lambda key=key: put(bucket, source, key),
                lambda key=key: copy(bucket, str(source), key),
            ):
                with pytest.raises(InvalidInputError, match="symbolic link"):
                    attempt()
        assert keys(bucket) == []
        assert every_file(outside) == ["secret"]
        assert (outside / "secret").read_bytes() == b"secret"

    def test_a_neighbour_with_a_longer_name_is_outside(
        self, bucket: LocalBucket, tmp_path: Path
    ) -> None:
        (tmp_path / "bucket-2").mkdir()
        (tmp_path / "bucket-2" / "f").touch()
        (bucket.root / "n").symlink_to(tmp_path / "bucket-2")
        with pytest.raises(InvalidInputError):
            bucket.head("n/f")

    def test_a_bucket_that_is_a_link_itself(
        self, tmp_path: Path, make: Callable[[bytes], Path]
    ) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        bucket = LocalBucket("vod", tmp_path / "link")
        put(bucket, make(b"x"), "a/b")
        assert every_file(tmp_path / "real") == ["a/b"]
        assert keys(bucket) == ["a/b"]

    def test_links_inside_the_bucket_work(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        (bucket.root / "real").mkdir()
        (bucket.root / "link").symlink_to("real")
        put(bucket, make(b"x"), "link/f")
        assert keys(bucket) == ["real/f"]
        assert bucket.head("link/f") is not None


class TestPublishing:
    def test_put_moves_on_the_same_file_system(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        source = make(b"x")
        inode = source.stat().st_ino
        put(bucket, source, "a/b/c.mp4")
        assert (bucket.root / "a/b/c.mp4").stat().st_ino == inode
        assert not source.exists()

    def test_put_from_another_file_system(
        self, bucket: LocalBucket, other_file_system: Path
    ) -> None:
        source = other_file_system / "s"
        source.write_bytes(b"x" * MIB)
        put(bucket, source, "a/b.mp4")
        assert (bucket.root / "a/b.mp4").read_bytes() == b"x" * MIB
        assert every_file(bucket.root) == ["a/b.mp4"]
        assert not source.exists()

    def test_put_of_a_link_publishes_the_file(
        self, bucket: LocalBucket, make: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        target = make(b"content")
        (tmp_path / "link").symlink_to(target)
        put(bucket, tmp_path / "link", "k")
        assert not (bucket.root / "k").is_symlink()
        assert (bucket.root / "k").read_bytes() == b"content"
        assert target.read_bytes() == b"content"

    def test_put_replaces(self, bucket: LocalBucket, make: Callable[[bytes], Path]) -> None:
        put(bucket, make(b"one"), "k")
        put(bucket, make(b"two"), "k")
        assert (bucket.root / "k").read_bytes() == b"two"

    def test_put_replaces_a_link_not_its_target(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        (bucket.root / "real").write_bytes(b"one")
        (bucket.root / "link").symlink_to("real")
        put(bucket, make(b"two"), "link")
        assert (bucket.root / "real").read_bytes() == b"one"
        assert (bucket.root / "link").read_bytes() == b"two"

    def test_copy_leaves_the_original(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        put(bucket, make(b"one"), "a")
        copy(bucket, bucket.place("a"), "b/c")
        (bucket.root / "b/c").write_bytes(b"changed")  # not a hard link either
        assert (bucket.root / "a").read_bytes() == b"one"

    def test_nothing_is_visible_before_it_is_published(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        put(bucket, make(b"old"), "k")
        staged = bucket.stage(make(b"new"), "k")
        assert keys(bucket) == ["k"]
        assert (bucket.root / "k").read_bytes() == b"old"
        staged.discard()
        assert every_file(bucket.root) == ["k"]
        assert (bucket.root / "k").read_bytes() == b"old"

    def test_a_copy_of_nothing_is_refused(self, bucket: LocalBucket) -> None:
        with pytest.raises(InvalidInputError) as caught:
            bucket.stage_copy(at(bucket.place("absent")), "k", NOTHING)
        assert caught.value.code == Code.RESOURCE_NOT_FOUND
        assert every_file(bucket.root) == []

    def test_keys_that_clash_with_files_and_folders(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        put(bucket, make(b"x"), "file")
        put(bucket, make(b"x"), "folder/inside")
        source = make(b"y")

        def copied(path: Path, key: str) -> None:
            copy(bucket, str(path), key)

        for key, word in (
            ("file/below", "a file"),
            ("file/far/below", "a file"),
            ("folder", "a folder"),
        ):
            for publish in (bucket.stage, copied):
                with pytest.raises(InvalidInputError, match=word) as caught:
                    publish(source, key)
                assert caught.value.code == Code.OBJECT_KEY
        assert every_file(bucket.root) == ["file", "folder/inside"]
        assert source.read_bytes() == b"y"

    def test_full_disk_leaves_nothing(
        self,
        bucket: LocalBucket,
        make: Callable[[bytes], Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        put(bucket, make(b"old"), "a/k")
        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(MediaflowError, match="No space left") as caught:
            copy(bucket, str(make(b"new content")), "a/k")
        assert caught.value.code == Code.NO_SPACE
        assert every_file(bucket.root) == ["a/k"]
        assert (bucket.root / "a/k").read_bytes() == b"old"

    @pytest.mark.parametrize("by", ["move", "copy"])
    def test_content_is_on_the_disk_before_its_name(
        self,
        bucket: LocalBucket,
        make: Callable[[bytes], Path],
        monkeypatch: pytest.MonkeyPatch,
        by: str,
    ) -> None:
        steps: list[str] = []
        real_sync, real_replace = os.fsync, os.replace

        def fsync(descriptor: int) -> None:
            steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
            real_sync(descriptor)

        def replace(source: Path, target: Path) -> None:
            steps.append("name")
            real_replace(source, target)

        source = make(b"x")
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        if by == "move":
            put(bucket, source, "a/b/k")
        else:
            copy(bucket, str(source), "a/b/k")
        # two new folders, each in its parent, then the content, then the object's name
        staged = ["file", "name"] if by == "move" else ["file"]
        assert steps == ["folder", "folder", *staged, "name", "folder"]

    def test_readers_never_see_half_an_object(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        size = 8 * MIB
        sources = [str(make(bytes([fill]) * size)) for fill in (1, 2)]
        copy(bucket, sources[0], "k")
        done = threading.Event()
        seen: list[str] = []
        looks = [0]

        def look() -> None:
            while not done.is_set():
                info = bucket.head("k")
                if info is None or info.size != size or keys(bucket) != ["k"]:
                    seen.append(f"{info} {keys(bucket)}")
                with (bucket.root / "k").open("rb") as file:
                    first = file.read(1)
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != first or file.tell() != size:
                        seen.append("mixed content")
                looks[0] += 1

        reader = threading.Thread(target=look)
        reader.start()
        for turn in range(30):
            copy(bucket, sources[turn % 2], "k")
        done.set()
        reader.join()
        assert seen == []
        assert looks[0] > 30

    def test_killed_while_copying(self, bucket: LocalBucket, tmp_path: Path) -> None:
        source = tmp_path / "big"
        with source.open("wb") as file:
            file.truncate(1024 * MIB)
        handle = bucket.reserve("a.mp4")
        script = (
            "import sys; from pathlib import Path; from workflow_engine.buckets import *\n"
            "from workflow_engine.records import Digests\n"
            "origin = Buckets({}, fallback_root=None).at(sys.argv[2])\n"
            "bucket = LocalBucket('vod', Path(sys.argv[1]))\n"
            "bucket.stage_copy(origin, 'a.mp4', Digests(size=0, sha256='', md5=''), sys.argv[3])"
        )
        copy = subprocess.Popen(
            [sys.executable, "-c", script, str(bucket.root), str(source), handle]
        )
        try:
            while not (begun := every_file(bucket.root)):
                assert copy.poll() is None, "the copy ended before it was seen"
                time.sleep(0.001)
        finally:
            copy.send_signal(signal.SIGKILL)
            copy.wait()
        assert begun != ["a.mp4"]
        assert bucket.head("a.mp4") is None
        assert keys(bucket) == []
        (left,) = every_file(bucket.root)
        assert left == handle
        assert (bucket.root / left).stat().st_size < 1024 * MIB
        (bucket.root / ".a.mp4.0123456789abcdef.part").touch()  # of somebody who lives
        bucket.sweep("a.mp4", handle)
        assert every_file(bucket.root) == [".a.mp4.0123456789abcdef.part"]

    def test_a_sweep_takes_only_what_was_staged(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        put(bucket, make(b"x"), "a/k")
        for handle in ("", "k", "../k", ".hidden", "gone.part"):
            bucket.sweep("a/k", handle)
        assert every_file(bucket.root) == ["a/k"]

    def test_a_copy_is_only_made_of_what_was_recorded(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        place, other = str(make(b"one")), str(make(b"two"))
        with pytest.raises(InvalidInputError) as caught:
            bucket.stage_copy(at(place), "k", at(other).digests())
        assert caught.value.code == Code.RESOURCE_CONTENT_BAD
        assert every_file(bucket.root) == []

    def test_a_copy_can_be_cancelled(
        self, bucket: LocalBucket, make: Callable[[bytes], Path]
    ) -> None:
        cancel = threading.Event()
        cancel.set()
        origin = at(str(make(b"one")))
        with pytest.raises(InterruptedRunError):
            bucket.stage_copy(origin, "k", origin.digests(), cancel=cancel)
        assert every_file(bucket.root) == []


class TestSingleFile:
    @pytest.fixture
    def single(self, tmp_path: Path) -> SingleFileBucket:
        (tmp_path / "clip.mp4").write_bytes(b"abc")
        return SingleFileBucket("in", "vod/clip.mp4", tmp_path / "clip.mp4")

    def test_holds_one_object(self, single: SingleFileBucket, tmp_path: Path) -> None:
        info = single.head("vod/clip.mp4")
        assert info is not None
        assert (info.key, info.size) == ("vod/clip.mp4", 3)
        assert single.head("clip.mp4") is None
        assert list(single.list("")) == list(single.list("vod/")) == [info]
        assert list(single.list("x")) == []
        assert single.place("vod/clip.mp4") == str(tmp_path / "clip.mp4")
        single.fetch("vod/clip.mp4", tmp_path / "source.mp4")
        assert (tmp_path / "source.mp4").read_bytes() == b"abc"

    def test_other_keys(self, single: SingleFileBucket, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError):
            single.fetch("clip.mp4", tmp_path / "source.mp4")
        with pytest.raises(InvalidInputError):
            single.place("clip.mp4")

    def test_takes_nothing(
        self, single: SingleFileBucket, make: Callable[[bytes], Path], tmp_path: Path
    ) -> None:
        source = make(b"new")
        for key in ("vod/clip.mp4", "other"):
            for attempt in (
                lambda key=key: single.stage(source, key),
                lambda key=key: single.stage_copy(at(str(source)), key, NOTHING),
            ):
                with pytest.raises(InvalidInputError, match="holds only the input"):
                    attempt()
        assert (tmp_path / "clip.mp4").read_bytes() == b"abc"
        assert source.read_bytes() == b"new"

    def test_file_that_is_gone(self, tmp_path: Path) -> None:
        single = SingleFileBucket("in", "k", tmp_path / "gone")
        assert single.head("k") is None
        assert list(single.list("")) == []
