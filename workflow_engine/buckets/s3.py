"""Buckets in object stores that speak the protocol of Amazon S3: S3 itself, OSS, MinIO, others.

`s3_client.py` calls and explains errors, `s3_read.py` reads, `s3_write.py` uploads in parts,
`s3_put.py` what is small.

Media processes read a downloaded copy, never a signed URL, though one remux over a URL is faster
than download and remux (0.9 s against 1.6 s for 400 MB on one machine). The content key needs a
read of the whole input anyway, the copy serves all activities, and ffmpeg can neither hold its
ranges to one version of the object nor be kept to local files while it speaks HTTP
(decision 9).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event

from workflow_engine.buckets import files
from workflow_engine.buckets.faults import changed, not_found, other_content
from workflow_engine.buckets.interface import (
    ObjectInfo,
    Place,
    Staged,
    file_handle,
    handle_file,
)
from workflow_engine.buckets.parallel import in_parallel
from workflow_engine.buckets.s3_client import ABSENT, Client
from workflow_engine.buckets.s3_put import PutFile
from workflow_engine.buckets.s3_read import ObjectReader, Version, find, object_info
from workflow_engine.buckets.s3_write import PART, Memory, Stream, Upload, Writer, copies
from workflow_engine.errors import Code, InvalidInputError, MediaflowError, file_error
from workflow_engine.records import Block, Digests, DigestSum, utc_now
from workflow_engine.settings import BucketSettings
from workflow_engine.topology.placeholders import check_key, is_key

#: whom a grant speaks of that opens a bucket
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
#: a difference that whole seconds and the way of an answer explain
_CLOCKS_AGREE = timedelta(seconds=2)


class S3Bucket:
    """A bucket of an object store; keep one per bucket, for its connections."""

    remote = True

    def __init__(self, name: str, settings: BucketSettings) -> None:
        self.name = name
        self.client = Client(name, settings)
        self._access_rules = settings.acl
        self._memory = Memory()
        self._copies: bool | None = None  # whether the store copies; None: not tried yet

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def head(self, key: str) -> ObjectInfo | None:
        """See `Bucket.head`. Raises InvalidInputError when the bucket itself does not exist."""
        check_key(key)
        found = find(self.client, key)
        if found is None:
            self._require_bucket()
        return None if found is None else found.info

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectInfo]:
        """See `Bucket.list`; a page of 1,000 at a time."""
        more = {"StartAfter": start_after} if start_after else {}
        while True:
            page = self.client.call("list_objects_v2", Prefix=prefix, **more)
            for one in page.get("Contents", []):
                if is_key(one["Key"]):
                    yield object_info(
                        one["Key"], one["Size"], one.get("ETag", ""), one["LastModified"]
                    )
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def clock_ahead(self) -> timedelta:
        """Return by how much the clock that dates the objects is ahead of this machine's.

        Zero where the two agree as far as the store tells the time: in whole seconds.
        """
        before = utc_now()
        answer = self.client.call("list_objects_v2", MaxKeys=1)
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            ahead = parsedate_to_datetime(told) - before
        except (TypeError, ValueError):  # no date, or one without a time zone
            return timedelta()
        return ahead if abs(ahead) > _CLOCKS_AGREE else timedelta()

    def settled(self, key: str) -> bool:
        """See `Bucket.settled`: objects appear whole."""
        return True

    def place(self, key: str) -> str:
        """See `Bucket.place`."""
        check_key(key)
        return f"s3://{self.name}/{key}"

    def identity(self, key: str) -> str:
        """See `Bucket.identity`."""
        return f"{self.client.endpoint} {self.client.real_name} {key}"

    def read(
        self,
        key: str,
        *,
        version: str = "",
        span: range | None = None,
        cancel: Event | None = None,
    ) -> Iterator[Block]:
        """See `Bucket.read`."""
        return ObjectReader(self.client, self._pinned(key, version), cancel).blocks(span)

    def fetch(
        self, key: str, target: Path, *, version: str = "", cancel: Event | None = None
    ) -> Digests:
        """See `Bucket.fetch`: a download, checked against the size and the MD5 of the store."""
        pinned = self._pinned(key, version)
        part = target.with_name(files.hidden_name(target))
        try:
            found = ObjectReader(self.client, pinned, cancel).save(part)
            if found.size != pinned.size or (pinned.md5 and found.md5 != pinned.md5):
                raise MediaflowError(
                    Code.RESOURCE_CONTENT_BAD,
                    f'The object "{key}" of the bucket "{self.name}" did not arrive as it is in '
                    "the store.",
                    remedy="Try again; when it stays so, the object is damaged.",
                )
            part.rename(target)
        except OSError as error:
            raise file_error(
                error,
                f'The object "{key}" of the bucket "{self.name}" cannot be downloaded to '
                f'"{target.parent}"',
                check="Check that folder and its permissions.",
                room="Make room on that disk, or set MEDIAFLOW_DATA to a larger one.",
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return found

    def reserve(self, key: str, file: Path | None = None) -> str:
        """See `Bucket.reserve`: a multipart upload that was begun, unless the file is small."""
        if file is not None and _is_small(file):
            check_key(key)
            return file_handle(file)
        return self._begun(key).handle

    def stage(
        self, source: Path, key: str, handle: str = "", *, cancel: Event | None = None
    ) -> Staged:
        """See `Bucket.stage`; a small file is left where it is."""
        if handle_file(handle) or (not handle and _is_small(source)):
            return self._put(key, source, cancel)
        size = source.stat().st_size
        writer = self._writer(key, handle, size, cancel)
        try:
            with source.open("rb") as file:
                writer.fill(file.read, self._memory)
                if file.tell() != size or file.read(1):
                    raise MediaflowError(
                        Code.INTERNAL, f'The file "{source}" changed while it was uploaded.'
                    )
        except BaseException:
            if not handle:
                self._take_back(writer)
            raise
        return writer

    def staged(
        self, key: str, handle: str, digests: Digests, *, cancel: Event | None = None
    ) -> Staged | None:
        """See `Bucket.staged`: a small file is read; each part was checked when it was uploaded."""
        check_key(key)
        if file := handle_file(handle):
            return self._put(key, file, cancel) if _holds(file, digests, cancel) else None
        writer = self._writer(key, handle, digests.size, cancel)
        return writer if writer.is_filled() else None

    def stage_copy(
        self,
        origin: Place,
        key: str,
        digests: Digests,
        handle: str = "",
        *,
        known: str = "",
        cancel: Event | None = None,
    ) -> Writer:
        """See `Bucket.stage_copy`: by the store itself where it can and the content is known."""
        writer = self._writer(key, handle, digests.size, cancel)
        try:
            if not (known and self._copied(origin, known, writer)):
                stream = Stream(origin.bucket.read(origin.key, version=known, cancel=cancel))
                writer.fill(stream.read, self._memory)
                if stream.read(1) or stream.total.result() != digests:
                    raise other_content(origin)
        except BaseException:
            if not handle:
                self._take_back(writer)
            raise
        return writer

    def _copied(self, origin: Place, known: str, writer: Writer) -> bool:
        """Let the store copy a version; False when only reading and writing does it."""
        source = origin.bucket
        if not isinstance(source, S3Bucket) or source.client.account != self.client.account:
            return False
        version = source._pinned(origin.key, known)
        real_name = source.client.real_name
        if self._copies is None and version.size:
            self._copies = copies(self.client, writer.upload.key, real_name, version)
        if not self._copies or not version.size:
            return False
        writer.copy(real_name, version)
        source._pinned(origin.key, known)  # not every server obeys the condition of the copy
        return True

    def sweep(self, key: str, handle: str) -> None:
        """See `Bucket.sweep`."""
        check_key(key)
        if handle and handle_file(handle) is None:
            Upload.of(key, handle).abort(self.client)

    def set_access(self, keys: Sequence[str], published: bool) -> None:
        """See `Bucket.set_access`; an object that is gone has no access to change."""
        if not self._access_rules or not keys:
            return
        access = self._bucket_access()
        in_parallel(lambda key: self._grant(key, access if published else "private"), keys)

    def _grant(self, key: str, access: str) -> None:
        check_key(key)
        self.client.call("put_object_acl", none_for=ABSENT, Key=key, ACL=access)

    def _bucket_access(self) -> str:
        """Return the canned access that says for an object what holds for the bucket."""
        answer = self.client.call("get_bucket_acl")
        if not answer.get("Grants"):
            # a server without such rules may take the call that sets them for an upload
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f'The store of the bucket "{self.name}" has no access rules for objects.',
                remedy=f"Set acl = false in [buckets.{self.name}].",
            )
        open_to_all = {
            grant["Permission"]
            for grant in answer["Grants"]
            if grant["Grantee"].get("URI") == _EVERYBODY
        }
        return "public-read" if open_to_all & {"READ", "FULL_CONTROL"} else "private"

    def check(self) -> str:
        """Return what the bucket is, after a look into it; for `mediaflow doctor`."""
        self.client.call("list_objects_v2", MaxKeys=1)
        return f"{self.client.real_name} at {self.client.endpoint or 'Amazon S3'}"

    def _pinned(self, key: str, version: str) -> Version:
        """Return what lies under a key now; raises as `Bucket.fetch` does."""
        check_key(key)
        found = find(self.client, key)
        if found is None:
            raise not_found(self.name, key)
        if version and found.info.version != version:
            raise changed(self.name, key)
        return found

    def _require_bucket(self) -> None:
        """Refuse a bucket that does not exist, if one may ask."""
        try:
            there = self.client.call("head_bucket", none_for=ABSENT)
        except InvalidInputError:
            return
        if there is None:
            raise InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The bucket "{self.name}" has no store: "{self.client.real_name}" does not exist '
                f"at {self.client.endpoint or 'Amazon S3'}.",
                remedy=f"Create it, or correct [buckets.{self.name}].",
            )

    def _begun(self, key: str) -> Upload:
        check_key(key)
        return Upload.begin(self.client, key, **self._access())

    def _put(self, key: str, file: Path, cancel: Event | None) -> PutFile:
        check_key(key)
        return PutFile(self.client, key, file, self._memory, cancel, **self._access())

    def _access(self) -> dict[str, str]:
        """Return who may read a new object: nobody, before its media is published."""
        return {"ACL": "private"} if self._access_rules else {}

    def _writer(self, key: str, handle: str, size: int, cancel: Event | None) -> Writer:
        upload = Upload.of(key, handle) if handle else self._begun(key)
        return Writer(self.client, upload, size, cancel)

    def _take_back(self, writer: Writer) -> None:
        """Discard after another error, which is the one to tell."""
        with suppress(MediaflowError):
            writer.discard()


def _is_small(file: Path) -> bool:
    """Whether one PUT uploads a file: then parts would only cost calls."""
    return file.stat().st_size <= PART


def _holds(file: Path, digests: Digests, cancel: Event | None) -> bool:
    """Whether a file is there and holds what was recorded of it."""
    total = DigestSum(md5=False)
    try:
        for block in files.read_blocks(file, cancel):
            total.update(block)
    except OSError:
        return False
    return total.result() == digests
