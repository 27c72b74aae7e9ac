"""The only package that starts media processes.

`tools` finds ffmpeg and ffprobe, `flags` hardens their commands, `graph` writes those of ffmpeg,
`process` keeps a process under watch, `run` runs ffmpeg for an activity, `inspect` asks ffprobe.
"""

from activities.ffmpeg.blame import blame
from activities.ffmpeg.findings import ffmpeg_findings, ffprobe_finding, packager_finding
from activities.ffmpeg.flags import GLOBAL_FLAGS, MAX_PIXELS, input_guards
from activities.ffmpeg.inspect import (
    ask,
    content_bad,
    probe_json,
    require_file,
    still_picture,
)
from activities.ffmpeg.package import run_packager
from activities.ffmpeg.run import Limits, ProcessReport, run
from activities.ffmpeg.tools import (
    Capabilities,
    capabilities,
    decodes,
    ffmpeg_path,
    ffprobe_path,
    packager_path,
    versions,
)

__all__ = [
    "GLOBAL_FLAGS",
    "MAX_PIXELS",
    "Capabilities",
    "Limits",
    "ProcessReport",
    "ask",
    "blame",
    "capabilities",
    "content_bad",
    "decodes",
    "ffmpeg_findings",
    "ffmpeg_path",
    "ffprobe_finding",
    "ffprobe_path",
    "input_guards",
    "packager_finding",
    "packager_path",
    "probe_json",
    "require_file",
    "run",
    "run_packager",
    "still_picture",
    "versions",
]
