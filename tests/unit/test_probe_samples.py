"""The index of an mp4: what it tells of its samples, and that a broken one tells nothing."""

import random
import struct
import threading
from pathlib import Path

import pytest

from activities.probe import samples
from activities.probe.packets import Flow
from workflow_engine.errors import InterruptedRunError


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def track(
    number: int,
    times: list[tuple[int, int]],
    sizes: list[int],
    scale: int = 1000,
    keys: list[int] | None = None,
) -> bytes:
    same = sizes[0] if len(set(sizes)) == 1 else 0
    listed = b"" if same else words(*sizes)
    stts = box(b"stts", words(0, len(times)), *(words(*one) for one in times))
    stsz = box(b"stsz", words(0, same, len(sizes)), listed)
    stss = b"" if keys is None else box(b"stss", words(0, len(keys), *keys))
    return box(
        b"trak",
        box(b"tkhd", words(0, 0, 0, number)),
        box(
            b"mdia",
            box(b"mdhd", words(0, 0, 0, scale, 0)),
            box(b"minf", box(b"stbl", box(b"stsd"), stts, stsz, stss)),
        ),
    )


def movie(*tracks: bytes, data: int = 10_000) -> bytes:
    return box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd"), *tracks) + box(b"mdat", bytes(data))


def flows(tmp_path: Path, content: bytes) -> dict[int, Flow]:
    path = tmp_path / "m.mp4"
    path.write_bytes(content)
    return dict(samples.flows(path, [1, 2, 7, 9], make=Flow))


def test_sizes_and_times(tmp_path: Path):
    each = track(7, [(2, 500), (1, 1000)], [100, 200, 300])
    alike = track(9, [(4, 250)], [50] * 4)
    found = flows(tmp_path, movie(each, alike))
    assert {number: (flow.packets, flow.bytes, flow.seconds) for number, flow in found.items()} == {
        7: (3, 600, 2.0),
        9: (4, 200, 1.0),
    }
    assert set(samples.flows(tmp_path / "m.mp4", [9], make=Flow)) == {9}
    # 300 bytes in the first second, 300 in the second: 100 bytes have to be there at once
    told = found[7].told(2.0)
    assert (told["Rate"], told["Peak"]) == (2.4, 2.4)
    assert told["Preload"] == pytest.approx((600 - 300 * 1.0) / 300)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1a\x45\xdf\xa3 Matroska",
        movie(),
        movie(track(1, [], [10, 20])),  # no times
        movie(track(1, [(9, 40)], [10, 20])[:-3]),  # cut off
        movie(track(1, [(2, 40)], [10_000, 20_000])),  # more than the file has
        movie(track(1, [(2, 40)], [10, 20], scale=0)),
    ],
)
def test_what_tells_nothing(tmp_path: Path, content: bytes):
    assert flows(tmp_path, content) == {}


def test_a_track_is_read_once_however_often_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = track(1, [(2, 40)], [10, 20])
    more = box(b"stsz", words(0, 5, 300)), box(b"stts", words(0, 1, 300, 40))
    added: list[int] = []
    add = Flow.add

    def counting(
        flow: Flow, begin: float | None, seconds: float, size: int, key: bool = False
    ) -> None:
        added.append(size)
        add(flow, begin, seconds, size, key)

    monkeypatch.setattr(Flow, "add", counting)
    repeated = box(b"trak", whole[8:], *more * 50)
    assert flows(tmp_path, movie(repeated, *[whole] * 50))[1].bytes == 30
    assert added == [10, 20]
    # all tracks together have a bound
    monkeypatch.setattr(samples, "_MOST_SAMPLES", 3)
    found = flows(tmp_path, movie(*(track(n, [(2, 40)], [10, 20]) for n in (1, 2, 7))))
    assert set(found) == {1}


class Keys:
    """Whether each sample is a key frame."""

    def __init__(self) -> None:
        self.found: list[bool] = []

    def add(self, begin: float | None, seconds: float | None, size: int, key: bool = False) -> None:
        self.found.append(key)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(None, [True] * 4), ([1, 3], [True, False, True, False]), ([], [False] * 4)],
)
def test_key_frames_are_those_of_their_table_and_all_without_one(
    tmp_path: Path, keys: list[int] | None, expected: list[bool]
):
    path = tmp_path / "m.mp4"
    path.write_bytes(
        movie(track(1, [(4, 40)], [10, 20, 30, 40], keys=keys), track(2, [(1, 9)], [5]))
    )
    assert samples.flows(path, [1], make=Keys)[1].found == expected


def test_reading_an_index_can_be_stopped(tmp_path: Path):
    cancel = threading.Event()
    cancel.set()
    path = tmp_path / "m.mp4"
    path.write_bytes(movie(track(1, [(2, 40)], [10, 20])))
    with pytest.raises(InterruptedRunError):
        samples.flows(path, [1], make=Flow, cancel=cancel)


def test_whatever_is_broken_it_ends(tmp_path: Path):
    chance = random.Random(3)
    whole = movie(track(1, [(2, 40), (1, 20)], [100, 200, 300]), track(2, [(9, 20)], [7] * 9))
    head = len(whole) - 10_000
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(head)] = chance.choice([0, 1, 127, 128, 255])
        for flow in flows(tmp_path, bytes(content)).values():
            assert flow.bytes <= len(whole)
            flow.told(flow.seconds)


def test_time_never_runs_back_and_gaps_of_it_are_filled():
    flow = Flow()
    for begin in (None, None, 10.0, 10.04, 3.0, 10.08):
        flow.add(begin, 0.04, 100)
    assert (flow.packets, flow.bytes) == (6, 600)
    assert flow.seconds == pytest.approx(0.2)


def test_a_long_film_takes_little_memory():
    flow = Flow()
    for n in range(200_000):
        flow.add(n / 25, 0.04, 200_000 - n)
    assert len(flow._corners) <= 1 << 16  # pyright: ignore[reportPrivateUsage]
    told = flow.told(8000.0)
    # sizes fall evenly: what is ahead is largest in the middle, a quarter of the whole
    assert told["Preload"] == pytest.approx(2000.0, rel=0.01)
