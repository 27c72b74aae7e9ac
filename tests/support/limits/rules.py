"""What a limit lets through and what not, as values: ends, neighbours, and things that look alike.

A `Rule` has values to try one by one, and strategies for more of them. Codes are those of the MPS
documents.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

INVALID = "InvalidParameter"
NULL, EMPTY = f"{INVALID}.NullValue", f"{INVALID}.EmptyValue"
RANGE, NUMBER = f"{INVALID}.OutOfRange", f"{INVALID}.NumberFormatInvalid"
FORMAT, UNSUPPORTED = f"{INVALID}.Format", f"{INVALID}.NotSupported"
BUCKET, KEY = f"{INVALID}.BucketNameInvalid", f"{INVALID}.ObjectKeyInvalid"
OBJECT, ARRAY = f"{INVALID}.JsonObjectFormatInvalid", f"{INVALID}.JsonArrayFormatInvalid"

Values = tuple[Any, ...]

_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def arabic(text: str) -> str:
    """The text with digits that look like none, and that Python's `int` takes."""
    return text.translate(_ARABIC)


#: neither numbers nor words that any field takes
ODD: Values = (
    *(" ", "\t\0", "\u00a0", "NaN", "nan", "-inf", "null", "None"),
    *("1e3", "0x80", "1_000", "1;5", "1 28", "--9", "9-", "9%", "9k"),
    # digits of other scripts, a raised one
    *("٣٤٥", "१२३", "²"),
)
#: what JSON has beside strings and numbers
OTHER: Values = (True, False, [], ["9"], {}, {"Value": "9"})


@dataclass(frozen=True)
class Rule:
    """`good` values are accepted, `bad` ones are refused with the code that they stand under.

    `inside` and `outside` draw more of them; what `outside` draws has the code RANGE.
    """

    good: Values
    bad: Mapping[str, Values]
    inside: st.SearchStrategy[Any] = field(default_factory=st.nothing)
    outside: st.SearchStrategy[Any] = field(default_factory=st.nothing)


NO_RULE = Rule(good=(), bad={})


def _decimal(number: Decimal | int) -> str:
    return f"{Decimal(number):f}"


