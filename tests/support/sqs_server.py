"""A real server that speaks the protocol of SQS."""

import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"


@contextmanager
def sqs_server() -> Generator[str]:
    """Give the endpoint of a server that forgets everything at the end."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        yield url
    finally:
        # what it knows is kept in this process, not in the server
        urllib.request.urlopen(f"{url}/moto-api/reset", data=b"", timeout=20).close()
        server.stop()


def sqs_client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client, after putting credentials for it and others into the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return boto3.client("sqs", endpoint_url=endpoint)


def create_queue(client: Any, name: str, **attributes: str) -> str:
    """Return the URL of a new queue."""
    return client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def received(client: Any, url: str) -> list[str]:
    """Return the bodies of the next messages, ten at most."""
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [one["Body"] for one in answer.get("Messages", [])]
