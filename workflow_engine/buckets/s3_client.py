"""Calls to an object store by boto3, and what its refusals mean to a user.

The client is made at the first call: importing boto3 takes a third of a second. Errors name
bucket, key and reason; of what the store says only the message is shown, without query strings,
which may hold signatures.
"""

import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from workflow_engine.errors import (
    Code,
    InvalidInputError,
    MediaflowError,
    Transient,
    file_error,
    transience,
)
from workflow_engine.settings import BucketSettings

CONNECT_SECONDS = 10
READ_SECONDS = 30
#: calls in all, with pauses that grow; what a call reads is repeated by `s3_read.py`
ATTEMPTS = 5
#: connections that are kept open: several activities may publish many small objects at once
CONNECTIONS = 64

#: what `head_object` answers for an object that is not there; it has no message to say more
ABSENT = ("404", "NoSuchKey")

#: for servers other than Amazon's, which do not look at it
_ANY_REGION = "us-east-1"
_QUERY = re.compile(r"\?\S*")
_LONGEST_REASON = 300

#: what stores answer, with a status below 500, to calls that may succeed later
_LATER = frozenset(
    {
        *("SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "TooManyRequests", "429"),
        *("Throttling", "ThrottlingException", "RequestLimitExceeded", "OperationAborted"),
    }
)
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "507"})
_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_CHANGED = frozenset({"PreconditionFailed", "InvalidRange", "412", "416"})


