"""What an output has no place for: parts given twice, pictures and sounds where there are none."""

from collections.abc import Iterator

from activities.transcode.model.settings import OutputSettings, problem
from workflow_engine.errors import Code, Problem, Severity

#: fields of an output that change or add pictures, and sounds
_NEED_VIDEO = ("opening_list", "tail_slate_list", "rotate", "de_watermark", "video_stream_map")
_NEED_AUDIO = ("amix", "audio_stream_map")
#: fields of TransConfig that pictures need, and the values that ask for nothing
PICTURE_MODES = {"trans_mode": "onepass", "adj_dar_method": "none"}


def joined_faults(settings: OutputSettings) -> Iterator[Problem]:
    """Yield what cannot be joined with an output, and what would have no effect."""
    output = settings.output
    if output.merge_list and output.merge_config_url:
        yield problem(
            Code.INVALID,
            "/MergeConfigUrl",
            "The output has both MergeList and MergeConfigUrl.",
            "Take one of them out.",
        )
    if settings.video is None:
        yield from _without(settings, "picture", _NEED_VIDEO, "Video")
        yield from _meaningless_modes(settings)
    if settings.audio is None:
        yield from _without(settings, "sound", _NEED_AUDIO, "Audio")


def _without(
    settings: OutputSettings, what: str, names: tuple[str, ...], section: str
) -> Iterator[Problem]:
    for name in names:
        if getattr(settings.output, name):
            alias = type(settings.output).model_fields[name].alias
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{alias}",
                f"The output has no {what}, which {alias} needs.",
                f"Take {alias} out, or give the output {section}.",
            )


def _meaningless_modes(settings: OutputSettings) -> Iterator[Problem]:
    for name, harmless in PICTURE_MODES.items():
        value = getattr(settings.trans, name)
        if value != harmless and name in settings.asked("trans_config"):
            yield problem(
                Code.NOT_SUPPORTED,
                settings.pointer("trans_config", name),
                f'The output has no picture, so "{value}" has no effect.',
                "Take the field out.",
                Severity.WARNING,
            )
