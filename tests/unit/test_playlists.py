"""What is read out of a playlist, and what is refused; the package m3u8 reads the same lists."""

import re

import m3u8
import pytest

from activities.playlist import parse
from activities.playlist.parse import MAX_BYTES, MAX_SEGMENTS, Key, Range
from workflow_engine.errors import ActivityError, Code

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n"
END = "#EXT-X-ENDLIST\n"


def listed(*lines: str, end: str = END) -> bytes:
    return (HEAD + "".join(f"{line}\n" for line in lines) + end).encode()


def segment(name: str, *tags: str) -> str:
    return "\n".join((*tags, "#EXTINF:4.0,", name))


def test_segments_in_their_order():
    text = listed(segment("a.ts"), "", "# a comment", segment("b.ts"), segment("a.ts"))
    read = parse(text)
    assert [one.piece.name for one in read.segments] == ["a.ts", "b.ts", "a.ts"]
    assert read.objects == ("a.ts", "b.ts")
    assert read.finished
    assert [one.uri for one in m3u8.loads(text.decode()).segments] == ["a.ts", "b.ts", "a.ts"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("seg%201.ts", "seg 1.ts"),
        ("./seg.ts", "seg.ts"),
        ("below/seg.ts", "below/seg.ts"),
        ("%E7%89%87.ts", "片.ts"),
        ("片.ts", "片.ts"),
        ("50%25.ts", "50%.ts"),
        ("a%3Fb.ts", "a?b.ts"),
        ("..a.ts", "..a.ts"),
    ],
)
def test_addresses_are_decoded(written: str, meant: str):
    assert parse(listed(segment(written))).objects == (meant,)


def test_lines_may_end_as_on_windows_and_begin_with_a_mark():
    text = b"\xef\xbb\xbf" + listed(segment("a.ts")).replace(b"\n", b"\r\n")
    assert parse(text).objects == ("a.ts",)


def test_keys_hold_until_the_next_one():
    vector = "0x" + "0a" * 16
    read = parse(
        listed(
            "#EXT-X-MEDIA-SEQUENCE:7",
            segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="k%31.key"'),
            segment("b.ts"),
            segment("c.ts", f'#EXT-X-KEY:METHOD=AES-128,URI="k2.key",IV={vector}'),
            segment("d.ts", "#EXT-X-KEY:METHOD=NONE"),
        )
    )
    assert [one.piece.key for one in read.segments] == [
        Key("k1.key", (7).to_bytes(16, "big")),
        Key("k1.key", (8).to_bytes(16, "big")),
        Key("k2.key", bytes([10]) * 16),
        None,
    ]
    assert read.objects == ("k1.key", "a.ts", "b.ts", "k2.key", "c.ts", "d.ts")


def test_blanks_around_attributes():
    read = parse(listed(segment("a.ts", '#EXT-X-KEY: METHOD = AES-128 , URI = "k 1" ')))
    assert read.objects == ("k 1", "a.ts")


def test_a_line_of_blanks_is_read_in_no_time():
    blanks = " " * 200_000
    for tag in (f'#EXT-X-KEY:A=A{blanks}"', f"#EXT-X-KEY:A{blanks}A", f'#EXT-X-KEY:A="{blanks}'):
        with pytest.raises(ActivityError, match="attributes cannot be read"):
            parse(listed(segment("a.ts", tag)))


def test_ranges_run_on():
    text = listed(
        segment("a.ts", "#EXT-X-BYTERANGE:10@5"),
        segment("a.ts", "#EXT-X-BYTERANGE:7"),
        segment("b.ts", "#EXT-X-BYTERANGE:3@0"),
    )
    assert [one.piece.range for one in parse(text).segments] == [
        Range(5, 10),
        Range(15, 7),
        Range(0, 3),
    ]


def test_headers_and_new_time_stamps():
    read = parse(
        listed(
            segment("a.m4s", '#EXT-X-MAP:URI="all.mp4",BYTERANGE="700@0"'),
            segment("b.m4s", "#EXT-X-DISCONTINUITY", '#EXT-X-MAP:URI="i.mp4"'),
            segment("c.m4s"),
        )
    )
    headers = [one.header for one in read.segments]
    assert [(one.name, one.range) for one in headers if one] == [
        ("all.mp4", Range(0, 700)),
        ("i.mp4", None),
        ("i.mp4", None),
    ]
    assert [one.fresh for one in read.segments] == [False, True, False]


