"""How long an encode takes, told from films of other kinds: seconds as they were measured.

CPU seconds of libx264 (medium, limited rate) for 8 s of each of twelve films in 1920x1080 at 25
pictures a second, beside the bytes of 60 s of the source.
"""

from collections.abc import Iterable

import pytest

from activities.transcode.work import busyness
from workflow_engine.records import Work
from workflow_engine.records.rates import Rates, divided, expected, samples_of

#: bytes of the source; seconds to 1280x720, and to 640x360
FILMS = {
    "animation-0": (4859820, 4.01, 1.91),
    "animation-1": (5748772, 5.29, 2.62),
    "screen-0": (2043013, 3.84, 1.60),
    "screen-1": (4275376, 4.14, 1.73),
    "slides-0": (550496, 2.16, 1.23),
    "slides-1": (991937, 2.19, 1.31),
    "sport-0": (18484349, 7.47, 2.66),
    "sport-1": (19764888, 6.45, 2.34),
    "talk-0": (69219464, 13.24, 4.62),
    "talk-1": (76310229, 12.36, 4.56),
    "grain-0": (425506519, 12.08, 7.88),
    "grain-1": (483525270, 14.07, 6.73),
}
SIZES = (1280 * 720, 640 * 360)
PICTURES = 8 * 25


def works(film: str, pixels: int) -> list[Work]:
    bits = FILMS[film][0] * 8 / (60 * 25 * 1920 * 1080)
    encode = 0.1 + pixels * PICTURES * 2e-8
    return [
        Work(kind="encode", amount=encode * busyness(bits)),
        Work(kind="decode", amount=1920 * 1080 * PICTURES * 1e-9),
    ]


def learnt(films: Iterable[str]) -> Rates:
    """What a store knows after these films."""
    rows: list[tuple[str, float, float]] = []
    for film in films:
        for pixels, seconds in zip(SIZES, FILMS[film][1:], strict=True):
            for one in divided(works(film, pixels), seconds, samples_of(rows)):
                rows.append((one.work.kind, one.work.amount, one.seconds))
    return samples_of(rows)


def misses(film: str, rates: Rates) -> list[float]:
    """By which factors the estimates of a film are off."""
    found: list[float] = []
    for pixels, seconds in zip(SIZES, FILMS[film][1:], strict=True):
        told = expected(works(film, pixels), rates)
        assert told is not None
        found.append(max(told / seconds, seconds / told))
    return found


@pytest.mark.parametrize("film", FILMS)
def test_films_of_its_kind_tell_within_a_factor_of_one_and_a_half(film: str):
    kind = film.partition("-")[0]
    like = [one for one in FILMS if one != film and one.startswith(kind)]
    assert max(misses(film, learnt(like))) < 1.5


def test_films_of_other_kinds_tell_the_order():
    found = [
        miss for film in FILMS for miss in misses(film, learnt(one for one in FILMS if one != film))
    ]
    assert max(found) < 2.1
    assert sum(miss < 1.5 for miss in found) >= len(found) * 3 // 4
    assert busyness(1e-9) == pytest.approx(1 / 3) and busyness(1e9) == 3
