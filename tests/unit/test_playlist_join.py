"""How much is written when the segments of a playlist are joined."""

from pathlib import Path

import pytest

from activities.playlist import join, parse
from tests.support.context import make_context
from workflow_engine.errors import ActivityError, Code

PACKET = b"\x47" + bytes(187)


def listed(*names: str) -> bytes:
    segments = "".join(f"#EXTINF:1,\n{name}\n" for name in names)
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segments}#EXT-X-ENDLIST\n".encode()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / name for name in ("a.ts", "b.ts")}
    files["a.ts"].write_bytes(PACKET)
    files["b.ts"].write_bytes(3 * PACKET)
    return files


def test_a_segment_may_come_again(tmp_path: Path, files: dict[str, Path]):
    joined = join(
        parse(listed("b.ts", *["a.ts"] * 13)), files, make_context(tmp_path, files["a.ts"])
    )
    assert joined.read_bytes() == 16 * PACKET


@pytest.mark.parametrize("between", ["", "#EXT-X-DISCONTINUITY\n"])
def test_segments_named_over_and_over_are_refused(
    tmp_path: Path, files: dict[str, Path], between: str
):
    text = listed("b.ts", *["a.ts"] * 1000).replace(b"#EXTINF", between.encode() + b"#EXTINF")
    with pytest.raises(ActivityError, match="over and over") as caught:
        join(parse(text), files, make_context(tmp_path, files["a.ts"]))
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
    assert sum(part.stat().st_size for part in (tmp_path / "work").glob("part-*")) <= 16 * len(
        PACKET
    )
