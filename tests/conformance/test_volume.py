"""Loudness of the finished files, measured by EBU R 128 and as mean level."""

import pytest

from tests.support import media
from tests.support.transcodes import MP3, decoded, loudness, output, run
from workflow_engine.errors import ActivityError, Code

BARE = {"Video": {"Remove": "true"}}


@pytest.fixture(scope="module")
def uneven_sound(media_dir):
    """Twelve seconds: a quiet half and a loud half of pink noise, 15 dB apart."""
    return media.make(
        media_dir / "uneven-sound.wav",
        *("-f", "lavfi", "-i", "anoisesrc=c=pink:d=12:r=44100:seed=1:a=0.5"),
        *("-af", "volume='if(lt(t,6),0.03,0.17)':eval=frame", "-ac", "2"),
    )


def sound(volume, **fields):
    """A lossless output, so that the encoder adds nothing to the levels."""
    flac = {"Codec": "FLAC", "Volume": volume}
    return output(**BARE, Container={"Format": "flac"}, Audio=flac, **fields)


@pytest.mark.proves("Audio.Volume dynamic", by="ebur128")
@pytest.mark.proves("Audio.Volume.IntegratedLoudnessTarget", by="ebur128")
@pytest.mark.proves("Audio.Volume.TruePeak", "Audio.Volume.LoudnessRangeTarget", by="ebur128")
def test_dynamic_targets(tmp_path, uneven_sound):
    targets = {"Method": "dynamic", "TruePeak": "-3", "LoudnessRangeTarget": "5"}
    made = run(
        tmp_path,
        uneven_sound,
        sound(targets | {"IntegratedLoudnessTarget": "-16"}),
        sound(targets | {"IntegratedLoudnessTarget": "-24"}),
        sound({"Method": "dynamic"}),
    )
    before = loudness(uneven_sound)
    assert before["range"] > 10
    found = [loudness(made[n]) for n in range(3)]
    for one, target in zip(found, (-16, -24), strict=False):
        assert one["integrated"] == pytest.approx(target, abs=1.5)
        assert one["range"] < 6
        assert one["peak"] < -2.5
    # the default is as loud as the peaks let it be
    assert found[2]["integrated"] > found[0]["integrated"] + 2


@pytest.mark.proves("Audio.Volume linear", "Audio.Volume.Level", by="volumedetect")
def test_one_gain(tmp_path, uneven_sound):
    made = run(
        tmp_path,
        uneven_sound,
        sound({"Method": "linear"}),
        sound({"Method": "linear", "Level": "-30"}),
        sound({"Method": "linear", "Level": "-1"}),
        output(MP3, Audio={"Channels": "1", "Volume": {"Method": "linear", "Level": "-26"}}),
    )
    before, found = loudness(uneven_sound), [loudness(made[n]) for n in range(4)]
    assert [one["mean"] for one in found[:2]] == pytest.approx([-20, -30], abs=0.3)
    # the distance of quiet and loud stays
    assert found[0]["range"] == pytest.approx(before["range"], abs=0.5)
    # no further than the peaks
    assert -1.5 < found[2]["highest"] <= 0 and found[2]["mean"] < -5
    assert found[3]["mean"] == pytest.approx(-26, abs=0.6)  # an mp3


@pytest.mark.proves("Audio.Volume auto", by="ebur128")
def test_auto(tmp_path, uneven_sound, media_dir):
    quiet = media.make(
        media_dir / "quiet.wav",
        *("-f", "lavfi", "-i", "anoisesrc=c=pink:d=4:r=44100:seed=1:a=0.02", "-ac", "2"),
    )
    silent = media.make(media_dir / "silent.wav", "-f", "lavfi", "-i", "anullsrc=d=1:r=44100")
    for n, source in enumerate((quiet, uneven_sound)):
        made = run(tmp_path / str(n), source, sound({"Method": "auto"}), sound({"Level": "-14"}))
        found = [loudness(made[n])["integrated"] for n in range(2)]
        assert found[0] == pytest.approx(-24, abs=0.7)
        assert found[1] == pytest.approx(-14, abs=1.5)
    hushed = run(tmp_path / "silent", silent, sound({"Method": "auto"}))
    assert not any(decoded(hushed[0], "-f", "s16le"))


def test_only_the_part_that_is_taken_counts(tmp_path, uneven_sound):
    made = run(
        tmp_path,
        uneven_sound,
        sound({"Method": "linear"}, Clip={"TimeSpan": {"End": "7"}}),
        sound({"Method": "linear"}, Clip={"TimeSpan": {"Seek": "7"}}),
    )
    assert [loudness(made[n])["mean"] for n in range(2)] == pytest.approx([-20, -20], abs=0.3)


@pytest.mark.parametrize(
    "volume", [{"Method": "dynamic", "Level": "-20"}, {"Method": "linear", "TruePeak": "-1"}]
)
def test_fields_of_other_methods_are_refused(tmp_path, uneven_sound, volume):
    with pytest.raises(ActivityError) as caught:
        run(tmp_path, uneven_sound, sound(volume))
    assert caught.value.code == Code.NOT_SUPPORTED
    assert caught.value.pointer == f"/Outputs/0/Audio/Volume/{list(volume)[1]}"
