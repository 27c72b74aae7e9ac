"""The command line, as in the acceptance tests."""

from tests.acceptance.conftest import alone, data, mediaflow

__all__ = ["alone", "data", "mediaflow"]
