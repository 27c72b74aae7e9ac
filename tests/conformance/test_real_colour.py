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
from tests.support.dolby import dolby_vision
from tests.support.samples import sample_of
from tests.support.shown import PURE, fields, mastering, shown, tags
from tests.support.transcodes import HLS_COPY, MP4_COPY, ffprobe, near, output, plan, run
from workflow_engine.activity import Step
from workflow_engine.errors import ActivityError, Code

SDR = ("tv", "bt709", "bt709", "bt709")
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "10")
PRORES = ("-c:v", "prores_ks", "-profile:v", "3", "-color_primaries", "bt2020")
REGION = {"0": [{"l": 0.4, "t": 0.4, "w": 0.2, "h": 0.2}]}
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
        *("-x265-params", params, "-color_trc", transfer),
        *(options if "-c:v" in options else ("-tag:v", "hvc1", *options)),
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


@pytest.mark.proves("colour: HDR", by="RGB of decoded samples by the tags, metadata, warnings")
@pytest.mark.parametrize("name", ["hlg", "pq", "pq-mastered"])
def test_hdr_becomes_sdr(tmp_path: Path, media_dir: Path, name: str):
    source = hdr(media_dir, name)
    assert bool(mastering(source)) is ("mastered" in name)
    made = run(
        tmp_path,
        source,
        output(Video={"Width": "160", "Codec": "H.265"}),
        output(Video={"Width": "320"}),
        output(Video={"Width": "320", "Codec": "AV1", "Preset": None}),
        output(Video={"Width": "640"}, Container={"Format": "flv"}),
    )
    for n in range(4):
        assert tags(made[n]) == SDR
        assert tone_mapped(made[n]), shown(made[n])
        assert not mastering(made[n])
    (warning,) = {warning.message for warning in made.step.warnings if "HDR" in warning.message}
    assert "tone-mapped to SDR" in warning
    assert tone_mapped(snapshot(tmp_path, source))


@pytest.mark.proves("colour: samples of Analysis", by="RGB of a sample encode")
def test_analysis_sees_what_is_encoded(tmp_path: Path, media_dir: Path):
    source = hdr(media_dir, "hlg")
    sample = sample_of(tmp_path, source, 90)
    assert tags(sample) == SDR and tone_mapped(sample)


@pytest.mark.proves("colour: HDR", by="RGB of decoded samples by the tags, metadata, warnings")
def test_hdr_in_other_codecs_and_sizes(tmp_path: Path, media_dir: Path):
    vp9 = hdr(
        media_dir,
        "pq-vp9",
        *("-c:v", "libvpx-vp9", "-b:v", "1M", "-colorspace", "bt2020nc"),
        *("-color_primaries", "bt2020", "-color_range", "tv"),
    )
    prores = hdr(media_dir, "hlg-prores", *PRORES, "-f", "mov", size="640x360")
    for source in (vp9, prores):
        name = source.stem
        made = run(
            tmp_path / name,
            source,
            output(Video={"Width": "320"}, TransConfig={"TransMode": "twopass"}),
            output(Video={"Width": "320"}, Rotate="90", DeWatermark=REGION),
            output(Video={"Width": "320", "PixFmt": "yuv420p10le", "Codec": "H.265"}),
        )
        assert tone_mapped(made[0]), (name, shown(made[0]))
        assert tone_mapped(made[2]), (name, shown(made[2]))
        assert {tags(made[n]) for n in range(3)} == {SDR}
        white = shown(made[1])[2]  # turned clockwise: bottom right became bottom left
        assert min(white) > 200, (name, white)


