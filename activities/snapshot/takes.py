"""Run the commands of one activity behind each other, and keep what is to be told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from activities import ffmpeg
from workflow_engine.activity import ActivityContext
from workflow_engine.errors import Code


@dataclass(kw_only=True)
class Takes:
    """What ran so far: the `commands`, and how much `damage` they met in the source.

    `expected` is how many commands there will probably be, for the progress.
    """

    context: ActivityContext
    expected: int = 1
    commands: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    damage: int = 0

    def run(self, command: Sequence[str], seconds: float | None = None) -> None:
        """Run one; `seconds` is the length of what it makes. Raises as `ffmpeg.run` does."""
        done = len(self.commands)

        def tell(share: float) -> None:
            self.context.progress(min(1.0, (done + share) / max(self.expected, done + 1)))

        report = ffmpeg.run(command, context=self.context, duration=seconds, on_progress=tell)
        self.commands.append(tuple(command))
        self.damage += report.decode_errors

    def warnings(self) -> list[str]:
        """Return what the user should know of the source."""
        if not self.damage:
            return []
        return [f"{Code.SOURCE_DAMAGED}: damage in the source was concealed."]
