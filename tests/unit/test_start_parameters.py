"""What Start accepts as parameters."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.start import Start, StartParameters
from workflow_engine.activity import Neighbourhood
from workflow_engine.errors import Code

PIPELINE = "0123456789abcdef0123456789abcdef"


def start(**changes: Any) -> StartParameters:
    given = {"InputFile": {"Bucket": "in", "ObjectPrefix": "vod/"}, "PipelineId": PIPELINE}
    return StartParameters.model_validate({**given, **changes})


@pytest.mark.parametrize("absent", [{"PipelineId": ""}, {"PipelineId": None}])
def test_the_pipeline_may_be_left_out(absent: dict[str, Any]) -> None:
    assert Start().binding(start(**absent)).pipeline == ""


def test_defaults() -> None:
    parameters = start(InputFile='{"Bucket":"example-vod"}', QueueName="")
    assert parameters.input_file.object_prefix == ""
    assert parameters.message_type == "Queue"
    assert parameters.queue_name is None and parameters.topic_name is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PipelineId": "default"}, Code.UUID_FORMAT),
        ({"InputFile": {"Bucket": "no/slash"}}, Code.BUCKET_NAME),
        ({"InputFile": {}}, None),
        ({"InputFile": "{"}, Code.JSON_OBJECT_FORMAT),
        ({"MessageType": "Pigeon"}, Code.INVALID),
        ({"QueueName": "1queue"}, Code.QUEUE_NAME),
        ({"QueueName": "-queue"}, Code.QUEUE_NAME),
        ({"QueueName": "my queue"}, Code.QUEUE_NAME),
        ({"QueueName": "wärteschlange"}, Code.QUEUE_NAME),
        ({"QueueName": "queue\n"}, Code.QUEUE_NAME),
        ({"TopicName": "-topic"}, Code.TOPIC_NAME),
        ({"TopicName": "a_b"}, Code.TOPIC_NAME),
    ],
)
def test_bad_parameters(changes: dict[str, Any], code: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        start(**changes)
    (error,) = caught.value.errors()
    assert code is None or error["type"] == code


def test_names_of_queues_and_topics() -> None:
    parameters = start(MessageType="Topic", QueueName="Jobs-2", TopicName="2-jobs")
    assert (parameters.queue_name, parameters.topic_name) == ("Jobs-2", "2-jobs")
    around = Neighbourhood(name="start", ancestor_types=())
    assert list(Start().check(parameters, around)) == []
