"""What bucket events of every kind say, and that nothing a sender writes does more than fail."""

import base64
import doctest
import json
import logging
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import events
from triggers.events import EventError, Landed, names_in_stores, notices_of, parse
from workflow_engine.listening import Notice
from workflow_engine.settings import BucketSettings

KEY = "vod/my clip+1 50%25 \u00fc\u4e2d.mp4"


def s3(key: str = "vod/a.mp4", name: str = "ObjectCreated:Put", bucket: str = "real") -> Any:
    """A record as S3 writes it."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2025-03-02T09:14:07.000Z",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 1024, "eTag": "0123", "sequencer": "00"},
        },
    }


def minio(key: str = "vod/a.mp4", name: str = "s3:ObjectCreated:Put") -> Any:
    """What MinIO's webhook sends."""
    return {
        "EventName": name,
        "Key": f"real/{key}",
        "Records": [s3(quote_plus(key), name) | {"eventSource": "minio:s3"}],
    }


def eventbridge(key: str = "vod/a.mp4", kind: str = "Object Created") -> Any:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": "aws.s3",
        "detail": {
            "version": "0",
            "bucket": {"name": "real"},
            "object": {"key": key, "size": 5, "etag": "b1", "sequencer": "00"},
            "reason": "PutObject",
        },
    }


def oss(key: str = "vod/a.mp4", name: str = "ObjectCreated:PutObject") -> Any:
    return {
        "events": [
            {
                "eventName": name,
                "eventSource": "acs:oss",
                "eventTime": "2025-03-02T09:14:07.000Z",
                "eventVersion": "1.0",
                "oss": {
                    "bucket": {"arn": "acs:oss:cn-hangzhou:1:real", "name": "real"},
                    "object": {"deltaSize": 1, "eTag": "0CC1", "key": key, "size": 1},
                    "ruleId": "r",
                },
                "responseElements": {"requestId": "5FF16B65"},
            }
        ]
    }


def sns(message: Any) -> Any:
    return {"Type": "Notification", "MessageId": "1", "Message": json.dumps(message)}


def landed(message: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.bucket, one.keys) for one in parse(json.dumps(message)).landed]


A = [("real", ("vod/a.mp4",))]


class TestShapes:
    @pytest.mark.parametrize(
        "message",
        [
            {"Records": [s3()]},
            minio(),
            eventbridge(),
            oss(),
            sns({"Records": [s3()]}),
            sns(eventbridge()),
            sns(sns({"Records": [s3()]})),
        ],
        ids=["s3", "minio", "eventbridge", "oss", "sns-s3", "sns-eventbridge", "sns-sns-s3"],
    )
    def test_every_shape_names_the_object(self, message: Any) -> None:
        assert landed(message) == A

    def test_bytes_and_a_byte_order_mark(self) -> None:
        assert parse(b"\xef\xbb\xbf" + json.dumps({"Records": [s3()]}).encode()).landed

    def test_a_message_with_several_records(self) -> None:
        message = {"Records": [s3("a"), s3("b", "ObjectRemoved:Delete"), s3("c", bucket="other")]}
        assert landed(message) == [("real", ("a",)), ("other", ("c",))]

    def test_oss_by_mns_in_base64_and_with_its_attributes(self) -> None:
        plain = json.dumps(oss())
        encoded = base64.b64encode(plain.encode()).decode()
        assert [(one.bucket, one.keys) for one in parse(encoded).landed] == A
        assert [(one.bucket, one.keys) for one in parse(f" {encoded[:40]}\n{encoded[40:]}").landed]
        for message in (plain, encoded):
            assert landed({"TopicName": "t", "Message": message, "MessageId": "6C"}) == A

    def test_sns_asks_for_a_confirmation(self) -> None:
        url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
        message = {"Type": "SubscriptionConfirmation", "Message": "You have", "SubscribeURL": url}
        told = parse(json.dumps(message))
        assert told.confirm == url
        assert not told.landed


