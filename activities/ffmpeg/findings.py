"""What `mediaflow doctor` says of the tools: where they are, their versions, what they lack."""

from collections.abc import Callable, Iterator

from activities.ffmpeg.tools import capabilities, ffmpeg_path, ffprobe_path, versions
from workflow_engine.activity import Finding
from workflow_engine.errors import InstallationError


def ffprobe_finding() -> Finding:
    """Say whether ffprobe works."""
    return _checked("ffprobe", lambda: f"{versions()['ffprobe']}  {ffprobe_path()}")


def ffmpeg_findings(encoders: Iterator[str], filters: Iterator[str]) -> Iterator[Finding]:
    """Say whether ffmpeg works, and whether it has each of the encoders and filters."""
    found = _checked("ffmpeg", lambda: f"{versions()['ffmpeg']}  {ffmpeg_path()}")
    yield found
    if not found.works:
        return
    for kind, names, require in (
        ("encoders", encoders, capabilities().require_encoder),
        ("filters", filters, capabilities().require_filter),
    ):
        listed = list(names)
        for name in listed:
            lacking = _checked(f"{kind[:-1]} {name}", lambda name=name: require(name) or "")
            if not lacking.works:
                yield lacking
        yield Finding(name=kind, works=True, detail=", ".join(listed))


def _checked(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, works=True, detail=check())
    except InstallationError as error:
        return Finding(name=name, works=False, detail=error.message, remedy=error.remedy)
