"""Answers and errors as JSON and XML, and the metrics."""

import json
import re
import xml.dom.minidom
from xml.etree import ElementTree

import pytest

from workflow_engine.api.answers import Format, error_body, new_request_id, status_of, written
from workflow_engine.api.metrics import Metrics, Present

ANSWER = {
    "RequestId": "R",
    "TotalCount": 2,
    "Flag": True,
    "Other": False,
    "Ratio": 0.5,
    "Unknown": None,
    "List": {"Item": [{"Name": "é <&> \"'"}, {"Name": ""}]},
    "Empty": {"Item": []},
    "Ids": {"Id": ["a", "b"]},
}


class TestJson:
    def test_is_compact_and_keeps_every_character(self) -> None:
        body = written(Format.JSON, "AResponse", ANSWER)
        assert json.loads(body) == ANSWER
        assert b'{"RequestId":"R","TotalCount":2' in body
        assert "é".encode() in body

    def test_half_a_surrogate_pair_breaks_nothing(self) -> None:
        assert json.loads(written(Format.JSON, "A", {"a": "x\ud800y"})) == {"a": "x?y"}

    def test_a_number_of_any_length(self) -> None:
        assert json.loads(written(Format.JSON, "A", {"a": 2**70, "b": "é"})) == {
            "a": 2**70,
            "b": "é",
        }

    def test_numbers_that_json_has_not(self) -> None:
        assert json.loads(written(Format.JSON, "A", {"a": float("nan")})) == {"a": None}


class TestXml:
    def test_lists_repeat_their_element(self) -> None:
        root = ElementTree.fromstring(written(Format.XML, "SearchTemplateResponse", ANSWER))
        assert root.tag == "SearchTemplateResponse"
        assert root.findtext("RequestId") == "R"
        assert (root.findtext("TotalCount"), root.findtext("Ratio")) == ("2", "0.5")
        assert (root.findtext("Flag"), root.findtext("Other")) == ("true", "false")
        assert [one.findtext("Name") for one in root.findall("List/Item")] == ["é <&> \"'", ""]
        assert [one.text for one in root.findall("Ids/Id")] == ["a", "b"]
        assert root.find("Empty") is not None
        assert root.find("Empty/Item") is None
        assert root.find("Unknown") is None

    @pytest.mark.parametrize(
        "text",
        ["\0\x01\x1f", "\ufffe\uffff", "\ud800", "]]>", "<!--", "&amp;", "<![CDATA[", "日本 🎬"],
    )
    def test_every_text_makes_a_document(self, text: str) -> None:
        body = written(Format.XML, "A", {"T": text, "L": {text: [text]}})
        xml.dom.minidom.parseString(body)
        root = ElementTree.fromstring(body)
        outside = ["\0", "\x01", "\x1f", "\ufffe", "\uffff", "\ud800"]
        assert root.findtext("T") == "".join("�" if c in outside else c for c in text)

    def test_white_space_comes_back(self) -> None:
        root = ElementTree.fromstring(written(Format.XML, "A", {"T": " a\r\n\tb\r"}))
        assert root.findtext("T") == " a\r\n\tb\r"

    @pytest.mark.parametrize("name", ["", "1a", "a b", "a<b", "xmlns:a", "é", "-"])
    def test_every_key_makes_an_element(self, name: str) -> None:
        root = ElementTree.fromstring(written(Format.XML, "A", {name: "v"}))
        assert root[0].text == "v"


class TestErrors:
    def test_both_forms(self) -> None:
        given = ("R", "host:1", "InvalidParameter", "Not <good>.")
        content = dict(zip(("RequestId", "HostId", "Code", "Message"), given, strict=True))
        assert json.loads(error_body(Format.JSON, *given)) == content
        root = ElementTree.fromstring(error_body(Format.XML, *given))
        assert root.tag == "Error"
        assert {one.tag: one.text for one in root} == content

    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("Throttling", 429),
            ("InternalError", 500),
            ("InstallationIncomplete", 500),
            ("PermissionDenied.JobInRunning", 403),
            ("InvalidIdentity.ServiceDisabled", 403),
            ("InvalidAccessKeyId.NotFound", 403),
            ("InvalidParameter.ResourceNotFound", 404),
            ("InvalidParameter.TemplateNotFound", 404),
            ("InvalidParameter.NullValue", 400),
            ("UnsupportedOperation", 400),
            # the older library explains a wrong secret only with this status
            ("SignatureDoesNotMatch", 400),
            ("SignatureNonceUsed", 400),
        ],
    )
    def test_status(self, code: str, status: int) -> None:
        assert status_of(code) == status

    def test_request_ids_differ(self) -> None:
        assert new_request_id() != new_request_id()


class TestMetrics:
    def test_counts_and_gauges(self) -> None:
        metrics = Metrics()
        metrics.count("AddMedia", "OK", 0.5)
        metrics.count("AddMedia", "OK", 0.25)
        metrics.count("AddMedia", "Throttling", 0.25)
        executions = Present(
            name="executions", help="By state.", label="state", values={'a"b\\c\nd': 3, "Run": 0}
        )
        lines = metrics.text([executions]).decode().splitlines()
        assert 'mediaflow_api_requests_total{action="AddMedia",code="OK"} 2.0' in lines
        assert 'mediaflow_api_requests_total{action="AddMedia",code="Throttling"} 1.0' in lines
        assert 'mediaflow_api_request_seconds_sum{action="AddMedia"} 1.0' in lines
        assert 'mediaflow_api_request_seconds_count{action="AddMedia"} 3.0' in lines
        assert 'mediaflow_api_request_seconds_bucket{action="AddMedia",le="0.25"} 2.0' in lines
        assert "# TYPE mediaflow_executions gauge" in lines
        assert r'mediaflow_executions{state="a\"b\\c\nd"} 3.0' in lines
        assert 'mediaflow_executions{state="Run"} 0.0' in lines
        assert any(line.startswith("mediaflow_uptime_seconds ") for line in lines)

    def test_large_counts_are_exact(self) -> None:
        count = Present(name="n", help="N.", values={"": 123456789})
        (line,) = re.findall(rb"^mediaflow_n (.*)$", Metrics().text([count]), re.M)
        assert float(line) == 123456789

    def test_it_tells_of_the_process(self) -> None:
        text = Metrics().text()
        for name in (b"resident_memory_bytes", b"cpu_seconds_total", b"open_fds"):
            assert re.search(rb"^process_%s \d" % name, text, re.M)
