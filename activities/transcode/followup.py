"""What comes behind the encode of an output: verified, measured, encoded once more where it must.

Two things ask for a second encode: an average rate outside of its bounds, and a quality below its
minimum; an output gets one at most, and the better of both is kept. `result/second.py` says with
which settings. Specification: analysis, 6 (after the encode); docs/quality.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from activities import ffmpeg
from activities.quality import Comparison, compare
from activities.transcode.command.commands import commands, mux_command
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.encryption import write_key
from activities.transcode.command.measuring import (
    Measuring,
    loss_of_size,
    measuring,
    moment_command,
    picture_file,
)
from activities.transcode.command.muxing import Mux
from activities.transcode.command.rendition import Rendition, RenditionJob
from activities.transcode.model.quality import Quality
from activities.transcode.result.finished import FinishedOutput, finished
from activities.transcode.result.manifest import representations
from activities.transcode.result.second import RateBounds, outside, with_quality, with_rate
from activities.transcode.result.told import rounded
from activities.transcode.work import START, process_amounts, quality_amount
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import ActivityError, Code

#: what a process calls with 0 to 1
Tell = Callable[[float], None]


class NextProcess(Protocol):
    """Gives each process that is started what it tells its progress to."""

    def __call__(self, amount: float) -> Tell:
        """Return it for one more process; `amount` is how much work that is, as in `work.py`."""
        ...


class FollowUp:
    """What follows the encodes of one activity; keeps the commands and reports of its own."""

    def __init__(self, context: ActivityContext, next_process: NextProcess) -> None:
        """Nothing is started yet."""
        self._context = context
        self._next_process = next_process
        self._muxed: set[RenditionTarget] = set()
        self.commands: list[tuple[str, ...]] = []
        self.reports: list[ffmpeg.ProcessReport] = []
        # files that only comparisons read
        self._joined: list[Path] = []

    def mux(self, muxes: Sequence[Mux]) -> None:
        """Make outputs of streams that are encoded already; what fails is encoded by `finish`.

        Raises what would befall an encode, too: InterruptedRunError, and transient errors.
        """
        for mux in muxes:
            self._muxed.add(mux.target)
            rendition = mux.target.rendition
            try:
                self._run(mux_command(mux), rendition, START)
            except ActivityError as error:
                self._forgive(error, rendition)

    def finish(self, job: RenditionJob, target: RenditionTarget) -> FinishedOutput:
        """Return the output that is kept of a target whose files have been written.

        Raises ActivityError as `result.verify` does, `QualityTooLow` where the job says so, and
        what an ffmpeg process raises.
        """
        made = self._finished_mux(target) if target in self._muxed else self._finished(target)
        if job.rate_bounds:
            made = self._in_bounds(made, job.rate_bounds)
        if job.quality is None:
            return made
        try:
            return self._judged(job, made, job.quality)
        finally:
            for path in self._joined:
                path.unlink(missing_ok=True)

    def _finished(self, target: RenditionTarget) -> FinishedOutput:
        return finished(target, self._context.count_limit, self._context.cancel)

    def _finished_mux(self, target: RenditionTarget) -> FinishedOutput:
        """Return a muxed output; one that is not what it should be is encoded by itself."""
        try:
            return self._finished(target)
        except ActivityError as error:
            self._forgive(error, target.rendition)
        self._encode(target)
        return self._finished(target)

    def _forgive(self, error: ActivityError, rendition: Rendition) -> None:
        if error.transient is not None:
            raise error
        self._context.log.warning("%s is encoded by itself: %s", rendition.summary, error)

    def _in_bounds(self, made: FinishedOutput, bounds: RateBounds) -> FinishedOutput:
        rate = made.picture_kbps
        if rate is None or not outside(rate, bounds):
            return made
        second = self._again(made, with_rate(made.rendition, rate, bounds))
        made = _kept(made, second, better=_distance(second, bounds) < _distance(made, bounds))
        rate = made.picture_kbps
        if not outside(rate, bounds):
            return made
        warning = (
            f"The picture of {made.rendition.summary} has {rate:.0f} kbit/s on average, outside "
            f"of its BitrateBnd {bounds[0]:g} to {bounds[1]:g}, after two encodes."
        )
        return replace(made, warnings=(*made.warnings, warning))

    def _judged(self, job: RenditionJob, made: FinishedOutput, quality: Quality) -> FinishedOutput:
        fails, bounds = quality.on_low == "fail", job.rate_bounds
        made = _tried(made, lambda one: self._compared(one, quality), "quality", needed=fails)
        if made.compared is None:
            return made
        if _low(made, quality) and quality.on_low == "retry" and made.encodes == 1:
            made = _tried(made, lambda one: self._retried(one, quality, bounds), "second encode")
        if _low(made, quality):
            message = _low_message(made, quality)
            if fails:
                raise ActivityError(
                    Code.LOW_QUALITY,
                    message,
                    remedy='Give it more bits or a lower Minimum, or use OnLow "retry" or "warn".',
                )
            made = replace(made, warnings=(*made.warnings, f"{Code.LOW_QUALITY}: {message}"))
        return _tried(made, self._shown, "picture of the worst moment")

    def _retried(
        self, made: FinishedOutput, quality: Quality, bounds: RateBounds | None
    ) -> FinishedOutput:
        assert made.compared is not None and quality.minimum is not None
        value, best = made.compared.value(quality.pooled), self._best(made, quality)
        if best < quality.minimum:
            reason = (
                f"No encode of {made.rendition.summary} reaches the Minimum {quality.minimum:g}: "
                f"what its size leaves is {rounded(quality.measure, best):g}."
            )
            return replace(made, warnings=(*made.warnings, reason))
        rendition = with_quality(
            *(made.rendition, quality.measure, value, quality.minimum), best=best, bounds=bounds
        )
        if rendition is None:
            return made
        second = self._compared(self._again(made, rendition), quality)
        assert second.compared is not None
        higher = second.compared.value(quality.pooled) > value
        return _kept(made, second, better=higher and not outside(second.picture_kbps, bounds))

    def _again(self, made: FinishedOutput, rendition: Rendition) -> FinishedOutput:
        """Encode an output once more, alone, into files of other names."""
        stem = Path(made.target.stem)
        target = RenditionTarget(
            rendition=rendition, stem=str(stem.with_name(f"again-{stem.name}"))
        )
        if rendition.segment_key:
            write_key(Path(target.stem), rendition.segment_key)
        self._encode(target)
        return replace(self._finished(target), encodes=2)

    def _compared(self, made: FinishedOutput, quality: Quality) -> FinishedOutput:
        if made.rendition.container == "mpd":
            self._joined.append(_join_picture(made.target))
        found = measuring(str(self._context.source), made.target, quality)
        return replace(made, compared=self._measured(found, quality, made.rendition))

    def _best(self, made: FinishedOutput, quality: Quality) -> float:
        """Return the value that no encode of the size of an output exceeds."""
        found = loss_of_size(str(self._context.source), made.target, quality)
        if found is None:
            return quality.measure.best
        return self._measured(found, quality, made.rendition).value(quality.pooled)

    def _measured(self, found: Measuring, quality: Quality, rendition: Rendition) -> Comparison:
        self.commands.append(found.command)
        return compare(
            *(found.command, quality.measure, found.size),
            rate=found.rate,
            subsample=quality.every,
            context=self._context,
            duration=rendition.duration,
            on_progress=self._next_process(quality_amount(rendition, quality)),
        )

    def _shown(self, made: FinishedOutput) -> FinishedOutput:
        """Add the picture of the worst moment."""
        assert made.compared is not None
        stem = Path(made.target.stem)
        path = stem.with_name(f"moment-{stem.name}.jpg")
        command = moment_command(
            str(self._context.source), made.target, made.compared.worst, str(path)
        )
        # a late picture comes after all those before it, which nobody sees
        patient = ffmpeg.Limits(stall=ffmpeg.Limits.wall)
        ffmpeg.run(
            *(command,),
            context=self._context,
            duration=None,
            on_progress=lambda share: None,
            limits=patient,
        )
        return replace(made, moment=path if path.is_file() else None)

    def _encode(self, target: RenditionTarget) -> None:
        amounts = process_amounts([target])
        argvs = commands(str(self._context.source), [target])
        for argv, amount in zip(argvs, amounts, strict=True):
            self._run(argv, target.rendition, amount)

    def _run(self, command: Sequence[str], rendition: Rendition, amount: float) -> None:
        self.commands.append(tuple(command))
        report = ffmpeg.run(
            command,
            context=self._context,
            duration=rendition.duration,
            on_progress=self._next_process(amount),
        )
        self.reports.append(report)


def _tried(
    made: FinishedOutput,
    step: Callable[[FinishedOutput], FinishedOutput],
    name: str,
    *,
    needed: bool = False,
) -> FinishedOutput:
    """Return what a step makes of an output; where it fails, the output, with a warning.

    What cannot be measured or shown may be as good as it is. Raises what is not the output's
    fault, and everything where the step is `needed`.
    """
    try:
        return step(made)
    except ActivityError as error:
        if needed or error.code != Code.INTERNAL or error.transient is not None:
            raise
        warning = f"There is no {name} of {made.rendition.summary}. {error.message}"
        return replace(made, warnings=(*made.warnings, warning))


def _kept(first: FinishedOutput, second: FinishedOutput, *, better: bool) -> FinishedOutput:
    """Return the second of two encodes if it is the better one, else the first."""
    kept, other = (second, first) if better else (first, second)
    figures = first.figures
    other.discard()
    return replace(kept, encodes=2, first=figures)


def _distance(made: FinishedOutput, bounds: RateBounds) -> float:
    return outside(made.picture_kbps, bounds)


def _low(made: FinishedOutput, quality: Quality) -> bool:
    compared, minimum = made.compared, quality.minimum
    return bool(compared and minimum is not None and compared.value(quality.pooled) < minimum)


def _low_message(made: FinishedOutput, quality: Quality) -> str:
    found = made.compared
    assert found is not None and quality.minimum is not None
    value, lowest = (
        rounded(found.metric, one) for one in (found.value(quality.pooled), found.lowest)
    )
    return (
        f"The {quality.statistic} {found.metric} of {made.rendition.summary} is {value:g}, and the "
        f"Minimum {quality.minimum:g}; the picture is worst at {found.worst:.2f} s, {lowest:g}."
    )


def _join_picture(target: RenditionTarget) -> Path:
    """Make one file of the segments of a DASH output's picture, which is its first stream."""
    picture, joined = representations(Path(target.path))[0], Path(picture_file(target))
    with joined.open("wb") as whole:
        for path in picture.files:
            whole.write(path.read_bytes())
    return joined
