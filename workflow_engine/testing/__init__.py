"""For tests of workflows and of activity types: no ffmpeg, no Prefect, no sleeping.

`try_activity` runs one activity type on one file, as the engine would (`docs/activities.md` has an
example). The fakes take the places of real types in a registry, and each remembers what it ran. A
`Clock` is moved by hand, for whatever takes one.

>>> from pathlib import Path
>>> from workflow_engine import Engine, load_settings
>>> fakes = FakeRegistry()
>>> engine = Engine(load_settings(), output_dir=Path("out"), registry=fakes.registry)
"""

from workflow_engine.testing.clock import Clock
from workflow_engine.testing.fakes import FakeRegistry, FakeReport, FakeStart, FakeWork
from workflow_engine.testing.trial import Trial, try_activity

__all__ = [
    "Clock",
    "FakeRegistry",
    "FakeReport",
    "FakeStart",
    "FakeWork",
    "Trial",
    "try_activity",
]