def _forms(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Numbers as the wire has them: in strings, or as such."""
    texts = numbers.map(_decimal)
    plain = numbers.map(lambda n: int(n) if n == int(n) else float(n))
    return texts | plain | texts.map(lambda text: f" {text}\n")


def number(
    low: int, high: int | None = None, *, open_low=False, open_high=False, whole=False
) -> Rule:
    """A number in a range; open ends do not belong to it."""
    step = Decimal(1) if whole else Decimal("0.001")
    top = Decimal(high if high is not None else 10**9)
    first, last = low + step * open_low, top - step * open_high
    places = 0 if whole else 3
    below = st.decimals(first - 10**9, first - step, places=places)
    above = st.decimals(last + step, 10**15, places=places) if high is not None else st.nothing()
    beyond = [first - step, first - 1, -(10**12)]
    beyond += [last + step, last + 1, 10**12, 10**40] if high is not None else []
    ends = [*dict.fromkeys((first, first + step, last - step, last))]
    outside = (_decimal(n) for n in beyond)
    fractions = (f"{int(last)}.5", f"{int(first)}.000001", float(first) + 0.5) if whole else ()
    return Rule(
        good=(*map(_decimal, ends), *(f" {_decimal(n)} " for n in ends), *map(_plain, ends)),
        bad={
            RANGE: (*outside, *map(_plain, beyond)),
            NUMBER: (*ODD, *OTHER, *fractions, "+9", "9.", ".9", "9" * 80, 10**400),
        },
        inside=_forms(st.decimals(first, last, places=places)),
        outside=_forms(below | above),
    )


def _plain(value: Decimal | int) -> int | float:
    return int(value) if value == int(value) else float(value)


def one_of(*numbers: int) -> Rule:
    """One of some numbers."""
    others = {n + d for n in numbers for d in (-1, 1)} - set(numbers)
    return Rule(
        good=(*numbers, *map(str, numbers)),
        bad={
            RANGE: (*others, *map(str, others), -numbers[0], 10 * max(numbers)),
            NUMBER: (*ODD, *OTHER, f"{numbers[0]}.5"),
        },
        inside=_forms(st.sampled_from(numbers).map(Decimal)),
        outside=_forms(st.integers(0, 10**6).filter(lambda n: n not in numbers).map(Decimal)),
    )


def word(*words: str, any_case=False, later: Values = (), aliases: Values = ()) -> Rule:
    """One of some words; `later` ones are known, and refused by name."""
    accepted = (*words, *aliases)
    cases: list[str] = []
    for one in accepted:
        cases += {one.lower(), one.upper(), one.swapcase()} - {*accepted, *later}
    wrong = [f"{accepted[0]} ", f" {accepted[0]}", f"{accepted[0]}\n", f"{accepted[0]}x"]
    return Rule(
        good=(*accepted, *(cases if any_case else ())),
        bad={
            INVALID: (
                *(one for one in ODD if one not in accepted),
                *(*OTHER, 7, *wrong, *(() if any_case else cases)),
            ),
            UNSUPPORTED: later,
        },
        inside=st.sampled_from(accepted),
    )


def flag() -> Rule:
    """True or false."""
    good = (True, False, "true", "false", "True", "FALSE")
    wrong = ("yes", "no", "on", "1", "0", 1, 0, "t", "truefalse", [], {}, [True])
    return Rule(good=good, bad={FORMAT: (*ODD, *wrong)}, inside=st.sampled_from(good))


#: seconds before midnight
LAST_SECOND = "86399.999"


def clock(*, none=True) -> Rule:
    """`hh:mm:ss[.SSS]` or `sssss[.SSS]`, below a day; without `none` not 0."""
    zero: Values = ("0", 0, "00:00:00", "00:00:00.000", "0.000")
    return Rule(
        good=(
            *("0.001", LAST_SECOND, "23:59:59.999", "1:25:36.240", "1:14", "59:59", "00:00:01"),
            *("32000.23", 12, 1.5, " 7 "),
            *(zero if none else ()),
        ),
        bad={
            RANGE: (
                *("86400", "86399.9999", "24:00:00", "99:59:59", "100000", 86400, 10**9, "1440:00"),
                *("00:60:00", "00:00:60", "1:75", "0:0:99.5"),
                *(() if none else zero),
            ),
            FORMAT: (*ODD, *OTHER, "1:2:3:4", ":5", "5:", "1::2", "1:2.5:3", "1s", "12:00:0x"),
        },
        inside=_forms(st.decimals("0.001", LAST_SECOND, places=3)),
        outside=_forms(st.decimals(86400, 10**9, places=3)),
    )


def text(most: int, *, form: Callable[[str], str] = str, code: str = RANGE) -> Rule:
    """At most so many bytes of UTF-8; `form` makes a value of so many letters."""
    return Rule(
        good=(form("x"), form("x" * most), form("é" * (most // 2))),
        bad={
            code: (form("x" * (most + 1)), form("é" * (most // 2 + 1)), form("水" * most)),
            FORMAT: OTHER,
        },
        inside=st.integers(1, most).map(lambda n: form("x" * n)),
    )


def pattern(*good: Any, bad: Values, outside: Values = ()) -> Rule:
    """Something of a form of its own; `outside` are those of the form, but out of range."""
    return Rule(
        good=good,
        bad={FORMAT: (*(one for one in (*ODD, *OTHER) if one not in good), *bad), RANGE: outside},
        inside=st.sampled_from(good),
    )


def items(item: Any, most: int, *, least: int = 1) -> Rule:
    """An array of `least` to `most` items."""
    short = {EMPTY: ([], "[]")} if least else {}
    return Rule(
        good=([item] * max(1, least), [item] * most, *(() if least else ([],))),
        bad={
            RANGE: ([item] * (most + 1), [item] * 10 * most),
            ARRAY: ("[", "{}", {}, 9, True, "text", "null", "NaN"),
            **short,
        },
        inside=st.integers(max(1, least), most).map(lambda n: [item] * n),
        outside=st.integers(most + 1, 3 * most).map(lambda n: [item] * n),
    )


def extent(low: int, high: int) -> Rule:
    """Whole pixels, or a share in (0, 1) of which four decimals count; `px` may follow pixels."""
    return Rule(
        good=(
            *(low, high, str(low), str(high), f"{low}px", f" {high}px"),
            *("0.0001", "0.9999", "0.12345678", 0.5),
        ),
        bad={
            RANGE: (
                *(low - 1, high + 1, str(low - 1), f"{high + 1}px", "0.00001", "1.5", "-0.5"),
                *(f"{high}.5", "9" * 40, 10**12, f"{max(low, 1)}.000000000000000001"),
            ),
            NUMBER: (*ODD, *OTHER, "0.5px", "px", "10 px px", "10PX", "+9", ".5"),
        },
        inside=_forms(st.decimals("0.0001", "0.9999", places=4))
        | st.integers(low, high).map(lambda n: f"{n}px"),
        outside=_forms(st.decimals(high + 1, 10**9, places=2)),
    )
