"""TTML, IMSC 1 Text and EBU-TT-D."""

import subprocess
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.ffmpeg import ffmpeg_path
from activities.subtitles import SubtitleError, SubtitleFormat
from activities.subtitles.reading import cues_in
from activities.subtitles.ttml_times import clock_of
from tests.support import subtitles
from tests.support.subtitles import rows, texts, ttml

NTSC = 'ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"'
SMPTE = f'{NTSC} ttp:timeBase="smpte"'


def p(text, begin="1s", end="2s", more=""):
    return f'<p begin="{begin}" end="{end}" {more}>{text}</p>'


@pytest.mark.parametrize(
    ("written", "parameters", "milliseconds"),
    [
        ("00:00:01.5", "", 1500),
        ("01:00:00.250", "", 3_600_250),
        ("00:00:01:15", "", 1500),
        ("00:00:01:12", 'ttp:frameRate="25"', 1480),
        ("00:00:01:12.1", 'ttp:frameRate="25" ttp:subFrameRate="2"', 1500),
        ("00:10:00:15", NTSC, 600_500),
        ("00:10:00:15", SMPTE, 601_100),
        ("00:10:00:00", f'{SMPTE} ttp:dropMode="dropNTSC"', 599_999),
        ("00:01:00:02", f'{SMPTE} ttp:dropMode="dropNTSC"', 60_060),
        ("1.5h", "", 5_400_000),
        ("2m", "", 120_000),
        ("3.25s", "", 3250),
        ("70ms", "", 70),
        ("60f", "", 2000),
        ("24f", NTSC, 801),
        ("900t", 'ttp:tickRate="1000"', 900),
        ("50t", 'ttp:frameRate="25"', 2000),
        ("7t", "", 7000),
    ],
)
def test_times(written, parameters, milliseconds):
    assert rows(ttml(p("x", written, "100h"), root=parameters))[0][0] == milliseconds


@pytest.mark.parametrize(
    "written", ["", "1", "x", "00:61:00", "1:00", "00:00:01:30", "-1s", "1e3s"]
)
def test_times_that_cannot_be_read(written):
    found = cues_in(ttml(p("x", written) + "\n" + p("y")))
    assert [cue.text for cue in found.cues] == ["y"]
    assert found.warnings == ("Cues whose times cannot be read are left out (1): line 1.",)


@given(st.integers(0, 300_000_000))
def test_clock_times_and_offsets_agree(milliseconds):
    clock = clock_of({}.get)
    seconds, rest = divmod(milliseconds, 1000)
    written = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
    assert (
        clock.seconds(written) == clock.seconds(f"{milliseconds}ms") == Fraction(milliseconds, 1000)
    )


def test_times_of_elements_inside_each_other():
    body = (
        '<div begin="10s" end="20s"><p begin="1s" dur="2s">a</p><p begin="8s" end="15s">b</p>'
        '<p dur="3s" end="2s">c</p></div>'
        '<div begin="30s" timeContainer="seq"><p dur="1s">d</p><p begin="1s" dur="2s">e</p></div>'
    )
    assert rows(ttml(body)) == [
        (10_000, 12_000, "c"),
        (11_000, 13_000, "a"),
        (18_000, 20_000, "b"),
        (30_000, 31_000, "d"),
        (32_000, 34_000, "e"),
    ]


def test_parts_of_a_paragraph_with_times_of_their_own():
    spans = '<span end="1s">one </span><span begin="1s">two</span> <span begin="1s">three</span>'
    assert rows(ttml(p(spans, "1s", "4s"))) == [(1000, 2000, "one"), (2000, 4000, "two three")]
    body = p('a<br/><span begin="0s" dur="1s">b</span>', "1s", "4s")
    assert rows(ttml(body)) == [(1000, 2000, "a\nb"), (2000, 4000, "a")]


def test_blanks_and_breaks():
    assert texts(ttml(p("\n  a\n  b <br/>\n <span> c</span> <span> d </span>\n"))) == ["a b\nc d"]
    assert texts(ttml(p("a  b\n c", more='xml:space="preserve"'))) == ["a  b\nc"]
    assert texts(ttml(p("a &amp; &lt;b&gt; &#x6f22;<!-- no --><metadata>m</metadata>"))) == [
        "a &amp; &lt;b&gt; 漢"
    ]


def test_styles():
    head = (
        '<styling><style xml:id="base" tts:fontStyle="italic"/>'
        '<style xml:id="loud" style="base" tts:fontWeight="bold" tts:color="#FFFF00FF"/>'
        '<style xml:id="loop" style="loop2"/><style xml:id="loop2" style="loop base"/></styling>'
    )
    body = (
        p('a<span style="loud">b<span tts:fontStyle="normal" tts:color="white">c</span></span>')
        + p("d", "2s", "3s", 'style="loop" tts:textDecoration="underline"')
        + p('e<span tts:display="none">f</span>', "3s", "4s", 'tts:color="rgb(0,255,255)"')
    )
    assert texts(ttml(body, head=head)) == [
        "a<c.yellow><b><i>b</i></b></c><b>c</b>",
        "<i><u>d</u></i>",
        "<c.cyan>e</c>",
    ]


