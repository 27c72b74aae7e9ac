"""The input object of a run, pinned to one version (decision 12)."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workflow_engine.buckets import Bucket, ObjectInfo, SingleFileBucket
from workflow_engine.errors import ActivityError, Code, InvalidInputError, MediaflowError
from workflow_engine.records import Digests, DigestSum, ObjectRef, utc_now

#: of an input that cannot be read
NO_DIGESTS = Digests(size=0, sha256="", md5="")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An object version: where it lies, what it was when it was opened, its content's digests.

    `digests` is None for an object of a store that was not read yet; `SourceFile` reads it.
    `problem` says why it could not be opened; Start then fails with it.
    """

    ref: ObjectRef
    bucket: Bucket
    info: ObjectInfo
    digests: Digests | None
    problem: MediaflowError | None = None

    @classmethod
    def missing(cls, ref: ObjectRef, problem: MediaflowError) -> "Source":
        """Return an input that cannot be read, for a run that has to say so."""
        info = ObjectInfo(key=ref.object, size=0, version="", modified=utc_now())
        nowhere = SingleFileBucket(ref.bucket, ref.object, Path(os.devnull))
        return cls(ref=ref, bucket=nowhere, info=info, digests=NO_DIGESTS, problem=problem)

    @property
    def place(self) -> str:
        """Where it lies, as records name it."""
        return self.bucket.place(self.ref.object)

    def require_unchanged(self) -> None:
        """Refuse to continue with an input that changed under the run. Raises ActivityError."""
        if self.problem is not None:
            error = self.problem
            raise ActivityError(error.code, error.message, remedy=error.remedy)
        found = self.bucket.head(self.ref.object)
        if found is None or found.version != self.info.version or self._is_another(found):
            what = "disappeared" if found is None else "changed"
            raise ActivityError(
                Code.RESOURCE_CONTENT_BAD,
                f'The input "{self.ref.object}" {what} during the run.',
                remedy="Run the workflow again on the new version.",
            )

    def _is_another(self, found: ObjectInfo) -> bool:
        """Whether a file under the same version is not the one that was opened, nor like it."""
        if found.fingerprint == self.info.fingerprint or self.digests is None:
            return False
        total = DigestSum(md5=False)
        for block in self.bucket.read(self.ref.object, version=found.version):
            total.update(block)
        return total.result() != self.digests

    def require_other_place(self, ref: ObjectRef, bucket: Bucket) -> None:
        """Refuse to write what is the input, by its name or by its place. Raises ActivityError.

        A file that `run` was given is the object of its bucket in name only; where the topology
        runs on real buckets the name alone would be enough.
        """
        same_name = (ref.bucket, ref.object) == (self.ref.bucket, self.ref.object)
        mine = self.bucket.identity(self.ref.object)
        if same_name or bucket.identity(ref.object) == mine:
            raise ActivityError(
                Code.OBJECT_KEY,
                f'The output "{ref.object}" would overwrite the input "{self.place}".',
                remedy="Give the output another name or bucket.",
            )


class SourceFile:
    """The content of an input as a file, for all activities of one execution.

    It is fetched when somebody needs it first, into a folder that `make_folder` makes, and never
    again: nothing is downloaded for a run that finds all its steps finished. Thread-safe.
    """

    def __init__(
        self, source: Source, make_folder: Callable[[], Path], cancel: threading.Event
    ) -> None:
        self._source = source
        self._digests = source.digests
        self._make_folder = make_folder
        self._file: Path | None = None
        self._cancel = cancel
        self._lock = threading.Lock()

    def digests(self) -> Digests:
        """Return the digests of the content; raises as `Bucket.fetch` does."""
        with self._lock:
            if self._digests is None:
                file = self._fetch()
                if self._digests is None:
                    self._digests = Digests.of(file)
            return self._digests

    def link(self, target: Path) -> None:
        """Make the content readable at `target`, a free path; raises as `Bucket.fetch` does."""
        with self._lock:
            file = self._file
            if file is None or not file.exists():
                file = self._fetch()
        target.symlink_to(os.path.realpath(file))

    def _fetch(self) -> Path:
        source, file = self._source, self._make_folder() / "source"
        found = source.bucket.fetch(
            source.ref.object, file, version=source.info.version, cancel=self._cancel
        )
        if found is not None and found != (self._digests or found):
            file.unlink()
            raise InvalidInputError(
                Code.RESOURCE_CONTENT_BAD,
                f'The input "{source.place}" has other content than when it was read before, '
                "under the same version.",
                remedy="Upload it again and run the workflow on it.",
            )
        self._digests = self._digests or found
        self._file = file
        return file
