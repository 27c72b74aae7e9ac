"""The API as its clients see it: the official libraries and plain HTTP, against a real server."""

import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

import httpx
import pytest
from alibabacloud_mts20140618 import models
from alibabacloud_tea_openapi.exceptions import (
    ClientException,
    ServerException,
    ThrottlingException,
)
from aliyunsdkcore.acs_exception.exceptions import ServerException as LegacyServerException
from aliyunsdkmts.request.v20140618.AddMediaWorkflowRequest import AddMediaWorkflowRequest
from aliyunsdkmts.request.v20140618.AddTemplateRequest import AddTemplateRequest
from aliyunsdkmts.request.v20140618.ListAllMediaBucketRequest import ListAllMediaBucketRequest
from aliyunsdkmts.request.v20140618.QueryMediaListRequest import QueryMediaListRequest
from aliyunsdkmts.request.v20140618.SearchTemplateRequest import SearchTemplateRequest

from tests.support.api_clients import legacy, serving, tea
from tests.support.api_requests import acs3_headers, engine_with, moment, query_of, v1_parameters
from workflow_engine.api.action import Action, Request, action, actions_of
from workflow_engine.api.app import create_app
from workflow_engine.api.families import MPS_VERSION as VERSION
from workflow_engine.api.families import mps
from workflow_engine.api.incoming import MOST_BODY
from workflow_engine.api.metrics import Present
from workflow_engine.errors import Code, InvalidInputError, Problem, TopologyError
from workflow_engine.topology.wire import Number, Text

TRICKY = "a b+c*d~e%2F&=?é/日本 <x>\"'"


class SearchTemplateParameters(Request):
    page_number: Annotated[int, Number(1)] = 1
    page_size: Annotated[int, Number(1, 100)] = 10


class AddTemplateParameters(Request):
    name: Annotated[str, Text(max_bytes=128)]


class AddMediaWorkflowParameters(Request):
    name: Annotated[str, Text()]
    topology: Annotated[str, Text()]


class AnyParameters(Request):
    pass


# actions with the names of real ones, so that the libraries can call them


@action("SearchTemplate")
def search_template(engine: Any, request: SearchTemplateParameters) -> dict[str, Any]:
    return {
        "TemplateList": {"Template": [{"Id": "1", "Name": "a"}, {"Id": "2", "Name": "b"}]},
        "PageNumber": request.page_number,
        "PageSize": request.page_size,
        "TotalCount": 2,
    }


@action("AddTemplate")
def add_template(engine: Any, request: AddTemplateParameters) -> dict[str, Any]:
    return {"Template": {"Id": "1", "Name": request.name}}


@action("AddMediaWorkflow")
def add_media_workflow(engine: Any, request: AddMediaWorkflowParameters) -> dict[str, Any]:
    if request.topology == "broken":
        raise TopologyError(
            Problem(code=Code.NULL_VALUE, message=f"No {n}.", pointer=f"/{n}")
            for n in ("Activities", "Dependencies")
        )
    return {"MediaWorkflow": {"Name": str(len(request.topology))}}


@action("QueryMediaList")
def query_media_list(engine: Any, request: AnyParameters) -> dict[str, Any]:
    raise RuntimeError("the inner secret")


@action("DeleteTemplate")
def delete_template(engine: Any, request: AnyParameters) -> dict[str, Any]:
    raise InvalidInputError(Code.RESOURCE_NOT_FOUND, "There is none.", pointer="/TemplateId")


@action("ListAllMediaBucket", rate=2)
def list_all_media_bucket(engine: Any, request: AnyParameters) -> dict[str, Any]:
    return {"MediaBucketList": {"MediaBucket": []}}


#: ends QueryMediaInfoJobList before its time
SLOW_ENDS = threading.Event()


@action("QueryMediaInfoJobList")
def query_media_info_job_list(engine: Any, request: AnyParameters) -> dict[str, Any]:
    SLOW_ENDS.wait(3)
    return {}


ACTIONS: dict[str, Action] = {one.name: one for one in actions_of(sys.modules[__name__])}
EXECUTIONS = Present(
    name="executions", help="Executions.", label="state", values={"Running": 2, "Queued": 0}
)


