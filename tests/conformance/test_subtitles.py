"""Burnt-in subtitles: when and where they are seen, what they look like, by pixels."""

import pytest

from tests.support.transcodes import box_of, frames, output, run

SIZE = (320, 180)
WHITE, GREY = (254, 254, 254), (128, 128, 128)
RED, LIME, BLUE = (254, 0, 0), (0, 254, 0), (0, 0, 254)
TINY = {"Width": "320", "Crf": "8"}


@pytest.fixture
def side(tmp_path):
    """Makes a file of the bucket `side` and remembers it."""

    class Bucket(dict):
        def write(self, name, text, encoding="utf-8"):
            path = tmp_path / f"{len(self)}-{name.rpartition('/')[2]}"
            path.write_bytes(text.encode(encoding))
            self[f"side/{name}"] = path
            return {"Input": {"Bucket": "side", "Location": "local", "Object": name}}

    return Bucket()


def srt(text="■■■", start="00:00:00,300", end="00:00:00,500"):
    return f"1\r\n{start} --> {end}\r\n{text}\r\n\r\n"


def ass(
    *lines, style="Default,Arial,40,&H000000FF,&H0,&H0,&H0,0,0,0,0,100,100,0,0,1,0,0,2,0,0,9,1"
):
    return "\n".join(
        [
            *("[Script Info]", "ScriptType: v4.00+", "PlayResX: 320", "PlayResY: 180"),
            *("[V4+ Styles]", "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour,"),
            *(f"Style: {style}", "[Events]"),
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
            *[f"Dialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,{line}" for line in lines],
        ]
    ).replace(
        "SecondaryColour,\n",
        "SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, "
        "ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
        "MarginV, Encoding\n",
    )


def burnt(*files, **fields):
    return output(Video=TINY, SubtitleConfig={"ExtSubtitleList": list(files)}, **fields)


def box(made, n, colour=WHITE, frame=0):
    return box_of(frames(made[n], SIZE)[frame], SIZE[0], colour)


@pytest.mark.proves("SubtitleConfig.ExtSubtitleList.Input", by="pixels of each frame")
def test_times_follow_the_source(tmp_path, wall, side):
    file = side.write("vod/wall.srt", srt())
    named = {"Input": {**file["Input"], "Object": "{ObjectPrefix}{FileName}.srt"}}
    clip = {"Clip": {"TimeSpan": {"Seek": "0.2"}}}
    made = run(tmp_path, wall, burnt(named), burnt(named, **clip), objects=side)
    seen = [
        [bool(box_of(picture, 320, WHITE)) for picture in frames(made[n], SIZE)] for n in (0, 1)
    ]
    assert seen[0] == [False] * 8 + [True] * 5 + [False] * 12
    assert seen[1] == seen[0][5:]
    left, top, width, height = box(made, 0, frame=10)
    assert abs(left + width / 2 - 160) <= 3 and 150 < top + height <= 178 and height < 16


@pytest.mark.parametrize("first", [True, False])
def test_what_is_cut_off_the_source_is_not_told_over_what_follows(tmp_path, wall, side, first):
    file = side.write("wall.srt", srt(start="00:00:00,300", end="00:00:01,500"))
    side["side/wall.mp4"] = wall
    span = {"Seek": "0.2", "Duration": "0.2" if first else "1.2"}
    fields = {
        "MergeList": [{"MergeURL": "oss://side/wall.mp4"}],
        "Clip": {"TimeSpan": span, "ConfigToClipFirstPart": first},
    }
    made = run(tmp_path, wall, burnt(file, **fields), objects=side)
    seen = [bool(box_of(picture, 320, WHITE)) for picture in frames(made[0], SIZE)]
    # from 0.3 s on: to 0.4 s of the source, or to its end after 1 s
    until, count = (5, 30) if first else (20, 30)
    assert [n for n, one in enumerate(seen) if one] == list(range(3, until))
    assert len(seen) == count


def test_times_follow_the_source_where_clip_comes_behind_merging(tmp_path, wall, side):
    file = side.write("wall.srt", srt())
    side["side/wall.mp4"] = wall
    fields = {
        "MergeList": [{"MergeURL": "oss://side/wall.mp4", "Duration": "0.2"}],
        "Clip": {"TimeSpan": {"Seek": "0.2"}, "ConfigToClipFirstPart": False},
    }
    made = run(tmp_path, wall, burnt(file, **fields), objects=side)
    seen = [bool(box_of(picture, 320, WHITE)) for picture in frames(made[0], SIZE)]
    assert seen == [False] * 3 + [True] * 5 + [False] * 17


