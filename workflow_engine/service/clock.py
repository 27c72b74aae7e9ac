"""When the service began, which is before its first line of Python ran."""

import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from workflow_engine.records import utc_now

#: the place of `starttime` behind the name of the program, in proc(5)
_STARTTIME = 19


def process_began() -> datetime:
    """Return when this process was started, by the clock of now; now where nobody can tell.

    What a shell does behind `mediaflow serve &` comes later than this moment, though maybe
    sooner than anything that Python does.
    """
    now = utc_now()
    if sys.platform != "linux":
        return now
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        started = int(fields[_STARTTIME]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    return now - timedelta(seconds=max(age, 0.0))
