"""Colours of sources as people have them: HDR, BT.601, RGB, full range, transparency.

Measured with `tests.support.shown`: decoded samples and the tags of the finished file.
"""

import json
from pathlib import Path

import pytest

from activities.probe import MediaInfo
from activities.snapshot import Snapshot, SnapshotParameters
from tests.support import media
from tests.support.context import make_context, make_plan_context
from tests.support.shown import PURE, fields, shown, tags
from tests.support.transcodes import near, output, run
from workflow_engine.activity import Step

SDR = ("tv", "bt709", "bt709", "bt709")
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "10")
HDR = {"hlg": "arib-std-b67", "pq": "smpte2084"}
_TO_HDR = (
    "format=gbrpf32le,zscale=min=gbr:tin=709:pin=709:rin=full:m=2020_ncl:t={0}:p=2020:r=limited:"
    "npl=203,format=yuv420p10le"
)


def made(directory: Path, name: str, *options: str, **how) -> Path:
    return media.make(directory / name, "-f", "lavfi", "-i", fields(**how), *options)


def hdr(directory: Path, name: str, *options: str, **how) -> Path:
    """The colour fields in PQ or HLG, white at 203 nits, as x265 writes phone films."""
    transfer = HDR[name.partition("-")[0]]
    params = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    if "mastered" in name:
        params += ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
        params += "L(40000000,50):max-cll=4000,400"
    return made(
        directory,
        f"{name}.mp4",
        *("-vf", _TO_HDR.format(transfer), "-c:v", "libx265", "-preset", "veryfast", "-crf", "12"),
        *("-x265-params", params, "-color_trc", transfer, *options),
        **how,
    )


def snapshot(tmp_path: Path, source: Path) -> Path:
    target = {"Bucket": "out-bucket", "Location": "local", "Object": "cover.jpg"}
    config = {"OutputFile": target, "Time": "0", "FrameType": "normal"}
    parameters = SnapshotParameters.model_validate({"SnapshotConfig": json.dumps(config)})
    context = make_plan_context(source, media=MediaInfo.of(source).to_json())
    step = Snapshot().plan(parameters, context)
    assert isinstance(step, Step)
    work = tmp_path / "cover"
    work.mkdir()
    return Snapshot().run(step, make_context(work, source)).outputs[0].path


def pure(path: Path, by: int = 6) -> bool:
    return all(near(found, wanted, by) for found, wanted in zip(shown(path), PURE, strict=True))


def tone_mapped(path: Path) -> bool:
    """White bright, colours strong and black black, as far as a curve of highlights permits."""
    *colours, white, black = shown(path)
    for n, colour in enumerate(colours):
        others = [value for m, value in enumerate(colour) if m != n]
        if colour[n] < 140 or colour[n] - max(others) < 100:
            return False
    return min(white) > 200 and max(black) < 10


@pytest.mark.proves("colour: HDR", by="RGB of decoded samples by the tags, warnings")
@pytest.mark.parametrize("name", ["hlg", "pq", "pq-mastered"])
def test_hdr_becomes_sdr(tmp_path: Path, media_dir: Path, name: str):
    source = hdr(media_dir, name)
    made = run(
        tmp_path,
        source,
        output(Video={"Width": "320"}),
        output(Video={"Width": "160", "Codec": "H.265"}),
        output(Video={"Width": "320", "Codec": "AV1", "Preset": None}),
        output(Video={"Width": "640"}, Container={"Format": "flv"}),
    )
    for n in range(4):
        assert tags(made[n]) == SDR
        assert tone_mapped(made[n]), shown(made[n])
    (warning,) = {warning.message for warning in made.step.warnings if "HDR" in warning.message}
    assert "tone-mapped to SDR" in warning
    assert tone_mapped(snapshot(tmp_path, source))


@pytest.mark.proves("colour: no tags", by="RGB of decoded samples by the tags")
@pytest.mark.parametrize(("size", "matrix"), [("1280x720", "bt709"), ("640x360", "bt601")])
def test_untagged_sources_are_what_their_size_says(
    tmp_path: Path, media_dir: Path, size: str, matrix: str
):
    forget = "setparams=colorspace=unknown:range=unknown"
    source = made(
        media_dir,
        f"untagged-{size}.mp4",
        *("-vf", f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p,{forget}", *X264),
        size=size,
    )
    assert tags(source) == ("-",) * 4
    made_ = run(tmp_path, source, *(output(Video={"Width": w}) for w in ("1280", "640", "320")))
    for n in range(3):
        assert tags(made_[n]) == SDR
        assert pure(made_[n]), shown(made_[n])
    assert pure(snapshot(tmp_path, source))


@pytest.mark.proves("colour: RGB and full range", by="RGB of decoded samples by the tags")
@pytest.mark.parametrize(
    "options",
    [
        ("rgb.mp4", "-c:v", "libx264rgb", "-preset", "veryfast", "-crf", "10"),
        ("png.mov", "-c:v", "png"),
        ("full.mp4", "-vf", "scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p", *X264),
        ("mjpeg.avi", "-vf", "scale=out_color_matrix=bt601:out_range=pc", "-c:v", "mjpeg"),
    ],
    ids=lambda options: options[0],
)
def test_rgb_and_full_range_become_limited(tmp_path: Path, media_dir: Path, options: tuple):
    source = made(media_dir, *options, size="1280x720")
    made_ = run(
        tmp_path,
        source,
        output(Video={"Width": "1280"}),
        output(Video={"Width": "320", "Codec": "H.265"}),
    )
    for n in range(2):
        assert tags(made_[n]) == SDR
        assert pure(made_[n]), shown(made_[n])
    assert pure(snapshot(tmp_path, source))
