"""Watches the folder of `[workflows] dir`: `NAME.json` in it is the workflow NAME.

`templates/ID.json` in it is the template ID. This module only looks: which files are there, and
have they come to rest? What a new, broken or removed file means stands in `catalog/workflows.py`
and `catalog/template_files.py`. Looking is `stat` once per file and period,
which works on every file system.
"""

import logging
import os
import stat
import threading
from pathlib import Path
from typing import NamedTuple, Protocol

from workflow_engine.errors import Code, InvalidInputError, MediaflowError
from workflow_engine.records.catalog import WorkflowFileRecord

log = logging.getLogger(__name__)

SUFFIX = ".json"
MAX_BYTES = 10_000_000
#: looks after which a broken file is read again: what is wrong may lie outside of it
RETRY_LOOKS = 10
#: seconds that a look may still take at the end; a dead network folder takes for ever
_STOP_SECONDS = 5.0
#: files that `status` names
_NAMED = 5


class _Signature(NamedTuple):
    """Changes when a file is written or replaced; all zero for one that cannot be looked at."""

    mtime_ns: int = 0
    size: int = 0
    inode: int = 0

    @classmethod
    def of(cls, status: os.stat_result) -> "_Signature":
        return cls(status.st_mtime_ns, status.st_size, status.st_ino)