def test_ruby():
    parts = '<span tts:ruby="base">漢</span><span tts:ruby="text">kan</span>'
    assert texts(ttml(p(f'a<span tts:ruby="container">{parts}</span>b'))) == [
        "a<ruby>漢<rt>kan</rt></ruby>b"
    ]


WHOLE = ("0% 0%", "100% 100%")
MOST = ("10% 10%", "80% 80%")


@pytest.mark.parametrize(
    ("box", "more", "text", "settings"),
    [
        (MOST, 'displayAlign="after"', "x", "align:start position:10% size:80%"),
        (MOST, 'displayAlign="after" tts:textAlign="center"', "x", ""),
        (WHOLE, 'displayAlign="before" tts:textAlign="center"', "x", "line:0"),
        (WHOLE, 'displayAlign="center" tts:textAlign="center"', "x<br/>y", "line:44%"),
        (
            ("320px 48px", "320px 96px"),
            'textAlign="end"',
            "x",
            "line:10% align:end position:100% size:50%",
        ),
        (("4c 3c", "8c 6c"), "", "x", "line:20% align:start position:12.5% size:25%"),
        (("0% 0%", "10% 100%"), 'writingMode="tbrl"', "x", "vertical:rl"),
        (("auto", "auto"), "", "x", "align:start"),
    ],
)
def test_regions(box, more, text, settings):
    style = f'tts:origin="{box[0]}" tts:extent="{box[1]}" {f"tts:{more}" if more else ""}'
    head = f'<layout><region xml:id="r"><style {style}/></region></layout>'
    content = ttml(p(text, more='region="r"'), head=head, root='tts:extent="640px 480px"')
    assert subtitles.settings(content) == [settings]


def test_languages():
    body = f'<div xml:lang="en">{p("yes")}</div><div xml:lang="fr-CA">{p("oui")}</div>'
    assert texts(ttml(body), language="fr-FR") == ["oui"]
    assert texts(ttml(body), language="en") == ["yes"]
    both = cues_in(ttml(body), language="de")
    assert len(both.cues) == 2
    assert both.warnings == ("It has texts in several languages (en, fr); all are shown.",)
    assert texts(ttml(p("ja"), root='xml:lang="de"'), language="en") == ["ja"]


def test_namespaces_and_encodings():
    text = "<a:tt xmlns:a='http://www.w3.org/2006/10/ttaf1' xmlns:o='urn:o'><a:body><a:div>"
    text += "<a:p begin='1s' end='2s' o:begin='9s'>ä<o:br/></a:p><o:p begin='1s' end='2s'>no</o:p>"
    text += "</a:div></a:body></a:tt>"
    assert rows(text) == [(1000, 2000, "ä")]
    for encoding in ("utf-8-sig", "utf-16", "iso-8859-1"):
        head = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>"
        assert rows((head + text).encode(encoding)) == [(1000, 2000, "ä")]


BOMB = '<!DOCTYPE tt [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
STEALING = '<!DOCTYPE tt [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB.encode() + ttml(p("&b;")), "document type"),
        (STEALING.encode() + ttml(p("&a;")), "document type"),
        (ttml(p("&a;")), "undefined entity"),
        (ttml(p("x"))[:-10], "not well-formed XML: unclosed token in line 1"),
        (b"<html/>", 'its root element is "html"'),
        (b"<tt xmlns='urn:x'/>", 'its root element is "tt"'),
        (b"<?xml version='1.0' encoding='gbk'?><tt/>", "encoding"),
        (b"<?xml version='1.0' encoding='none'?><tt/>", "unknown encoding"),
        (ttml("<div>" * 70 + "</div>" * 70), "elements"),
        (b"<tt>" + b"<a/>" * 100_001 + b"</tt>", "elements"),
        (ttml("<div/>"), "holds no TTML"),
        (ttml(p("x", "100h", "101h")), "end before they begin"),
        (ttml(p("x", "2s", "1s")), "end before they begin"),
        (ttml(p("x"), root='ttp:timeBase="clock"'), "clock on the wall"),
        (ttml(p("x"), root='ttp:frameRate="0"'), "ttp:frameRate"),
        (ttml(p("x"), root='ttp:frameRateMultiplier="1000 0"'), "no ratio"),
        (ttml(p("x" * 2001)), "characters"),
        (ttml(p("".join(f'<span begin="{n}ms">a</span>' for n in range(300)))), "timed parts"),
    ],
)
def test_what_is_refused(content, said):
    with pytest.raises(SubtitleError, match=said):
        cues_in(content)


def test_what_ffmpeg_writes(tmp_path):
    srt = tmp_path / "x.srt"
    srt.write_text(
        "1\n00:00:01,000 --> 00:00:03,500\nHello\nyou & I\n\n2\n01:00:00,040 --> 01:00:01,000\n2\n"
    )
    wanted = [(1000, 3500, "Hello\nyou &amp; I"), (3_600_040, 3_601_000, "2")]
    for name, kind in (("x.ttml", "TTML"), ("x.vtt", "WebVTT"), ("x.ass", "ass")):
        command = [str(ffmpeg_path()), "-v", "error", "-i", str(srt), str(tmp_path / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        content = (tmp_path / name).read_bytes()
        assert rows(content) == wanted
        assert cues_in(content).format is SubtitleFormat(kind)
