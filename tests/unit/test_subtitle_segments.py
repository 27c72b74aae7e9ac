"""Cues in segments, and which track of an input a stream takes."""

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.languages import primary
from activities.packaging.subtitle_segments import lengths, playlist, segment_ends, segment_texts
from activities.packaging.subtitle_source import text_track
from activities.probe import MediaInfo
from activities.subtitles import SubtitleError
from activities.subtitles.reading import cues_in
from tests.support.subtitles import rows
from workflow_engine.errors import ActivityError

SRT = "".join(
    f"{n}\n00:00:{start},000 --> 00:00:{end},000\n{text}\n\n"
    for n, (start, end, text) in enumerate(
        [("01", "02", "a"), ("03", "09", "b"), ("04", "05", "c")]
    )
)


def test_a_cue_is_in_every_segment_that_shows_it():
    ends = segment_ends(9000, 4)
    assert ends == [4000, 8000, 9000]
    texts = list(segment_texts(cues_in(SRT.encode()), ends, fragmented=False))
    a, b, c = (1000, 2000, "a"), (3000, 9000, "b"), (4000, 5000, "c")
    assert [rows(text) for text in texts] == [[a, b], [b, c], [b]]
    assert all("X-TIMESTAMP-MAP=MPEGTS:126000,LOCAL:00:00:00.000" in text for text in texts)
    (text, _) = segment_texts(cues_in(SRT.encode()), [500, 9000], fragmented=True)
    assert text == "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"


def test_texts_that_would_fill_the_disk():
    cues = "".join(f"00:00:0{n % 9},000 --> 05:00:00,000\n{'x' * 1900}{n}\n\n" for n in range(99))
    found = cues_in(cues.encode())
    with pytest.raises(SubtitleError, match="at the same time"):
        list(segment_texts(found, segment_ends(18_000_000, 2), fragmented=False))


def test_a_length_that_a_file_lies_about():
    with pytest.raises(SubtitleError, match="more than 86400"):
        segment_ends(4_000_000_000_000, 1)


@given(st.integers(1, 10_000_000), st.integers(1, 60))
def test_segments_cover_the_whole_length(length, seconds):
    ends = segment_ends(length, seconds)
    assert ends[-1] == length
    assert all(one == seconds for one in lengths(ends)[:-1])
    assert 0 < lengths(ends)[-1] <= seconds


@pytest.mark.parametrize(("length", "target"), [(9000, 4), (400, 1), (3600, 4)])
def test_the_playlist(length, target):
    ends = segment_ends(length, 4)
    names = [f"x-{n:05}.vtt" for n in range(1, len(ends) + 1)]
    found = m3u8.loads(playlist(names, ends))
    assert [segment.uri for segment in found.segments] == names
    assert [segment.duration for segment in found.segments] == lengths(ends)
    assert (found.target_duration, found.media_sequence) == (target, 1)
    assert found.is_endlist and found.playlist_type == "vod"


def media(*tracks):
    streams = [{"codec_type": "video", "codec_name": "h264", "width": 16, "height": 16, "index": 0}]
    streams += [
        {
            "codec_type": "subtitle",
            "codec_name": codec,
            "index": n,
            "tags": {"language": language},
            "disposition": {"default": int(default)},
        }
        for n, (codec, language, default) in enumerate(tracks, 1)
    ]
    return MediaInfo.parse({"streams": streams, "format": {"format_name": "matroska"}})


ENGLISH, SIGNS = ("subrip", "eng", False), ("ass", "eng", True)
FRENCH, PICTURES = ("mov_text", "fre", False), ("hdmv_pgs_subtitle", "ger", True)
NAMELESS = ("webvtt", "und", False)


@pytest.mark.parametrize(
    ("tracks", "language", "chosen"),
    [
        ((ENGLISH, FRENCH), "fr-CA", 1),
        ((FRENCH, ENGLISH, SIGNS), "en", 2),
        ((PICTURES, FRENCH, ENGLISH), "", 1),
        ((PICTURES, NAMELESS), "en", 1),
    ],
)
def test_the_track_of_a_language(tracks, language, chosen):
    assert text_track(media(*tracks), language, "x").position == chosen


@pytest.mark.parametrize(
    ("tracks", "language", "said"),
    [
        ((), "en", "no text track: it has no subtitles at all"),
        ((PICTURES,), "de", r"no text track: its subtitles are ger \(hdmv_pgs_subtitle\)"),
        ((ENGLISH, FRENCH), "de", 'in the language "de": its subtitles are eng .*, fre'),
    ],
)
def test_no_track(tracks, language, said):
    with pytest.raises(ActivityError, match=said) as caught:
        text_track(media(*tracks), language, "x")
    assert "WebVTTSubtitleURL" in caught.value.remedy


def test_one_of_two_tracks_of_a_language_is_named():
    tracks = media(ENGLISH, SIGNS, PICTURES)
    assert text_track(tracks, "en", "x").position == 1
    assert text_track(tracks, "en", "x", "0:s:0").position == 0
    for track in ("0:s:2", "0:s:3"):
        with pytest.raises(ActivityError, match=f'"{track}", .*ger') as caught:
            text_track(tracks, "", "x", track)
        assert caught.value.pointer == "/SubtitleStreamMap"


def test_languages():
    for tags in (("de", "deu", "ger", "de-AT"), ("zh-Hant", "chi", "zho"), ("en-US", "ENG")):
        assert len(set(map(primary, tags))) == 1
    assert len(set(map(primary, ("nb", "no", "nn", "qaa", "english")))) == 5
