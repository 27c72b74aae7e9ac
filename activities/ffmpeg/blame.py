"""Whose fault an unexplained failure is: the source's, when its own decoding shows damage.

What ffmpeg says when a broken source makes it fail cannot be listed: demuxers, decoders, filters,
encoders and muxers all stumble over it, each in words of its own. So the inputs of the command
are decoded once more, into nothing. What fails even then was broken before it came to us; what
decodes without a word leaves the fault with our command.
"""

import re
from collections.abc import Sequence

from activities.ffmpeg.inspect import content_bad
from activities.ffmpeg.process import LastLines, Stopwatch, killed, supervise
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code

#: seconds that the decoding may take; a source that is whole for so long is not to blame
_TIMEOUT = 3600.0
#: the parts that write, here into nothing; what they report of time stamps is not damage
_WRITING = re.compile(r"^\[(?:null|out#|[vas]ost#|enc:)", re.IGNORECASE)


def blame(
    error: ActivityError, commands: Sequence[Sequence[str]], context: ActivityContext
) -> ActivityError:
    """Return `error`, or in its place that of a source whose damage explains it.

    Only `InternalError` is looked into, unless its cause is transient. `commands` are the ffmpeg
    commands that failed, or whose outputs are not what was planned. Raises InterruptedRunError on
    `context.cancel`, ActivityError when the decoding is killed from outside.
    """
    if error.code != Code.INTERNAL or error.transient is not None:
        return error
    for inputs in dict.fromkeys(_inputs(command) for command in commands):
        if inputs and (damage := _damage(inputs, context)):
            detail = "\n".join((error.message, error.detail, damage.detail))
            return ActivityError(damage.code, damage.message, remedy=damage.remedy, detail=detail)
    return error


def _inputs(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command up to its last input, with all options that inputs are opened with."""
    last = max((n for n, word in enumerate(command) if word == "-i"), default=-2)
    return tuple(command[: last + 2])


def _damage(inputs: Sequence[str], context: ActivityContext) -> ActivityError | None:
    """Decode the inputs of a command; return the error of what is broken in them."""
    # V: pictures that play, not covers
    numbers = range(inputs.count("-i"))
    streams = [word for n in numbers for word in ("-map", f"{n}:V?", "-map", f"{n}:a?")]
    command = (*inputs, *streams, "-f", "null", "-")
    damaged: list[str] = []
    reported: dict[str, str] = {}

    def see(line: str) -> None:
        if not _WRITING.search(line):
            damaged.append(line)

    tail, watch = LastLines(context.work, see=see), Stopwatch()

    def report(line: str) -> None:
        name, _, value = line.strip().partition("=")
        reported[name] = value

    def check() -> ActivityError | None:
        if damaged:
            return content_bad("it is damaged", "\n".join(tail.lines))
        if watch.elapsed > _TIMEOUT:
            return ActivityError(Code.TIMEOUT, "The source could not be decoded in time.")
        return None

    with context.slot():
        context.log.debug("looking for damage: %s", " ".join(command))
        try:
            status = supervise(
                command,
                cwd=context.work,
                on_line=report,
                stderr=tail,
                cancel=context.cancel,
                check=check,
            )
        except ActivityError as error:
            return error if error.code == Code.RESOURCE_CONTENT_BAD else None
    if error := killed(status, "ffmpeg", tail.lines):
        raise error
    if status:
        return content_bad("it cannot be decoded", "\n".join(tail.lines))
    if not damaged and _nothing(reported):
        return content_bad("nothing in it can be decoded")
    return check()


def _nothing(reported: dict[str, str]) -> bool:
    """Whether a process has reported neither a picture nor a second of sound."""
    return not any(reported.get(name, "").strip("0N/A") for name in ("frame", "out_time_us"))
