"""Object names: decoding, placeholders, and keys that must never become paths."""

from pathlib import PurePosixPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.topology.placeholders import (
    Names,
    check_key,
    decode_object,
    placeholders_in,
    unknown_placeholders,
)

RUN_ID = "0123456789abcdef" * 2

#: keys that must be refused, each with a word of the reason
HOSTILE_KEYS = [
    ("", "empty"),
    ("/etc/passwd", "part"),
    ("a//b", "part"),
    ("a/", "part"),
    ("..", "part"),
    (".", "part"),
    ("../x", "part"),
    ("a/../../x", "part"),
    ("a/./b", "part"),
    ("a/..", "part"),
    ("a\0b", "control"),
    ("a\nb", "control"),
    ("a\x7fb", "control"),
    ("a\ud800b", "UTF-8"),
    ("a" * 256, "255 bytes"),
    ("é" * 128, "255 bytes"),
    ("a/" * 511 + "ab", "1024 bytes"),
]

#: keys that look odd and are allowed
ODD_KEYS = [
    "a",
    "...",
    "..a/b..",
    "a%2F..%2Fb",
    "100%.mp4",
    "a b+c.mp4",
    "-rf",
    "{RunId}",
    "a\\..\\b",
    "C:/x",
    "file:x",
    "\u202egnp.mp4",
    "clip 🎬/ünï.mp4",
    "a" * 255,
    "🎬" * 63,
    "a/" * 511 + "a",
]


class TestKeys:
    @pytest.mark.parametrize(("key", "reason"), HOSTILE_KEYS)
    def test_hostile_keys_are_refused(self, key: str, reason: str) -> None:
        with pytest.raises(InvalidInputError, match=reason) as caught:
            check_key(key)
        assert caught.value.code == Code.OBJECT_KEY
        str(caught.value).encode()  # can be printed

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_are_allowed(self, key: str) -> None:
        check_key(key)

    @given(
        st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "", "a", "%2e"])).map("/".join)
    )
    def test_what_is_allowed_stays_below_its_root(self, key: str) -> None:
        try:
            check_key(key)
        except InvalidInputError:
            return
        path = PurePosixPath("/root", key)
        assert path.parts[:2] == ("/", "root")
        assert len(path.parts) > 2
        assert ".." not in path.parts
        assert str(path) == f"/root/{key}"  # two keys never share a path
        assert "\0" not in key


class TestDecoding:
    @pytest.mark.parametrize(
        ("name", "decoded"),
        [
            ("transcode%2F%7BObjectPrefix%7D%7BFileName%7D", "transcode/{ObjectPrefix}{FileName}"),
            ("a%2fb", "a/b"),
            ("a+b%2Bc%20d", "a+b+c d"),
            ("%E4%B8%AD", "中"),
            ("plain/{FileName}", "plain/{FileName}"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("%252F", "%2F"),
        ],
    )
    def test_once_and_plus_stays(self, name: str, decoded: str) -> None:
        assert decode_object(name) == decoded

    def test_bytes_that_are_no_utf8(self) -> None:
        with pytest.raises(InvalidInputError, match="%FF") as caught:
            decode_object("a%FF")
        assert caught.value.code == Code.OBJECT_KEY

    @given(st.text())
    def test_undoes_encoding(self, name: str) -> None:
        if not any(0xD800 <= ord(c) < 0xE000 for c in name):
            assert decode_object(quote(name, safe="")) == name


class TestNames:
    @pytest.mark.parametrize(
        ("key", "prefix", "name", "extension"),
        [
            ("a/b/c.flv", "a/b/", "c", "flv"),
            ("c.flv", "", "c", "flv"),
            ("a/c", "a/", "c", ""),
            ("a.b/c", "a.b/", "c", ""),
            ("a/c.tar.gz", "a/", "c.tar", "gz"),
            ("a/.hidden", "a/", "", "hidden"),
            ("a/c.", "a/", "c", ""),
        ],
    )
    def test_parts_of_the_input(self, key: str, prefix: str, name: str, extension: str) -> None:
        names = Names.of(key)
        assert (names.object_prefix, names.file_name, names.ext_name) == (prefix, name, extension)

    @pytest.mark.parametrize(
        ("key", "template", "filled"),
        [
            ("a/b/c.flv", "{ObjectPrefix}{FileName}test.mp4", "a/b/ctest.mp4"),
            ("a/b/c.flv", "{ObjectPrefix}{FileName}{Count}.jpg", "a/b/c{Count}.jpg"),
            ("a/b/c/test.flv", "{ObjectPrefix}{FileName}-cn.srt", "a/b/c/test-cn.srt"),
            ("a/b/c.flv", "{FileName}.{ExtName}", "c.flv"),
            ("a/b/c.flv", "x/{RunId}/{MediaId}", f"x/{RUN_ID}/m"),
            ("a/b/c.flv", "{ObjectPrefix}/{FileName}", "a/b/c"),
            ("c.flv", "{ObjectPrefix}/{FileName}", "c"),
            ("a/c.flv", "x%2F%7BFileName%7D", "x/c"),
            ("a/c.flv", "{DestMd5}{Unknown}{}", "{DestMd5}{Unknown}{}"),
            # names of the input are values: neither decoded nor filled again
            ("a/100%20.flv", "%7BFileName%7D", "100%20"),
            ("a/{RunId}.flv", "{FileName}", "{RunId}"),
            ("中/+ .flv", "{ObjectPrefix}{FileName}", "中/+ "),
        ],
    )
    def test_filling(self, key: str, template: str, filled: str) -> None:
        assert Names.of(key, run_id=RUN_ID, media_id="m").fill(template) == filled

    def test_run_id_stays_while_there_is_none(self) -> None:
        assert Names.of("c.flv").fill("{RunId}/{FileName}") == "{RunId}/c"

    @given(
        st.from_regex(
            r"([a-z0-9 .%{}🎬]{1,8}/){0,3}[a-z0-9 %{}🎬]{1,8}(\.[a-z]{1,4})?", fullmatch=True
        )
    )
    def test_prefix_name_and_extension_make_the_key_again(self, key: str) -> None:
        names = Names.of(key)
        dot = "." if names.ext_name or key.endswith(".") else ""
        assert names.object_prefix + names.file_name + dot + names.ext_name == key
        assert names.fill("{ObjectPrefix}{FileName}") == names.object_prefix + names.file_name


def test_placeholders_of_a_template() -> None:
    template = "x%2F%7BFileName%7D{Count}{count_}{Bad}"
    assert placeholders_in(template) == ["FileName", "Count", "Bad"]
    assert unknown_placeholders(template, {"FileName", "Count"}) == ["Bad"]
