"""The official client libraries, and a real server for them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from alibabacloud_mts20140618.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from aliyunsdkcore.client import AcsClient
from fastapi import FastAPI

from tests.support.api_requests import KEY, SECRET
from workflow_engine.api.app import server_options


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run a server on a free port of this machine and yield its address, `host:port`."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", **server_options())
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="api-server")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def tea(address: str, *, secret: str = SECRET, key: str = KEY, algorithm: str = "") -> Client:
    """The current client library; algorithm "v2" makes it sign with HMAC-SHA1."""
    config = Config(endpoint=address, protocol="http", access_key_id=key, access_key_secret=secret)
    config.signature_algorithm = algorithm or None
    return Client(config)


def legacy(address: str, request: Any, *, secret: str = SECRET, key: str = KEY) -> bytes:
    """Send a request with the older client library, without its repeats."""
    request.set_endpoint(address)
    return AcsClient(key, secret, "cn-hangzhou", auto_retry=False).do_action_with_exception(request)
