"""What the API makes of a request, without a server: who may call, parameters, errors, the log."""

import errno
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.support.api_requests import (
    KEY,
    SECRET,
    acs3_headers,
    engine_with,
    moment,
    query_of,
    v1_parameters,
)
from workflow_engine.api.action import Request, action, actions_of
from workflow_engine.api.answers import HttpAnswer
from workflow_engine.api.calls import Calls
from workflow_engine.api.families import MPS_VERSION as VERSION
from workflow_engine.api.families import mps
from workflow_engine.api.incoming import MOST_PARAMETERS, Incoming
from workflow_engine.api.metrics import Metrics
from workflow_engine.errors import (
    Code,
    InvalidInputError,
    MediaflowError,
    Problem,
    Severity,
    TopologyError,
)
from workflow_engine.topology.wire import JsonObject, Number, Text, WireModel

HOST = "127.0.0.1:8080"
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Config(WireModel):
    width: Annotated[int, Number(1, 4096)]


class EchoParameters(Request):
    name: Annotated[str, Text(max_bytes=10)]
    config: Annotated[Config, JsonObject] | None = None


class FailParameters(Request):
    how: str


@action("Echo")
def echo(engine: Any, request: EchoParameters) -> dict[str, Any]:
    return {"Name": request.name, "Others": {"Other": sorted(request.model_extra or {})}}


@action("Fail")
def fail(engine: Any, request: FailParameters) -> dict[str, Any]:
    raise FAILURES[request.how]


@action("Rare", rate=1)
def rare(engine: Any, request: Request) -> dict[str, Any]:
    return {}


def problems(number: int) -> TopologyError:
    return TopologyError(
        Problem(
            code=Code.EMPTY_VALUE if n else Code.UNKNOWN_KEY,
            message=f"Sentence {n}.",
            pointer=f"/Activities/{n}",
            severity=Severity.ERROR if n else Severity.WARNING,
        )
        for n in range(number)
    )


FAILURES: dict[str, Exception] = {
    "missing": InvalidInputError(
        Code.RESOURCE_NOT_FOUND, 'No job "x".', pointer="/JobId", remedy="Look it up."
    ),
    "state": MediaflowError(Code.JOB_IN_RUNNING, "It runs."),
    "topology": problems(3),
    "many": problems(1000),
    "bug": KeyError("inner"),
    "database": MediaflowError(Code.INTERNAL, "The database at postgres://u:p@h broke."),
}
ACTIONS = {one.name: one for one in actions_of(sys.modules[__name__])}

Send = Callable[..., HttpAnswer]


