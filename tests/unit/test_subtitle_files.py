"""What is taken out of srt and ass files, and what is not."""

import math

import pytest

from activities.subtitles import SubtitleDocument, SubtitleError, read
from activities.subtitles.document import MAX_EVENTS, MAX_TEXT

HEAD = "[Script Info]\nPlayResX: 640\nPlayResY: 360\n[Events]\nFormat: Start, End, Style, Text\n"


@pytest.fixture
def given(tmp_path):
    def make(text, encoding="auto", font="", codec="utf-8"):
        path = tmp_path / "file"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(codec))
        return read(path, encoding, font)

    return make


def srt(*texts):
    return "\n".join(
        f"{n}\n00:00:0{n},250 --> 00:00:0{n},750\n{text}\n" for n, text in enumerate(texts)
    )


def ass(*texts):
    return HEAD + "".join(f"Dialogue: 0:00:00.00,0:00:01.00,Default,{one}\n" for one in texts)


def texts(document):
    return [event.text for event in document.events]


def test_texts_of_srt(given):
    found = given(srt("one", "two\nlines\n\n2012", "<i>it</i> <b>x", "a < b <x>", r"{\an8}up"))
    assert texts(found) == [
        *("one", r"two\Nlines\N\N2012", r"{\i1}it{\i0} {\b1}x", "a < b ", r"{\an8}up")
    ]
    assert [(e.start, e.end) for e in found.events[:2]] == [(250, 750), (1250, 1750)]


def test_odd_srt_files(given):
    # no numbers, dots, places behind the times, hours of three digits, no blank lines
    text = "0:00:01.5 --> 0:00:02.25 X1:40 X2:600\none\n100:00:00,000 --> 100:00:01,000\ntwo"
    found = given(text)
    assert [(e.start, e.end, e.text) for e in found.events] == [
        (1500, 2250, "one"),
        (360_000_000, 360_001_000, "two"),
    ]
    # nothing between, backwards: not shown
    assert texts(given(srt("", "x") + "00:00:09,000 --> 00:00:08,000\ny\n")) == ["x"]


def test_nothing_of_a_text_is_a_tag(given):
    (text,) = texts(given(srt(r"a\Nb {\fs900}c {x} \{")))
    assert text == "a\\\u2060Nb c \\{x\\} \\\u2060\\{"


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("utf-8", "auto"), ("gbk", "auto"), ("gbk", "GBK"), ("utf-8-sig", "UTF-8")],
)
def test_encodings(given, codec, encoding):
    assert texts(given(srt("汉字"), encoding, codec=codec)) == ["汉字"]


#: single words whose bytes are characters in the other encoding, too
TRADITIONAL = (
    "對不起",
    "沒關係",
    "救命啊",
    "導演",
    "聖誕快樂",
    "閉嘴",
    "請坐",
    "醫生",
    "鑰匙",
    "完",
)
SIMPLIFIED = (
    "对不起",
    "没关系",
    "救命啊",
    "导演",
    "圣诞快乐",
    "闭嘴",
    "请坐",
    "医生",
    "钥匙",
    "完",
)


@pytest.mark.parametrize(
    ("text", "codec"),
    [(one, "big5") for one in ("繁體中文字幕", *TRADITIONAL)]
    + [(one, "gbk") for one in ("简体中文字幕", *SIMPLIFIED)],
)
def test_one_word_tells_big5_from_gbk(given, text, codec):
    assert texts(given(srt(text), codec=codec)) == [text]


def test_words_that_are_daily_ones_in_both_are_gbk(given):
    assert texts(given(srt("謝謝"), codec="big5")) == ["谅谅"]
    assert texts(given(srt("謝謝", "再見"), codec="big5")) == ["謝謝", "再見"]


