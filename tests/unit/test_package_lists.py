"""What lists say of streams that are rare, or wrong, or of one kind only: pure."""

import base64
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest

from activities.packaging.dash import package_manifest, stream_manifest
from activities.packaging.hls import master_playlist
from activities.packaging.streams import (
    KeyFrame,
    Member,
    Segment,
    SegmentFormat,
    Stream,
    StreamKind,
    Tiles,
    VideoRange,
    bit_rates,
)

NS = {"m": "urn:mpeg:dash:schema:mpd:2011"}


def stream(**changes: Any) -> Stream:
    """A picture of two segments of two seconds."""
    values: dict[str, Any] = {
        "kind": StreamKind.VIDEO,
        "uri": "video/sd.m3u8",
        "segment_format": SegmentFormat.FMP4,
        "timescale": 30_000,
        "segments": (Segment(ticks=60_060, bytes=50_000), Segment(ticks=60_060, bytes=40_000)),
        "peak_bps": 199_801,
        "average_bps": 179_821,
        "codecs": ("avc1.4d401e",),
        "width": 640,
        "height": 360,
        "frame_rate": Fraction(30_000, 1001),
    }
    return Stream(**values | changes)


def sound(**changes: Any) -> Stream:
    """Stereo of two segments of two seconds."""
    return stream(
        kind=StreamKind.AUDIO,
        uri="audio/en.m3u8",
        codecs=("mp4a.40.2",),
        width=None,
        height=None,
        frame_rate=None,
        channels=2,
        sample_rate=48_000,
        timescale=48_000,
        segments=(Segment(ticks=96_256, bytes=20_000), Segment(ticks=95_744, bytes=20_000)),
        peak_bps=80_215,
        average_bps=80_000,
        **changes,
    )


def variant(text: str) -> str:
    """The first EXT-X-STREAM-INF."""
    return next(line for line in text.splitlines() if line.startswith("#EXT-X-STREAM-INF"))


def test_a_stream_stays_what_it_is_as_json():
    plain = stream()
    rich = replace(
        plain,
        start=3,
        zero=1024,
        sar=Fraction(4, 3),
        video_range=VideoRange.PQ,
        key_frames=(KeyFrame(segment=1, offset=564, bytes=4000, ticks=60_060),),
        media="sheet-$Number$.jpg",
        first=0,
        tiles=Tiles(columns=5, rows=4, seconds=Fraction(5, 2)),
    )
    for one in (plain, rich, sound()):
        assert Stream.from_json(one.to_json()) == one


def test_files_are_called_after_their_list():
    one = stream()
    assert (one.name(0), one.name(99_999)) == ("sd-00001.m4s", "sd-100000.m4s")
    assert (one.init, one.beside(one.name(1))) == ("sd-init.mp4", "video/sd-00002.m4s")
    moved = replace(one, uri="hd.m3u8")
    assert (moved.name(0), moved.init, moved.beside("x")) == ("hd-00001.m4s", "hd-init.mp4", "x")
    sheets = replace(one, media="a$$b-$Number$.jpg", first=0)
    assert sheets.name(11) == "a$b-11.jpg"


