"""How the parts of a playlist are looked for in a bucket far away, whatever else lies there."""

from collections.abc import Iterator
from typing import cast

import pytest

from workflow_engine.buckets import Bucket, ObjectInfo
from workflow_engine.ingest.parts import missing_part
from workflow_engine.records import utc_now

SEGMENTS = [f"a/s-{number:03}.ts" for number in range(100)]
NAMED = ["a/film.key", *SEGMENTS]


class Far:
    """A bucket that counts what it is asked."""

    def __init__(self, *keys: str) -> None:
        self.keys = sorted(keys)
        self.listed = 0
        self.asked = 0

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for key in self.keys:
            if key.startswith(prefix):
                self.listed += 1
                yield self._info(key)

    def head(self, key: str) -> ObjectInfo | None:
        self.asked += 1
        return self._info(key) if key in self.keys else None

    def missing(self) -> str:
        return missing_part(cast("Bucket", self), NAMED)

    def _info(self, key: str) -> ObjectInfo:
        return ObjectInfo(key=key, size=1, version="", modified=utc_now(), fingerprint="")


def test_others_beside_a_key_and_segments_are_not_listed():
    far = Far(*NAMED, *(f"a/other-{number}.mp4" for number in range(5000)))
    assert far.missing() == ""
    assert (far.listed, far.asked) == (100, 1)


def test_others_between_the_segments_are_listed_up_to_a_bound():
    far = Far(*NAMED, *(f"a/s-000-{number}.ts" for number in range(50_000)))
    assert far.missing() == ""
    assert far.listed <= 10_001 and far.asked <= 101


@pytest.mark.parametrize("gone", ["a/film.key", "a/s-000.ts", "a/s-050.ts", "a/s-099.ts"])
def test_what_is_missing_is_found(gone: str):
    assert Far(*(key for key in NAMED if key != gone)).missing() == gone
