"""Messages into a queue of Amazon SQS, or of a server that speaks its protocol.

The URL of the queue says it all: its host is the endpoint, and the region stands in it; for other
hosts the region of the environment is used. Credentials come from where boto3 looks for them.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from workflow_engine.messages.receivers import DeliveryError, MessageTooLongError
from workflow_engine.records.catalog import MessageRecord

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
#: for servers other than Amazon's, which do not look at it
_ANY_REGION = "us-east-1"

_AMAZON = re.compile(r"(?:^|\.)(?:api\.aws|amazonaws\.com(?:\.cn)?)$")
_REGION = re.compile(r"(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d)(?:\.|$)")


class SqsQueue:
    """Sends messages to the queue at a URL. FIFO queues get one message group per run."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None  # made at the first message: it takes a while

    def send(self, message: MessageRecord) -> None:
        """Send the message. Raises DeliveryError."""
        from botocore.exceptions import BotoCoreError, ClientError

        order: dict[str, str] = {}
        if self._url.endswith(".fifo"):
            order = {"MessageGroupId": message.run_id, "MessageDeduplicationId": message.id}
        try:
            if self._client is None:
                self._client = sqs_client(self._url, answer_seconds=ANSWER_SECONDS)
            self._client.send_message(QueueUrl=self._url, MessageBody=message.body, **order)
        except ClientError as error:
            response: Any = error.response  # pyright: ignore[reportUnknownMemberType]
            told = response.get("Error", {}).get("Message") or error
            reason = f'The queue "{self._url}" refused the message: {told}'
            if "shorter than" in reason:
                raise MessageTooLongError(reason) from error
            raise DeliveryError(reason) from error
        except (BotoCoreError, ValueError) as error:
            raise DeliveryError(f'The queue "{self._url}" failed: {error}') from error


def region_of(url: str) -> str | None:
    """Return the region in the URL of a queue of Amazon's, None for other servers."""
    host = urlsplit(url).hostname or ""
    found = _REGION.search(host) if _AMAZON.search(host) else None
    return found[1] if found else None


def sqs_client(url: str, *, answer_seconds: float) -> Any:
    """Return a boto3 client for the server of a queue; it does not repeat calls by itself.

    `answer_seconds` is how long an answer may take. Raises ValueError and BotoCoreError.
    """
    import boto3.session
    from botocore.config import Config

    parts = urlsplit(url)
    session: Any = boto3.session.Session()
    return session.client(
        "sqs",
        region_name=region_of(url) or session.region_name or _ANY_REGION,
        endpoint_url=f"{parts.scheme}://{parts.netloc}",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=answer_seconds,
            retries={"total_max_attempts": 1},  # the caller tries again
        ),
    )