def test_the_peak_is_that_of_runs_of_about_a_target_duration():
    # alone, the short segment has the largest rate; with a neighbour it lasts long enough to count
    assert bit_rates([(10, 10_000), (10, 10_000), (1, 9_000)]) == (-(-19_000 * 8 // 11), 11_048)
    assert bit_rates([(4, 1_000), (4, 3_000)]) == (6_000, 4_000)
    # nothing lasts half a target duration
    assert bit_rates([(0.2, 100)]) == (4_000, 4_000)


def test_the_largest_sound_of_a_group_counts():
    small, large = sound(), replace(sound(), uri="audio/fr.m3u8", peak_bps=300_000)
    members = [
        Member(stream=stream(), audio="sound", limit_bps=400_000),
        Member(stream=small, group="sound", name="English", language="en", default=True),
        Member(stream=large, group="sound", name="Français", language="fr"),
        Member(stream=replace(large, peak_bps=999_999), group="other", name="Other"),
    ]
    made = master_playlist(members)
    assert "BANDWIDTH=499801," in variant(made.text)
    (warning,) = made.warnings
    assert "video/sd.m3u8" in warning and "499801" in warning and "400000" in warning
    assert master_playlist([replace(members[0], limit_bps=499_801), *members[1:]]).warnings == []


def test_a_group_without_members_is_not_named():
    text = master_playlist([Member(stream=stream(), audio="sound", subtitles="text")]).text
    assert "AUDIO=" not in text and "SUBTITLES=" not in text


def test_codecs_are_left_out_where_one_is_unknown():
    members = [
        Member(stream=stream(), audio="sound"),
        Member(stream=replace(sound(), codecs=()), group="sound", name="English"),
    ]
    assert "CODECS" not in variant(master_playlist(members).text)


def test_a_picture_with_wide_pixels_in_high_dynamic_range():
    wide = stream(width=720, height=576, sar=Fraction(64, 45), video_range=VideoRange.HLG)
    line = variant(master_playlist([Member(stream=wide)]).text)
    assert "RESOLUTION=1024x576" in line and "VIDEO-RANGE=HLG" in line
    root = ElementTree.fromstring(package_manifest([Member(stream=wide, group="Video")]))
    (node,) = root.iterfind(".//m:AdaptationSet", NS)
    assert (node.get("par"), node.get("group")) == ("16:9", "Video")
    told = {
        one.get("schemeIdUri", "").rpartition(":")[2]: one.get("value")
        for one in node.iterfind("m:SupplementalProperty", NS)
    }
    assert told == {
        "ColourPrimaries": "9",
        "MatrixCoefficients": "9",
        "TransferCharacteristics": "18",
    }
    both = [Member(stream=wide), Member(stream=replace(wide, video_range=VideoRange.SDR), id="b")]
    root = ElementTree.fromstring(package_manifest(both))
    (first, second) = root.iterfind(".//m:Representation", NS)
    assert len(root.findall(".//m:SupplementalProperty", NS)) == 3
    assert len(first.findall("m:SupplementalProperty", NS)) == 3 and second.get("id") == "b"


def test_quotes_cannot_end_a_name():
    member = Member(stream=sound(), group="sound", name='the "best"\nsound')
    text = master_playlist([Member(stream=stream(), audio="sound"), member]).text
    assert "NAME=\"the 'best' sound\"" in text


def test_rungs_that_are_cut_otherwise_are_not_called_aligned():
    other = replace(stream(), uri="video/hd.mpd", segments=stream().segments[:1])
    cut = replace(other, segments=(Segment(ticks=30_030, bytes=1), Segment(ticks=90_090, bytes=1)))
    for second, aligned in ((replace(cut, segments=stream().segments), "true"), (cut, "false")):
        members = [Member(stream=stream(), id="sd"), Member(stream=second, id="hd")]
        assert f'segmentAlignment="{aligned}"' in package_manifest(members)


def test_a_stream_has_a_manifest_of_its_own_beside_its_segments():
    made = stream_manifest(Member(stream=replace(sound(), zero=1024), id="en", language="en"))
    root = ElementTree.fromstring(made)
    (template,) = root.iterfind(".//m:SegmentTemplate", NS)
    assert template.get("media") == "en-$Number%05d$.m4s"
    assert template.get("initialization") == "en-init.mp4"
    # what stands before the film does not count
    assert [dict(one.attrib) for one in root.iterfind(".//m:S", NS)] == [
        {"t": "0", "d": "95232"},
        {"d": "95744"},
    ]
    assert root.get("mediaPresentationDuration") == "PT3.978667S"


def test_a_key_is_told_of_the_group_where_all_have_it():
    key_id = "00112233445566778899aabbccddeeff"
    closed = replace(stream(), uri="video/hd.mpd", key_id=key_id)
    path = "m:ContentProtection[@value='cbcs']"
    for second, places in ((closed, (1, 0)), (stream(), (0, 1))):
        members = [Member(stream=closed, id="sd"), Member(stream=second, id="hd")]
        (group,) = ElementTree.fromstring(package_manifest(members)).iterfind(
            ".//m:AdaptationSet", NS
        )
        inner = group.findall(f"m:Representation/{path}", NS)
        assert (len(group.findall(path, NS)), len(inner)) == places
        (node, *_) = [*group.findall(path, NS), *inner]
        named = node.get("{urn:mpeg:cenc:2013}default_KID")
        assert named == "00112233-4455-6677-8899-aabbccddeeff"
        header = base64.b64decode(group.findtext(".//c:pssh", "", {"c": "urn:mpeg:cenc:2013"}))
        assert int.from_bytes(header[:4]) == len(header) == 52
        assert header[32:48].hex() == key_id
    assert Stream.from_json(closed.to_json()) == closed


@pytest.mark.parametrize(("channels", "layout"), [(1, "1"), (6, "6"), (8, "12")])
def test_channels_are_told_as_a_layout(channels: int, layout: str):
    made = package_manifest([Member(stream=replace(sound(), channels=channels))])
    (node,) = ElementTree.fromstring(made).iterfind(".//m:AudioChannelConfiguration", NS)
    assert node.get("value") == layout
