"""Sample encodes of Analysis, made for tests that look at their pictures."""

import subprocess
from pathlib import Path

from activities.analysis.config import AnalysisConfig
from activities.analysis.estimates import Point
from activities.analysis.measure import SampleSource, command
from activities.analysis.picture import decide
from activities.analysis.samples import Sample
from activities.probe import MediaInfo
from tests.support.context import make_plan_context


def sample_of(directory: Path, source: Path, edge: int, seconds: float = 1.0) -> Path:
    """The first seconds of a source as Analysis encodes them at a size."""
    media = MediaInfo.of(source, ends=True)
    assert media.video
    sampled = SampleSource(
        media=media,
        planned=make_plan_context(source, media=media.to_json()),
        picture=decide(media.video, AnalysisConfig()),
    )
    sample = Sample(start=0, length=seconds, skip=0, counted=seconds, weight=1)
    stem = str(directory / f"sample-{edge}")
    line = command(str(source), sampled, sample, [Point(edge=edge, crf=25.0)], [stem])
    subprocess.run(line, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return Path(f"{stem}.mp4")
