"""Watched folders on mounts that come and go, and under limits of the system."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.support.watching import Process, Watching
from triggers.folder import Folder


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator["Sandbox"]:
    """A process that watches in name spaces of its own, where it may mount and set limits."""
    command = ("unshare", "--user", "--map-root-user", "--mount")
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("needs user name spaces")
    sandbox = Sandbox(tmp_path, command)
    yield sandbox
    sandbox.watching.close()


class Sandbox:
    def __init__(self, home: Path, command: tuple[str, ...]) -> None:
        self.command = command
        self.mount = home / "mnt"
        self.mount.mkdir()
        self.home = home
        self.watching = Watching(home, root=self.mount, more="poll_seconds = 1")

    def watch(self, root: Path) -> None:
        """Watch another folder instead."""
        self.watching.close()
        (self.home / "mediaflow.db").unlink()
        self.watching = Watching(self.home, root=root, more="poll_seconds = 1")

    def process(self, setup: str = "true") -> Process:
        return self.watching.process(*self.command, "sh", "-c", f'{setup} && exec "$@"', "sh")

    def waits_for(self, text: str, process: Process) -> None:
        wait_for(lambda: text in process.ask("true"))

    def taken(self, *keys: str) -> None:
        wait_for(lambda: self.watching.taken() == list(keys), 10)


class TestMountsAndLimits:
    def test_an_unmounted_share(self, sandbox: Sandbox):
        mount, outside = sandbox.mount, sandbox.mount.parent / "share"
        outside.mkdir()
        bind = f"mount --bind {outside} {mount}"
        with sandbox.process(f"mount -t tmpfs share {outside} && {bind}") as process:
            wait_for(sandbox.watching.reconciled)
            process.ask(f"echo content > {mount}/a.mp4")
            sandbox.taken("a.mp4")
            process.ask(f"umount {mount}; mkdir {mount}/d; echo content > {mount}/d/stray.mp4")
            sandbox.waits_for("nothing is mounted", process)
            time.sleep(2)
            process.ask(f"echo content > {outside}/b.mp4; {bind}")
            sandbox.taken("a.mp4", "b.mp4")
            assert process.ask(f"echo content > {mount}/c.mp4") == ""
            sandbox.taken("a.mp4", "b.mp4", "c.mp4")

    def test_a_share_that_is_mounted_over_the_folder(self, sandbox: Sandbox):
        mount = sandbox.mount
        with sandbox.process() as process:
            wait_for(sandbox.watching.reconciled)
            process.ask(f"mount -t tmpfs share {mount}; echo content > {mount}/a.mp4")
            sandbox.taken("a.mp4")
            process.ask(f"mkdir {mount}/d; mount -t tmpfs other {mount}/d; touch {mount}/d/e.mp4")
            process.ask(f"echo content > {mount}/d/b.mp4")
            sandbox.taken("a.mp4", "d/b.mp4")

    def test_what_lay_in_a_share_before_the_first_watch(self, sandbox: Sandbox):
        mount, outside = sandbox.mount, sandbox.mount.parent / "share"
        outside.mkdir()

        def with_old(key: str) -> Process:
            file = f"{outside}/{key}"
            lay = f"echo content > {file} && touch -d '1 hour ago' {file}"
            return sandbox.process(f"mount -t tmpfs share {outside} && {lay}")

        with with_old("old.mp4") as process:
            wait_for(sandbox.watching.reconciled)
            process.ask(f"mount --bind {outside} {mount}; echo content > {mount}/new.mp4")
            sandbox.taken("new.mp4")
        listed = sandbox.watching.reconciled()
        with with_old("copied.mp4") as process:  # it was not there at the first watch
            wait_for(lambda: sandbox.watching.reconciled() != listed)
            process.ask(f"mount --bind {outside} {mount}")
            sandbox.taken("copied.mp4", "new.mp4")

    def test_a_share_that_holds_the_folder(self, sandbox: Sandbox):
        mount, outside = sandbox.mount, sandbox.mount.parent / "share"
        outside.mkdir()
        sandbox.watch(mount / "uploads")
        lay = f"mkdir {outside}/uploads && echo content > {outside}/uploads/old.mp4"
        with sandbox.process(f"mount -t tmpfs share {outside} && {lay}") as process:
            sandbox.waits_for("does not exist", process)
            new = mount / "uploads/new.mp4"
            process.ask(f"mount --bind {outside} {mount}; echo content > {new}")
            sandbox.taken("new.mp4")

    def test_fewer_watches_than_folders(self, sandbox: Sandbox):
        limit = "echo 5 > /proc/sys/user/max_inotify_watches"
        for number in range(8):
            (sandbox.mount / f"d{number}").mkdir()
        with sandbox.process(limit) as process:
            sandbox.waits_for("fs.inotify.max_user_watches", process)
            wait_for(sandbox.watching.reconciled)
            for number in range(8):
                sandbox.watching.put(f"d{number}/a.mp4")
            sandbox.taken(*(f"d{number}/a.mp4" for number in range(8)))

    def test_no_inotify_at_all(self, sandbox: Sandbox):
        limit = "echo 0 > /proc/sys/user/max_inotify_instances"
        with sandbox.process(limit) as process:
            sandbox.waits_for("fs.inotify.max_user_instances", process)
            wait_for(sandbox.watching.reconciled)
            sandbox.watching.put("a.mp4")
            sandbox.taken("a.mp4")


def test_what_lies_at_a_path(tmp_path: Path):
    found = Folder.find(tmp_path)
    assert found is not None
    assert found == Folder.find(tmp_path)
    assert Folder.find(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    assert Folder.find(tmp_path / "file") is None
    (tmp_path / "other").mkdir()
    other = Folder.find(tmp_path / "other")
    assert other is not None
    assert not found.unmounted(other)
    assert not other.remote


def test_what_is_mounted_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    share = tmp_path / "a share"
    (share / "uploads/cam").mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr("triggers.folder._MOUNTS", mounts)
    shown = str(share).replace(" ", "\\040")

    def find(*lines: str) -> Folder:
        mounts.write_text("".join(f"{line} rw - {line.split()[-1]} x rw\n" for line in lines))
        found = Folder.find(share / "uploads")
        assert found is not None
        return found

    disk = "20 1 8:1 / / rw,relatime shared:1 ext4"
    without = find(disk)
    mounted = find(disk, f"30 20 0:50 / {shown} rw nfs4", f"31 20 0:51 / {shown}-2 rw tmpfs")
    assert (without.mount, without.remote) == ("/", False)
    assert (mounted.mount, mounted.remote, mounted.below) == (str(share), True, frozenset())
    assert mounted.unmounted(without)
    assert not without.unmounted(mounted)
    over = find(disk, f"30 20 0:50 / {shown} rw nfs4", f"32 30 0:52 / {shown} rw fuse.sshfs")
    assert (over.mount, over.remote) == (str(share), True)
    inside = find(disk, f"33 20 0:53 / {shown}/uploads/cam rw tmpfs")
    assert inside.below == {f"33 {share}/uploads/cam"}
    assert inside != without
