"""Inputs that are made of further objects, such as the segments of a playlist.

Start's activity tells which objects an input names and makes one file of them; here they are
pinned, fetched and digested, so that everything else in a run sees one file (decision 12). The
digests of such an input cover its own content and that of every part, in their order.
"""

import hashlib
import posixpath
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow_engine.activity import Activity, ActivityContext, Composite
from workflow_engine.buckets import Bucket, SingleFileBucket
from workflow_engine.buckets.parallel import AT_ONCE, in_parallel
from workflow_engine.errors import ActivityError, Code, InvalidInputError
from workflow_engine.records import Digests, DigestSum, ObjectRef
from workflow_engine.run.source import Source, SourceFile
from workflow_engine.store import Store
from workflow_engine.topology.wire import WireModel

#: bytes that are read at once
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the activities of a run read: the file, its digests, and whether it has parts."""

    file: SourceFile
    digests: Digests
    composite: Composite | None = None


def open_content(
    source: Source,
    start: Activity[WireModel],
    *,
    make_folder: Callable[[], Path],
    context: Callable[[Path, Path], ActivityContext],
    cancel: threading.Event,
    store: Store | None,
) -> Content:
    """Pin what an input consists of and digest it; `store` knows what was read before.

    `make_folder` makes an empty folder; `context`, for `Activity.join`, takes a work directory
    and a file. Raises ActivityError (`InvalidParameter.ResourceNotFound` for a part that is not
    there), and as `Bucket.fetch` and `Activity.composite` do.
    """
    file = SourceFile(source, make_folder, cancel)
    own = file.digests()
    if store is not None:
        store.digests.save(source.place, source.info.version, own, source.info.fingerprint)

    def document() -> Path:
        link = make_folder() / "document"
        file.link(link)
        return link

    named = source.ref.object.lower().endswith(start.composites)
    composite = start.composite(document()) if named else None
    if composite is None:
        return Content(file=file, digests=own)
    if composite.unfinished:
        raise ActivityError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The resource operated "InputFile" is not complete: {composite.unfinished}.',
            remedy="Run the workflow when all of it is there.",
        )
    parts = pin_parts(source, composite)
    joined = _JoinedFile(
        source,
        parts,
        make_folder=make_folder,
        cancel=cancel,
        own=own,
        document=document,
        join=lambda files, link: start.join(files, context(make_folder(), link)),
    )
    place, pins = f"{source.place}#parts", joined.pins
    known = store.digests.get(place, pins) if store is not None else None
    digests = known or joined.digests()
    if store is not None:
        store.digests.save(place, pins, digests)
    return Content(file=joined, digests=digests, composite=composite)


def pin_parts(source: Source, composite: Composite) -> Mapping[str, Source]:
    """Return what an input consists of, each in the version that is there now, by its name.

    Raises ActivityError: `InvalidParameter.ResourceNotFound` when one is missing,
    `.ResourceNotSupported` for one that lies elsewhere than it seems.
    """

    def pin(name: str) -> Source:
        key = posixpath.join(posixpath.dirname(source.ref.object), name)
        ref = ObjectRef(bucket=source.ref.bucket, object=key, location=source.ref.location)
        try:
            bucket = _beside(source.bucket, name)
            info = bucket.head(key)
        except InvalidInputError as error:
            code = Code.RESOURCE_NOT_SUPPORTED if error.code == Code.OBJECT_KEY else error.code
            raise ActivityError(
                code, error.message, remedy=error.remedy, transient=error.transient
            ) from error
        if info is None:
            raise ActivityError(
                Code.RESOURCE_NOT_FOUND,
                f'The input names "{name}", and there is no object "{key}" in the bucket '
                f'"{ref.bucket}".',
                remedy="Upload it beside the input, and run the workflow again.",
            )
        return Source(ref=ref, bucket=bucket, info=info, digests=None)

    at_once = AT_ONCE if source.bucket.remote else 1
    return dict(zip(composite.parts, in_parallel(pin, composite.parts, at_once), strict=True))


def _beside(bucket: Bucket, name: str) -> Bucket:
    return bucket.beside(name) if isinstance(bucket, SingleFileBucket) else bucket


class _JoinedFile(SourceFile):
    """The one file that a composite input becomes. Its parts are fetched once, and go then."""

    def __init__(
        self,
        source: Source,
        parts: Mapping[str, Source],
        *,
        make_folder: Callable[[], Path],
        cancel: threading.Event,
        own: Digests,
        document: Callable[[], Path],
        join: Callable[[Mapping[str, Path], Path], Path],
    ) -> None:
        """`own` are the digests of the input alone, `document` gives it as a file."""
        super().__init__(source, make_folder, cancel)
        self._parts = parts
        self._own = own
        self._document = document
        self._join = join
        self._fetched: Mapping[str, Path] = {}
        self._digests = None

    @property
    def pins(self) -> str:
        """Text that stays the same while no version of the input or of a part changes."""
        total = hashlib.sha256(self._own.sha256.encode())
        for part in self._parts.values():
            pin = (part.place, part.info.version, part.info.fingerprint)
            total.update("\0".join(("", *pin)).encode())
        return total.hexdigest()

    def digests(self) -> Digests:
        """See `SourceFile.digests`: of the input and of all parts; the size is the input's."""
        with self._lock:
            if self._digests is None:
                total = hashlib.sha256(self._own.sha256.encode())
                for file in self._files().values():
                    total.update(_digests(file).sha256.encode())
                self._digests = Digests(size=self._own.size, sha256=total.hexdigest())
            return self._digests

    def _fetch(self) -> Path:
        files = self._files()
        self._file = self._join(files, self._document())
        for part in self._parts.values():
            if not part.bucket.remote:  # what was fetched is a link
                part.require_unchanged()
        self._fetched = {}
        for file in files.values():
            file.unlink()
        return self._file

    def _files(self) -> Mapping[str, Path]:
        """Fetch all parts, unless they are there."""
        if not self._fetched:
            folder = self._make_folder()
            named = list(enumerate(self._parts.items()))

            def fetch(item: tuple[int, tuple[str, Source]]) -> tuple[str, Path]:
                number, (name, part) = item
                file = folder / str(number)
                key, version = part.ref.object, part.info.version
                part.bucket.fetch(key, file, version=version, cancel=self._cancel)
                return name, file

            at_once = AT_ONCE if self._source.bucket.remote else 1
            self._fetched = dict(in_parallel(fetch, named, at_once))
        return self._fetched


def _digests(file: Path) -> Digests:
    total = DigestSum(md5=False)
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            total.update(block)
    return total.result()