class TestWhichCount:
    @pytest.mark.parametrize(
        "name",
        [
            "ObjectCreated:Put",
            "ObjectCreated:Post",
            "ObjectCreated:Copy",
            "ObjectCreated:CompleteMultipartUpload",
            "s3:ObjectCreated:Put",
        ],
    )
    def test_of_s3(self, name: str) -> None:
        assert landed({"Records": [s3(name=name)]}) == A

    @pytest.mark.parametrize(
        "name",
        [
            "ObjectRemoved:Delete",
            "s3:ObjectRemoved:Delete",
            "ObjectRestore:Completed",
            "s3:ObjectAccessed:Get",
            "ObjectTagging:Put",
            "ObjectCreatedLater",
        ],
    )
    def test_not_of_s3(self, name: str) -> None:
        assert landed({"Records": [s3(name=name)]}) == []

    @pytest.mark.parametrize(
        "name",
        [
            "ObjectCreated:PutObject",
            "ObjectCreated:PostObject",
            "ObjectCreated:CopyObject",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectCreated:AppendObject",
            "oss:ObjectCreated:PutObject",
            "ObjectReplication:ObjectCreated",
        ],
    )
    def test_of_oss(self, name: str) -> None:
        assert landed(oss(name=name)) == A

    @pytest.mark.parametrize(
        "name",
        [
            "ObjectCreated:InitiateMultipartUpload",
            "ObjectCreated:UploadPart",
            "ObjectCreated:UploadPartCopy",
            "oss:ObjectCreated:UploadPart",
            "ObjectDownloaded:GetObject",
            "ObjectModified:UpdateObjectMeta",
            "ObjectRemoved:DeleteObject",
            "ObjectReplication:ObjectRemoved",
            "PutObject",
        ],
    )
    def test_not_of_oss(self, name: str) -> None:
        assert landed(oss(name=name)) == []

    def test_not_of_eventbridge(self) -> None:
        assert landed(eventbridge(kind="Object Deleted")) == []

    @pytest.mark.parametrize(
        "message",
        [
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "real"},
            sns({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "real"}),
            {"Type": "UnsubscribeConfirmation", "Message": "You have", "SubscribeURL": "https://"},
            {"Records": []},
        ],
    )
    def test_what_tells_nothing(self, message: Any) -> None:
        assert landed(message) == []

    def test_an_unfinished_record_of_another_kind_is_not_looked_at(self) -> None:
        assert landed({"Records": [{"eventName": "ObjectRemoved:Delete", "s3": 5}, s3()]}) == A


class TestKeys:
    def test_of_s3_are_encoded_as_in_forms(self) -> None:
        for encoded in (quote_plus(KEY), quote_plus(KEY, safe="/"), quote(KEY)):
            assert landed({"Records": [s3(encoded)]}) == [("real", (KEY,))]

    def test_of_minio_are_encoded_with_their_slashes(self) -> None:
        assert landed(minio(KEY)) == [("real", (KEY,))]

    def test_of_eventbridge_are_raw(self) -> None:
        assert landed(eventbridge(KEY)) == [("real", (KEY,))]

    def test_of_oss_are_tried_in_every_way(self) -> None:
        for sent in (KEY, quote(KEY), quote_plus(KEY)):
            ((_, keys),) = landed(oss(sent))
            assert keys[0] == sent
            assert KEY in keys
        assert landed(oss("a/b c.mp4")) == [("real", ("a/b c.mp4",))]

    @given(st.text(min_size=1))
    def test_any_key_comes_back(self, key: str) -> None:
        try:
            encoded = quote_plus(key)
        except UnicodeEncodeError:
            return
        assert landed({"Records": [s3(encoded)]}) == [("real", (key,))]
        assert landed(eventbridge(key)) == [("real", (key,))]