def test_utf8_comes_first(given):
    both = "测试".encode("gbk").decode("cp950", "ignore")
    assert texts(given(srt(both))) == [both]
    assert texts(given(srt("ascii"))) == ["ascii"]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (srt("汉字").encode("gbk"), "UTF-8", "it is not UTF-8"),
        (b"\xff\xff\x80", "auto", "it is not UTF-8 or GBK or BIG5"),
        ("no times", "auto", "no srt or ass"),
        ("", "auto", "no srt or ass"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nx", "auto", "no srt or ass"),
        ("#EXTM3U\n#EXTINF:4,\nother.ts\n", "auto", "no srt or ass"),
        (HEAD, "auto", "no srt or ass"),
        (srt("x" * (MAX_TEXT + 1)), "auto", "characters"),
        (ass("x" * (MAX_TEXT + 1)), "auto", "characters"),
        ("00:00:00,0 --> 00:00:01,0\nx\n" * (MAX_EVENTS + 1), "auto", "texts"),
        (ass(*"x" * (MAX_EVENTS + 1)), "auto", "texts"),
        ("x" * ((1 << 22) + 1), "auto", "bytes"),
    ],
)
def test_what_is_refused(given, content, encoding, said):
    with pytest.raises(SubtitleError, match=said):
        given(content, encoding)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (r"{\an7\pos(10,20)\c&H00FF00&\1a&H80&\k50\b1}x, y", None),
        (r"{\t(0,500,\fs40\fscx150)\move(1,2,3,4,0,90000)}x", None),
        (r"one\Ntwo\hthree {comment}", None),
        (r"{\fs99999}x", r"{\fs360}x"),
        (r"{\fs1e9\fs+5}x", r"{\fs360\fs+5}x"),
        (r"{\bord5000\blur.5\be300}x", r"{\bord90\blur.5\be10}x"),
        (r"{\ fscx 9999}x", r"{\fscx 300}x"),
        (r"{\fnArial}x{\fn/etc/passwd\i1}y", r"{\fnNoto Sans CJK SC}x{\fnNoto Sans CJK SC\i1}y"),
        (r"{\p1}m 0 0 l 99999 0 9e9 9{\p0}", r"{\p1}m 0 0 l 1280 0 1280 9{\p0}"),
        (
            r"{\p1\fscx900}m 0 0 l 9999 9{\p0}",
            f"{{\\p1\\fscx300}}m 0 0 l {1280 / 3:g} 9{{\\p0}}",
        ),
        (r"{\clip(m 0 0 l 99999 1)}x", r"{\clip(m 0 0 l 1280 1)}x"),
        (r"{\fs99999 {}x", r"{\fs360 {}x"),
        (r"12345678 is no size", None),
    ],
)
def test_tags_stay_in_bounds(given, text, kept):
    assert texts(given(ass(text))) == [text if kept is None else kept]


def test_styles_stay_in_bounds(given):
    style = "[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, ScaleX, Outline, X\n"
    style += "Style: *Big,Evil,1e9,&HFFFFFF,100000,7.25,9\nStyle: Small,SimSun,-4,red,-5,nan,9\n"
    found = given(ass("x").replace("[Events]", style + "[Events]"), font="")
    fields = ("Name", "Fontname", "Fontsize", "PrimaryColour", "ScaleX", "Outline")
    assert [tuple(one[field] for field in fields) for one in found.styles] == [
        ("Default", "Noto Sans CJK SC", "20", "&H00FFFFFF", "100", "1"),
        ("Big", "Noto Sans CJK SC", "20", "&HFFFFFF", "200", "7.250"),
        ("Small", "Noto Sans CJK SC", "1", "&H00FFFFFF", "1", "1"),
    ]
    assert (found.width, found.height) == (640, 360)


def test_other_sections_are_left_out(given):
    more = "[Fonts]\nfontname: evil.ttf\n!!!!\n[Graphics]\nfilename: x.png\n!!!!\n"
    written = str(given(more.join((ass("x")[:15] + "\n", ass("x")[15:]))))
    assert written.startswith("[Script Info]") and "[Events]" in written
    assert "evil" not in written and "Graphics" not in written


def test_a_document_survives_its_facts(given):
    for text in (srt("a", "b"), ass("x")):
        found = given(text)
        assert SubtitleDocument.from_json(found.to_json()) == found


def test_a_clip_shifts_and_drops(given):
    found = given(srt("a", "b", "c")).between(1.5, math.inf)
    assert [(e.start, e.end, e.text) for e in found.events] == [(0, 250, "b"), (750, 1250, "c")]
    assert "Dialogue: 0,0:00:00.75,0:00:01.25,Default,,0,0,0,,c" in str(found)
    # a hundredth of a second is the unit of ASS
    assert "0:00:00.25,0:00:00.75" in str(given(srt("a")).between(0.005, math.inf))
    short = given(srt("a", "b", "c")).between(0, 1.5)
    assert [(e.start, e.end, e.text) for e in short.events][1:] == [(1250, 1500, "b")]


def test_lines_are_broken_and_files_raised(given):
    found = given(srt("水" * 60, r"{\an8}" + "水" * 3)).fitted(320, 180)
    assert found.width == 512 and found.events[0].text.count(r"\N") == 1
    assert found.events[1].text == r"{\an8}水水水"
    assert found.tall == pytest.approx(2 * 20 / 288)
    raised = found.raised(0.25)
    assert raised.styles[0]["MarginV"] == str(10 + 72)
    assert given(ass("x")).fitted(320, 180) == given(ass("x"))