def test_a_list_without_its_end_is_not_finished():
    assert not parse(listed(segment("a.ts"), end="")).finished
    assert not parse(listed(end="")).finished


REFUSED = {
    "#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8": (
        4,
        'master list, which names other lists: "low.m3u8", "high.m3u8"',
    ),
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="a.m3u8"': (4, "master list"),
    '#EXT-X-PART:DURATION=1,URI="a.ts"': (4, "low-latency"),
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="a.ts"': (4, "do not exist yet"),
    '#EXT-X-DEFINE:NAME="a",VALUE="b"': (4, "variables"),
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=3": (4, "earlier state"),
    "#EXT-X-I-FRAMES-ONLY": (4, "key frames only"),
    segment("a.ts", "#EXT-X-GAP"): (4, "missing"),
    "a.ts": (4, "no #EXTINF"),
    "#EXTINF:long,\na.ts": (4, "no length"),
    segment("https://example.com/a.ts"): (5, "absolute"),
    segment("file:a.ts"): (5, "absolute"),
    segment("crypto:a.ts"): (5, "absolute"),
    segment("//example.com/a.ts"): (5, "does not begin in the folder"),
    segment("/etc/passwd"): (5, "does not begin in the folder"),
    segment("%2Fetc/passwd"): (5, "empty part"),
    segment("../a.ts"): (5, "leads out"),
    segment("a/../../b.ts"): (5, "leads out"),
    segment("%2e%2e/a.ts"): (5, "leads out"),
    segment("..%2Fa.ts"): (5, "leads out"),
    segment("..\\a.ts"): (5, "leads out"),
    segment("%5C%5Chost/a.ts"): (5, "leads out"),
    segment("a//b.ts"): (5, "empty part"),
    segment("./."): (5, "names no file"),
    segment("a.ts?token=1"): (5, "query"),
    segment("a.ts#t=1"): (5, "fragment"),
    segment("a%00.ts"): (5, "control characters"),
    segment("a%0A.ts"): (5, "control characters"),
    segment("a\x01.ts"): (5, "control characters"),
    segment("a%FF.ts"): (5, "not UTF-8"),
    segment("a.ts", "#EXT-X-BYTERANGE:10"): (6, "no offset"),
    segment("a.ts", "#EXT-X-BYTERANGE:0@0"): (4, "range"),
    segment("a.ts", "#EXT-X-BYTERANGE:-1@5"): (4, "range"),
    segment("a.ts", '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"'): (4, "SAMPLE-AES"),
    segment("a.ts", "#EXT-X-KEY:METHOD=AES-128"): (4, "no URI"),
    segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="https://example.com/k"'): (4, "absolute"),
    segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain,a"'): (4, "absolute"),
    segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.apple"'): (4, "KEYFORMAT"),
    segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x12'): (4, "IV"),
    segment("a.ts", '#EXT-X-KEY:METHOD=AES-128,URI="k",,'): (4, "attributes"),
    segment("a.m4s", '#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXT-X-MAP:URI="i"'): (5, "no IV"),
    segment("a.m4s", '#EXT-X-MAP:BYTERANGE="5@0"'): (4, "no URI"),
    segment("a.m4s", '#EXT-X-MAP:URI="../i.mp4"'): (4, "leads out"),
}


@pytest.mark.parametrize("lines", REFUSED, ids=lambda lines: lines[:40])
def test_what_is_refused_is_named_with_its_line(lines: str):
    line, reason = REFUSED[lines]
    with pytest.raises(ActivityError) as caught:
        parse(listed(lines))
    error = caught.value
    assert error.code == Code.RESOURCE_NOT_SUPPORTED
    assert f"line {line}: " in error.message and reason in error.message
    assert error.remedy


def test_other_lists_are_refused():
    for text, reason in {
        b"#EXTM3U8\n": "does not begin with #EXTM3U",
        listed(): "names no segments",
        b"#EXTM3U\n#EXTINF:5400,Title\nmovie.mp4\n": "no #EXT-X-TARGETDURATION",
        listed(segment("\xff.ts")).replace(b"\xc3\xbf", b"\xff"): "line 5: it is not UTF-8",
        listed("#" * (MAX_BYTES + 1)): "longer than 5 MiB",
        listed(*(segment(f"{n}.ts") for n in range(MAX_SEGMENTS + 1))): "more than 10000",
    }.items():
        with pytest.raises(ActivityError, match=re.escape(reason)):
            parse(text)
    assert len(parse(listed(*(segment(f"{n}.ts") for n in range(MAX_SEGMENTS)))).segments) == 10_000
