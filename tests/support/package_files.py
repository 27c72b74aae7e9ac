"""Small packages for tests of lists and players: made by ffmpeg, listed by the engine's writers.

Each frame of the film tells its number in eight blocks, black for 0 and white for 1, the lowest
bit at the left; each language is a tone.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from activities.ffmpeg import ffmpeg_path
from activities.packaging.dash import package_manifest, stream_manifest
from activities.packaging.hls import master_playlist
from activities.packaging.measure import images_of, stream_of, subtitles_of
from activities.packaging.streams import Member, Stream, StreamKind, Tiles
from activities.packaging.tail import join_short_tail
from activities.packaging.trick import image_playlist, key_frame_playlist, key_frame_uri
from activities.probe import MediaInfo

#: pixels of the rungs, the largest first
SIZES = {"high": (320, 180), "middle": (240, 136), "low": (160, 90)}
#: Hz by language
TONES = {"en": 440, "fr": 1320}
#: seconds
SEGMENT = 2
#: what the subtitles say, from second 0, 2 and 4 on
CUES = ("zero", "two", "four")

_NUMBER = "if(mod(floor(N/pow(2,floor(X*8/W))),2),235,16)"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package in a folder, and its members."""

    folder: Path
    members: Sequence[Member]

    def member(self, uri: str) -> Member:
        """The member with a playlist."""
        return next(one for one in self.members if one.stream.uri == uri)


