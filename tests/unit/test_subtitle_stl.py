"""EBU STL files, written block by block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.subtitles import SubtitleError, SubtitleFormat
from activities.subtitles.reading import cues_in
from tests.support import subtitles
from tests.support.subtitles import gsi, rows, texts, tti

ONE, TWO, THREE = (0, 0, 1, 0), (0, 0, 2, 12), (0, 0, 3, 24)


def text_of(code, **general):
    return texts(gsi(**general) + tti(1, ONE, TWO, code))


@pytest.mark.parametrize(
    ("code", "table", "shown"),
    [
        (b"caf\xc2e \xc8U\xcbc \xa4\xaax\xba \xe1\xf9\xfb \xd5", b"00", "café Üç $“x” Æøß ♪"),
        ("Привет".encode("iso8859_5"), b"01", "Привет"),
        ("مرحبا".encode("iso8859_6"), b"02", "مرحبا"),
        ("Γεια".encode("iso8859_7"), b"03", "Γεια"),
        ("שלום".encode("iso8859_8"), b"04", "שלום"),
        (b"a & <b>", b"00", "a &amp; &lt;b&gt;"),
    ],
)
def test_characters(code, table, shown):
    assert text_of(code, table=table) == [shown]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (b"\x0d\x0b\x0bone\x8a\x8a\x0d\x0b\x0btwo\x0a\x0a", "one\ntwo"),
        (b"\x80it\x81 and \x82under\x83", "<i>it</i> and <u>under</u>"),
        (b"\x03yellow\x02green\x07white", "<c.yellow>yellow</c><c.lime> green</c> white"),
        (b"\x06cyan\x8anext", "<c.cyan>cyan</c>\nnext"),
        (b"\x84boxed\x85", "boxed"),
    ],
)
def test_codes_of_styles(code, shown):
    assert text_of(code) == [shown]


@pytest.mark.parametrize(
    ("rate", "start", "end"),
    [
        (b"25", 1000, 2480),
        (b"30", 1000, 2400),
        (b"24", 1000, 2500),
        (b"29", 1001, 2402),
        (b"60", 1000, 2200),
    ],
)
def test_frame_rates(rate, start, end):
    content = gsi(code=b"STL%b.01" % rate) + tti(1, ONE, TWO, b"x")
    assert rows(content) == [(start, end, "x")]


def test_times_count_from_the_start_of_the_programme():
    late = [(10, 0, 1, 0), (10, 0, 2, 12)]
    content = gsi(start=b"10000000") + tti(1, *late, b"x")
    assert rows(content) == [(1000, 2480, "x")]
    # a start behind the first text would put it before the film
    wrong = cues_in(gsi(start=b"10000200") + tti(1, *late, b"x"))
    assert wrong.cues[0].start == 36_001_000
    assert "start of the programme" in wrong.warnings[0]


def test_blocks_of_one_text_and_blocks_that_are_none():
    content = gsi() + b"".join(
        (
            tti(1, ONE, TWO, b"a" * 112, extension=0),
            tti(1, ONE, TWO, b"b", extension=0xFE),
            tti(1, ONE, TWO, b"c"),
            tti(2, ONE, TWO, b"comment", comment=1),
            tti(3, TWO, THREE, b"d"),
        )
    )
    assert rows(content) == [(1000, 2480, "a" * 112 + "c"), (2480, 3960, "d")]


def test_a_cumulative_set_ends_together():
    blocks = (
        tti(1, ONE, TWO, b"a", cumulative=1),
        tti(2, TWO, TWO, b"b", cumulative=2),
        tti(3, (0, 0, 3, 0), THREE, b"c", cumulative=3),
        tti(4, (0, 0, 4, 0), (0, 0, 5, 0), b"d"),
    )
    assert rows(gsi() + b"".join(blocks)) == [
        (1000, 3960, "a"),
        (2480, 3960, "b"),
        (3000, 3960, "c"),
        (4000, 5000, "d"),
    ]


@pytest.mark.parametrize(
    ("row", "code", "align", "standard", "settings"),
    [
        (22, b"\x0dx", 2, b"1", ""),
        (20, b"\x0dx\x8a\x8a\x0dy", 1, b"1", "align:start"),
        (1, b"x", 3, b"1", "line:0 align:end"),
        (10, b"x", 2, b"1", "line:39.1%"),
        (10, b"\x0dx\x8ay\x8az", 2, b"1", "line:39.1%"),
        (90, b"x", 2, b"0", ""),
        (10, b"x", 2, b"0", "line:9.09%"),
    ],
)
def test_places(row, code, align, standard, settings):
    content = gsi(standard=standard, rows=b"99") + tti(1, ONE, TWO, code, row=row, align=align)
    assert subtitles.settings(content) == [settings]


def test_damaged_files():
    whole = gsi() + tti(1, ONE, TWO, b"x") + tti(2, (0, 0, 99, 0), THREE, b"y")
    found = cues_in(whole + tti(3, TWO, THREE, b"z")[:100])
    assert found.format is SubtitleFormat.EBU_STL
    assert [cue.text for cue in found.cues] == ["x"]
    assert found.warnings == (
        "Cues that the file ends in are left out (1): the last 100 bytes.",
        "Cues whose times cannot be read are left out (1): subtitle 2 at byte 1152.",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gsi()[:700], "it has 700 bytes"),
        (gsi(), "it holds no EBU STL subtitles"),
        (gsi(code=b"STL77.01") + tti(1, ONE, TWO, b"x"), 'frame rate "STL77.01"'),
        (gsi(table=b"99") + tti(1, ONE, TWO, b"x"), "table of characters"),
        (gsi() + tti(1, ONE, TWO, b"x" * 112, extension=1) * 30 + tti(1, ONE, TWO, b""), "more"),
        (gsi() + tti(1, ONE, TWO, b"x") * 20_001, "texts"),
    ],
)
def test_what_is_refused(content, said):
    with pytest.raises(SubtitleError, match=said):
        cues_in(content)


@given(st.binary(max_size=600))
def test_no_block_breaks_the_reader(block):
    try:
        found = cues_in(gsi() + tti(1, ONE, TWO, b"x") + block)
    except SubtitleError:
        return
    assert all(0 <= cue.start < cue.end for cue in found.cues)
