"""Packages: HLS and DASH over the streams that several Transcode activities make.

Every stream is encoded once, by Transcode, into segments with a list of its own; what is said over
all streams is written from what was measured of them. `package.py` says what belongs together,
`rules/` what is wrong with it, `streams.py` what is known of a finished stream; `hls.py` and
`dash.py` write the lists, `master.py` puts them where they belong. Specification: topology, 5.
"""

from activities.packaging.activities import (
    AudioGroup,
    GenerateMasterPlayList,
    PackageConfig,
    SubtitleGroup,
    VideoGroup,
)

__all__ = [
    "AudioGroup",
    "GenerateMasterPlayList",
    "PackageConfig",
    "SubtitleGroup",
    "VideoGroup",
]
