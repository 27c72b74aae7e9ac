"""The input object of a run, pinned to one version (design, decision 12)."""

import os
from dataclasses import dataclass
from pathlib import Path

from workflow_engine.buckets import Bucket, ObjectInfo
from workflow_engine.errors import ActivityError, Code
from workflow_engine.records import Digests, ObjectRef


@dataclass(frozen=True, kw_only=True)
class Source:
    """An object version: where it lies, what it was when it was opened, its content's digests."""

    ref: ObjectRef
    bucket: Bucket
    info: ObjectInfo
    digests: Digests

    def require_unchanged(self) -> None:
        """Refuse to go on with an input that changed under the run. Raises ActivityError."""
        found = self.bucket.head(self.ref.object)
        if found is None or found.version != self.info.version:
            what = "disappeared" if found is None else "changed"
            raise ActivityError(
                Code.RESOURCE_CONTENT_BAD,
                f'The input "{self.ref.object}" {what} during the run.',
                remedy="Run the workflow again on the new version.",
            )

    def require_other_place(self, ref: ObjectRef, place: str) -> None:
        """Refuse to write what is the input, by its name or by its place. Raises ActivityError.

        A file that `run` was given is the object of its bucket in name only; where the topology
        runs on real buckets the name alone would be enough.
        """
        mine = self.bucket.place(self.ref.object)
        same_name = (ref.bucket, ref.object) == (self.ref.bucket, self.ref.object)
        if same_name or os.path.realpath(place) == os.path.realpath(mine):
            raise ActivityError(
                Code.OBJECT_KEY,
                f'The output "{ref.object}" would overwrite the input "{mine}".',
                remedy="Give the output another name or bucket.",
            )

    def fetch(self, target: Path) -> None:
        """Make the content readable at `target`, a free path."""
        self.bucket.fetch(self.ref.object, target)
