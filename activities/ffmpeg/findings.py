"""What `mediaflow doctor` says of the tools: where they are, their versions, what they lack."""

from collections.abc import Callable, Iterable, Iterator

from activities.ffmpeg.tools import (
    capabilities,
    ffmpeg_path,
    ffprobe_path,
    packager_path,
    versions,
)
from workflow_engine.activity import Finding
from workflow_engine.errors import InstallationError


def ffprobe_finding() -> Finding:
    """Say whether ffprobe works."""
    return _checked("ffprobe", lambda: f"{versions()['ffprobe']}  {ffprobe_path()}")


def packager_finding() -> Finding:
    """Say whether the packager, which encrypts with `cbcs`, is there."""
    return _checked("packager", lambda: str(packager_path()))


def ffmpeg_findings(encoders: Iterable[str], filters: Iterable[str] = ()) -> Iterator[Finding]:
    """Say whether ffmpeg works and has the encoders and filters."""
    finding = _checked("ffmpeg", lambda: f"{versions()['ffmpeg']}  {ffmpeg_path()}")
    yield finding
    if finding.works:
        for name in encoders:
            yield _checked(f"encoder {name}", lambda name=name: _encoder(name))
        for name in filters:
            yield _checked(f"filter {name}", lambda name=name: _filter(name))


def _encoder(name: str) -> str:
    capabilities().require_encoder(name)
    return "there"


def _filter(name: str) -> str:
    capabilities().require_filter(name)
    return "there"


def _checked(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, works=True, detail=check())
    except InstallationError as error:
        return Finding(name=name, works=False, detail=error.message, remedy=error.remedy)
