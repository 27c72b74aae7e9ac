"""Object URLs, bucket names, and the recorded places of objects (design, section 3).

>>> parse("oss://example-vod/a/clip.mp4").object
'a/clip.mp4'
>>> parse("http://example-vod.oss-cn-hangzhou.aliyuncs.com/a/my%20clip.mp4").object
'a/my clip.mp4'
>>> parse("clips/clip.mp4") is None
True
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.placeholders import check_key, decode_object
from workflow_engine.records import ObjectRef

# Wider than the rule for new buckets in the cloud (specification, api, 13): topologies name
# folders here, and a folder may be called "in".
_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CLOUD_HOST = re.compile(r"([a-z0-9][a-z0-9_-]*)\.[a-z0-9.-]+\.aliyuncs\.com")


def check_bucket_name(name: str) -> None:
    """Refuse what cannot be a bucket, and what would not be one folder.

    Raises InvalidInputError (`InvalidParameter.BucketNameInvalid`).
    """
    if not _BUCKET_NAME.fullmatch(name):
        raise InvalidInputError(
            Code.BUCKET_NAME,
            f'The bucket name "{name}" is invalid.',
            remedy="Use 1 to 64 letters, digits, '-', '_' and '.', a letter or digit first.",
        )


def parse(text: str) -> ObjectRef | None:
    """Return the object that a URL names, or None for a plain path.

    Known are `oss://B/K`, `s3://B/K` and `http(s)://B.<anything>.aliyuncs.com/K`; only the key
    of the last form is URL-encoded. Raises InvalidInputError for any other URL, and for names
    that no object can have.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    if scheme[1].lower() in ("oss", "s3"):
        bucket, _, key = text[scheme.end() :].partition("/")
    else:
        bucket, key = _cloud_object(text)
    check_bucket_name(bucket)
    check_key(key)
    return ObjectRef(bucket=bucket, object=key)


def read_place(place: str) -> Path:
    """Return the file at the recorded place of an output, whether it is still there or not.

    Raises InvalidInputError for a URL: this version reads local buckets only.
    """
    if not place.startswith("/"):
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The object "{place}" lies in an object store, which this version cannot read.',
            remedy="Use a bucket with a path.",
        )
    return Path(place)


def _cloud_object(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        host = _CLOUD_HOST.fullmatch(parts.hostname or "")
    except ValueError:  # a host such as "[::"
        parts, host = None, None
    if parts is None or host is None or parts.scheme not in ("http", "https"):
        shown = url.partition("?")[0]  # the query may hold a signature
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The URL "{shown}" names no object of a bucket.',
            remedy="Use oss://BUCKET/KEY, s3://BUCKET/KEY, "
            "https://BUCKET.REGION.aliyuncs.com/KEY, or a plain path for a file.",
        )
    return host[1], decode_object(parts.path.removeprefix("/"))