def app_with(data_dir: Path, **service: Any) -> Any:
    return create_app(
        engine_with(data_dir, **service),
        status=lambda: (True, {"Store": "ok"}),
        gauges=lambda: [EXECUTIONS],
        families=[mps(ACTIONS)],
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with an access key."""
    with serving(app_with(tmp_path_factory.mktemp("data"))) as address:
        yield address


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without access keys."""
    with serving(app_with(tmp_path_factory.mktemp("data"), keys=False)) as address:
        yield address


def get(address: str, parameters: dict[str, str]) -> httpx.Response:
    return httpx.get(f"http://{address}/?{query_of(parameters).decode()}")


def code_of(response: httpx.Response) -> str:
    return response.json()["Code"]


ALGORITHMS = pytest.mark.parametrize("algorithm", ["", "v2"], ids=["acs3", "v1"])


class TestTeaClient:
    @ALGORITHMS
    def test_gets_an_answer(self, server: str, algorithm: str) -> None:
        client = tea(server, algorithm=algorithm)
        body = client.search_template(models.SearchTemplateRequest(page_size=7)).body
        assert [one.id for one in body.template_list.template] == ["1", "2"]
        assert (body.page_size, body.total_count) == (7, 2)
        assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", body.request_id)

    @ALGORITHMS
    def test_gets_every_character_through(self, server: str, algorithm: str) -> None:
        client = tea(server, algorithm=algorithm)
        body = client.add_template(models.AddTemplateRequest(name=TRICKY)).body
        assert body.template.name == TRICKY

    @ALGORITHMS
    def test_sends_a_whole_topology_in_the_request_line(self, server: str, algorithm: str) -> None:
        client = tea(server, algorithm=algorithm)
        request = models.AddMediaWorkflowRequest(name="n", topology='{"a":1}' * 40_000)
        assert client.add_media_workflow(request).body.media_workflow.name == "280000"

    @ALGORITHMS
    def test_is_told_about_a_wrong_secret(self, server: str, algorithm: str) -> None:
        with pytest.raises(ClientException) as caught:
            call(tea(server, secret="other", algorithm=algorithm))
        assert caught.value.code == "SignatureDoesNotMatch"
        assert "server string to sign is:" in caught.value.message

    @ALGORITHMS
    def test_is_told_about_an_unknown_key(self, server: str, algorithm: str) -> None:
        with pytest.raises(ClientException) as caught:
            call(tea(server, key="nobody", algorithm=algorithm))
        assert caught.value.code == "InvalidAccessKeyId.NotFound"

    @ALGORITHMS
    def test_throttling_says_when_to_come_back(self, tmp_path: Path, algorithm: str) -> None:
        with serving(app_with(tmp_path)) as address:
            client = tea(address, algorithm=algorithm)
            request = models.ListAllMediaBucketRequest()
            with pytest.raises(ThrottlingException) as caught:
                for _ in range(3):
                    client.list_all_media_bucket(request)
        error = caught.value
        assert (error.status_code, error.code) == (429, "Throttling")
        assert 0 < error.retry_after <= 1000

    @ALGORITHMS
    def test_internal_error_keeps_its_details(
        self, server: str, algorithm: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(ServerException) as caught:
            tea(server, algorithm=algorithm).query_media_list(
                models.QueryMediaListRequest(media_ids="x")
            )
        error = caught.value
        assert (error.status_code, error.code) == (500, "InternalError")
        assert "secret" not in str(error.data)
        broken = next(one for one in caplog.records if one.levelno == logging.ERROR)
        assert error.request_id in broken.getMessage()
        assert "the inner secret" in caplog.text


def call(client: Any) -> Any:
    return client.search_template(models.SearchTemplateRequest())


class TestLegacyClient:
    def test_gets_an_answer(self, server: str) -> None:
        answer = json.loads(legacy(server, SearchTemplateRequest()))
        assert [one["Id"] for one in answer["TemplateList"]["Template"]] == ["1", "2"]

    def test_gets_every_character_through(self, server: str) -> None:
        request = AddTemplateRequest()
        request.set_Name(TRICKY)
        assert json.loads(legacy(server, request))["Template"]["Name"] == TRICKY

    def test_is_told_that_its_secret_is_wrong(self, server: str) -> None:
        with pytest.raises(LegacyServerException) as caught:
            legacy(server, SearchTemplateRequest(), secret="other")
        # the library finds its own string to sign in the message, so only the secret is left
        assert caught.value.get_error_code() == "InvalidAccessKeySecret"

    def test_is_told_about_an_unknown_key(self, server: str) -> None:
        with pytest.raises(LegacyServerException) as caught:
            legacy(server, SearchTemplateRequest(), key="nobody")
        assert caught.value.get_error_code() == "InvalidAccessKeyId.NotFound"

    def test_is_throttled(self, tmp_path: Path) -> None:
        with serving(app_with(tmp_path)) as address, pytest.raises(LegacyServerException) as caught:
            for _ in range(3):
                legacy(address, ListAllMediaBucketRequest())
        assert (caught.value.get_http_status(), caught.value.get_error_code()) == (
            429,
            "Throttling",
        )

    def test_hears_of_an_internal_error(self, server: str) -> None:
        with pytest.raises(LegacyServerException) as caught:
            legacy(server, QueryMediaListRequest())
        assert (caught.value.get_http_status(), caught.value.get_error_code()) == (
            500,
            "InternalError",
        )

    def test_hears_of_every_problem_of_a_topology(self, server: str) -> None:
        request = AddMediaWorkflowRequest()
        request.set_Name("n")
        request.set_Topology("broken")
        with pytest.raises(LegacyServerException) as caught:
            legacy(server, request)
        assert caught.value.get_error_code() == "InvalidParameter.NullValue"
        assert "/Activities" in caught.value.get_error_msg()
        assert "/Dependencies" in caught.value.get_error_msg()


class TestPlainHttp:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_v1(self, server: str, method: str) -> None:
        parameters = v1_parameters("AddTemplate", method=method, Name=TRICKY)
        url = f"http://{server}/?{query_of(parameters).decode()}"
        answer = httpx.request(method, url)
        assert answer.json()["Template"]["Name"] == TRICKY
        assert answer.headers["x-acs-request-id"] == answer.json()["RequestId"]

    def test_v1_as_a_form(self, server: str) -> None:
        parameters = v1_parameters("AddTemplate", method="POST", Name=TRICKY)
        answer = httpx.post(f"http://{server}", data=parameters)
        assert answer.json()["Template"]["Name"] == TRICKY

    def test_acs3_as_a_form(self, server: str) -> None:
        body = query_of({"Name": TRICKY})
        headers = acs3_headers("AddTemplate", {}, host=server, body=body)
        answer = httpx.post(f"http://{server}/", content=body, headers=headers)
        assert answer.json()["Template"]["Name"] == TRICKY

    def test_xml_is_well_formed(self, server: str) -> None:
        parameters = v1_parameters("AddTemplate", Name=TRICKY, Format="XML")
        answer = get(server, parameters)
        assert answer.headers["content-type"] == "application/xml;charset=utf-8"
        root = ElementTree.fromstring(answer.content)
        assert (root.tag, root.findtext("Template/Name")) == ("AddTemplateResponse", TRICKY)
        refused = get(server, parameters)
        assert refused.headers["content-type"] == "application/xml;charset=utf-8"
        error = ElementTree.fromstring(refused.content)
        assert (error.tag, error.findtext("Code")) == ("Error", "SignatureNonceUsed")
        assert error.findtext("HostId") == server

    def test_replays_changes_and_old_requests(self, server: str) -> None:
        parameters = v1_parameters("AddTemplate", Name="a")
        assert code_of(get(server, parameters | {"Name": "b"})) == "SignatureDoesNotMatch"
        assert get(server, parameters).status_code == 200
        assert code_of(get(server, parameters)) == "SignatureNonceUsed"
        old = v1_parameters("AddTemplate", Name="a", Timestamp=moment(1000))
        assert code_of(get(server, old)) == "InvalidTimeStamp.Expired"
        assert code_of(get(server, {"Action": "A", "Format": "JSON"})) == (
            "InvalidParameter.NullValue"
        )

    def test_a_body_that_is_too_long(self, server: str) -> None:
        for body in (b"a" * (MOST_BODY + 1), iter([b"a" * MOST_BODY, b"a"])):
            answer = httpx.post(f"http://{server}/", content=body)
            assert (answer.status_code, code_of(answer)) == (413, "InvalidParameter.OutOfRange")

    def test_a_client_that_goes_away(self, server: str) -> None:
        host, port = server.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert httpx.get(f"http://{server}/healthz").status_code == 200

    @pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_other_methods_call_nothing(self, open_server: str, method: str) -> None:
        parameters = {"Action": "SearchTemplate", "Version": VERSION}
        answer = httpx.request(method, f"http://{open_server}/", params=parameters)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")

    @pytest.mark.parametrize(
        "path",
        ["/nothing", "/docs", "/redoc", "/openapi.json", "/healthz/", "/healthz%2f", "/..%2f"],
    )
    def test_other_paths(self, server: str, path: str) -> None:
        answer = httpx.get(f"http://{server}{path}")
        assert (answer.status_code, answer.json()["HostId"]) == (404, server)
        assert code_of(answer) == "InvalidParameter.ResourceNotFound"

    def test_a_slow_action_holds_up_nobody(self, server: str) -> None:
        slow = v1_parameters("QueryMediaInfoJobList")
        thread = threading.Thread(target=get, args=(server, slow))
        thread.start()
        for _ in range(5):
            assert get(server, v1_parameters("SearchTemplate")).status_code == 200
            assert httpx.get(f"http://{server}/healthz").status_code == 200
        assert thread.is_alive()
        SLOW_ENDS.set()
        thread.join()


class TestWithoutKeys:
    def test_this_machine_needs_no_signature(self, open_server: str) -> None:
        parameters = {"Action": "SearchTemplate", "Version": VERSION, "Format": "json"}
        assert get(open_server, parameters).json()["TotalCount"] == 2

    def test_libraries_may_sign_with_anything(self, open_server: str) -> None:
        for algorithm in ("", "v2"):
            assert call(tea(open_server, key="x", secret="y", algorithm=algorithm)).body
        assert legacy(open_server, SearchTemplateRequest(), key="x", secret="y")

    def test_a_rebound_name_may_not_call(self, open_server: str) -> None:
        url = f"http://{open_server}/?Action=SearchTemplate&Version={VERSION}&Format=JSON"
        port = open_server.partition(":")[2]
        answer = httpx.get(url, headers={"host": f"evil.example:{port}"})
        assert (answer.status_code, code_of(answer)) == (403, "InvalidIdentity.ServiceDisabled")

    def test_a_forwarded_address_is_not_believed(self, open_server: str) -> None:
        url = f"http://{open_server}/?Action=SearchTemplate&Version={VERSION}&Format=JSON"
        answer = httpx.get(url, headers={"x-forwarded-for": "127.0.0.1"})
        assert code_of(answer) == "InvalidIdentity.ServiceDisabled"


class TestHealth:
    def test_healthz(self, server: str) -> None:
        answer = httpx.get(f"http://{server}/healthz")
        assert (answer.status_code, answer.text) == (200, "ok")
        assert httpx.head(f"http://{server}/healthz").status_code == 200

    def test_readyz(self, server: str) -> None:
        answer = httpx.get(f"http://{server}/readyz")
        assert (answer.status_code, answer.json()) == (200, {"Ready": True, "Store": "ok"})

    @pytest.mark.parametrize("broken", [False, True])
    def test_not_ready(self, tmp_path: Path, broken: bool) -> None:
        def status() -> tuple[bool, dict[str, str]]:
            if broken:
                raise OSError("inner")
            return False, {"Store": "down"}

        app = create_app(
            engine_with(tmp_path),
            status=status,
            gauges=lambda: [EXECUTIONS],
            families=[mps(ACTIONS)],
        )
        with serving(app) as address:
            answer = httpx.get(f"http://{address}/readyz")
        assert (answer.status_code, answer.json()["Ready"]) == (503, False)
        assert "inner" not in answer.text

    def test_metrics(self, server: str) -> None:
        get(server, v1_parameters("SearchTemplate"))
        text = httpx.get(f"http://{server}/metrics").text
        assert re.search(
            r'^mediaflow_api_requests_total\{action="SearchTemplate",code="OK"\} \d+\.0$',
            text,
            re.M,
        )
        assert 'mediaflow_executions{state="Running"} 2.0' in text
        assert re.search(r"^process_resident_memory_bytes \d\.\d+e\+0\d$", text, re.M)


CHILD = """
import sys
from pathlib import Path
from tests.support.api_clients import serving
from tests.integration.test_api_server import app_with
with serving(app_with(Path(sys.argv[1]))) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def test_a_kill_forgets_no_nonce(tmp_path: Path) -> None:
    parameters = v1_parameters("AddTemplate", Name="a")
    seen: list[str] = []
    for _ in range(2):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            address = child.stdout.readline().strip()
            seen.append(get(address, parameters).json().get("Code", "OK"))
            child.send_signal(signal.SIGKILL)
    assert seen == ["OK", "SignatureNonceUsed"]
