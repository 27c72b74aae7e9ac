"""What may not be joined with an output: its parts, openings, tails and further sound."""

from collections.abc import Iterator

from activities.transcode.settings import Settings, problem
from workflow_engine.errors import Code, Problem


def addition_faults(settings: Settings) -> Iterator[Problem]:
    """Yield what cannot be joined with an output."""
    output = settings.output
    if output.merge_list and output.merge_config_url:
        yield problem(
            Code.INVALID,
            "/MergeConfigUrl",
            "The output has both MergeList and MergeConfigUrl.",
            "Take one of them out.",
        )
    slates = {"OpeningList": output.opening_list, "TailSlateList": output.tail_slate_list}
    for name, given in slates.items():
        if given and settings.video is None:
            yield problem(
                Code.NOT_SUPPORTED,
                f"/{name}",
                f"The output has no picture, which {name} needs.",
                f"Take {name} out, or give the output Video.",
            )
    if output.amix and settings.audio is None:
        yield problem(
            Code.NOT_SUPPORTED,
            "/Amix",
            "The output has no sound that anything could be mixed into.",
            "Take Amix out, or give the output Audio.",
        )
