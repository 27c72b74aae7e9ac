"""Colours as a player shows them, computed from decoded samples and the tags of the file.

ffmpeg only decodes here: matrix, range and HDR are computed below, so that what converts colours
in the product is not what measures them. `fields` is the picture that everything is measured on.
"""

import math
import re
import subprocess
from pathlib import Path

from activities.ffmpeg import ffmpeg_path
from tests.support.transcodes import ffprobe

Rgb = tuple[int, int, int]

#: what `fields` shows: top left, top right, bottom left, bottom right, middle
PURE: list[Rgb] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]

_POINTS = ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.5, 0.5))
#: weights of red and blue in the luma
_BT601, _BT709, _BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
_WEIGHTS = {"bt709": _BT709, "smpte170m": _BT601, "bt470bg": _BT601, "bt2020nc": _BT2020}
#: nits of white inside HDR
_WHITE = 203.0


def fields(size: str = "320x180", seconds: float = 1, *, alpha: bool = False) -> str:
    """Return the source of `-f lavfi -i`: black in RGB, with a pure colour in each corner.

    With `alpha`, the black in the middle is transparent white instead.
    """
    ground = "white@0.0" if alpha else "black"
    boxes = (("0:0", "red"), ("iw*3/4:0", "lime"), ("0:ih*3/4", "blue"), ("iw*3/4:ih*3/4", "white"))
    drawn = ",".join(f"drawbox={at}:iw/4:ih/4:{name}:fill:replace=1" for at, name in boxes)
    form = "rgba" if alpha else "rgb24"
    return f"color={ground}:size={size}:rate=25:duration={seconds:g},format={form},{drawn}"


def tags(path: Path) -> tuple[str, ...]:
    """Return range, matrix, transfer and primaries of the first video stream."""
    names = ("range", "space", "transfer", "primaries")
    return tuple(_video(path).get(f"color_{name}", "-") for name in names)


def mastering(path: Path) -> set[str]:
    """Return what the first frame says of the screen of HDR, and of how bright it becomes."""
    command = [str(ffmpeg_path()), "-i", str(path), "-vf", "showinfo", "-frames:v", "1"]
    done = subprocess.run(
        [*command, "-f", "null", "-"], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    found = re.findall(r"side data - ((?:Mastering|Content).*)", done.stderr.decode())
    return {re.sub(r"min_luminance=[\d.]+, ", "", one) for one in found}


def shown(path: Path, at: float = 0) -> list[Rgb]:
    """Return the colours of the five points of `fields` at a time in seconds."""
    video = _video(path)
    width, height, form = video["width"], video["height"], video.get("pix_fmt", "")
    yuv = re.fullmatch(r"yuvj?a?(420|422|444)p(10|12)?(?:le)?", form)
    if yuv is None:
        # ffprobe does not know the size of every WebP
        data = _decoded(path, at, "-vf", "format=rgb24,scale=40:40:flags=area")
        return [_three(data[3 * _place(point, 40, 40) :][:3]) for point in _POINTS]
    bits, chroma = int(yuv[2] or 8), yuv[1]
    data = memoryview(_decoded(path, at))
    samples = data.cast("H") if bits > 8 else data
    wide = width if chroma == "444" else -(-width // 2)
    high = -(-height // 2) if chroma == "420" else height
    found: list[Rgb] = []
    for x, y in _POINTS:
        below = int(y * high) * wide + int(x * wide)
        luma = samples[_place((x, y), width, height)] / 2 ** (bits - 8)
        u = samples[width * height + below] / 2 ** (bits - 8)
        v = samples[width * height + wide * high + below] / 2 ** (bits - 8)
        found.append(_seen(_rgb(luma, u, v, video), video))
    return found


def _place(point: tuple[float, float], width: int, height: int) -> int:
    return int(point[1] * height) * width + int(point[0] * width)


def _three(values: bytes) -> Rgb:
    red, green, blue = values
    return red, green, blue


def _video(path: Path) -> dict:
    return ffprobe(path, "-show_streams", "-select_streams", "v:0")["streams"][0]


def _decoded(path: Path, at: float, *options: str) -> bytes:
    seek = ("-ss", f"{at:g}") if at else ()
    command = [str(ffmpeg_path()), "-v", "error", *seek, "-i", str(path), "-map", "0:v:0"]
    command += ["-frames:v", "1", *options, "-f", "rawvideo", "-"]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.stdout, f"{path} has no picture at {at} s"
    return done.stdout


def _rgb(luma: float, u: float, v: float, video: dict) -> tuple[float, ...]:
    """From samples of 8 bits to red, green and blue of 0 to 1."""
    jpeg = video["codec_name"] == "mjpeg"
    full = jpeg or video.get("color_range") == "pc"
    tagged = _WEIGHTS.get(video.get("color_space", ""))
    red, blue = _BT601 if jpeg or video["codec_name"] == "webp" else tagged or _guessed(video)
    low, luma_steps, chroma_steps = (0, 255, 255) if full else (16, 219, 224)
    light = (luma - low) / luma_steps
    r = light + 2 * (1 - red) * (v - 128) / chroma_steps
    b = light + 2 * (1 - blue) * (u - 128) / chroma_steps
    g = (light - red * r - blue * b) / (1 - red - blue)
    return tuple(min(1.0, max(0.0, value)) for value in (r, g, b))


def _guessed(video: dict) -> tuple[float, float]:
    return _BT709 if video["height"] >= 720 else _BT601


def _seen(rgb: tuple[float, ...], video: dict) -> Rgb:
    """From the file's transfer and primaries to those of a screen, 0 to 255."""
    transfer, wide = video.get("color_transfer"), video.get("color_primaries") == "bt2020"
    if transfer == "smpte2084":
        light = [_pq(value) / _WHITE for value in rgb]
    elif transfer == "arib-std-b67":
        scene = [_hlg(value) for value in rgb]
        luminance = sum(k * value for k, value in zip((0.2627, 0.678, 0.0593), scene, strict=True))
        light = [1000 / _WHITE * luminance**0.2 * value for value in scene]
    elif wide:
        light = [value**2.4 for value in rgb]
    else:
        return _three(bytes(round(255 * value) for value in rgb))
    if wide:
        rows = (
            (1.6605, -0.5876, -0.0728),
            (-0.1246, 1.1329, -0.0083),
            (-0.0182, -0.1006, 1.1187),
        )
        light = [sum(k * value for k, value in zip(row, light, strict=True)) for row in rows]
    return _three(bytes(round(255 * min(1.0, max(0.0, value)) ** (1 / 2.4)) for value in light))


def _pq(code: float) -> float:
    root = code ** (1 / 78.84375)
    return 10000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578)


def _hlg(code: float) -> float:
    if code <= 0.5:
        return code * code / 3
    return (math.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
