"""What was asked of an output beside what came out, and the rate of its picture over time.

Both are kept in the data of the activity, for its page (`exhibits.py`).
"""

from collections.abc import Iterator, Mapping

from activities.probe.packets import MOST_SPANS
from activities.probe.values import section
from activities.transcode.command.rendition import AudioEncoding, VideoEncoding
from activities.transcode.result.finished import FinishedOutput
from activities.transcode.result.manifest import DashRepresentation, representations
from workflow_engine.records import Json

_COPY = "as the source"


def asked_and_made(output: FinishedOutput) -> list[dict[str, Json]]:
    """Return rows of a table: what, what was asked, what a probe of the output says."""
    return [
        {"What": what, "Asked": asked, "Made": made}
        for what, asked, made in (*_picture(output), *_sound(output), *_whole(output))
    ]


def _picture(output: FinishedOutput) -> Iterator[tuple[str, str, str]]:
    picture, video = output.rendition.picture, output.media.video
    if picture is None or video is None:
        return
    encoding = picture.encoding
    yield (
        "Picture",
        _joined(picture.codec, picture.size),
        _joined(video.codec, (video.width, video.height)),
    )
    if encoding is None:
        yield "Rate of the picture", _COPY, _kbits(output.picture_kbps)
        return
    yield "Frames a second", f"{float(encoding.rate):.6g}", f"{float(video.fps):.6g}"
    yield "Rate of the picture", _rate(encoding), _kbits(output.picture_kbps)


def _sound(output: FinishedOutput) -> Iterator[tuple[str, str, str]]:
    sound, audios = output.rendition.sound, output.media.audios
    if sound is None or not audios:
        return
    audio = audios[0]
    made = f"{audio.codec}, {audio.sample_rate} Hz, {_channels(audio.channels)}"
    encoding = sound.encoding
    asked = f"{sound.codec}, {_COPY}"
    if encoding is not None:
        asked = f"{sound.codec}, {encoding.samplerate} Hz, {_channels(encoding.channels)}"
    yield "Sound", asked, made
    if encoding is not None:
        yield "Rate of the sound", _sound_rate(encoding), _kbits(audio.bitrate_kbps)


def _whole(output: FinishedOutput) -> Iterator[tuple[str, str, str]]:
    expected, made = output.rendition.duration, output.media.duration
    if made is not None:
        about = "" if expected is None else f"{expected:.3f} s"
        yield "Length", about, f"{made:.3f} s"


def _joined(codec: str, size: tuple[int, int]) -> str:
    return f"{codec}, {size[0]}x{size[1]}"


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _rate(encoding: VideoEncoding) -> str:
    most = f", at most {encoding.maxrate:g} kbit/s" if encoding.maxrate else ""
    if encoding.bitrate is not None:
        return f"{encoding.bitrate:g} kbit/s{most}"
    return f"CRF {encoding.crf:g}{most}" if encoding.crf is not None else ""


def _sound_rate(encoding: AudioEncoding) -> str:
    return f"{encoding.bitrate:g} kbit/s" if encoding.bitrate else "lossless"


def _kbits(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0f} kbit/s"


def rate_curve(output: FinishedOutput) -> Mapping[str, Json]:
    """Return the rate of the picture over time, as `packets.RateCurve` tells it.

    Of DASH it is that of its segments. {} where nothing was read, and where there is one value.
    """
    index, video = output.files.index, output.media.video
    if video is None:
        return {}
    if index is not None and index.suffix == ".mpd":
        return _curve_of_segments(representations(index)[0])
    packets = section(output.media.probe.get("packets"))
    curve = section(section(packets.get(str(video.index))).get("Curve"))
    return curve if curve and len(curve["Rates"]) > 1 else {}


def _curve_of_segments(picture: DashRepresentation) -> Mapping[str, Json]:
    count = len(picture.segments)
    if not 1 < count <= MOST_SPANS:
        return {}
    step = picture.duration / count
    sizes = [path.stat().st_size for path in picture.segments]
    return {"Step": step, "Rates": [round(size * 8 / 1000 / step, 1) for size in sizes]}
