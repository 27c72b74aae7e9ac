"""What a running activity is given, what it leaves, and what its success means elsewhere."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from workflow_engine.activity.plans import SideInput, SideInputFacts
from workflow_engine.records import ExecutionRecord, Figure, Json, ObjectRef, Output, Prediction
from workflow_engine.topology.placeholders import Names

#: bytes, 20 GiB; the default of `[runner] count_limit`
COUNT_LIMIT = 20 << 30


def read_nothing(name: str) -> "Mapping[SideInput, SideInputFacts]":
    """Return {}: what is read beside the input where no activity reads anything."""
    return {}


def show_no_speed(speed: float) -> None:
    """Take the speed of a media process where nobody looks at it."""


def foretell_nothing() -> "Mapping[Figure, float]":
    """Return {}: the errors of predictions where none was made."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Produced:
    """A finished file in the work directory and the object that it becomes.

    `last` marks what must appear after everything it refers to: playlists, manifests, reports.
    `streams` is what shapes the bytes of each elementary stream that later steps may take out of
    the file, as `Step.streams` has it; the one that is found by it is the first.
    """

    path: Path
    ref: ObjectRef
    media: Mapping[str, Json] = field(default_factory=dict[str, Json])
    last: bool = False
    streams: tuple[Json, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something to show beside the activity: a table (list of rows), markdown or a link."""

    kind: str  # "table" | "markdown" | "link"
    title: str
    content: Json


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a plot: its name, and points (x, y) in the order of x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over one axis, some hundred points each at most; `x` and `y` name the units.

    `levels` are values of y that the lines are held against, by name.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    levels: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A picture that is a grid of pictures: the moment of each cell, row by row, in seconds."""

    columns: int
    lines: int
    moments: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An output that is a picture, by its position in `StepResult.outputs`.

    `large` asks for more room than a thumbnail has; `cells` says what is in a sprite.
    """

    output: int
    caption: str
    large: bool = False
    cells: Cells | None = None


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Outputs to be looked at."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Player:
    """An output that a browser may play, by its position; `media_type` as in RFC 6381."""

    title: str
    output: int
    media_type: str


#: what there is to show beside an activity: Prefect and the pages draw what they can of it
Exhibit = Artifact | Plot | Pictures | Player


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small copy of a picture: its bytes, its size in pixels, what it is, as `image/jpeg`."""

    content: bytes
    size: tuple[int, int]
    media_type: str


@dataclass(frozen=True, kw_only=True)
class PageMaker:
    """Makes the page of an execution, for Report.

    `exhibits` returns what the activity of a name has to show. `fetch` makes an output readable at
    a free path, and raises MediaflowError and OSError where it cannot be had. `render` returns the
    page as it will lie at a place: with small copies of pictures, by the places of the outputs, and
    sentences about the page itself.
    """

    exhibits: Callable[[str], Sequence[Exhibit]]
    fetch: Callable[[Output, Path], None]
    render: Callable[[ObjectRef, Mapping[str, Thumbnail], Sequence[str]], str]


@dataclass(frozen=True, kw_only=True)
class ActivityResult:
    """What `run` returns. `commands` are those that really ran, absolute paths included.

    `kept` are files of the work directory that activities behind it may take, by what they hold;
    they are there as long as the execution stays in this process.
    """

    data: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outputs: tuple[Produced, ...] = ()
    kept: Mapping[str, Path] = field(default_factory=dict[str, Path])
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What `mediaflow doctor` says of one part of the installation."""

    name: str
    works: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class ActivityContext:
    """What a running activity may use.

    `work` is an empty private directory for this attempt. `source` is a path inside it that
    reads the input object (a link named `source` plus the extension); side inputs lie beside it
    under their `SideInputFacts.name`. `kept` are the files that activities before it left
    (`ActivityResult.kept`), none after a resume. `progress` takes 0 to 1 and may be called
    often, `speed` how many seconds of media a media process does in a second. Set `cancel` means:
    stop, kill what you started, raise InterruptedRunError. `slot` is held while a media process
    runs. `execution` returns the execution as it stands, and `read_by` what an activity of it read
    beside the input, for Report, as is `prediction_errors`: the median errors of the latest
    predictions, in the unit of `Figure.error`. `pages` makes its page, None where there are none.
    Files of more bytes than `count_limit` are not read through only to describe them.
    """

    activity: str
    run_id: str
    work: Path
    source: Path
    names: Names
    progress: Callable[[float], None]
    cancel: threading.Event
    slot: Callable[[], AbstractContextManager[object]]
    execution: Callable[[], ExecutionRecord]
    speed: Callable[[float], None] = show_no_speed
    read_by: Callable[[str], Mapping[SideInput, SideInputFacts]] = read_nothing
    prediction_errors: Callable[[], Mapping[Figure, float]] = foretell_nothing
    pages: PageMaker | None = None
    kept: Mapping[str, Path] = field(default_factory=dict[str, Path])
    count_limit: int = COUNT_LIMIT
    log: logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True, kw_only=True)
class SetCover:
    """The media of the run gets a picture as its cover."""

    ref: ObjectRef


@dataclass(frozen=True, kw_only=True)
class Publish:
    """The media of the run is published, or taken back."""

    published: bool


@dataclass(frozen=True, kw_only=True)
class DescribeMedia:
    """The media of the run gets what was found out about it (specification, mediainfo, 2)."""

    properties: Mapping[str, Json]


@dataclass(frozen=True, kw_only=True)
class KeepPredictions:
    """The store keeps what was foretold of the outputs, beside what came out.

    Not of a reused step: that was kept when it was made.
    """

    predictions: Sequence[Prediction]


#: what the success of an activity changes outside of its execution, in the media library or in
#: the figures about the engine itself
Effect = SetCover | Publish | DescribeMedia | KeepPredictions
