"""The rules that lists of packages must keep, checked on published files by other means.

`broken_hls` and `broken_dash` return sentences, each with the name of its rule; none for a package
that keeps them all. They read lists by themselves and ask ffprobe about segments, and share
nothing with what writes the lists. Sources: RFC 8216 and ISO/IEC 23009-1.
"""

from tests.support.package_rules.dash import broken_dash
from tests.support.package_rules.hls import broken_hls

__all__ = ["broken_dash", "broken_hls"]
