"""Throughput and memory of object-store buckets, beside plain boto3 in the same run.

    python -m benchmarks.buckets [--server seaweedfs|rclone|moto] [--megabytes 1000] [--rounds 5]

Uploads and downloads one file in turn by boto3's own transfers (`upload_file`, `download_file`),
and by a bucket of mediaflow, which computes the SHA-256 of what it downloads besides. The last
line does the same work by hand: the transfer, then a read for the digest. An object that was
uploaded in one piece has its MD5 for an ETag, which mediaflow compares.

Every transfer runs in a process of its own; its CPU time and peak memory are read at its end.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.overhead import line
from tests.support import s3
from workflow_engine.buckets import S3Bucket

KEY, WHOLE = "clip.mp4", "whole.mp4"


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def transfer(way: str, url: str, file: Path) -> dict[str, float]:
    """Do one transfer in this process and return how long it took and what it needed."""
    server = s3.S3Server("any", url)
    target = file.with_name(f"{way}.down")
    key = WHOLE if way.endswith("whole") else KEY
    if way.startswith("mediaflow"):
        bucket = S3Bucket("bench", server.settings("bench"))
        bucket.check()  # connect first, as the other ways do
        before = resource.getrusage(resource.RUSAGE_SELF)
        took = seconds(
            (lambda: bucket.stage(file, KEY).publish())
            if way.endswith("up")
            else (lambda: bucket.fetch(key, target))
        )
    else:
        import boto3.session

        client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=s3.ACCESS_KEY,
            aws_secret_access_key=s3.SECRET_KEY,
        )
        client.list_objects_v2(Bucket="bench", MaxKeys=1)
        before = resource.getrusage(resource.RUSAGE_SELF)
        if way.endswith("up"):
            took = seconds(lambda: client.upload_file(str(file), "bench", KEY))
        else:
            took = seconds(lambda: client.download_file("bench", key, str(target)))
            if way.startswith("digest"):
                took += seconds(lambda: digest(target))
    target.unlink(missing_ok=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": took, "cpu": cpu, "memory": used.ru_maxrss / 1000}


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def measure(way: str, url: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.buckets", "--one", way, url, str(file)]
    environment = {**os.environ, **s3.ENVIRONMENT}
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    )


def compare(ways: list[str], url: str, file: Path, rounds: int) -> None:
    """Print the medians of some ways that take turns, and the ratio to the first."""
    measured: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            measured[way].append(measure(way, url, file))
    size = file.stat().st_size / 1e6
    first = [one["seconds"] for one in measured[ways[0]]]
    for way in ways:
        each = [one["seconds"] for one in measured[way]]
        took = statistics.median(each)
        ratio = statistics.median(one / other for one, other in zip(first, each, strict=True))
        memory = max(one["memory"] for one in measured[way])
        cpu = statistics.median(one["cpu"] for one in measured[way])
        note = f"{ratio:.2f} of the first, {cpu:.1f} s of CPU, peak memory {memory:.0f} MB"
        line(way, size / took, "MB/s", note)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", choices=s3.SERVERS, default="seaweedfs")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        way, url, file = chosen.one
        print(json.dumps(transfer(way, url, Path(file))))
        return
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as directory:
        work = Path(directory)
        (work / "server").mkdir()
        file = work / "clip.mp4"
        with file.open("wb") as made:
            for _ in range(chosen.megabytes):
                made.write(os.urandom(1_000_000))
        with s3.running(chosen.server, work / "server") as server:
            server.create("bench")
            compare(["boto3 up", "mediaflow up"], server.url, file, chosen.rounds)
            ways = ["boto3 down", "mediaflow down", "digest by hand down"]
            compare(ways, server.url, file, chosen.rounds)
            with server.client() as client, file.open("rb") as body:
                client.put_object(Bucket="bench", Key=WHOLE, Body=body)
            compare(["boto3 down, whole", "mediaflow down, whole"], server.url, file, chosen.rounds)


if __name__ == "__main__":
    main()
