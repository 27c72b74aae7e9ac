"""Fixtures that every tier may use; the media itself is made in `media.py`, once per session."""

from pathlib import Path

import pytest

from tests.support import media


@pytest.fixture(scope="session")
def media_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for generated media, shared by the session. Do not write over its files."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def clip(media_dir: Path) -> Path:
    """Four seconds, 640x360 at 25 fps, H.264 and AAC in mp4."""
    return media.clip(media_dir)


@pytest.fixture(scope="session")
def audio_clip(media_dir: Path) -> Path:
    """Four seconds of a tone, AAC in m4a."""
    return media.audio_only(media_dir)


@pytest.fixture(scope="session")
def bunny() -> Path:
    """A real clip: 1280x720, 25 fps, 5.28 s of picture, 5.1 sound."""
    return media.big_buck_bunny()