def package(
    folder: Path,
    *,
    fmp4: bool = True,
    seconds: int = 6,
    fps: str = "25",
    video: Sequence[str] = (),
    sizes: Mapping[str, tuple[int, int]] = SIZES,
) -> Package:
    """Make a package of pictures, sound, subtitles and, as fMP4, both kinds of lists over them.

    `video` are further options of the encoder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind, extension = ("fmp4", "m4s") if fmp4 else ("mpegts", "ts")
    inner = () if fmp4 else ("-hls_segment_options", "avoid_negative_ts=disabled")

    def muxed(name: str) -> list[str]:
        return [
            *("-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod"),
            *("-hls_segment_type", kind, "-start_number", "1", "-avoid_negative_ts", "disabled"),
            *("-hls_fmp4_init_filename", f"{name}-init.mp4", *inner),
            *("-hls_segment_filename", f"{name}-%05d.{extension}", f"{name}.m3u8"),
        ]

    command = [
        *(str(ffmpeg_path()), "-nostdin", "-y", "-v", "error"),
        *("-f", "lavfi", "-i", f"color=size=320x180:rate={fps}:duration={seconds}"),
    ]
    for tone in TONES.values():
        command += ["-f", "lavfi", "-i", f"sine=frequency={tone}:duration={seconds}"]
    names = "".join(f"[{name}0]" for name in sizes)
    graph = f"[0]geq=lum='{_NUMBER}':cb=128:cr=128,split={len(sizes)}{names};" + ";".join(
        f"[{name}0]scale={width}:{height}:flags=area,setsar=1[{name}]"
        for name, (width, height) in sizes.items()
    )
    command += ["-filter_complex", graph]
    for name in sizes:
        command += [
            *("-map", f"[{name}]", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
            *("-g", "250", "-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT})", *video),
            *muxed(name),
        ]
    for number, language in enumerate(TONES, 1):
        command += ["-map", f"{number}:a", "-c:a", "aac", "-ac", "1", *muxed(language)]
    subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL, timeout=120)
    made = Package(folder=folder, members=[*_measured(folder, sizes), _subtitles(folder, seconds)])
    _write_lists(made, dash=fmp4)
    return made


def film(path: Path, seconds: int = 6) -> Path:
    """Make a source whose frames tell their number, with a track of sound for each language."""
    graph = f"[0]geq=lum='{_NUMBER}':cb=128:cr=128[v]"
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-y", "-v", "error"),
        *("-f", "lavfi", "-i", f"color=size=320x180:rate=25:duration={seconds}"),
    ]
    for tone in TONES.values():
        command += ["-f", "lavfi", "-i", f"sine=frequency={tone}:duration={seconds}"]
    command += ["-filter_complex", graph, "-map", "[v]"]
    command += [word for n in range(len(TONES)) for word in ("-map", f"{n + 1}:a")]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return path


def with_images(package: Package, seconds: int = 6) -> Package:
    """Add a track of small pictures to a package: one of each second, four on a sheet."""
    source = package.member("low.m3u8").stream
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", "-i", source.uri),
        *("-vf", "fps=1,scale=80:44,tile=2x2", "-start_number", "1", "sheet-%05d.jpg"),
    ]
    subprocess.run(command, check=True, cwd=package.folder, stdin=subprocess.DEVNULL, timeout=60)
    sheets = sorted(package.folder.glob("sheet-*.jpg"))
    stream = images_of(
        [one.stat().st_size for one in sheets],
        uri="images.m3u8",
        media="sheet-$Number%05d$.jpg",
        first=1,
        picture=(80, 44),
        tiles=Tiles(columns=2, rows=2, seconds=Fraction(1)),
        seconds=Fraction(seconds),
    )
    (package.folder / stream.uri).write_text(image_playlist(stream))
    more = replace(package, members=[*package.members, Member(stream=stream)])
    _write_lists(more, dash=True)
    return more


def _measured(folder: Path, sizes: Mapping[str, tuple[int, int]]) -> list[Member]:
    def stream(name: str, kind: StreamKind) -> Stream:
        path = folder / f"{name}.m3u8"
        if kind is StreamKind.AUDIO:
            join_short_tail(path)
        return stream_of(path, MediaInfo.of(path, playlists=True), kind=kind, uri=path.name)

    return [
        *(
            Member(stream=stream(name, StreamKind.VIDEO), id=name, audio="sound", subtitles="text")
            for name in sizes
        ),
        *(
            Member(
                stream=stream(language, StreamKind.AUDIO),
                id=language,
                group="sound",
                name=f"Sound {language}",
                language=language,
                default=language == "en",
            )
            for language in TONES
        ),
    ]


def webvtt() -> str:
    """The subtitles as one file."""
    return "\n".join(["WEBVTT\n", *_cues()])


def _cues() -> list[str]:
    return [
        f"00:00:0{2 * n}.000 --> 00:00:0{2 * n + 2}.000\n{text}\n" for n, text in enumerate(CUES)
    ]


def _subtitles(folder: Path, seconds: int) -> Member:
    cues = _cues()
    (folder / "text.vtt").write_text(webvtt())
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT}"]
    lines += ["#EXT-X-MEDIA-SEQUENCE:1", "#EXT-X-PLAYLIST-TYPE:VOD"]
    sizes: list[tuple[float, int]] = []
    for number in range(seconds // SEGMENT):
        path = folder / f"text-{number + 1:05}.vtt"
        cue = cues[number] if number < len(cues) else ""
        path.write_text(
            f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{_origin(folder)},LOCAL:00:00:00.000\n\n{cue}"
        )
        sizes.append((SEGMENT, path.stat().st_size))
        lines += [f"#EXTINF:{SEGMENT:.6f},", path.name]
    (folder / "text.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    stream = subtitles_of(sizes, uri="text.m3u8")
    return Member(stream=stream, id="text", group="text", name="Text", language="en")


def _origin(folder: Path) -> int:
    """The tick of MPEG-TS that is moment 0 of the film."""
    return 126_000 if any(folder.glob("*.ts")) else 0


def _write_lists(package: Package, *, dash: bool) -> None:
    (package.folder / "master.m3u8").write_text(master_playlist(package.members).text)
    for one in package.members:
        if one.stream.key_frames:
            path = package.folder / key_frame_uri(one.stream)
            path.write_text(key_frame_playlist(one.stream))
    if dash:
        (package.folder / "master.mpd").write_text(package_manifest(package.members))
        for one in package.members:
            if one.stream.kind in (StreamKind.VIDEO, StreamKind.AUDIO):
                name = f"{one.stream.stem}.mpd"
                (package.folder / name).write_text(stream_manifest(one))
