"""A real browser that plays a package, and a server that it gets the package and the players from.

The page is `tests/players/page.html`; it posts what it has seen. The players come from npm
(`make players`).
"""

import base64
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PLAYERS = Path(__file__).parents[1] / "players"
#: seconds for a whole page, on a machine that does something else as well
_PATIENCE = 120
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt",
    ".js": "text/javascript",
}


class PlayerServer(ThreadingHTTPServer):
    """Serves the players under /players/, a package under /package/; `posted` has what came."""

    def __init__(self, package: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.package = package
        self.posted: queue.Queue[dict[str, Any]] = queue.Queue()
        #: paths that were asked for and are not there
        self.missing: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A player drops what it no longer wants."""

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(SimpleHTTPRequestHandler):
    server: PlayerServer
    extensions_map = SimpleHTTPRequestHandler.extensions_map | _TYPES

    def translate_path(self, path: str) -> str:
        root, _, rest = unquote(urlsplit(path).path).lstrip("/").partition("/")
        folder = {"players": PLAYERS, "package": self.server.package}.get(root)
        return str(folder / rest) if folder else "/nowhere"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.put(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def send_error(self, code: int, *args: Any, **kwargs: Any) -> None:
        if "favicon" not in self.path:
            self.server.missing.append(self.path)
        super().send_error(code, *args, **kwargs)


@contextmanager
def serving(package: Path) -> Generator[PlayerServer]:
    """Serve a package for the time of the block."""
    with PlayerServer(package) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def played(
    chromium: str,
    package: Path,
    player: str,
    name: str,
    work: Path,
    keys: Mapping[str, str] | None = None,
    steps: str = "",
) -> dict[str, Any]:
    """Play the list `name` of a package; return what the page has posted.

    With the `steps` "onset", that is only when sound is heard first.
    `keys` are those that a player of DASH is given, by their ids, in hexadecimal digits. A picture
    of the last frame is written to `work`.
    """
    with serving(package) as server:
        url = server.url(f"package/{name}")
        asked = f"player={player}&url={quote(url, safe='')}&keys={quote(json.dumps(keys or {}))}"
        asked += f"&steps={steps}"
        page = server.url(f"players/page.html?{asked}")
        with _browser(chromium, page, work):
            seen = server.posted.get(timeout=_PATIENCE)
        seen["missing"] = server.missing
    if picture := seen.pop("picture", None):
        (work / f"{player}.png").write_bytes(base64.b64decode(picture.partition(",")[2]))
    return seen


@contextmanager
def _browser(chromium: str, page: str, work: Path) -> Generator[None]:
    profile = work / "profile"
    process = subprocess.Popen(
        [
            chromium,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--autoplay-policy=no-user-gesture-required"),
            f"--user-data-dir={profile}",
            page,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(profile, ignore_errors=True)
