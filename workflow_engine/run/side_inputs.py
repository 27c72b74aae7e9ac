"""What activities read beside the input: watermarks, subtitles, parts to merge, lists of them.

Each object is opened, pinned and digested once per execution, fetched once, and described by the
activity that asked for it, so that planning stays pure. Decisions 5, 9 and 12.
"""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from workflow_engine.activity import Activity, ActivityContext, SideInput, SideInputFacts
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.records import Digests, ObjectRef
from workflow_engine.run.source import Source, SourceFile
from workflow_engine.topology.placeholders import Names
from workflow_engine.topology.wire import WireModel

#: characters of a file name that tell one content from another
_NAME_DIGITS = 16


class NotReadError(ActivityError):
    """A side input was not read yet."""

    def __init__(self) -> None:
        super().__init__(Code.INTERNAL, "What the activity reads beside the input is not known.")


class SideInputs:
    """The side inputs of one execution. Thread-safe."""

    def __init__(
        self,
        *,
        source: Source,
        file: SourceFile,
        names: Names,
        opener: Callable[[ObjectRef], Source],
        make_folder: Callable[[], Path],
        context: Callable[[Path, Path], ActivityContext],
    ) -> None:
        """`source` and `file` are the input; `opener` pins an object.

        `make_folder` makes an empty folder. `context` is for `describe`: it takes a work
        directory and a file.
        """
        self._source = source
        self._file = file
        self._names = names
        self._opener = opener
        self._make_folder = make_folder
        self._context = context
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], Source] = {}
        self._found: dict[SideInput, SideInputFacts] = {}

    def read(self, activity: Activity[WireModel], wanted: SideInput) -> SideInputFacts:
        """Open and describe what an activity wants to read.

        Raises ActivityError: `InvalidParameter.ResourceNotFound` when there is no such object,
        and what `Activity.describe` raises.
        """
        with self._lock:
            if wanted not in self._found:
                self._found[wanted] = self._read(activity, wanted)
            return self._found[wanted]

    def known(self, activity: Activity[WireModel], wanted: SideInput) -> SideInputFacts:
        """Return what `read` found before. Raises NotReadError else."""
        found = self._found.get(wanted)
        if found is None:
            raise NotReadError
        return found

    def require_unchanged(self, wanted: Iterable[SideInput]) -> None:
        """Refuse to continue with side inputs that changed under the run. Raises ActivityError."""
        for one in wanted:
            self._opened[_key(one.ref)].require_unchanged()

    def link(self, wanted: Iterable[SideInput], work: Path) -> None:
        """Make side inputs readable in the directory of an attempt, under their names."""
        for one in wanted:
            name = self._found[one].name
            target = work / name
            if not os.path.lexists(target):
                target.symlink_to(self._place / name)

    @property
    def _place(self) -> Path:
        """The folder of the side inputs."""
        if self._folder is None:
            self._folder = self._make_folder()
        return self._folder

    def _read(self, activity: Activity[WireModel], wanted: SideInput) -> SideInputFacts:
        opened = self._open(wanted.ref)
        own = opened is self._source
        content = self._file if own else SourceFile(opened, self._make_folder, threading.Event())
        digests = content.digests()
        name = self._names.source_name if own else _name(opened.ref, digests)
        file = self._place / name
        if not os.path.lexists(file):
            content.link(file)
        context = self._context(self._place, file)
        try:
            facts = activity.describe(wanted, context)
        except ActivityError as error:
            raise error if own else _named(error, wanted.ref) from error
        return SideInputFacts(name=name, digests=digests, facts=facts)

    def _open(self, ref: ObjectRef) -> Source:
        key = _key(ref)
        if key not in self._opened:
            if key == _key(self._source.ref):
                self._opened[key] = self._source
            else:
                try:
                    self._opened[key] = self._opener(ref)
                except InvalidInputError as error:
                    raise ActivityError(
                        error.code,
                        error.message,
                        remedy=error.remedy,
                        transient=error.transient,
                    ) from error
        return self._opened[key]


def _named(error: ActivityError, ref: ObjectRef) -> ActivityError:
    return ActivityError(
        error.code,
        f'The object "{ref.object}" of the bucket "{ref.bucket}" cannot be used: '
        f"{error.message[:1].lower()}{error.message[1:]}",
        remedy=error.remedy,
        detail=error.detail,
        transient=error.transient,
    )


def _key(ref: ObjectRef) -> tuple[str, str]:
    return ref.bucket, ref.object


def _name(ref: ObjectRef, digests: Digests) -> str:
    extension = Path(Names.of(ref.object).source_name).suffix
    return f"side-{digests.sha256[:_NAME_DIGITS]}{extension}"
