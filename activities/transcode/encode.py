"""Run the Transcodes of one group: one process for their encodes, then each output by itself.

An output that has the picture of another one is muxed from its file.

`followup.py` says what becomes of an encoded output, `result/finish.py` what of all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from activities import ffmpeg, fonts
from activities.quality import require_metric
from activities.transcode.command.commands import commands
from activities.transcode.command.decode import RenditionTarget
from activities.transcode.command.encoder import AUDIO_ENCODERS, VIDEO_ENCODERS
from activities.transcode.command.encryption import cbcs_command, write_key
from activities.transcode.command.filters import filter_names
from activities.transcode.command.muxing import agreed, divide, picture_key
from activities.transcode.command.rendition import RenditionJob
from activities.transcode.followup import FollowUp
from activities.transcode.result.finish import finish, stem_of
from activities.transcode.result.protect import protected
from activities.transcode.work import START, encode_amount, process_amounts, quality_amount
from workflow_engine.activity import ActivityContext, ActivityResult
from workflow_engine.errors import ActivityError, InstallationError

#: what sums of shares may be off by
_ROUNDING = 1e-9

Member = tuple[Sequence[RenditionJob], ActivityContext]


def run(members: Sequence[Member]) -> list[ActivityResult | ActivityError]:
    """Make the outputs of several activities that share a decode; results in their order.

    An activity whose output is not what was planned, or not good enough, has the error in its
    place. Raises ActivityError when a process of all fails, and what is transient.
    """
    _require_tools(members)
    named = [_targets(jobs, context) for jobs, context in members]
    together = agreed([target for own in named for target in own])
    left = iter(together)
    targets = [list(islice(left, len(own))) for own in named]
    division = divide(together)
    for target in together:
        _write_files(target)
        if target.rendition.segment_key:
            write_key(Path(target.stem), target.rendition.segment_key)
    first = members[0][1]
    argvs = commands(str(first.source), division.encodes)
    amounts = process_amounts(division.encodes)
    progress = _Progress(members, amounts, len(division.muxes))
    durations = [target.rendition.duration for target in together]
    longest = max((duration for duration in durations if duration), default=None)
    reports = [
        ffmpeg.run(
            argv,
            context=first,
            duration=longest,
            on_progress=progress.next_process(amount),
            others=[context.work for _, context in members[1:]],
        )
        for argv, amount in zip(argvs, amounts, strict=True)
    ]
    follow_ups = [FollowUp(context, progress.next_process) for _, context in members]
    # before a second encode takes the place of a file that others are made of
    for own, follow_up in zip(targets, follow_ups, strict=True):
        follow_up.mux([division.muxes[target] for target in own if target in division.muxes])
    for target in division.passing:
        Path(target.path).unlink(missing_ok=True)
    return [
        _result(member, own, argvs, reports, follow_up)
        for member, own, follow_up in zip(members, targets, follow_ups, strict=True)
    ]


def _targets(jobs: Sequence[RenditionJob], context: ActivityContext) -> list[RenditionTarget]:
    targets = [
        RenditionTarget.of(job, stem_of(context.work, index)) for index, job in enumerate(jobs)
    ]
    return [_with_kept(target, context.kept) for target in targets]


def _with_kept(target: RenditionTarget, kept: Mapping[str, Path]) -> RenditionTarget:
    """Return a target that takes its picture from what an Analysis has encoded, if that is it."""
    file = kept.get(picture_key(target.rendition))
    if target.picture_file or file is None or not file.is_file():
        return target
    return replace(target, picture_file=str(file))


def _result(
    member: Member,
    targets: Sequence[RenditionTarget],
    argvs: Sequence[tuple[str, ...]],
    reports: Sequence[ffmpeg.ProcessReport],
    follow_up: FollowUp,
) -> ActivityResult | ActivityError:
    jobs, context = member
    try:
        made = [
            protected(follow_up.finish(*pair), context) for pair in zip(jobs, targets, strict=True)
        ]
        encrypting = [
            cbcs_command(one.rendition, one.target.stem) for one in made if one.rendition.sample_key
        ]
        return finish(
            *(jobs, made),
            commands=[*argvs, *follow_up.commands, *encrypting],
            reports=[*reports, *follow_up.reports],
            cancel=context.cancel,
        )
    except ActivityError as error:
        found = ffmpeg.blame(error, argvs, context)
        if found.transient is not None:
            raise found from error
        return found


class _Progress:
    """How far all processes are together, told to every member.

    Each process has the share of the whole that its work is; some is kept where a second encode may
    follow. What follows takes half of what is left each time.
    """

    def __init__(self, members: Sequence[Member], encodes: Sequence[float], muxes: int) -> None:
        """`encodes` is how much work each process is that encodes; see `work.py`."""
        jobs = [job for own, _ in members for job in own]
        self._contexts = [context for _, context in members]
        known = sum(encodes) + START * muxes
        known += sum(quality_amount(job.rendition, job.quality) for job in jobs if job.quality)
        again = [
            encode_amount(job.rendition)
            for job in jobs
            if job.rate_bounds or (job.quality and job.quality.on_low == "retry")
        ]
        self._whole = known + max(again, default=0.0) or START
        self._known_end = known / self._whole
        self._begin = 0.0

    def next_process(self, amount: float) -> Callable[[float], None]:
        """Return what takes the progress of one more process, 0 to 1; `amount` is its work."""
        begin, share = self._begin, amount / self._whole
        if begin + share > self._known_end + _ROUNDING:
            share = (1 - begin) / 2
        self._begin += share

        def tell(done: float) -> None:
            for context in self._contexts:
                context.progress(begin + done * share)

        return tell


def _write_files(target: RenditionTarget) -> None:
    for file in target.rendition.written_files:
        path = Path(target.beside(file.name))
        path.parent.mkdir(exist_ok=True)
        if file.face and not path.exists():
            fonts.write_face(file.face, path)
        elif file.text is not None:
            path.write_text(file.text, encoding="utf-8")


def _require_tools(members: Sequence[Member]) -> None:
    there = ffmpeg.capabilities()
    try:
        for jobs, _ in members:
            for job in jobs:
                picture, sound = job.rendition.picture, job.rendition.sound
                if picture and picture.encoding:
                    there.require_encoder(VIDEO_ENCODERS[picture.encoding.codec])
                if sound and sound.encoding:
                    there.require_encoder(AUDIO_ENCODERS[sound.encoding.codec])
                for name in filter_names(job.rendition.filters):
                    there.require_filter(name)
                if job.rendition.sample_key:
                    ffmpeg.packager_path()
                if job.quality:
                    require_metric(job.quality.measure)
    except InstallationError as error:
        raise ActivityError(error.code, error.message, remedy=error.remedy) from error
