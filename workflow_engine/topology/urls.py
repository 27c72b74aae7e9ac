"""Object URLs and bucket names (`docs/buckets.md`, "Naming objects").

>>> parse("oss://example-vod/a/clip.mp4").object
'a/clip.mp4'
>>> parse("http://example-vod.oss-cn-hangzhou.aliyuncs.com/a/my%20clip.mp4").object
'a/my clip.mp4'
>>> parse("clips/clip.mp4") is None
True
>>> object_url(ObjectRef(bucket="example-vod", object="a/my clip.mp4"))
'http://example-vod.local.aliyuncs.com/a/my%20clip.mp4'
"""

import re
from urllib.parse import quote, unquote, urlsplit

from workflow_engine.errors import Code, InvalidInputError
from workflow_engine.records import ObjectRef
from workflow_engine.topology.placeholders import check_key, decode_object

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
    """Return the object that a URL names, or None for a plain path (see `plain_path`).

    Known are `oss://B/K`, `s3://B/K` and `http(s)://B.<anything>.aliyuncs.com/K`, the last also
    with `oss` (specification, api, 3); only the key of the last form is URL-encoded. Raises
    InvalidInputError for any other URL, and for names that no object can have.
    """
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() == "file":
        return None
    if scheme[1].lower() in ("oss", "s3"):
        bucket, _, key = text[scheme.end() :].partition("/")
        if host := _CLOUD_HOST.fullmatch(bucket):
            bucket, key = host[1], decode_object(key)
    else:
        bucket, key = _cloud_object(text)
    check_bucket_name(bucket)
    check_key(key)
    return ObjectRef(bucket=bucket, object=key)


def object_url(ref: ObjectRef) -> str:
    """Return the URL of an object, which `parse` reads: `http://BUCKET.LOCATION.aliyuncs.com/KEY`.

    The location of an object that has none is `local`. A bucket or a location that cannot be
    part of a host name gives `oss://BUCKET/KEY`.
    """
    host = f"{ref.bucket}.{ref.location or 'local'}.aliyuncs.com"
    match = _CLOUD_HOST.fullmatch(host)
    if match is None or match[1] != ref.bucket:
        return f"oss://{ref.bucket}/{ref.object}"
    return f"http://{host}/{quote(ref.object)}"


def plain_path(given: str) -> str:
    """Return the path that a user names, as a path or as `file:///...`.

    Raises InvalidInputError for a file on another host.
    """
    if not given.lower().startswith("file://"):
        return given
    parts = urlsplit(given)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InvalidInputError(
            Code.RESOURCE_NOT_SUPPORTED,
            f'The URL "{given}" names no file on this machine.',
            remedy="Write file:///path, or the plain path.",
        )
    return unquote(parts.path)


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
