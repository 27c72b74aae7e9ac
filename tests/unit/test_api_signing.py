"""Signatures: what the server accepts, and what it says about everything else."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.api_requests import KEY, SECRET, acs3_headers, sign_v1, v1_parameters
from workflow_engine.api.signing import (
    CLOCK_WINDOW,
    Signed,
    string_to_sign,
    verify_acs3,
    verify_v1,
)
from workflow_engine.errors import InvalidInputError

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
KEYS = {KEY: SECRET}
QUERY = {"a": "x y*~+é&=", "B": ""}
VECTOR = {
    "AccessKeyId": "testId",
    "Action": "SearchTemplate",
    "Format": "XML",
    "PageSize": "2",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "4902260a-516a-4b6a-a455-45b653cf6150",
    "SignatureVersion": "1.0",
    "Timestamp": "2015-05-14T09:03:45Z",
    "Version": "2014-06-18",
}
VECTOR_SIGNATURE = "kmDv4mWo806GWPjQMy2z4VhBBDQ="
VECTOR_MOMENT = 1431594225.0


class TestV1:
    def test_vector_of_the_specification(self) -> None:
        assert sign_v1("GET", VECTOR, "testKeySecret") == VECTOR_SIGNATURE
        signed = verify_v1(
            "GET",
            VECTOR | {"Signature": VECTOR_SIGNATURE},
            {"testId": "testKeySecret"},
            VECTOR_MOMENT,
        )
        assert signed == Signed(
            access_key_id="testId", nonce=VECTOR["SignatureNonce"], signed_at=VECTOR_MOMENT
        )

    def test_string_to_sign_encodes_twice_and_keeps_empty_values(self) -> None:
        assert (
            string_to_sign("POST", {"b": "x y*~+é&=", "a": "", "Signature": "s"})
            == "POST&%2F&a%3D%26b%3Dx%2520y%252A~%252B%25C3%25A9%2526%253D"
        )

    def test_names_are_sorted_by_bytes(self) -> None:
        assert string_to_sign("GET", {"a": "", "B": "", "aB": "", "Aa": ""}).endswith(
            "Aa%3D%26B%3D%26a%3D%26aB%3D"
        )

    @pytest.mark.parametrize("method", ["hmac-sha1", "Hmac-SHA1"])
    def test_method_in_any_case(self, method: str) -> None:
        parameters = v1_parameters("A", SignatureMethod=method, Timestamp=at(0))
        assert verify_v1("GET", parameters, KEYS, NOW).access_key_id == KEY

    @pytest.mark.parametrize(
        "change",
        [
            {"Action": "DeleteTemplate"},
            {"Name": "b"},
            {"More": ""},
            {"Timestamp": "2023-11-14T22:13:21Z"},
            {"SignatureNonce": "other"},
            {"Signature": "x"},
            {"Signature": "é"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_any_change_is_noticed(self, change: dict[str, str]) -> None:
        parameters = v1_parameters("AddTemplate", Name="a", Timestamp=at(0))
        error = refused(lambda: verify_v1("GET", parameters | change, KEYS, NOW))
        assert error.code == "SignatureDoesNotMatch"
        text = string_to_sign("GET", parameters | change)
        assert str(error).endswith(f"server string to sign is:{text}")
        # this is how the older library reads it
        assert error.message.split(":")[1] == text

    def test_the_method_is_signed(self) -> None:
        parameters = v1_parameters("A", method="GET", Timestamp=at(0))
        error = refused(lambda: verify_v1("POST", parameters, KEYS, NOW))
        assert error.code == "SignatureDoesNotMatch"

    def test_a_huge_string_to_sign_is_cut(self) -> None:
        parameters = v1_parameters("A", Big="x" * 1_000_000, Timestamp=at(0), secret="other")
        assert len(refused(lambda: verify_v1("GET", parameters, KEYS, NOW)).message) < 20_000

    @pytest.mark.parametrize(
        "name",
        [
            "Signature",
            "AccessKeyId",
            "SignatureMethod",
            "SignatureVersion",
            "SignatureNonce",
            "Timestamp",
        ],
    )
    def test_what_is_missing_is_named(self, name: str) -> None:
        parameters = v1_parameters("A", Timestamp=at(0))
        del parameters[name]
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert (error.code, f'"{name}"' in error.message) == ("InvalidParameter.NullValue", True)

    def test_empty_nonce(self) -> None:
        parameters = v1_parameters("A", Timestamp=at(0), SignatureNonce="")
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert error.code == "InvalidParameter.EmptyValue"

    @pytest.mark.parametrize("name", ["SignatureMethod", "SignatureVersion"])
    def test_other_schemes(self, name: str) -> None:
        parameters = v1_parameters("A", **{"Timestamp": at(0), name: "9"})
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert error.code == "InvalidParameter.NotSupported"

    def test_unknown_key(self) -> None:
        parameters = v1_parameters("A", AccessKeyId="nobody", Timestamp=at(0))
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert error.code == "InvalidAccessKeyId.NotFound"

    @pytest.mark.parametrize("seconds", [-CLOCK_WINDOW, -1, 0, 1, CLOCK_WINDOW])
    def test_clocks_may_differ(self, seconds: float) -> None:
        parameters = v1_parameters("A", Timestamp=at(seconds))
        assert verify_v1("GET", parameters, KEYS, NOW).signed_at == NOW + seconds

    @pytest.mark.parametrize("seconds", [-CLOCK_WINDOW - 1, CLOCK_WINDOW + 1])
    def test_but_not_by_much(self, seconds: float) -> None:
        parameters = v1_parameters("A", Timestamp=at(seconds))
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert error.code == "InvalidTimeStamp.Expired"

    @pytest.mark.parametrize(
        "text", ["yesterday", "2023-11-14 22:13:20", "2023-13-14T22:13:20Z", "0000-01-01T00:00:00Z"]
    )
    def test_timestamps_that_are_none(self, text: str) -> None:
        parameters = v1_parameters("A", Timestamp=text)
        error = refused(lambda: verify_v1("GET", parameters, KEYS, NOW))
        assert (error.code, text in error.message) == ("InvalidParameter.Format", True)


class TestAcs3:
    def test_right_signature(self) -> None:
        signed = acs3(headers())
        assert (signed.access_key_id, signed.signed_at) == (KEY, NOW)

    def test_a_form_is_signed_by_its_digest(self) -> None:
        assert acs3(headers(body=b"a=1"), body=b"a=1").access_key_id == KEY
        error = refused(lambda: acs3(headers(body=b"a=1"), body=b"a=2"))
        assert (error.code, "x-acs-content-sha256" in error.message) == ("InvalidParameter", True)

    def test_a_changed_digest_is_noticed(self) -> None:
        other = {"x-acs-content-sha256": hashlib.sha256(b"a=2").hexdigest()}
        error = refused(lambda: acs3(headers(body=b"a=1") | other, body=b"a=2"))
        assert error.code == "SignatureDoesNotMatch"

    @pytest.mark.parametrize(
        "change",
        [
            {"x-acs-action": "DeleteTemplate"},
            {"x-acs-version": "2000-01-01"},
            {"x-acs-signature-nonce": "other"},
            {"x-acs-date": "2023-11-14T22:13:21Z"},
            {"host": "elsewhere:80"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_any_changed_header_is_noticed(self, change: dict[str, str]) -> None:
        error = refused(lambda: acs3(headers() | change))
        assert error.code == "SignatureDoesNotMatch"
        assert "server string to sign is:ACS3-HMAC-SHA256\n" in error.message

    def test_changed_query_and_method_are_noticed(self) -> None:
        for call in (
            lambda: acs3(headers(), {"a": "1"}),
            lambda: acs3(headers(), method="GET"),
        ):
            assert refused(call).code == "SignatureDoesNotMatch"

    @pytest.mark.parametrize(
        "name",
        [
            "host",
            "x-acs-action",
            "x-acs-version",
            "x-acs-date",
            "x-acs-signature-nonce",
            "x-acs-content-sha256",
            "content-type",
        ],
    )
    def test_what_the_server_relies_on_must_be_signed(self, name: str) -> None:
        made = headers(body=b"a=1", unsigned=(name,))
        error = refused(lambda: acs3(made, body=b"a=1"))
        assert (error.code, f'"{name}"' in error.message) == ("InvalidParameter", True)
        del made[name]
        error = refused(lambda: acs3(made, body=b"a=1"))
        assert (error.code, f'"{name}"' in error.message) == ("InvalidParameter.NullValue", True)

    def test_authorization_of_another_kind(self) -> None:
        for text in ("ACS3-HMAC-SM3 Credential=a,SignedHeaders=b,Signature=c", "ACS3-", "ACS3"):
            error = refused(lambda text=text: acs3(headers() | {"authorization": text}))
            assert error.code == "InvalidParameter.NotSupported"
        made = headers()
        del made["authorization"]
        assert refused(lambda: acs3(made)).code == "InvalidParameter.NullValue"

    def test_other_headers_are_signed_when_they_are_named(self) -> None:
        made = headers(accept="application/json")
        assert acs3(made).access_key_id == KEY
        error = refused(lambda: acs3(made | {"accept": "text/xml"}))
        assert error.code == "SignatureDoesNotMatch"

    def test_expired_and_unknown(self) -> None:
        error = refused(lambda: acs3(headers(x_acs_date=at(-CLOCK_WINDOW - 1))))
        assert error.code == "InvalidTimeStamp.Expired"
        error = refused(lambda: acs3(headers(), keys={"other": SECRET}))
        assert error.code == "InvalidAccessKeyId.NotFound"


def at(seconds: float) -> str:
    """A moment so many seconds after NOW."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def headers(**more: Any) -> dict[str, str]:
    defaults = {"x_acs_date": at(0), "host": "127.0.0.1:8080"}
    return acs3_headers("SearchTemplate", QUERY, **(defaults | more))


def acs3(
    made: dict[str, str],
    query: dict[str, str] = QUERY,
    *,
    body: bytes = b"",
    method: str = "POST",
    keys: dict[str, str] = KEYS,
) -> Signed:
    return verify_acs3(method, "/", query, made, body, keys, NOW)


def refused(call: Any) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        call()
    return caught.value