@pytest.mark.proves("SubtitleConfig.ExtSubtitleList.CharEnc", by="pixels")
def test_encodings(tmp_path, wall, side):
    simple, traditional = "汉字简体水印", "這是繁體中文字幕"
    cases = [
        (simple, "utf-8", {"CharEnc": "UTF-8"}),
        (simple, "gbk", {"CharEnc": "GBK"}),
        (simple, "utf-8-sig", {}),
        (simple, "gbk", {"CharEnc": "auto"}),
        (traditional, "utf-8", {}),
        (traditional, "big5", {"CharEnc": "BIG5"}),
        (traditional, "big5", {}),
    ]
    outputs = [
        burnt(side.write(f"{n}.srt", srt(text, "00:00:00,000"), encoding) | fields)
        for n, (text, encoding, fields) in enumerate(cases)
    ]
    made = run(tmp_path, wall, *outputs, objects=side)
    pictures = [frames(made[n], SIZE)[0] for n in range(len(cases))]
    assert len(set(pictures[:4])) == 1 and len(set(pictures[4:])) == 1
    assert pictures[0] != pictures[4] and box_of(pictures[0], 320, WHITE)


@pytest.mark.proves("SubtitleConfig.ExtSubtitleList.FontName", by="pixels")
def test_fonts(tmp_path, wall, side):
    plain = side.write("a.srt", srt("iiiiiiii", "00:00:00,000"))
    styled = side.write("a.ass", ass("iiiiiiii"))
    mono = {"FontName": "WenQuanYi Zen Hei Mono"}
    made = run(
        tmp_path,
        wall,
        *[burnt(one | font) for one in (plain, styled) for font in ({}, mono)],
        objects=side,
    )
    widths = [box_of(frames(made[n], SIZE)[0], 320, GREY, other=True)[2] for n in range(4)]
    assert widths[1] > 1.3 * widths[0] and widths[3] > 1.3 * widths[2]


def test_chinese_is_drawn_and_long_lines_are_broken(tmp_path, wall, side):
    texts = ["水", "印", "水" * 40, "\U0010fffd"]
    made = run(
        tmp_path,
        wall,
        *[burnt(side.write(f"{n}.srt", srt(t, "00:00:00,000"))) for n, t in enumerate(texts)],
        objects=side,
    )
    pictures = [frames(made[n], SIZE)[0] for n in range(4)]
    assert len(set(pictures)) == 4
    one, long = (box_of(pictures[n], 320, WHITE) for n in (0, 2))
    assert long[0] > 8 and long[0] + long[2] < 312 and long[3] > 1.8 * one[3]


def test_several_files_stand_one_above_the_other(tmp_path, wall, side):
    files = [
        side.write(f"{n}.srt", srt(f'<font color="{color}">■■</font>{more}', "00:00:00,000"))
        for n, (color, more) in enumerate((("#ff0000", "\na\nb"), ("#00ff00", "")))
    ]
    files.append(side.write("c.ass", ass("■■").replace("&H000000FF", "&H00FF0000")))
    wide = burnt(*files) | {"Video": {"Width": "640", "Crf": "8", "Preset": "veryfast"}}
    made = run(tmp_path, wall, wide, objects=side)
    picture = frames(made[0], (640, 360))[0]
    red, lime, blue = (box_of(picture, 640, colour) for colour in (RED, LIME, BLUE))
    # three lines of the first file, one of the second; a line is 20/288 of the height
    assert 265 < red[1] < red[1] + red[3] <= 300
    assert 245 < lime[1] < lime[1] + lime[3] <= red[1]
    assert blue[1] + blue[3] <= lime[1]


def test_styles_places_and_tags_of_ass(tmp_path, wall, side):
    made = run(
        tmp_path,
        wall,
        burnt(side.write("a.ass", ass("■■", r"{\an7\pos(10,20)\c&H00FF00&}■■"))),
        burnt(side.write("b.srt", srt("{\\an8}<b>M</b> {x} \\N", "00:00:00,000"))),
        objects=side,
    )
    below, above = box(made, 0, RED), box(made, 0, LIME)
    assert below[1] > 120 and abs(below[0] + below[2] / 2 - 160) <= 3
    assert 10 <= above[0] <= 14 and 20 <= above[1] < 50
    assert box(made, 1)[1] < 30


def test_a_hostile_file_is_drawn_within_bounds(tmp_path, wall, side):
    huge = [
        r"{\fs99999\bord9999\blur9999\fscx99999999}M",
        r"{\p1}m 0 0 l 9999999 0 9999999 9999999 0 9999999{\p0}",
        r"{\fnfile:/etc/passwd\fax1e9\fs1e30}M {\t(0,9,\fs99999)\frx89.5}M",
    ]
    font = "[Fonts]\nfontname: evil.ttf\n" + "!" * 80 + "\n[Graphics]\nfilename: x\n"
    made = run(tmp_path, wall, burnt(side.write("a.ass", ass(*huge) + "\n" + font)), objects=side)
    (written,) = (tmp_path / "work").glob("subtitles-*.ass")
    text = written.read_text()
    assert "evil" not in text and "passwd" not in text and "99999" not in text
    assert len(frames(made[0], SIZE)) == 25
