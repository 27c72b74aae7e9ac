"""Buckets: where inputs are read and outputs become visible, behind one interface.

`interface.py` says what a bucket can do, `local.py` does it with a folder (`files.py` moves and
copies, `mounts.py` notices what is not mounted), `s3.py` with an object store. `registry.py` finds
the bucket of a name or of a recorded place. Whatever the bucket, an object appears whole or not at
all (decision 6).

>>> from pathlib import Path
>>> buckets = Buckets({}, fallback_root=Path("mediaflow-out"))
>>> Path("a.txt").write_text("abc")
3
>>> buckets.get("example-vod").stage(Path("a.txt"), "renditions/a.txt").publish()
''
>>> Path("mediaflow-out/example-vod/renditions/a.txt").read_text()
'abc'
"""

from workflow_engine.buckets.interface import Bucket, ObjectInfo, Place, Staged
from workflow_engine.buckets.local import LocalBucket, SingleFileBucket
from workflow_engine.buckets.mounts import Mounts
from workflow_engine.buckets.registry import Buckets
from workflow_engine.buckets.s3 import S3Bucket
from workflow_engine.topology.urls import check_bucket_name, object_url, parse, plain_path

__all__ = [
    "Bucket",
    "Buckets",
    "LocalBucket",
    "Mounts",
    "ObjectInfo",
    "Place",
    "S3Bucket",
    "SingleFileBucket",
    "Staged",
    "check_bucket_name",
    "object_url",
    "parse",
    "plain_path",
]
