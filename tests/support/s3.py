"""Real servers that speak the protocol of S3, and a proxy that breaks connections."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3.session
from botocore.config import Config

from workflow_engine.settings import BucketSettings

ACCESS_KEY = "AKIATESTACCESSKEY"
SECRET_KEY = "test-secret-key-0123456789"
#: variables that the settings of the tests name
ENVIRONMENT = {"TEST_S3_KEY": ACCESS_KEY, "TEST_S3_SECRET": SECRET_KEY}


#: it has read what clients are made of; each use has a client of its own
_SESSION = boto3.session.Session()


@dataclass(frozen=True)
class S3Server:
    """A server that runs, with the buckets `test-vod` and `test-other`.

    `name` is seaweedfs, rclone or moto.
    """

    name: str
    url: str

    @property
    def checks_signatures(self) -> bool:
        return self.name != "moto"

    def settings(self, real_name: str, **more: Any) -> BucketSettings:
        """Return the settings of a bucket of this server."""
        given = {
            "url": f"s3://{real_name}",
            "endpoint_url": self.url,
            "access_key_id_env": "TEST_S3_KEY",
            "secret_access_key_env": "TEST_S3_SECRET",
        }
        return BucketSettings(**(given | more))

    @contextmanager
    def client(self) -> Generator[Any]:
        """Give a client that has nothing to do with the code under test."""
        client = _SESSION.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        with closing(client):
            yield client

    def create(self, real_name: str) -> None:
        """Create a bucket."""
        with self.client() as client:
            client.create_bucket(Bucket=real_name)


@contextmanager
def running(name: str, folder: Path, *options: str) -> Generator[S3Server]:
    """Run a server until the end of the block."""
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_command(name, folder, port), *options],
            cwd=folder,
            env=os.environ | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(port, process, folder / "log")
            yield S3Server(name, f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder / "data", ignore_errors=True)


def _command(name: str, folder: Path, port: int) -> list[str]:
    data = folder / "data"
    data.mkdir()
    if name == "moto":
        return [_installed("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    if name == "rclone":
        command = f"serve s3 --auth-key {ACCESS_KEY},{SECRET_KEY} --addr 127.0.0.1:{port}"
        return [_installed("rclone"), *command.split(), "--no-cleanup", str(data)]
    ports = [
        f"-{part}.port{kind}={free_port()}"
        for part in ("master", "volume", "filer")
        for kind in ("", ".grpc")
    ]
    command = f"server -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 -s3.port={port}"
    small = "-master.volumeSizeLimitMB=128 -volume.max=0 -s3.port.iceberg=0 -s3.port.lance=0"
    grpc = f"-s3.port.grpc={free_port()}"
    # relative: the path of a socket must be short, and the server runs in the folder
    sockets = [f"-{part}.localSocket={part}.sock" for part in ("filer", "s3")]
    weed = [_installed("weed"), *command.split(), *small.split(), grpc, *ports, *sockets]
    return [*weed, f"-dir={data}"]


def _installed(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return  # it wants a signature
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Proxy:
    """Passes connections on to a server, counts, and breaks them as it is told.

    An answer is cut off behind `cut_after` bytes as long as `cuts` is above 0, which it lowers.
    Byte `spoils` of what a connection brings arrives changed. Callers get no more through while
    `stalled`, once they have sent `stall_after` bytes. `away` ends all connections and accepts
    none for a while.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = self.cut_after = 0
        self.stall_after = self.spoils = 1 << 62
        self.sent = self.received = 0  # bytes, as callers see it
        self.broken = 0  # connections that `away` ended or refused
        self._down = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    @contextmanager
    def away(self) -> Generator[None]:
        """Be a server that is gone, until the end of the block."""
        with self._lock:
            self._down, ended = True, list(self._open)
            self.broken += len(ended)
        for one in ended:
            _shut(one)
        try:
            yield
        finally:
            self._down = False

    @property
    def stalled(self) -> bool:
        return self.sent > self.stall_after

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with self._lock:
            if self._down:
                self.broken += 1
                caller.close()
                return
            self._open.add(caller)
        try:
            self._pass_on(caller)
        finally:
            with self._lock:
                self._open.discard(caller)

    def _pass_on(self, caller: socket.socket) -> None:
        with caller, suppress(OSError), socket.create_connection(self._target) as server:
            asking = threading.Thread(target=self._ask, args=(caller, server), daemon=True)
            asking.start()
            passed = 0
            with suppress(OSError):
                while data := server.recv(65536):
                    if passed <= self.spoils < passed + len(data):
                        at = self.spoils - passed
                        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                    passed += len(data)
                    with self._lock:
                        self.received += len(data)
                        cut = self.cuts > 0 and passed > self.cut_after
                        self.cuts -= cut
                    if cut:
                        break
                    caller.sendall(data)
            for one in (caller, server):
                _shut(one)
            asking.join(5)

    def _ask(self, caller: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := caller.recv(65536):
                with self._lock:
                    self.sent += len(data)
                while self.stalled and server.fileno() >= 0:
                    time.sleep(0.05)
                server.sendall(data)
        _shut(server)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
