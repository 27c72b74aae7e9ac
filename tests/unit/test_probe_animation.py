"""Animated pictures that are hostile: what has no end is refused."""

from pathlib import Path

import pytest

from activities.probe import animation
from workflow_engine.errors import ActivityError

WEBP = b"RIFF\0\0\0\0WEBP"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("content", [WEBP + b"ANMF\0\0\0\0" * 9, PNG + b"\0\0\0\0fcTL\0\0\0\0" * 9])
def test_frames_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
):
    path = tmp_path / "frames"
    path.write_bytes(content)
    animation.read_animation(path)
    monkeypatch.setattr(animation, "_MOST_CHUNKS", 8)
    with pytest.raises(ActivityError, match="too many frames"):
        animation.read_animation(path)