def incoming(
    query: dict[str, str] | bytes = b"",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    more: list[tuple[bytes, bytes]] | None = None,
    method: str = "GET",
    peer: str = "127.0.0.1",
) -> Incoming:
    sent = {"host": HOST} | (headers or {})
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    return Incoming(
        method=method,
        query_string=query if isinstance(query, bytes) else query_of(query),
        raw_headers=[*pairs, *(more or [])],
        body=body,
        peer=peer,
    )


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Send a request to a server that has no access keys."""
    calls = Calls(engine_with(tmp_path, keys=False), [mps(ACTIONS)], Metrics())
    return lambda *args, **more: calls.answer(incoming(*args, **more))


@pytest.fixture
def signed(tmp_path: Path) -> Send:
    """Send a request to a server that has an access key."""
    calls = Calls(engine_with(tmp_path), [mps(ACTIONS)], Metrics())
    return lambda *args, **more: calls.answer(incoming(*args, **more))


def plain(action: str, **more: str) -> dict[str, str]:
    return {"Action": action, "Version": VERSION, "Format": "JSON"} | more


def code(answer: HttpAnswer) -> str:
    content = json.loads(answer.body)
    assert set(content) == {"RequestId", "HostId", "Code", "Message"}
    assert content["RequestId"] == answer.headers["x-acs-request-id"]
    assert content["HostId"] == HOST
    assert answer.status >= 400
    return content["Code"]


def message(answer: HttpAnswer) -> str:
    return json.loads(answer.body)["Message"]


class TestParameters:
    def test_from_the_query(self, send: Send) -> None:
        answer = send(plain("Echo", Name="é b+"))
        assert answer.status == 200
        assert json.loads(answer.body)["Name"] == "é b+"

    def test_plus_is_a_space(self, send: Send) -> None:
        answer = send(query_of(plain("Echo")) + b"&Name=a+b%2Bc")
        assert json.loads(answer.body)["Name"] == "a b+c"

    def test_from_a_form(self, send: Send) -> None:
        body = query_of(plain("Echo", Name="é"))
        answer = send(method="POST", body=body, headers=FORM)
        assert json.loads(answer.body)["Name"] == "é"

    def test_from_both(self, send: Send) -> None:
        form = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        answer = send(plain("Echo"), method="POST", body=b"Name=%C3%A9", headers=form)
        assert json.loads(answer.body)["Name"] == "é"

    def test_those_of_the_call_form_are_kept_from_the_action(self, send: Send) -> None:
        parameters = v1_parameters("Echo", Name="a", RegionId="r", SignatureType="", Own="1")
        assert json.loads(send(parameters).body)["Others"] == {"Other": ["Own"]}

    @pytest.mark.parametrize(
        ("query", "body"),
        [(b"Name=a&Name=b", b""), (b"Name=a&Name=a", b""), (b"Name=a", b"Name=b"), (b"", b"a&a=")],
    )
    def test_duplicates_are_refused(self, send: Send, query: bytes, body: bytes) -> None:
        answer = send(query_of(plain("Echo")) + b"&" + query, body=body, headers=FORM)
        assert code(answer) == "InvalidParameter"
        assert "more than once" in message(answer)

    @pytest.mark.parametrize("value", ["%FF", "%C3", "%ED%A0%80", "%00", "a%1Fb", "%EF%BF%BF"])
    def test_what_is_no_text_is_refused(self, send: Send, value: str) -> None:
        for query, body in ((b"&Name=" + value.encode(), b""), (b"", b"Name=" + value.encode())):
            answer = send(query_of(plain("Echo")) + query, body=body, headers=FORM)
            assert code(answer) == "InvalidParameter.Format"
            assert '"Name"' in message(answer)

    def test_raw_bytes_in_a_form(self, send: Send) -> None:
        answer = send(plain("Echo"), body="Name=é".encode(), headers=FORM)
        assert json.loads(answer.body)["Name"] == "é"
        answer = send(plain("Echo"), body=b"Name=\xff", headers=FORM)
        assert code(answer) == "InvalidParameter.Format"

    def test_names_that_are_no_text(self, send: Send) -> None:
        assert code(send(query_of(plain("Echo")) + b"&%FF=1")) == "InvalidParameter.Format"

    def test_too_many(self, send: Send) -> None:
        some = b"&".join(b"a%d=" % n for n in range(MOST_PARAMETERS - 4))
        assert send(query_of(plain("Echo", Name="a")) + b"&" + some).status == 200
        many = query_of(plain("Echo", Name="a")) + b"&" * MOST_PARAMETERS
        answer = send(many, headers={"authorization": "ACS3-"})
        assert code(answer) == "InvalidParameter.OutOfRange"

    @pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", ""])
    def test_other_bodies_are_refused(self, send: Send, kind: str) -> None:
        answer = send(plain("Echo"), body=b'{"Name":"a"}', headers={"content-type": kind})
        assert code(answer) == "InvalidParameter.NotSupported"

    def test_a_huge_value_is_not_repeated(self, send: Send) -> None:
        answer = send(plain("Echo"), body=b"Name=" + b"x" * (4 << 20), headers=FORM)
        assert code(answer) == "InvalidParameter.OutOfRange"
        assert len(answer.body) < 1000

    @pytest.mark.parametrize(
        ("parameters", "wanted", "named"),
        [
            ({}, "InvalidParameter.NullValue", "Name"),
            ({"Name": ""}, "InvalidParameter.EmptyValue", "Name"),
            ({"Name": "x" * 11}, "InvalidParameter.OutOfRange", "/Name"),
            (
                {"Name": "x", "Config": "{"},
                "InvalidParameter.JsonObjectFormatInvalid",
                "/Config",
            ),
            (
                {"Name": "x", "Config": '{"Width": "9999"}'},
                "InvalidParameter.OutOfRange",
                "/Config/Width",
            ),
            ({"Name": "x", "Config": "{}"}, "InvalidParameter.NullValue", "/Config/Width"),
        ],
    )
    def test_a_wrong_one_is_named(
        self, send: Send, parameters: dict[str, str], wanted: str, named: str
    ) -> None:
        answer = send(plain("Echo", **parameters))
        assert (answer.status, code(answer)) == (400, wanted)
        assert named in message(answer)

    def test_action_and_version_are_required(self, send: Send) -> None:
        for name in ("Action", "Version"):
            parameters = plain("Echo", Name="a")
            del parameters[name]
            answer = send(parameters)
            assert (code(answer), name in message(answer)) == ("InvalidParameter.NullValue", True)
            answer = send(parameters | {name: ""})
            assert code(answer) == "InvalidParameter.EmptyValue"
        answer = send(plain("Echo", Name="a", Version="2000-01-01"))
        assert (code(answer), VERSION in message(answer)) == ("InvalidParameter.NotSupported", True)


class TestFormat:
    def test_xml_is_the_default(self, send: Send) -> None:
        answer = send({"Action": "Echo", "Version": VERSION, "Name": "a", "More": "1"})
        root = ElementTree.fromstring(answer.body)
        assert root.tag == "EchoResponse"
        assert root.findtext("RequestId") == answer.headers["x-acs-request-id"]
        assert root.findtext("Others/Other") == "More"
        assert answer.media_type == "application/xml;charset=utf-8"
        error = send({"Action": "Echo", "Version": VERSION})
        assert ElementTree.fromstring(error.body).tag == "Error"

    @pytest.mark.parametrize("form", ["json", "JSON", "Json"])
    def test_json_in_any_case(self, send: Send, form: str) -> None:
        answer = send(plain("Echo", Name="a", Format=form))
        assert json.loads(answer.body)["Name"] == "a"
        assert answer.media_type == "application/json;charset=utf-8"

    def test_acs3_gets_json(self, signed: Send) -> None:
        answer = signed({"Name": "a"}, method="POST", headers=acs3_of("Echo", {"Name": "a"}))
        assert json.loads(answer.body)["Name"] == "a"
        xml = {"Name": "a", "Format": "XML"}
        answer = signed(xml, method="POST", headers=acs3_of("Echo", xml))
        assert ElementTree.fromstring(answer.body).tag == "EchoResponse"

    def test_unknown_format(self, send: Send) -> None:
        answer = send(plain("Echo", Name="a", Format="YAML"))
        assert b"<Code>InvalidParameter</Code>" in answer.body

    def test_errors_keep_the_format_of_a_broken_request(self, send: Send) -> None:
        assert code(send(b"Format=json&a=1&a=2")) == "InvalidParameter"
        assert code(send(b"a=%FF&Format=JSON")) == "InvalidParameter.Format"


def acs3_of(action: str, parameters: dict[str, str], **more: Any) -> dict[str, str]:
    return acs3_headers(action, parameters, host=HOST, **more)


class TestErrors:
    @pytest.mark.parametrize(
        ("how", "status", "wanted"),
        [
            ("missing", 404, "InvalidParameter.ResourceNotFound"),
            ("state", 403, "PermissionDenied.JobInRunning"),
            ("topology", 400, "InvalidParameter.EmptyValue"),
        ],
    )
    def test_status_and_code(self, send: Send, how: str, status: int, wanted: str) -> None:
        answer = send(plain("Fail", How=how))
        assert (answer.status, code(answer)) == (status, wanted)

    def test_message_has_place_and_remedy(self, send: Send) -> None:
        assert message(send(plain("Fail", How="missing"))) == 'No job "x". (/JobId) Look it up.'

    def test_every_problem_of_a_topology(self, send: Send) -> None:
        lines = message(send(plain("Fail", How="topology"))).splitlines()
        assert len(lines) == 3
        assert "/Activities/2" in lines[2]
        lines = message(send(plain("Fail", How="many"))).splitlines()
        assert (len(lines), lines[-1]) == (51, "... and 950 more problems")

    @pytest.mark.parametrize("how", ["bug", "database"])
    def test_inner_errors_stay_in_the_log(
        self, send: Send, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = send(plain("Fail", How=how))
        assert (answer.status, code(answer)) == (500, "InternalError")
        assert "inner" not in message(answer)
        assert "postgres" not in message(answer)
        (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert answer.headers["x-acs-request-id"] in record.getMessage()
        assert record.exc_info

    def test_an_answer_that_cannot_be_written(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        @action("Odd")
        def odd(engine: Any, request: Request) -> dict[str, Any]:
            return {"Odd": object()}

        (made,) = actions_of(type("Module", (), {"odd": odd}))
        calls = Calls(engine_with(tmp_path, keys=False), [mps({"Odd": made})], Metrics())
        assert code(calls.answer(incoming(plain("Odd")))) == "InternalError"

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
    def test_too_many_open_files(
        self, tmp_path: Path, number: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        @action("Odd")
        def odd(engine: Any, request: Request) -> dict[str, Any]:
            raise OSError(number, os.strerror(number), "/srv/a.mp4")

        (made,) = actions_of(type("Module", (), {"odd": odd}))
        calls = Calls(engine_with(tmp_path, keys=False), [mps({"Odd": made})], Metrics())
        answer = calls.answer(incoming(plain("Odd")))
        assert (answer.status, code(answer)) == (500, "InternalError")
        assert "too many open files" in message(answer) and "/srv" not in message(answer)
        assert "Traceback" not in caplog.text and os.strerror(number) in caplog.text

    def test_actions_of_other_services(self, send: Send) -> None:
        answer = send(plain("SubmitMediaCensorJob"))
        assert (answer.status, code(answer)) == (400, "UnsupportedOperation")
        assert "does not offer" in message(answer)

    @pytest.mark.parametrize(
        ("name", "meant"), [("echo", "Echo"), ("SubmitMediaCensor", "SubmitMediaCensorJob")]
    )
    def test_the_nearest_action_is_named(self, send: Send, name: str, meant: str) -> None:
        answer = send(plain(name))
        assert code(answer) == "UnsupportedOperation"
        assert f'Did you mean "{meant}"?' in message(answer)

    def test_a_huge_action(self, send: Send) -> None:
        answer = send(plain("x" * 1_000_000))
        assert (code(answer), len(answer.body) < 1000) == ("UnsupportedOperation", True)

    def test_throttling(self, send: Send) -> None:
        assert send(plain("Rare")).status == 200
        answer = send(plain("Rare"))
        assert (answer.status, code(answer)) == (429, "Throttling")
        assert 0 < int(answer.headers["x-acs-retry-after"]) <= 1000


class TestWithoutKeys:
    @pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    def test_this_machine_may_call(self, send: Send, peer: str) -> None:
        assert send(plain("Echo", Name="a"), peer=peer).status == 200

    @pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "", "unix"])
    def test_others_may_not(self, send: Send, peer: str) -> None:
        answer = send(plain("Echo", Name="a"), peer=peer)
        assert (answer.status, code(answer)) == (403, "InvalidIdentity.ServiceDisabled")
        assert "[service.access_keys]" in message(answer)

    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "[::1]", "[::1]:8080"]
    )
    def test_by_a_name_of_this_machine(self, send: Send, host: str) -> None:
        assert send(plain("Echo", Name="a"), headers={"host": host}).status == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:x",
            "localhost@evil",
            "",
            "[::2]",
        ],
    )
    def test_not_by_another_name(self, send: Send, host: str) -> None:
        answer = send(plain("Echo", Name="a"), headers={"host": host})
        assert json.loads(answer.body)["Code"] == "InvalidIdentity.ServiceDisabled"

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
            {"origin": "http://127.0.0.1:9999"},
            {"origin": "null"},
            {"x-forwarded-for": "127.0.0.1"},
            {"forwarded": "for=127.0.0.1"},
            {"x-real-ip": "127.0.0.1"},
            {"via": "1.1 proxy"},
        ],
    )
    def test_not_for_other_sites_nor_through_proxies(
        self, send: Send, headers: dict[str, str]
    ) -> None:
        answer = send(plain("Echo", Name="a"), headers=headers)
        assert (answer.status, code(answer)) == (403, "InvalidIdentity.ServiceDisabled")

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"},
            {"sec-fetch-site": "none"},
        ],
    )
    def test_own_pages_may_call(self, send: Send, headers: dict[str, str]) -> None:
        assert send(plain("Echo", Name="a"), headers=headers).status == 200

    def test_a_forwarded_address_opens_nothing(self, send: Send) -> None:
        headers = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}
        answer = send(plain("Echo", Name="a"), headers=headers, peer="10.0.0.1")
        assert code(answer) == "InvalidIdentity.ServiceDisabled"

    def test_signatures_are_not_looked_at(self, send: Send) -> None:
        parameters = v1_parameters("Echo", Name="a") | {"Signature": "wrong"}
        for _ in range(2):
            assert send(parameters).status == 200
        headers = acs3_of("Echo", {"Name": "a"}) | {"authorization": "ACS3-whatever"}
        assert send({"Name": "a"}, headers=headers).status == 200


class TestWithKeys:
    def test_unsigned_calls_are_refused_from_everywhere(self, signed: Send) -> None:
        answer = signed(plain("Echo", Name="a"))
        assert (answer.status, code(answer)) == (400, "InvalidParameter.NullValue")
        assert '"Signature"' in message(answer)

    @pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1"])
    def test_v1_from_anywhere(self, signed: Send, peer: str) -> None:
        query = v1_parameters("Echo", Name="é b", Empty="")
        answer = signed(query, peer=peer, headers={"x-forwarded-for": "1.2.3.4"})
        assert answer.status == 200

    def test_v1_over_query_and_form(self, signed: Send) -> None:
        parameters = v1_parameters("Echo", method="POST", Name="é b")
        body = query_of({"Name": parameters.pop("Name")})
        answer = signed(parameters, method="POST", body=body, headers=FORM)
        assert json.loads(answer.body)["Name"] == "é b"

    def test_v1_does_not_depend_on_the_encoding_of_the_client(self, signed: Send) -> None:
        parameters = v1_parameters("Echo", Name="a b*~")
        query = "&".join(f"{k}={quote(v, '*/:~')}" for k, v in parameters.items())
        assert signed(query.replace("%20", "+").encode()).status == 200

    def test_action_of_a_v1_call_is_the_signed_one(self, signed: Send) -> None:
        headers = {"x-acs-action": "Fail", "x-acs-version": "x"}
        assert signed(v1_parameters("Echo", Name="a"), headers=headers).status == 200

    def test_action_of_an_acs3_call_is_the_signed_one(self, signed: Send) -> None:
        parameters = {"Name": "a", "Action": "Fail", "Version": "x"}
        answer = signed(parameters, method="POST", headers=acs3_of("Echo", parameters))
        assert json.loads(answer.body)["Name"] == "a"

    def test_acs3_with_a_form(self, signed: Send) -> None:
        headers = acs3_of("Echo", {}, body=b"Name=a")
        answer = signed(b"", method="POST", body=b"Name=a", headers=headers)
        assert json.loads(answer.body)["Name"] == "a"

    def test_acs3_without_authorization(self, signed: Send) -> None:
        headers = acs3_of("Echo", {"Name": "a"})
        del headers["authorization"]
        answer = signed({"Name": "a"}, method="POST", headers=headers)
        assert (code(answer), "Authorization" in message(answer)) == (
            "InvalidParameter.NullValue",
            True,
        )

    @pytest.mark.parametrize("name", ["host", "x-acs-action", "authorization", "content-type"])
    def test_repeated_headers_are_refused(self, signed: Send, name: str) -> None:
        headers = acs3_of("Echo", {}, body=b"Name=a")
        more = [(name.title().encode(), headers[name].encode())]
        answer = signed(b"", method="POST", body=b"Name=a", headers=headers, more=more)
        assert json.loads(answer.body)["Code"] == "InvalidParameter"

    def test_a_nonce_is_good_for_one_call(self, signed: Send) -> None:
        parameters = v1_parameters("Echo", Name="a")
        assert signed(parameters).status == 200
        answer = signed(parameters)
        assert (answer.status, code(answer)) == (400, "SignatureNonceUsed")
        headers = acs3_of("Echo", {"Name": "a"})
        assert signed({"Name": "a"}, method="POST", headers=headers).status == 200
        answer = signed({"Name": "a"}, method="POST", headers=headers)
        assert code(answer) == "SignatureNonceUsed"

    def test_a_wrong_signature_burns_no_nonce(self, signed: Send) -> None:
        parameters = v1_parameters("Echo", Name="a")
        assert code(signed(parameters | {"Name": "b"})) == "SignatureDoesNotMatch"
        assert signed(parameters).status == 200

    def test_expired(self, signed: Send) -> None:
        assert signed(v1_parameters("Echo", Name="a", Timestamp=moment(890))).status == 200
        answer = signed(v1_parameters("Echo", Name="a", Timestamp=moment(910)))
        assert code(answer) == "InvalidTimeStamp.Expired"

    def test_unknown_actions_need_a_signature_too(self, signed: Send) -> None:
        assert code(signed(plain("Nothing"))) == "InvalidParameter.NullValue"
        assert code(signed(v1_parameters("Nothing"))) == "UnsupportedOperation"

    def test_nonces_that_cannot_be_kept_are_not_accepted(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls = Calls(engine_with(tmp_path), [mps(ACTIONS)], Metrics())
        with closing(sqlite3.connect(tmp_path / "mediaflow.db")) as database:
            database.execute("DROP TABLE nonces")
        answer = calls.answer(incoming(v1_parameters("Echo", Name="a")))
        assert code(answer) == "InternalError"


class TestLog:
    def test_one_line_for_each_call(self, signed: Send, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "workflow_engine.api")
        answer = signed(v1_parameters("Echo", Name="a"), peer="10.0.0.1")
        (line,) = caplog.messages
        request_id = answer.headers["x-acs-request-id"]
        assert line.startswith(f"{request_id} 10.0.0.1 {KEY} Echo 200 OK ")
        assert line.endswith(" ms")

    def test_no_secrets_and_no_values(self, signed: Send, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        private = "private-val"
        queries = [
            v1_parameters("Echo", Name=private),
            v1_parameters("Echo", Name=private, secret="wrong"),
            v1_parameters("Echo", AccessKeyId=private),
            v1_parameters(f"{private}\nforged line"),
        ]
        for query in queries:
            signed(query)
            assert query["Signature"] not in caplog.text
        assert SECRET not in caplog.text
        assert private not in caplog.text
        assert len(caplog.messages) == len(queries)

    def test_metrics(self, tmp_path: Path) -> None:
        metrics = Metrics()
        calls = Calls(engine_with(tmp_path, keys=False), [mps(ACTIONS)], metrics)
        for name in ("Echo", "Echo", "Bad1", "Bad2"):
            calls.answer(incoming(plain(name, Name="a")))
        text = metrics.text().decode()
        assert 'mediaflow_api_requests_total{action="Echo",code="OK"} 2.0' in text
        assert 'requests_total{action="-",code="UnsupportedOperation"} 2.0' in text
        assert "Bad1" not in text
