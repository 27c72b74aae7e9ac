"""Writing small objects of a store: one PUT each, which is whole or not there.

Until then nothing lies in the store. The finished file stays where it was made, and its path is in
the handle: a process that continues after a crash uploads it from there.
"""

import base64
import hashlib
import threading
from pathlib import Path

from workflow_engine.buckets.s3_client import Client
from workflow_engine.buckets.s3_read import find, normal_etag
from workflow_engine.buckets.s3_write import Memory, content_type
from workflow_engine.errors import Code, InterruptedRunError, MediaflowError


class PutFile:
    """A file that one PUT uploads."""

    def __init__(
        self,
        client: Client,
        key: str,
        file: Path,
        memory: Memory,
        cancel: threading.Event | None = None,
        **more: str,
    ) -> None:
        """`more` are further parameters of the PUT. Raises OSError when there is no file."""
        self._client = client
        self._key = key
        self._file = file
        self._size = file.stat().st_size
        self._memory = memory
        self._cancel = cancel
        self._more = more

    def publish(self) -> str:
        """See `Staged.publish`; raises InterruptedRunError and OSError besides.

        The version is empty where the ETag is the MD5 of the content, which says more.
        """
        if self._cancel is not None and self._cancel.is_set():
            raise InterruptedRunError()
        self._memory.take(self._size)
        try:
            return self._put()
        finally:
            self._memory.free(self._size)

    def _put(self) -> str:
        content = self._file.read_bytes()
        if len(content) != self._size:
            raise MediaflowError(
                Code.INTERNAL, f'The file "{self._file}" changed while it was uploaded.'
            )
        md5 = hashlib.md5(content, usedforsecurity=False)
        answer = self._client.call(
            "put_object",
            Key=self._key,
            Body=content,
            ContentMD5=base64.b64encode(md5.digest()).decode(),  # the store compares what arrives
            ContentType=content_type(self._key),
            **self._more,
        )
        version_id = answer.get("VersionId", "null")
        if version_id != "null":
            return version_id
        if normal_etag(answer.get("ETag", "")) == md5.hexdigest():
            return ""
        found = find(self._client, self._key)  # encrypted with a key of its own, for example
        mine = found is not None and found.raw_etag == answer.get("ETag")
        return found.info.version if mine and found is not None else ""

    def discard(self) -> None:
        """See `Staged.discard`: nothing is in the store yet."""
