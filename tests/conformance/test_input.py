"""Raw sound as the input: what its description changes, measured on the decoded output."""

from array import array

import pytest

from activities.probe import RAW_FORMATS, RawSound
from tests.support import media
from tests.support.transcodes import decoded, heard, loudness, output, run, sound_seconds

RATE = 44100
#: of 16 bits: what eight bits, linear or not, may be off at half the loudness
COARSE = 700


def raw(directory, form: str, channels: int = 2, rate: int = RATE):
    """Two seconds without a container; each channel has a tone of its own."""
    tones = [f"0.5*sin(2*PI*t*{400 * 2**n})" for n in range(channels)]
    source = (
        f"aevalsrc='{'|'.join(tones)}':channel_layout={channels}c:sample_rate={rate}:duration=2"
    )
    return media.make(
        directory / f"{form}-{channels}-{rate}.raw", *("-f", "lavfi", "-i", source, "-f", form)
    )


def flac(**audio):
    return output(
        "S00000001-300010",
        Container={"Format": "flac"},
        Audio={"Codec": "FLAC", "Samplerate": str(RATE), **audio},
    )


def samples(path) -> array:
    return array("h", decoded(path, "-f", "s16le"))


@pytest.mark.proves("Input.Container.Format", by="decoded samples")
def test_formats_of_raw_sound(tmp_path, media_dir):
    wanted = array("h", raw(media_dir, "s16le").read_bytes())
    for form in RAW_FORMATS:
        described = RawSound(format=form, channels=2, samplerate=RATE)
        work = tmp_path / form
        work.mkdir()
        made = run(work, raw(media_dir, form), flac(), raw=described)
        found = samples(made[0])
        off = max(abs(a - b) for a, b in zip(found, wanted, strict=True))
        assert off <= (COARSE if form in ("alaw", "mulaw", "s8", "u8") else 1), form


@pytest.mark.proves("Input.Audio.Channels", by="decoded sound")
@pytest.mark.proves("Input.Audio.Samplerate", by="decoded sound")
def test_channels_and_rate_of_raw_sound(tmp_path, media_dir):
    file = raw(media_dir, "s16le", rate=22050)
    for rate, channels, tones in ((22050, 2, (400, 800)), (11025, 2, (200, 400))):
        described = RawSound(format="s16le", channels=channels, samplerate=rate)
        work = tmp_path / f"{rate}-{channels}"
        work.mkdir()
        made = run(work, file, flac(), raw=described)
        assert sound_seconds(made[0]) == pytest.approx(2 * 22050 / rate, abs=0.01)
        left = media.make(work / "left.wav", "-i", str(made[0]), "-af", "pan=mono|c0=c0")
        right = media.make(work / "right.wav", "-i", str(made[0]), "-af", "pan=mono|c0=c1")
        assert heard(left, 0.5, *tones) == pytest.approx([0.5, 0], abs=0.02)
        assert heard(right, 0.5, *tones) == pytest.approx([0, 0.5], abs=0.02)
    one = RawSound(format="s16le", channels=1, samplerate=22050)
    made = run(tmp_path, file, flac(), raw=one)
    assert sound_seconds(made[0]) == pytest.approx(4, abs=0.01)


def test_what_is_done_with_raw_sound(tmp_path, media_dir):
    file = raw(media_dir, "u24be", channels=1, rate=8000)
    described = RawSound(format="u24be", channels=1, samplerate=8000)
    clip = {"TimeSpan": {"Seek": "0.5", "Duration": "1"}}
    quiet = {"Volume": {"Method": "linear", "Level": "-30"}, "Channels": "1"}
    twice = [{"AmixURL": "input", "Map": "0:a:0"}]
    work = tmp_path / "clipped"
    work.mkdir()
    made = run(tmp_path, file, flac(**quiet), flac(Channels="1"), raw=described)
    assert loudness(made[0])["mean"] == pytest.approx(-30, abs=0.2)
    assert loudness(made[1])["mean"] == pytest.approx(-9, abs=0.2)
    made = run(work, file, {**flac(), "Clip": clip, "Amix": twice}, raw=described)
    assert sound_seconds(made[0]) == pytest.approx(1, abs=0.01)
    assert heard(made[0], 0.5, 400)[0] == pytest.approx(1, abs=0.05)
