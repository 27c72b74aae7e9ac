"""WebVTT, read and written, and srt, ass and Spruce STL as WebVTT."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.subtitles import Cue, SubtitleError, SubtitleFormat, shown_in, webvtt
from activities.subtitles.document import MAX_EVENTS, MAX_TEXT
from activities.subtitles.reading import cues_in
from tests.support import subtitles
from tests.support.subtitles import peer_rows, rows, texts


def vtt(*blocks):
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def cue(text, settings=""):
    return vtt(f"00:01.000 --> 00:02.000 {settings}\n{text}")


def test_blocks_of_a_file():
    text = vtt(
        "NOTE nothing\nof this",
        "STYLE\n::cue(b) { color: red }",
        "REGION\nid:low lines:3",
        "intro\n00:00:01.000 --> 01:00:02.500\none\ntwo",
        "00:03.000 --> 00:04.000 region:low line:10% region:none\nthree",
        "00:03.500-->00:04.000\nclose",
    )
    found = cues_in(f"\ufeff{text}".encode())
    assert found.format is SubtitleFormat.WEBVTT
    assert found.head == ("STYLE\n::cue(b) { color: red }", "REGION\nid:low lines:3")
    assert [(c.start, c.end, c.text, c.settings) for c in found.cues] == [
        (1000, 3_602_500, "one\ntwo", ""),
        (3000, 4000, "three", "region:low line:10%"),
        (3500, 4000, "close", ""),
    ]
    assert not found.warnings


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<v Mary Lee>hi <i>you</i>", "<v Mary Lee>hi <i>you</i></v>"),
        ("<c.yellow.bg_blue>x</c>", "<c.yellow.bg_blue>x</c>"),
        ("<ruby>a<rt>b</ruby>c", "<ruby>a<rt>b</rt></ruby>c"),
        ("<lang fr>oui</lang>", "<lang fr>oui</lang>"),
        ("a<00:01.500>b<00:09.000>c", "a<00:01.500>bc"),
        ("<font color=red>x</font></b>", "x"),
        ("<b>x", "<b>x</b>"),
        ("Q&A &lt;b&gt; &amp;amp; &eacute;&nbsp;x", "Q&amp;A &lt;b&gt; &amp;amp; é&nbsp;x"),
        ("a < b > c <3", "a &lt; b &gt; c"),
        ("<v a&b>x", "<v a&amp;b>x</v>"),
        ("<script>alert(1)</script>", "alert(1)"),
    ],
)
def test_tags_and_references(written, kept):
    assert texts(cue(written)) == [kept]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("line:-1 align:middle", "line:-1 align:center"),
        ("line:50%,center position:10%,line-left size:33.3%", None),
        ("vertical:rl align:start", None),
        ("line:101% size:x align:justify position:-1% vertical:up colour:red line", ""),
        ("line:1 line:2", "line:2"),
    ],
)
def test_settings(written, kept):
    assert subtitles.settings(cue("x", written)) == [written if kept is None else kept]


def test_bad_cues_are_left_out_by_line():
    text = vtt(
        "00:01.000 --> 00:02\nbad",
        "00:05.000 --> 00:04.000\nback",
        "0:61.000 --> 00:04.000\nbad",
        "00:01.000 --> 00:02.000\nfine",
    )
    found = cues_in(text.encode())
    assert [c.text for c in found.cues] == ["fine"]
    assert found.warnings == (
        "Cues whose times cannot be read are left out (2): line 3, line 9.",
        "Cues that end before they begin are left out (1): line 6.",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_files(encoding):
    for text in (cue("汉字"), "1\n00:00:01,000 --> 00:00:02,000\n汉字\n"):
        assert texts(text.encode(encoding)) == ["汉字"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (vtt("NOTE x").encode(), "holds no WebVTT subtitles"),
        (cue("caf\u00e9").encode("latin-1"), "it is not UTF-8"),
        (b"\xff\xfe1\xd8\x31", "it begins as UTF-16"),
        (cue("x" * (MAX_TEXT + 1)).encode(), "a text has more than"),
        (("WEBVTT\n\n" + "00:01.000 --> 00:02.000\nx%d\n\n" * (MAX_EVENTS + 1)).encode(), "texts"),
        (b"hello", "its format is not known; known are WebVTT, TTML"),
        (
            vtt("00:02.000 --> 00:01.000\nx").encode(),
            r"end before they begin are left out \(1\): line 3",
        ),
    ],
)
def test_what_is_refused(content, said):
    with pytest.raises(SubtitleError, match=said):
        cues_in(content)


def test_styles_that_load_something_are_left_out():
    found = cues_in(vtt("STYLE\n@import url(http://x)", "00:01.000 --> 00:02.000\nx").encode())
    assert found.head == () and "STYLE" in found.warnings[0]


def test_srt_and_ass():
    srt = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>a</i> <font color='#ffee00'>b</font> {c}\\N"
    assert texts(srt) == ["<i>a </i><c.yellow>b</c> {c}\\N"]
    assert subtitles.settings(srt) == ["line:0"]
    style = "Style: Top,Arial,20,&H0000FFFF,-1,9\n"
    ass = (
        "[Script Info]\n[V4+ Styles]\nFormat: Name,Fontname,Fontsize,PrimaryColour,Bold,Alignment\n"
        f"{style}[Events]\nFormat: Start, End, Style, Text\n"
        "Dialogue: 0:00:01.00,0:00:02.00,Top,{\\pos(1,2)}a\\Nb {\\b0}c{\\r}d\n"
        "Dialogue: 0:00:01.00,0:00:02.00,Top,{\\p1}m 0 0 l 9 9{\\p0}\n"
    )
    assert rows(ass) == [
        (
            1000,
            2000,
            "<c.yellow><b>a</b></c>\n<c.yellow><b>b </b></c><c.yellow>c</c><c.yellow><b>d</b></c>",
        )
    ]
    assert subtitles.settings(ass) == ["line:0 align:end"]
    assert cues_in(srt.encode()).head == ("STYLE\n::cue(.yellow) { color: yellow }",)
    broken = cues_in(f"{srt}\n\n2\n00:00:03,000 --> 00:00:0x,000\ny\n".encode())
    assert [c.text for c in broken.cues] == texts(srt)
    assert broken.warnings == ("Cues whose times cannot be read are left out (1): line 6.",)
    chinese = cues_in("1\n00:00:01,000 --> 00:00:02,000\n对不起\n".encode("gbk"))
    assert chinese.warnings == ("It is not UTF-8 and is read as GBK.",)


SPRUCE = """//comment
$VertAlign = Top
$Italic = TRUE
00:00:01:00 , 00:00:02:%02d , one|^Itwo^I ^Bx
$Italic = FALSE
$VertAlign = Bottom
nonsense
00:00:03;12,00:00:04:00,three
"""


@pytest.mark.parametrize(
    ("last", "rate", "end", "told"),
    [
        (12, Fraction(25), 2480, 0),
        (12, Fraction(50), 2480, 0),
        (12, Fraction(30000, 1001), 2400, 0),
        (24, Fraction(24), 2960, 1),
        (29, None, 2967, 1),
        (99, Fraction(25), 2990, 1),
    ],
)
def test_spruce(last, rate, end, told):
    found = cues_in((SPRUCE % last).encode(), rate=rate)
    first, second = found.cues
    assert (first.start, first.end) == (1000, end)
    assert first.text == "<i>one</i>\ntwo <b><i>x</i></b>"
    assert (first.settings, second.settings, second.text) == ("line:0", "", "three")
    assert len([one for one in found.warnings if "are read as 1/" in one]) == told
    assert "(1): line 7" in found.warnings[-1]


def test_what_is_behind_the_end_is_left_out():
    text = vtt(*(f"00:0{n}.000 --> 00:0{n}.900\n{n}" for n in range(1, 6)))
    found = cues_in(text.encode()).between(1.5, 4.5)
    assert [(c.start, c.end, c.text) for c in found.cues] == [
        (0, 400, "1"),
        (500, 1400, "2"),
        (1500, 2400, "3"),
        (2500, 3000, "4"),
    ]
    assert found.warnings == ("Cues behind the end at 4.5 s are left out (1 of 5).",)


times = st.integers(0, 20_000)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(times, st.integers(1, 9_000)), max_size=25),
    st.lists(st.integers(1, 4_000), min_size=1, max_size=8),
)
def test_a_cue_is_in_every_stretch_that_it_overlaps(spans, lengths):
    cues = sorted(
        (Cue(start=s, end=s + n, text=str(k)) for k, (s, n) in enumerate(spans)),
        key=lambda one: one.start,
    )
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    for begin, end, shown in zip([0, *ends], ends, shown_in(cues, ends), strict=False):
        assert shown == [one for one in cues if one.start < end and one.end > begin]


@settings(max_examples=60)
@given(st.text(max_size=80), st.integers(0, 359_999_000), st.integers(1, 999))
def test_what_is_written_is_read_again(text, start, length):
    try:
        first = cues_in(cue(text).encode())
    except (SubtitleError, UnicodeEncodeError):
        return
    moved = [Cue(start=start, end=start + length, text=one.text) for one in first.cues]
    assert list(cues_in(webvtt(moved).encode()).cues) == moved


def test_another_parser_reads_what_is_written(tmp_path):
    path = tmp_path / "x.vtt"
    text = (
        cue("<v Ann>Q&A <i>a</i>\ntwo", "line:0 align:start") + "\n01:00:00.000 --> 99:00:00.001\nz"
    )
    path.write_text(webvtt(cues_in(text.encode()).cues, mpegts=900_000), encoding="utf-8")
    lines = path.read_text().split("\n")
    assert lines[:2] == ["WEBVTT", "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000"]
    assert peer_rows(path) == [
        ("00:00:01.000", "00:00:02.000", "Q&amp;A a\ntwo"),
        ("01:00:00.000", "99:00:00.001", "z"),
    ]
