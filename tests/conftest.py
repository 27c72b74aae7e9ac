"""Fixtures that every tier may use. What costs time is made once, when it is asked for first.

Imports that only some tests need stand in the fixtures, so that the unit tests start at once.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support import media  # noqa: E402
from tests.support.command_line import CommandLine  # noqa: E402

if TYPE_CHECKING:
    from tests.support.s3 import Proxy, S3Server


# --- media -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def media_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for generated media, shared by the session. Do not write over its files."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def clip(media_dir: Path) -> Path:
    """Four seconds, 640x360 at 25 fps, H.264 and AAC in mp4."""
    return media.clip(media_dir)


@pytest.fixture(scope="session")
def audio_clip(media_dir: Path) -> Path:
    """Four seconds of a tone, AAC in m4a."""
    return media.audio_only(media_dir)


@pytest.fixture(scope="session")
def bunny() -> Path:
    """A real clip: 1280x720, 25 fps, 5.28 s of picture, 5.1 sound."""
    return media.big_buck_bunny()


# --- the command line ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory whose Prefect server ends with the session."""
    path = tmp_path_factory.mktemp("data")
    yield path
    CommandLine(path, path).stop_prefect()


@pytest.fixture
def mediaflow(data: Path, tmp_path: Path) -> Iterator[CommandLine]:
    """The command line in an empty directory, sharing store and Prefect server."""
    with closing(CommandLine(data, tmp_path)) as line:
        yield line


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line with a data directory of its own."""
    with closing(CommandLine(tmp_path / "data", tmp_path)) as line:
        yield line
        line.stop_prefect()


# --- object stores ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_servers(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Callable[[str], S3Server]]":
    """Give a server by its name; each starts when it is asked for first, with two buckets."""
    from tests.support.s3 import S3Server, running

    started: dict[str, S3Server] = {}
    with ExitStack() as stack:

        def get(name: str) -> S3Server:
            if name not in started:
                server = stack.enter_context(running(name, tmp_path_factory.mktemp(name)))
                for real_name in ("test-vod", "test-other"):
                    server.create(real_name)
                started[name] = server
            return started[name]

        yield get


@pytest.fixture(params=["seaweedfs", "rclone", "moto"])
def server(request: pytest.FixtureRequest, s3_servers: "Callable[[str], S3Server]") -> "S3Server":
    """Give each server in turn."""
    return s3_servers(request.param)


@pytest.fixture
def proxy(server: "S3Server") -> "Iterator[Proxy]":
    """Give a proxy before the server."""
    from tests.support.s3 import Proxy

    with closing(Proxy(server.url)) as made:
        yield made