@pytest.mark.proves("colour: wide gamut without HDR", by="RGB of decoded samples by the tags")
@pytest.mark.parametrize(("primaries", "matrix"), [("2020", "2020_ncl"), ("smpte432", "709")])
def test_wide_gamut_becomes_bt709(tmp_path: Path, media_dir: Path, primaries: str, matrix: str):
    source = made(
        media_dir,
        f"wide-{primaries}.mp4",
        "-vf",
        f"format=gbrpf32le,zscale=min=gbr:tin=709:pin=709:rin=full:m={matrix}:t=709:p={primaries}"
        ":r=limited,format=yuv420p",
        *X264,
    )
    red = shown(source)[0]
    # the file is not what it looks like to those who do not read its tags
    assert primaries == "2020" or not near(red, PURE[0], 10)
    made_ = run(tmp_path, source, output(Video={"Width": "320"}))
    assert tags(made_[0]) == SDR
    assert pure(made_[0], 24), shown(made_[0])
    assert pure(snapshot(tmp_path, source), 24)
    assert not [one for one in made_.step.warnings if "HDR" in one.message]


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


@pytest.mark.proves("colour: no tags", by="RGB of decoded samples by the tags")
def test_interlaced_and_wide_screen_standard_definition(tmp_path: Path, media_dir: Path):
    source = made(
        media_dir,
        "pal.ts",
        *("-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p,setsar=16/11"),
        *("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "2"),
        size="360x288",
    )
    made_ = run(
        tmp_path,
        source,
        output(Video={"Width": "512", "ScanMode": "interlaced"}),
        output(Video={"Width": "512", "PixFmt": "yuvj420p"}),
    )
    assert [tags(made_[n]) for n in range(2)] == [SDR, ("pc", *SDR[1:])]
    assert pure(made_[0]) and pure(made_[1])


@pytest.mark.proves("colour: contradicting tags", by="RGB of decoded samples, warnings")
@pytest.mark.parametrize(
    ("tagged", "told"),
    [
        # PQ over 8 bits that are BT.709 by everything else; RGB over samples that are none
        ("transfer_characteristics=16", "smpte2084"),
        ("matrix_coefficients=0", "gbr"),
    ],
    ids=["transfer", "matrix"],
)
def test_contradicting_tags(tmp_path: Path, media_dir: Path, tagged: str, told: str):
    source = made(
        media_dir,
        f"contradiction-{told}.mp4",
        *("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", *X264),
        *("-bsf:v", f"h264_metadata={tagged}"),
        size="1280x720",
    )
    assert told in tags(source)
    made_ = run(tmp_path, source, output(Video={"Width": "320"}))
    assert tags(made_[0]) == SDR
    assert pure(made_[0]), shown(made_[0])
    (warning,) = {one.message for one in made_.step.warnings}
    assert told in warning and "contradict" in warning


@pytest.mark.proves("colour: transparency", by="RGB of decoded samples")
@pytest.mark.parametrize(
    "options",
    [
        ("alpha.mov", "-c:v", "qtrle"),
        ("alpha-png.mov", "-c:v", "png"),
        ("alpha-prores.mov", "-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
        (
            "alpha-palette.mov",
            *("-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse"),
            *("-c:v", "png", "-pix_fmt", "pal8"),
        ),
        ("alpha.gif", "-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse"),
    ],
    ids=lambda options: options[0],
)
def test_what_is_transparent_lies_on_black(tmp_path: Path, media_dir: Path, options: tuple):
    source = made(media_dir, *options, alpha=True)
    made_ = run(
        tmp_path,
        source,
        output(Video={"Width": "320"}),
        output(Video={"Width": "160", "Codec": "H.265"}),
        output(
            Container={"Format": "gif"},
            Video={"Width": "160", "Codec": "GIF", "PixFmt": "bgr8", "Preset": None},
        ),
    )
    for n in range(3):
        assert pure(made_[n], 8), shown(made_[n])
    assert {tags(made_[n]) for n in range(2)} == {SDR}
    assert pure(snapshot(tmp_path, source), 8)


@pytest.mark.proves("colour: GIF and WebP outputs", by="RGB of decoded samples")
@pytest.mark.parametrize("kind", ["sdr", "hlg"])
def test_moving_pictures(tmp_path: Path, media_dir: Path, kind: str):
    # a WebP of equal frames is a still picture
    moving = "drawbox=80:25:8:8:gray:fill:enable=lt(mod(t\\,0.4)\\,0.2)"
    if kind == "sdr":
        filters = f"{moving},scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
        source = made(media_dir, "moving-709.mp4", "-vf", filters, *X264)
    else:
        filters = f"{moving},{_TO_HDR.format(HDR[kind])}"
        source = hdr(media_dir, f"{kind}-moving", "-vf", filters)
    small = {"Width": "160", "Preset": None}
    made_ = run(
        tmp_path,
        source,
        output(Container={"Format": "gif"}, Video=small | {"Codec": "GIF", "PixFmt": "bgr8"}),
        output(Container={"Format": "webp"}, Video=small | {"Codec": "WEBP"}),
    )
    for n in range(2):
        assert tone_mapped(made_[n]), shown(made_[n])


@pytest.mark.proves("colour: parts of several colours", by="RGB of decoded samples at times")
def test_each_part_is_converted_by_its_own_tags(tmp_path: Path, media_dir: Path):
    to_601 = ("-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p")
    forget = "setparams=colorspace=unknown:range=unknown"
    objects = {
        "side/hlg.mp4": hdr(media_dir, "hlg"),
        "side/rgb.mp4": made(media_dir, "rgb-part.mp4", "-c:v", "libx264rgb", "-crf", "10"),
        "side/full.mp4": made(
            media_dir,
            "full-part.mp4",
            *("-vf", f"scale=out_color_matrix=bt601:out_range=pc,{forget},format=yuvj420p", *X264),
        ),
    }
    source = made(media_dir, "main-601.mp4", to_601[0], f"{to_601[1]},{forget}", *X264)
    made_ = run(
        tmp_path,
        source,
        output(
            Video={"Width": "320", "Height": "180"},
            MergeList=[{"MergeURL": f"oss://{name}"} for name in objects],
            TailSlateList=[{"TailUrl": "oss://side/rgb.mp4", "BlendDuration": "0"}],
        ),
        output(
            Video={"Width": "320", "Height": "180"},
            OpeningList=[{"openUrl": "oss://side/full.mp4", "Width": "full", "Height": "full"}],
        ),
        objects=objects,
    )
    for at, by in ((0.5, 6), (2.5, 6), (3.5, 6), (4.5, 6)):
        found = shown(made_[0], at)
        assert all(near(*pair, by) for pair in zip(found, PURE, strict=True)), (at, found)
    red = shown(made_[0], 1.5)[0]
    assert 200 < red[0] < 230 and max(red[1:]) < 30
    assert {tags(made_[n]) for n in range(2)} == {SDR}
    assert pure(made_[1]), shown(made_[1])


KEPT = {"Width": "160", "PixFmt": "yuv420p10le", "Hdr": "Keep"}
HEVC = KEPT | {"Codec": "H.265"}
AV1 = KEPT | {"Codec": "AV1", "Preset": None}


@pytest.mark.proves("Video.Hdr", by="RGB, tags and metadata of decoded frames, warnings")
@pytest.mark.parametrize("name", ["hlg", "pq-mastered"])
def test_hdr_is_kept_when_asked(tmp_path: Path, media_dir: Path, name: str):
    source = hdr(media_dir, name)
    made_ = run(
        tmp_path,
        source,
        output(Video=HEVC),
        output(Video=AV1),
        output(Video=HEVC | {"Bitrate": "200"}, TransConfig={"TransMode": "twopass"}),
        output(Video={"Width": "160", "Hdr": "ToSdr"}),
    )
    for n in range(3):
        assert tags(made_[n]) == ("tv", "bt2020nc", HDR[name[:3].rstrip("-")], "bt2020")
        found = zip(shown(made_[n]), shown(source), strict=True)
        assert all(near(*pair, 30) for pair in found), (n, shown(made_[n]), shown(source))
        assert mastering(made_[n]) == mastering(source)
    assert tags(made_[3]) == SDR and tone_mapped(made_[3])
    (warning,) = {one.pointer for one in made_.step.warnings}
    assert warning == "/Outputs/3"


@pytest.mark.proves("Video.Hdr", by="RGB, tags and metadata of decoded frames, warnings")
def test_there_is_no_hdr_to_keep(tmp_path: Path, media_dir: Path):
    source = made(media_dir, "sdr.mp4", "-c:v", "libx264rgb", "-crf", "10")
    made_ = run(tmp_path, source, output(Video=HEVC))
    assert tags(made_[0]) == SDR and pure(made_[0])
    (warning,) = made_.step.warnings
    assert warning.pointer == "/Outputs/0/Video/Hdr" and "not HDR" in warning.message


@pytest.mark.proves("colour: Dolby Vision", by="RGB of decoded samples, records, errors")
def test_dolby_vision_counts_as_its_base_layer(tmp_path: Path, media_dir: Path):
    source = dolby_vision(hdr(media_dir, "hlg"), 8, 4)
    made_ = run(tmp_path, source, output(Video={"Width": "160"}), output(Video=HEVC))
    assert tags(made_[0]) == SDR and tone_mapped(made_[0])
    assert tags(made_[1])[2] == HDR["hlg"] and not dolby(made_[1])
    # a base layer that says nothing of itself: the record does
    bare = media.make(
        media_dir / "bare.mp4",
        *("-i", str(hdr(media_dir, "pq")), "-c", "copy", "-tag:v", "hvc1"),
        *("-bsf:v", "hevc_metadata=transfer_characteristics=2:colour_primaries=2"),
    )
    # the container repeats what the stream said
    bare.write_bytes(bare.read_bytes().replace(b"colrnclx", b"freenclx"))
    assert tags(bare)[2] == "-"
    made_ = run(tmp_path / "bare", dolby_vision(bare, 8, 1), output(Video={"Width": "160"}))
    assert tone_mapped(made_[0])


@pytest.mark.proves("colour: Dolby Vision", by="RGB of decoded samples, records, errors")
def test_dolby_vision_without_a_base_layer_is_refused(tmp_path: Path, media_dir: Path):
    source = dolby_vision(hdr(media_dir, "pq"), 5, 0)
    for asked in (output(), output(Video=HEVC), output(HLS_COPY)):
        with pytest.raises(ActivityError) as caught:
            plan(source, asked)
        assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
        assert "Dolby Vision" in caught.value.message
    with pytest.raises(ActivityError) as caught:
        snapshot(tmp_path, source)
    assert caught.value.code == Code.RESOURCE_NOT_SUPPORTED
    # a remux that can say what it is stays what it is
    copy = run(tmp_path, source, output(MP4_COPY))[0]
    assert dolby(copy) == dolby(source) != []


def dolby(path: Path) -> list[dict]:
    found = ffprobe(path, "-show_streams", "-select_streams", "v:0")["streams"][0]
    return [one for one in found.get("side_data_list", ()) if "dv_profile" in one]


@pytest.mark.proves("colour: YCgCo, constant luminance", by="RGB of decoded samples by the tags")
@pytest.mark.parametrize(
    ("matrix", "name", "primaries"),
    [("ycgco", "YCgCo", "bt709"), ("2020_cl", "bt2020c", "bt2020"), ("ycgco", "YCgCo", "bt2020")],
)
def test_matrices_that_scale_does_not_know(
    tmp_path: Path, media_dir: Path, matrix: str, name: str, primaries: str
):
    wide = {"bt709": "709", "bt2020": "2020"}[primaries]
    to = f"zscale=min=gbr:rin=full:tin=709:pin=709:m={matrix}:t=709:p={wide}:r=limited"
    params = f"colormatrix={name}:colorprim={primaries}:transfer=bt709"
    source = made(
        media_dir,
        f"{name}-{primaries}.mp4",
        *(
            "-vf",
            f"{to},format=yuv444p",
            *X264,
            "-x264-params",
            params,
            "-colorspace",
            name.lower(),
        ),
    )
    assert tags(source)[1] == name.lower()
    # eight bits are few for wide colours, of which those of BT.709 are a part
    by = 6 if primaries == "bt709" else 24
    made_of_it = run(tmp_path, source, output(Video={"Width": "160"}), output())
    for n in range(2):
        assert tags(made_of_it[n]) == SDR
        assert pure(made_of_it[n], by), shown(made_of_it[n])
    assert pure(snapshot(tmp_path, source), by)
    assert tags(sample_of(tmp_path, source, 90)) == SDR
