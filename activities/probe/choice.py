"""Which streams of a file are the film and its sound: those that a good player would take.

Specification: transcode, 22.4 (covers, programs) and 22.5 (several tracks).
"""

from collections.abc import Sequence

from activities.probe.streams import AudioStream, VideoStream


def best_video(videos: Sequence[VideoStream], *, broadcast: bool) -> VideoStream | None:
    """Return the picture of a film: the first that can be decoded, rather no cover of one frame.

    Of a `broadcast` of several programs, the largest picture.
    """
    usable = [stream for stream in videos if stream.sized and stream.decodable]
    films = [stream for stream in usable if not stream.single] or usable
    if broadcast:
        return max(films, key=lambda stream: stream.width * stream.height, default=None)
    return next(iter(films), None)


def best_audio(audios: Sequence[AudioStream], video: VideoStream | None) -> AudioStream | None:
    """Return the sound of a film: of its program, the default track, else the first.

    Where that cannot be decoded, another in its language goes before the others.
    """
    first = preferred_audio(audios, video)
    usable = [stream for stream in _of_program(audios, video) if stream.decodable]
    return min(
        usable,
        key=lambda stream: (not stream.default, first and stream.language != first.language),
        default=None,
    )


def preferred_audio(audios: Sequence[AudioStream], video: VideoStream | None) -> AudioStream | None:
    """Return the track that a file wants to be heard, whether it can be decoded or not."""
    own = _of_program(audios, video)
    return min(own, key=lambda stream: not stream.default, default=None)


def _of_program(audios: Sequence[AudioStream], video: VideoStream | None) -> Sequence[AudioStream]:
    program = video.program if video else None
    return [stream for stream in audios if stream.program == program] or audios
