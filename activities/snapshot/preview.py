"""`Preview`: a short moving picture of parts of the source without sound, an extension of ours.

The parts are spread evenly from Time to the end. The frames of each are taken like pictures, so
that colours, fields and shapes are those of pictures, and encoded together as WebP or MP4, by the
extension of the object name.
"""

import posixpath
from collections.abc import Iterator, Mapping
from fractions import Fraction

from activities import ffmpeg
from activities.conversion import SDR
from activities.ffmpeg import graph
from activities.probe import MediaInfo
from activities.snapshot.commands import Shot
from activities.snapshot.config import Preview, SnapshotConfig
from activities.snapshot.job import SnapshotJob
from activities.snapshot.moments import picture_size
from activities.snapshot.pictures import JPEG, Size
from activities.snapshot.takes import Takes
from workflow_engine.activity import ActivityContext, ActivityResult, Produced
from workflow_engine.errors import ActivityError, Code

#: pixels of the width of a preview that does not say
_WIDTH = 320
#: pixels of the longer side, beyond which nobody calls it small
_LONGEST = 1280

_MP4: Mapping[str, object] = {
    "f": "mp4",
    "c:v": "libx264",
    "preset": "medium",
    "crf": 26,
    "movflags": "+faststart",
    # a player begins anywhere, and goes around
    "g": 48,
}
_WEBP: Mapping[str, object] = {
    "f": "webp",
    "c:v": "libwebp_anim",
    "quality": 60,
    "compression_level": 4,
    "loop": 0,
}
#: by the extension: encoder, matrix and pixel format
_OUTPUTS = {
    ".mp4": (_MP4, SDR.matrix, "yuv420p"),
    ".webp": (_WEBP, "smpte170m", "yuv420p"),
}
EXTENSIONS = tuple(_OUTPUTS)


def preview_size(shown: Size, config: SnapshotConfig) -> Size:
    """Return the size of a preview of a source shown at `shown`: even sides.

    Raises ActivityError (`InvalidParameter.OutOfRange`).
    """
    if config.width or config.height:
        sides = picture_size(shown, config, JPEG)
    else:
        width = min(_WIDTH, shown[0])
        sides = width, width * shown[1] / shown[0]
    size = max(2, 2 * round(sides[0] / 2)), max(2, 2 * round(sides[1] / 2))
    if max(size) > _LONGEST:
        raise ActivityError(
            Code.OUT_OF_RANGE,
            f"The preview would have {size[0]}x{size[1]} pixels, more than {_LONGEST} on a side.",
            remedy="Set a smaller Width or Height.",
        )
    return size


def parts(preview: Preview, time: int, end: float) -> list[tuple[float, float]]:
    """Return where the parts begin and how long they are, of a video of `end` seconds.

    Both in milliseconds. What is too short for all of them is one part, whole.
    """
    length, each = 1000 * end - time, 1000 * preview.seconds
    if length <= preview.parts * each:
        return [(float(time), length)]
    span = length / preview.parts
    return [(time + n * span + (span - each) / 2, each) for n in range(preview.parts)]


def planned_preview(job: SnapshotJob, end: float | None, source: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands, as far as they are known beforehand."""
    yield from _commands(job, end or job.config.time / 1000 + 1, source)
    yield _encoding(job)


def take_preview(job: SnapshotJob, context: ActivityContext) -> ActivityResult:
    """Take the frames, encode them, and check the result. Raises ActivityError."""
    end = job.measured_end(context)
    job.times(end)  # refuses a Time beyond the end
    commands = list(_commands(job, end, context.source.name, context))
    takes = Takes(context=context, expected=len(commands) + 1)
    for command in commands:
        takes.run(command)
    frames = _in_row(job, context)
    if not frames:
        error = ffmpeg.content_bad("it has no readable picture")
        raise ffmpeg.blame(error, takes.commands, context)
    takes.run(_encoding(job), frames / _preview(job).fps)
    file = context.work / _file(job)
    made = MediaInfo.of(file, cancel=context.cancel)
    if made.video is None or (made.video.width, made.video.height) != job.size:
        raise ActivityError(Code.INTERNAL, f"The preview is not a film of {job.size} pixels.")
    return ActivityResult(
        data={"Count": 1, "Times": [job.config.time], "MediaCover": False},
        outputs=(Produced(path=file, ref=job.names.of_picture(1, job.config.time)),),
        commands=tuple(takes.commands),
        warnings=tuple(takes.warnings()),
    )


def _preview(job: SnapshotJob) -> Preview:
    assert job.config.preview is not None
    return job.config.preview


def _commands(
    job: SnapshotJob, end: float, source: str, context: ActivityContext | None = None
) -> Iterator[tuple[str, ...]]:
    """Yield a command for the frames of each part: their files count on through all parts."""
    preview, camera = _preview(job), job.camera(source)
    chosen = parts(preview, job.config.time, end)
    begins = [int(begin) for begin, _ in chosen]
    shots = job.found_shots(begins, context) if context else job.planned_shots(begins)
    number = 1
    for shot, (_, length) in zip(shots, chosen, strict=True):
        count = max(1, int(length * preview.fps / 1000))
        first = Shot(file=f"%05d{job.kind.suffix}", moment=shot.moment, start=shot.start, key=0.0)
        yield camera.scan(first, Fraction(1000, preview.fps), count, number=number)
        number += count


def _in_row(job: SnapshotJob, context: ActivityContext) -> int:
    """Number the frames without gaps, and return how many there are."""
    found = sorted(context.work.glob(f"[0-9][0-9][0-9][0-9][0-9]{job.kind.suffix}"))
    for number, file in enumerate(found, 1):
        file.rename(file.with_name(f"{number:05d}{job.kind.suffix}"))
    return len(found)


def _file(job: SnapshotJob) -> str:
    return "preview" + extension_of(job.names.picture.object)


def extension_of(key: str) -> str:
    """Return the extension of an object key, in lower case and with its dot."""
    return posixpath.splitext(key)[1].lower()


def _encoding(job: SnapshotJob) -> tuple[str, ...]:
    options, matrix, pix_fmt = _OUTPUTS[extension_of(job.names.picture.object)]
    colours = {"out_color_matrix": matrix, "out_range": "limited", "flags": "bicubic+accurate_rnd"}
    frames = (
        graph.open_pictures(f"%05d{job.kind.suffix}", _preview(job).fps)["v:0"]
        .filter("scale", options=colours)
        .filter("format", pix_fmt)
        .filter(
            "setparams",
            colorspace=matrix,
            color_trc="bt709",
            color_primaries="bt709",
            range="limited",
        )
    )
    return graph.argv(graph.output(f"file:{_file(job)}", [frames], dict(options)))


def encoder_of(key: str) -> str:
    """Return the encoder that a preview under a key needs."""
    return str(_OUTPUTS[extension_of(key)][0]["c:v"])
