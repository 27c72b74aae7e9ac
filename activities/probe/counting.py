"""What a container does not say of its streams, counted: decided here, read where it is cheapest.

Specification: mediainfo, 2 (Bitrate, NumFrames, NetworkCost).
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from activities.probe import packets, samples
from activities.probe.ends import WITHOUT_ENDS
from activities.probe.packets import Flow
from activities.probe.streams import is_picture, kilobits, own_duration
from activities.probe.values import duration, section, sections, whole
from workflow_engine.errors import ActivityError
from workflow_engine.records import Json

#: a stream of an ffprobe description
Stream = Mapping[str, Json]


def counted(
    probe: Mapping[str, Json],
    path: Path,
    *,
    playlists: bool = False,
    cancel: threading.Event | None = None,
) -> Mapping[str, Json] | None:
    """Return figures of the streams of a file by their index, as `Flow.told` has them.

    Of sound only where its container has none; of pictures always, for their NetworkCost. None
    for a file whose packets cannot be read to the end. Raises InterruptedRunError.
    """
    streams = [s for s in sections(probe.get("streams")) if not is_picture(s)]
    video = [s for s in streams if s.get("codec_type") == "video"]
    audio = [s for s in streams if s.get("codec_type") == "audio"]
    told = all(whole(s.get("nb_frames")) and kilobits(s) for s in (*video, *audio))
    found = _indexed(path, video, cancel) if told else None
    if found is None:
        indexes = [whole(s.get("index")) for s in (*video, *audio)]
        opened = {k: str(v) for k, v in section(probe.get("opened")).items()}
        try:
            found = packets.flows(
                path, indexes, make=Flow, opened=opened, playlists=playlists, cancel=cancel
            )
        except ActivityError:
            return None
    container = section(probe.get("format"))
    shared = container.get("format_name") in WITHOUT_ENDS
    own = {whole(s.get("index")): None if shared else own_duration(s) for s in (*video, *audio)}
    length = duration(container.get("duration"))
    return {
        str(index): flow.told(own[index] or flow.seconds or length)
        for index, flow in found.items()
        if flow.packets
    }


def _indexed(
    path: Path, video: Sequence[Stream], cancel: threading.Event | None
) -> Mapping[int, Flow] | None:
    """Return the pictures of a file by its index, None where that is not known to be whole."""
    if not video:
        return {}
    by_track = samples.flows(path, [track_of(s) for s in video], make=Flow, cancel=cancel)
    found = {whole(s.get("index")): by_track.get(track_of(s)) for s in video}
    expected = {whole(s.get("index")): whole(s.get("nb_frames")) for s in video}
    flows = {index: flow for index, flow in found.items() if flow}
    agrees = {index: flow.packets for index, flow in flows.items()} == expected
    return flows if agrees else None


def track_of(stream: Stream) -> int:
    """Return the track id of a stream of an mp4, 0 where it has none."""
    text = str(stream.get("id", ""))
    return int(text, 16) if text.startswith("0x") else 0