class Client:
    """Calls about one bucket, safe to use from any thread."""

    def __init__(self, name: str, settings: BucketSettings) -> None:
        assert settings.url is not None
        self.name = name
        self.real_name = settings.url.partition("://")[2].rstrip("/")
        self.endpoint = (settings.endpoint_url or "").rstrip("/")
        self._settings = settings
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def account(self) -> tuple[str | None, ...]:
        """What two buckets have in common that can copy from each other."""
        chosen = self._settings
        return (
            self.endpoint,
            chosen.region,
            chosen.access_key_id_env,
            chosen.secret_access_key_env,
        )

    def call(self, operation: str, *, none_for: Collection[str] = (), **arguments: Any) -> Any:
        """Call an operation on the bucket and return its answer.

        Returns None when the store answers with one of the error codes of `none_for`. Raises
        InvalidInputError when the store refuses, MediaflowError when it fails or cannot be
        reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.boto3(), operation)(Bucket=self.real_name, **arguments)
        except ClientError as error:
            answer: Mapping[str, Any] = error.response  # pyright: ignore[reportUnknownMemberType]
            if _code(answer) in none_for:
                return None
            raise self._refusal(answer, arguments.get("Key", "")) from error
        except (BotoCoreError, ValueError) as error:
            raise self.failure(error, arguments.get("Key", "")) from error

    def boto3(self) -> Any:
        """Return boto3's client. Raises InvalidInputError when there are no credentials."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _make(self) -> Any:
        import boto3.session
        import botocore.session
        from botocore.config import Config

        chosen = self._settings
        # a session of its own: the default one must not be shared between threads
        core: Any = botocore.session.Session()
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        session: Any = boto3.session.Session(botocore_session=core)
        region = chosen.region or session.region_name
        return session.client(
            "s3",
            endpoint_url=chosen.endpoint_url,
            region_name=region or (_ANY_REGION if chosen.endpoint_url else None),
            **self._credentials(),
            config=Config(
                signature_version=chosen.signature_version or "s3v4",
                s3={
                    "addressing_style": self._addressing_style(),
                    # every part carries its MD5, which is signed
                    "payload_signing_enabled": False,
                },
                # other stores than Amazon's refuse the checksums that boto3 adds by default
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                max_pool_connections=CONNECTIONS,
            ),
        )

    def _addressing_style(self) -> str:
        """Return how the bucket stands in URLs: in the path for servers that a user names.

        The clouds want it in the host, for which a certificate covers no name with a dot.
        """
        if self._settings.addressing_style:
            return self._settings.addressing_style
        cloud = (self._settings.url or "").startswith("oss:") or not self._settings.endpoint_url
        return "virtual" if cloud and "." not in self.real_name else "path"

    def _credentials(self) -> dict[str, str]:
        """Return the access key of the variables that the settings name, if they name any."""
        chosen = self._settings
        if chosen.access_key_id_env is None or chosen.secret_access_key_env is None:
            return {}
        names = (chosen.access_key_id_env, chosen.secret_access_key_env)
        for variable in names:
            if not os.environ.get(variable):
                raise InvalidInputError(
                    Code.RESOURCE_ACCESS,
                    f'The bucket "{self.name}" takes its access key from the environment, where '
                    f'"{variable}" is not set.',
                    remedy=f"Set {variable}, or correct [buckets.{self.name}].",
                )
        return dict(
            zip(
                ("aws_access_key_id", "aws_secret_access_key"),
                (os.environ[variable] for variable in names),
                strict=True,
            )
        )

    def _where(self, key: str) -> str:
        store = f'"{self.real_name}" at {self.endpoint or "Amazon S3"}'
        if not key:
            return f'the bucket "{self.name}" ({store})'
        return f'the object "{key}" of the bucket "{self.name}" ({store})'

    def _refusal(self, answer: Mapping[str, Any], key: str) -> MediaflowError:
        code = _code(answer)
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        told = _QUERY.sub("", " ".join(str(answer.get("Error", {}).get("Message", "")).split()))
        reason = f"{code}: {told[:_LONGEST_REASON]}".rstrip(": ").rstrip(".")
        if code == "NoSuchBucket":
            return InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f'The bucket "{self.name}" has no store: "{self.real_name}" does not exist at '
                f"{self.endpoint or 'Amazon S3'}.",
                remedy=f"Create it, or correct [buckets.{self.name}].",
            )
        if code in _FULL:
            return MediaflowError(
                Code.NO_SPACE,
                f"The store is full for {self._where(key)}: {reason}.",
                remedy="Make room, or raise its quota.",
                transient=Transient.SPACE,
            )
        if status >= 500 or code in _LATER:
            return MediaflowError(
                Code.STORAGE,
                f"The store fails for {self._where(key)}: {reason}.",
                remedy="Try again later, or ask who runs the store.",
                transient=Transient.STORAGE,
            )
        if code in _CHANGED:
            return InvalidInputError(
                Code.RESOURCE_CONTENT_BAD,
                f"A change came in between for {self._where(key)}: {reason}.",
                remedy="Run the workflow on the new version.",
            )
        if status in (401, 403) or code in _DENIED:
            return InvalidInputError(
                Code.RESOURCE_ACCESS,
                f"Access is denied to {self._where(key)}: {reason}.",
                remedy="Check the access key and what it may do; see mediaflow doctor.",
            )
        if status == 404:
            return InvalidInputError(
                Code.RESOURCE_NOT_FOUND,
                f"The store does not know {self._where(key)}: {reason}.",
                remedy="Check the key, which is compared exactly, and the bucket's configuration.",
            )
        return InvalidInputError(
            Code.INVALID,
            f"The store refuses {self._where(key)}: {reason}.",
            remedy="Check region, endpoint_url, addressing_style and signature_version in "
            f"[buckets.{self.name}].",
        )

    def failure(self, error: Exception, key: str) -> MediaflowError:
        """Return the error for what boto3 raises when no answer came, or none was asked for."""
        from botocore import exceptions

        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return InvalidInputError(
                Code.RESOURCE_ACCESS,
                f'There is no access key for the bucket "{self.name}".',
                remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name other variables "
                f"by access_key_id_env and secret_access_key_env in [buckets.{self.name}].",
            )
        broken = (
            exceptions.HTTPClientError,
            exceptions.ConnectionError,
            exceptions.IncompleteReadError,
            exceptions.ResponseStreamingError,
            # the access key is asked for over the network, too
            exceptions.CredentialRetrievalError,
            exceptions.MetadataRetrievalError,
            OSError,
        )
        if isinstance(error, broken):
            sentence = f"The store cannot be reached for {self._where(key)}"
            limit = next((e for e in _causes(error) if transience(e) is Transient.LIMIT), None)
            if limit is not None:
                return file_error(limit, sentence, check="", room="")
            return MediaflowError(
                Code.STORAGE,
                f"{sentence} ({type(error).__name__}).",
                remedy=f"Check the network and endpoint_url in [buckets.{self.name}].",
                transient=Transient.STORAGE,
            )
        reason = _QUERY.sub("", " ".join(str(error).split()))[:_LONGEST_REASON].rstrip(".")
        return InvalidInputError(
            Code.RESOURCE_ACCESS,
            f"The store cannot be asked for {self._where(key)}: {reason}.",
            remedy=f"Check [buckets.{self.name}] and the configuration of the AWS tools.",
        )


@cache
def _loader(data_path: str | None) -> Any:
    """Return what reads the description of the protocol: 70 ms for the first client alone."""
    import botocore.loaders

    loaders: Any = botocore.loaders
    return loaders.create_loader(data_path)


def _moment(text: str) -> datetime:
    """Return the moment that an answer names. A listing takes twice as long by botocore's way."""
    from botocore import utils

    if text.endswith("Z"):
        return datetime.fromisoformat(text)
    return utils.parse_timestamp(text)  # pyright: ignore[reportUnknownMemberType]


def _causes(error: BaseException | None) -> Iterator[OSError]:
    """Yield what the system said behind the exceptions of libraries."""
    while error is not None:
        if isinstance(error, OSError):
            yield error
        error = error.__cause__ or error.__context__


def _code(answer: Mapping[str, Any]) -> str:
    return str(answer.get("Error", {}).get("Code", ""))
