"""Encrypted segments are decrypted, playlists are read by a parser of their own."""

import base64
import hashlib

import m3u8
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from pydantic import ValidationError

from tests.support import media
from tests.support.transcodes import HLS, HLS_COPY, MP4, frame_numbers, output, packets, plan, run
from workflow_engine.errors import ActivityError, Code

SECRET, URI = b"encryptionkey128", "https://example.com/keys?id=1&b=%20"
CLOSED = {
    "Type": "hls-aes-128",
    "KeyType": "Base64",
    "Key": base64.b64encode(SECRET).decode(),
    "KeyUri": base64.b64encode(URI.encode()).decode(),
}
SECONDS = {"Segment": {"Duration": "1"}}


def playlist_of(made, n=0):
    return m3u8.loads(made[n].read_text())


def opened(segment, content, secret):
    """A segment in the clear, as RFC 8216 says: the IV is given, or the sequence number."""
    iv = int(segment.key.iv, 16) if segment.key.iv else segment.media_sequence
    cipher = Cipher(algorithms.AES(secret), modes.CBC(iv.to_bytes(16, "big"))).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(cipher.update(content) + cipher.finalize()) + unpadder.finalize()


@pytest.mark.proves("Encryption.Type", "Encryption.Key", "Encryption.KeyType", by="decryption")
@pytest.mark.proves("Encryption.KeyUri", by="m3u8")
def test_encrypted_segments(tmp_path, media_dir):
    source = media.with_sound(media.numbered(media_dir, 2), "mp4", sound=2)
    made = run(
        tmp_path,
        source,
        output(HLS, Video={"Width": "160"}, MuxConfig=SECONDS, Encryption=CLOSED),
        output(HLS_COPY, MuxConfig=SECONDS, Encryption=CLOSED),
    )
    for n in range(2):
        playlist = playlist_of(made, n)
        assert {(s.key.method, s.key.uri) for s in playlist.segments} == {("AES-128", URI)}
        clear = tmp_path / f"clear-{n}.ts"
        closed = [one.path.read_bytes() for one in made.segments(n)]
        assert all(content[:1] != b"\x47" for content in closed)
        parts = [opened(*pair, SECRET) for pair in zip(playlist.segments, closed, strict=True)]
        assert all(part[:1] == b"\x47" for part in parts)
        clear.write_bytes(b"".join(parts))
        assert frame_numbers(clear) == list(range(50)) and packets(clear, "a")
    assert [one.path.name for one in made.result.outputs if "key" in one.path.name] == []


def test_the_key_is_in_no_plan(media_dir):
    step = plan(media.numbered(media_dir, 2), output(HLS, Encryption=CLOSED))
    told = f"{step.identity} {step.commands} {step.resolved}"
    assert CLOSED["Key"] not in told and SECRET.decode() not in told
    assert hashlib.sha256(SECRET).hexdigest() in str(step.identity)


def test_padding_may_be_missing(media_dir):
    """As in the reference, whose own sample of a key has none."""
    bare = {name: CLOSED[name].rstrip("=") for name in ("Key", "KeyUri")}
    assert all(bare[name] != CLOSED[name] for name in bare)
    steps = [
        plan(media.numbered(media_dir, 2), output(HLS, Encryption=CLOSED | changes))
        for changes in ({}, bare)
    ]
    assert steps[0].identity == steps[1].identity


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"KeyType": "KMS"}, Code.NOT_SUPPORTED),
        ({"Key": base64.b64encode(b"short").decode()}, Code.OUT_OF_RANGE),
        ({"Key": "no base64!"}, Code.FORMAT),
        ({"KeyUri": base64.b64encode(b'a"b').decode()}, Code.FORMAT),
        ({"Type": "hls-aes-256"}, Code.INVALID),
    ],
)
def test_other_keys_are_refused(media_dir, changes, code):
    with pytest.raises(ValidationError) as caught:
        plan(media.numbered(media_dir, 2), output(HLS, Encryption=CLOSED | changes))
    (error,) = caught.value.errors()
    assert error["type"] == code and error["loc"][-1] == next(iter(changes))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"TemplateId": MP4, "Encryption": CLOSED}, "/Encryption"),
        ({"TemplateId": MP4, "M3U8NonStandardSupport": {"TS": {}}}, "/M3U8NonStandardSupport"),
        (
            {
                "TemplateId": HLS,
                "Encryption": CLOSED,
                "MuxConfig": {"Segment": {"ForceSegTime": "1"}},
            },
            "/Encryption",
        ),
    ],
)
def test_where_there_is_no_encryption(media_dir, fields, pointer):
    with pytest.raises(ActivityError) as caught:
        plan(media.numbered(media_dir, 2), fields)
    assert (caught.value.code, caught.value.pointer) == (Code.NOT_SUPPORTED, f"/Outputs/0{pointer}")


@pytest.mark.proves("M3U8NonStandardSupport.TS.Md5Support", by="MD5 of the segments")
@pytest.mark.proves("M3U8NonStandardSupport.TS.SizeSupport", by="size of the segments")
def test_what_a_playlist_says_of_its_segments(tmp_path, media_dir):
    words = [{"Md5Support": True, "SizeSupport": "true"}, {"SizeSupport": True}, {}]
    made = run(
        tmp_path,
        media.numbered(media_dir, 2),
        *(
            output(
                HLS,
                Video={"Width": "160"},
                MuxConfig=SECONDS,
                M3U8NonStandardSupport={"TS": word},
                Encryption=CLOSED,
            )
            for word in words
        ),
    )
    for n, word in enumerate(words):
        lines = made[n].read_text().splitlines()
        assert len(playlist_of(made, n).segments) == 2
        for one in made.segments(n):
            content = one.path.read_bytes()
            at = lines.index(one.ref.object.rpartition("/")[2])
            expected = [
                *([f"#EXT-X-TS-MD5:{hashlib.md5(content).hexdigest()}"] * ("Md5Support" in word)),
                *([f"#EXT-X-TS-SIZE:{len(content)}"] * ("SizeSupport" in word)),
            ]
            assert lines[at - len(expected) : at] == expected
    assert "TS-" not in made[2].read_text()