class FileOwner(Protocol):
    """What files of a folder define: `catalog/workflows.py` says more of each method."""

    def files_in(self, folder: str) -> list[WorkflowFileRecord]:
        """Return what became of each file of a folder."""
        ...

    def load_file(
        self, path: str, name: str, text: str, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Let the text of a file define `name`."""
        ...

    def refuse_file(
        self, path: str, name: str, error: InvalidInputError, known: WorkflowFileRecord | None
    ) -> WorkflowFileRecord:
        """Record why a file cannot be read."""
        ...

    def remove_file(self, known: WorkflowFileRecord) -> None:
        """Take back what a file defined that is gone."""
        ...


class WatchedFiles:
    """Keeps what files define in line with a folder."""

    #: what a file defines, in a word
    kind = ""
    #: how to see what is wrong with a file
    command = ""
    #: what the removal of a file means
    removed = ""

    def __init__(self, owner: FileOwner, directory: Path) -> None:
        self._owner = owner
        self._directory = directory
        self._folder = _shown(directory)
        self._looks = 0
        self._known: dict[str, WorkflowFileRecord] = {}
        self._seen: dict[str, _Signature] = {}
        self._read: dict[str, _Signature] = {}
        self._missing: set[str] = set()
        self._trouble = ""
        self._status = ""

    def status(self) -> str:
        """Return what is wrong in one sentence, or "" when every file is in force."""
        return self._status

    def scan(self) -> None:
        """Look once. The first look takes everything as it is.

        Later ones act on what two of them saw alike: a file is not read while it is written, and
        a file that is being replaced has not gone. Raises MediaflowError when the store fails.
        """
        if self._looks == 0:
            self._known = {record.path: record for record in self._owner.files_in(self._folder)}
        self._looks += 1
        trouble, files = self._listed()
        if not trouble:
            for shown, path in files.items():
                self._look(shown, path)
            self._forget_missing(files)
        self._report(trouble)

    def _listed(self) -> tuple[str, dict[str, Path]]:
        """Return what is wrong with the folder, and the workflow files by their shown path."""
        try:
            names = sorted(os.listdir(self._directory))
        except FileNotFoundError:
            if not self._known:
                return "", {}
            missing = f'The folder "{self._directory}" of the {self.kind} files is missing'
            return f"{missing}; their {self.kind}s stay as they are.", {}
        except OSError as error:
            unread = f'The folder "{self._directory}" of the {self.kind} files cannot be read'
            return f"{unread}: {error.strerror}; their {self.kind}s stay as they are.", {}
        paths = [
            self._directory / name
            for name in names
            if name.endswith(SUFFIX) and not name.startswith(".")
        ]
        return "", {_shown(path): path for path in paths}

    def _look(self, shown: str, path: Path) -> None:
        """Read a file that is new, changed or broken, once it has come to rest."""
        try:
            signature = _Signature.of(path.stat())
        except OSError:
            signature = _Signature()
        at_rest = self._looks == 1 or self._seen.get(shown) == signature
        self._seen[shown] = signature
        known = self._known.get(shown)
        again = known is not None and known.problem and self._looks % RETRY_LOOKS == 0
        if at_rest and (again or self._read.get(shown) != signature):
            self._take(shown, path, signature)

    def _take(self, shown: str, path: Path, signature: _Signature) -> None:
        known = self._known.get(shown)
        name = Path(shown).name.removesuffix(SUFFIX)
        try:
            text = _text(path, shown, signature)
            if text is None:
                return
            record = self._owner.load_file(shown, name, text, known)
        except InvalidInputError as error:
            record = self._owner.refuse_file(shown, name, error, known)
        except MediaflowError:
            raise
        except Exception as error:  # a fault of one activity type must not stop the others
            log.debug("checking %s failed", shown, exc_info=True)
            fault = InvalidInputError(
                Code.INTERNAL,
                f'The file "{shown}" cannot be checked: {error!r}.',
                remedy="Report this to the makers of its activity types.",
            )
            record = self._owner.refuse_file(shown, name, fault, known)
        if record is not known or shown not in self._read:
            for line in record.problem.splitlines():
                log.warning("%s", line)
            if not record.problem:
                log.info('%s "%s" loaded from "%s"', self.kind, name, shown)
        self._known[shown] = record
        self._read[shown] = signature

    def _forget_missing(self, files: dict[str, Path]) -> None:
        missing = self._known.keys() - files.keys()
        for shown in sorted(missing):
            if self._looks == 1 or shown in self._missing:
                self._owner.remove_file(self._known[shown])
                log.info('%s file "%s" is gone; %s', self.kind, shown, self.removed)
                del self._known[shown]
                self._read.pop(shown, None)
        self._missing = missing
        for shown in self._seen.keys() - files.keys():
            del self._seen[shown]

    def _report(self, trouble: str) -> None:
        """Keep what is wrong for `status`; log what is wrong with the folder, once."""
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble
        self._status = trouble or self._broken()

    def _broken(self) -> str:
        names = sorted(Path(path).name for path, record in self._known.items() if record.problem)
        if not names:
            return ""
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return (
            f"{self.kind.capitalize()} files with problems: {', '.join(names[:_NAMED])}{more}; "
            f"see {self.command}."
        )


class TemplateFiles(WatchedFiles):
    """The template files of `[workflows] dir`; `WorkflowFiles` looks at them, too."""

    kind = "template"
    command = "mediaflow template list"
    removed = "its template is deleted"


class WorkflowFiles(WatchedFiles):
    """Keeps the registered workflows in line with a folder, from `start` to `stop`."""

    name = "workflow files"
    kind = "workflow"
    command = "mediaflow workflow list"
    removed = "its workflow takes no inputs"

    def __init__(
        self,
        workflows: FileOwner,
        directory: Path,
        *,
        templates: TemplateFiles | None = None,
        period: float = 1.0,
    ) -> None:
        """`templates` are what the workflows may name; `period` is between looks, in seconds."""
        super().__init__(workflows, directory)
        self._templates = templates
        self._period = period
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Load every file, then keep looking from a thread. Raises MediaflowError."""
        self.scan()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def scan(self) -> None:
        """Look once, at templates before the workflows that name them."""
        if self._templates is not None:
            self._templates.scan()
        super().scan()

    def status(self) -> str:
        """Return what is wrong in one sentence, or "" when every file is in force."""
        templates = self._templates.status() if self._templates is not None else ""
        return " ".join(filter(None, (super().status(), templates)))

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            try:
                self.scan()
            except Exception as error:  # the store may fail now and answer at the next look
                self._report(f"The workflow files cannot be loaded: {error}")


def _shown(path: Path) -> str:
    """Return a path as it can be stored and printed, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _text(path: Path, shown: str, signature: _Signature) -> str | None:
    """Return the text of a file, None when it changes in the meantime. Raises InvalidInputError."""
    if shown != str(path):
        raise InvalidInputError(
            Code.FORMAT,
            f'The name of the file "{shown}" is not UTF-8.',
            remedy="Give the file a name in UTF-8.",
        )
    try:
        _check(path.stat(), shown)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
            if _Signature.of(os.fstat(file.fileno())) != signature:
                return None
    except OSError as error:
        raise InvalidInputError(
            Code.RESOURCE_ACCESS,
            f'The file "{shown}" cannot be read: {error.strerror}.',
            remedy="Make it readable, or remove it.",
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            Code.JSON_FORMAT,
            f'The file "{shown}" is not UTF-8 text (byte {error.start}).',
            remedy="Save it as UTF-8 JSON.",
        ) from None


def _check(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED, f'"{shown}" is not a file.', remedy="Remove or rename it."
        )
    if status.st_size > MAX_BYTES:
        raise InvalidInputError(
            Code.OUT_OF_RANGE,
            f'The file "{shown}" has {status.st_size} bytes.',
            remedy=f"Such a file has at most {MAX_BYTES}.",
        )