class TestNotices:
    NAMES = names_in_stores(
        {
            "uploads": BucketSettings(url="s3://real"),
            "second": BucketSettings(url="s3://real/", endpoint_url="http://127.0.0.1:9000"),
            "cloud": BucketSettings(url="oss://elsewhere", endpoint_url="https://oss.example.com"),
            "folder": BucketSettings(path="/srv/folder"),
        }
    )

    def of(self, *landed: Landed) -> list[tuple[str, str]]:
        return [(one.bucket, one.key) for one in notices_of(landed, self.NAMES, "sqs")]

    def test_the_real_name_decides(self) -> None:
        assert self.of(Landed(bucket="elsewhere", keys=("a",))) == [("cloud", "a")]
        assert self.of(Landed(bucket="folder", keys=("a",))) == [("folder", "a")]
        assert self.of(Landed(bucket="cloud", keys=("a",))) == []
        assert self.of(Landed(bucket="uploads", keys=("a",))) == []

    def test_one_name_at_two_endpoints(self) -> None:
        assert self.of(Landed(bucket="real", keys=("a",))) == [("uploads", "a"), ("second", "a")]

    def test_each_notice_once_in_the_order_of_the_events(self) -> None:
        one, two = Landed(bucket="elsewhere", keys=("b",)), Landed(bucket="elsewhere", keys=("a",))
        assert self.of(one, two, one) == [("cloud", "b"), ("cloud", "a")]

    def test_the_source_is_kept(self) -> None:
        (notice,) = notices_of([Landed(bucket="folder", keys=("a",))], self.NAMES, "webhook")
        assert notice == Notice(bucket="folder", key="a", source="webhook")

    def test_what_is_left_out_shows_in_the_debug_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "triggers.events")
        self.of(Landed(bucket="strange\nname", keys=("a",)))
        assert r"'strange\nname'" in caplog.text


DEEP = "[" * 300_000

WORDS = "Records events detail-type detail Message Type eventName s3 oss bucket object name key"

HOSTILE = {
    "empty": "",
    "no-json": "hello there",
    "half": '{"Records": [{"eventName"',
    "bytes": b"\xff\xfe\x00",
    "list": "[]",
    "number": "5",
    "null": "null",
    "base64-of-nothing": base64.b64encode(b"hello").decode(),
    "base64-of-bytes": base64.b64encode(b"\xff\xfe").decode(),
    "deep": DEEP,
    "deep-in-records": '{"Records": ' + DEEP,
    "long-number": '{"Records": ' + "9" * 5000 + "}",
    "huge": '{"Records": [' + " " * (1 << 20) + "]}",
    "another-shape": '{"hello": 1}',
    "records-no-list": '{"Records": {}}',
    "records-of-text": '{"Records": ["a"]}',
    "no-name": '{"Records": [{}]}',
    "name-no-text": '{"Records": [{"eventName": ["ObjectCreated:Put"]}]}',
    "no-s3": '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
    "bucket-no-text": json.dumps({"Records": [s3(bucket=5)]}),  # pyright: ignore
    "key-no-text": json.dumps({"Records": [s3(key=None)]}),  # pyright: ignore
    "events-null": '{"events": null}',
    "oss-no-table": '{"events": [{"eventName": "ObjectCreated:PutObject", "oss": []}]}',
    "detail-text": '{"detail-type": "Object Created", "detail": "{}"}',
    "message-number": '{"Message": 5}',
    "message-no-json": '{"Type": "Notification", "Message": "hello there"}',
    "no-url": '{"Type": "SubscriptionConfirmation"}',
    "surrogate": '{"\\ud800": 1}',
}


class TestHostile:
    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
    def test_fails_in_one_sentence(self, body: str | bytes) -> None:
        with pytest.raises(EventError) as caught:
            parse(body)
        message = caught.value.message
        assert message.startswith("The message ")
        assert message.endswith(".")
        assert len(message) < 300
        assert message.isprintable()
        message.encode()

    def test_envelopes_without_end(self) -> None:
        message: Any = {"Records": [s3()]}
        for _ in range(4):
            message = sns(message)
        with pytest.raises(EventError, match="wraps more than"):
            landed(message)

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(WORDS.split()),
                inner | st.sampled_from(["ObjectCreated:Put", "Object Created", "Notification"]),
                max_size=5,
            )
        ),
        max_leaves=20,
    )

    @given(JSON)
    def test_any_json(self, value: Any) -> None:
        self.reads(json.dumps(value))

    @given(st.binary() | st.text())
    def test_anything(self, body: str | bytes) -> None:
        self.reads(body)

    def reads(self, body: str | bytes) -> None:
        try:
            told = parse(body)
        except EventError:
            return
        notices_of(told.landed, {one.bucket: ["b"] for one in told.landed}, "sqs")


def test_the_example_of_the_module() -> None:
    assert doctest.testmod(events).failed == 0
