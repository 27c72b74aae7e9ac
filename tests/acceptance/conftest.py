"""The browser of the acceptance tests."""

import shutil

import pytest


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser, where it is installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("Chromium is not installed (Debian package chromium)")
