"""The files of one finished output, and what is in them.

An output is one file, or an index (playlist, manifest) and the files that it names. Part of
`verify.py` and `finish.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.ffmpeg import probe_json
from activities.probe import MediaInfo
from activities.probe.values import number, section, sections
from activities.transcode.result.manifest import DashRepresentation, representations
from activities.transcode.result.playlist import playlist_files
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Json


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of one output: its content, and the index that names them, if it has one."""

    content: Sequence[Path]
    index: Path | None

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return sum(path.stat().st_size for path in self.content)

    @property
    def suffixes(self) -> list[str]:
        """What the names of the content have behind the index's stem; none without an index."""
        return [path.name.removeprefix(self.index.stem) for path in self.content if self.index]


def files_of(path: Path) -> Files:
    """Return the files that belong to an output; `path` is its only file or its index."""
    if path.suffix == ".m3u8":
        names = playlist_files(path.read_text(encoding="utf-8"))
        return Files(content=[path.with_name(name) for name in names], index=path)
    if path.suffix == ".mpd":
        content = [file for one in representations(path) for file in one.files]
        return Files(content=content, index=path)
    return Files(content=[path], index=None)


def media_of(path: Path) -> MediaInfo:
    """Probe an output, as `MediaInfo.of` does with what ffprobe knows."""
    if path.suffix == ".mpd":
        return _media_of_manifest(path)
    return MediaInfo.of(path, playlists=path.suffix == ".m3u8")


def media_of_segment(path: Path) -> MediaInfo:
    """Probe a segment of HLS, by its format: of some kilobytes, it would not be recognized."""
    return MediaInfo.parse(probe_json(path, opened={"f": "mpegts"}))


def end_of_fragments(init: Path, segment: Path) -> float:
    """Return when the last stream of a segment of an fMP4 ends, on the clock of all segments."""
    container = section(_probed_fragment(init, segment).get("format"))
    return number(container.get("duration")) or 0.0


def _probed_fragment(init: Path, *segments: Path) -> Mapping[str, Json]:
    """Probe segments of an fMP4, which say nothing without their beginning."""
    whole = init.with_name(f"{init.stem}-probe.mp4")
    whole.write_bytes(b"".join(file.read_bytes() for file in (init, *segments)))
    try:
        return probe_json(whole)
    finally:
        whole.unlink()


def _media_of_manifest(path: Path) -> MediaInfo:
    listed = representations(path)
    missing = [file.name for one in listed for file in one.files if not file.is_file()]
    if missing or not listed:
        raise ActivityError(Code.INTERNAL, f"The manifest names no file {missing[:1]}.")
    streams = [stream for one in listed for stream in _streams(one)]
    form: Json = {
        "format_name": "dash",
        "duration": f"{max(one.duration for one in listed):.6f}",
        "size": str(sum(file.stat().st_size for one in listed for file in one.files)),
    }
    return MediaInfo.parse({"format": form, "streams": streams})


def _streams(one: DashRepresentation) -> list[dict[str, Json]]:
    """Return ffprobe's streams of a representation: of its first segment, all are alike."""
    streams = sections(_probed_fragment(one.init, *one.segments[:1]).get("streams"))
    return [{**stream, "duration": f"{one.duration:.6f}"} for stream in streams]
