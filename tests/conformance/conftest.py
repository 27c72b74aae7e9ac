"""What several tests of parameters look at."""

import pytest

from tests.support import media


@pytest.fixture
def wall(media_dir):
    """One second of even grey."""
    return media.make(
        media_dir / "wall.mp4",
        *("-f", "lavfi", "-i", "color=gray:size=320x180:rate=25:duration=1"),
        *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
    )
