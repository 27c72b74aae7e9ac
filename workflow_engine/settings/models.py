"""The sections and keys of the configuration, with their defaults.

All of it is frozen. `loading.py` reads the file, `environment.py` the environment.
"""

import base64
import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from workflow_engine.activity.retry import RetryPolicy
from workflow_engine.activity.runs import COUNT_LIMIT
from workflow_engine.settings.environment import environment_values

#: of secrets in the serialization of Standard Webhooks
_SECRET_PREFIX = "whsec_"


def data_dir() -> Path:
    """Return the folder of everything mediaflow keeps: MEDIAFLOW_DATA, else the user's own."""
    folder = os.environ.get("MEDIAFLOW_DATA") or platformdirs.user_data_dir("mediaflow")
    return Path(folder).expanduser().absolute()


def _default_store() -> str:
    return f"sqlite:///{data_dir() / 'mediaflow.db'}"


def _events(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        if (plugin := _plugin_events(value)) is not None:
            return plugin
        raise ValueError('must be "watch", "poll", "webhook" or {sqs = "queue-url"}') from None


def _plugin_events(value: Any) -> "PluginEvents | None":
    kind, source = value, ""
    if isinstance(value, dict) and len(cast(dict[Any, Any], value)) == 1:
        ((kind, source),) = cast(dict[Any, Any], value).items()
    if not isinstance(kind, str) or not isinstance(source, str):
        return None
    if kind in ("watch", "poll", "webhook", "sqs"):
        return None
    found = entry_points(group="mediaflow.triggers", name=kind)
    return PluginEvents(kind=kind, source=source) if found else None


def _one_of(model: BaseModel, *keys: str) -> None:
    given = [key for key in keys if getattr(model, key) is not None]
    if len(given) != 1:
        raise ValueError(f"needs exactly one of {', '.join(keys)}; it has {len(given)}")


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must be a URL that begins with http:// or https://")
    return value


#: without `..`, so that one folder has one name from wherever the configuration is read
AbsolutePath = Annotated[
    Path, AfterValidator(lambda path: Path(os.path.abspath(path.expanduser())))
]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ServiceSettings(_Section):
    """`[service]`: where `serve` listens, and who may call."""

    #: address that it listens on; beyond 127.0.0.1 only with access keys
    host: str = "127.0.0.1"
    #: 0: any free one
    port: Port = 8080
    #: secret by access key id; none: only loopback may call, without signature
    access_keys: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    #: calls per second and account, by action or "default"; 0: no limit
    rate_limits: Mapping[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict[str, int])
    #: which APIs it speaks, told apart by their versions
    apis: tuple[Literal["mps", "ims"], ...] = ("mps", "ims")
    #: what senders of bucket events must know; none: only loopback may send them
    event_token: SecretStr | None = None
    #: how this server is reached from elsewhere, for links to its pages
    public_url: HttpUrl | None = None
    #: how far back queries of the API reach
    history_days: int = Field(default=90, ge=1)


class LogSettings(_Section):
    """`[log]`: what `serve` writes to stderr."""

    #: lines for people, or a JSON object each
    format: Literal["text", "json"] = "text"
    #: the least that is told
    level: Literal["debug", "info", "warning", "error"] = "info"


class StoreSettings(_Section):
    """`[store]`: the database of executions."""

    #: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`
    url: str = Field(default_factory=_default_store)


class RetentionSettings(_Section):
    """`[retention]`: how long the store keeps what has ended. 0: for ever, any number."""

    #: since an execution was created and ended
    days: int = Field(default=90, ge=0)
    #: the newest ones; older ones go although they are younger than `days`
    executions: int = Field(default=100_000, ge=0)


class PrefectSettings(_Section):
    """`[prefect]`: the server that shows the runs."""

    #: use that server; else a local one of mediaflow's own
    api_url: str | None = None
    #: of the local server, when it is free
    port: Port = 4200


class RunnerSettings(_Section):
    """`[runner]`: how much runs at once."""

    mode: Literal["local", "work-pool"] = "local"
    #: executions at once
    concurrency: int = Field(default=2, ge=1)
    #: ffmpegs at once; each uses several cores, and two on the same cores slow each other down
    processes: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 4), ge=1)
    #: decode once for sibling outputs (decision 7)
    fuse: bool = True
    #: bytes; larger inputs are not read through for their media info
    count_limit: int = Field(default=COUNT_LIMIT, ge=0)


class RetrySettings(_Section):
    """`[retry]`: what happens after transient causes, such as a storage that is away."""

    #: of one activity in all; 1: no retries
    attempts: int = Field(default=RetryPolicy().attempts, ge=1)
    #: seconds before the second attempt; doubled for each one after it
    first_pause: float = Field(default=RetryPolicy().first_pause, ge=0)
    #: seconds; also the pause when a disk is full
    longest_pause: float = Field(default=RetryPolicy().longest_pause, ge=0)

    @property
    def policy(self) -> RetryPolicy:
        """The same, for those who run activities."""
        return RetryPolicy(
            attempts=self.attempts,
            first_pause=self.first_pause,
            longest_pause=self.longest_pause,
        )


class WorkflowsSettings(_Section):
    """`[workflows]`: topologies as files, the file's name is the workflow's."""

    #: folder of `*.json`; `templates/*.json` in it are templates
    dir: AbsolutePath = Path("workflows")


class SqsEvents(_Section):
    """`events = {sqs = "queue-url"}`."""

    kind: ClassVar[str] = "sqs"

    sqs: str = Field(min_length=1)


class PluginEvents(_Section):
    """`events = "KIND"` or `{KIND = "source"}` of an installed listener that is not ours."""

    kind: str
    source: str = ""


def _endpoint(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL of scheme, host and port only")
    return value


#: keys of `[buckets.NAME]` that say something of an object store
_STORE_KEYS = (
    "endpoint_url",
    "region",
    "addressing_style",
    "signature_version",
    "access_key_id_env",
    "secret_access_key_env",
    "acl",
)


class BucketSettings(_Section):
    """`[buckets.NAME]`: a local folder (`path`) or an object store (`url`), never both."""

    #: the folder
    path: AbsolutePath | None = None
    #: `s3://REAL-NAME`, or `oss://REAL-NAME` for OSS by its S3-compatible endpoint
    url: Annotated[str, Field(pattern=r"^(s3|oss)://[^/]+/?$")] | None = None
    #: of the server; None: Amazon's
    endpoint_url: Annotated[str, AfterValidator(_endpoint)] | None = None
    #: of the server, as Amazon's and OSS's have them
    region: str | None = None
    #: how the bucket stands in URLs; by default in the path where there is an `endpoint_url`
    addressing_style: Literal["virtual", "path"] | None = None
    #: how requests are signed; None: s3v4
    signature_version: Literal["s3v4", "s3"] | None = None
    #: names of the environment variables that hold the access key; none: as the AWS tools do
    access_key_id_env: Annotated[str, Field(min_length=1)] | None = None
    #: the same of its secret
    secret_access_key_env: Annotated[str, Field(min_length=1)] | None = None
    #: single objects have access rules, which follow the publish state (decision 17)
    acl: bool = False
    #: how new objects are noticed; None: not at all
    events: Annotated[
        Literal["watch", "poll", "webhook"] | SqsEvents | PluginEvents | None,
        WrapValidator(_events),
    ] = None
    #: seconds without an event or a change before an object counts as finished
    settle_seconds: float = Field(default=2.0, ge=0)
    #: seconds between listings
    poll_seconds: float = Field(default=60.0, gt=0)
    #: what lies there when the bucket is first watched (decision 13)
    existing: Literal["skip", "process"] = "skip"

    @model_validator(mode="after")
    def _kind(self) -> Self:
        _one_of(self, "path", "url")
        given = [key for key in _STORE_KEYS if getattr(self, key)]
        if self.path is not None and given:
            raise ValueError(f"is a folder, for which {given[0]} means nothing")
        if (self.access_key_id_env is None) != (self.secret_access_key_env is None):
            raise ValueError("needs both access_key_id_env and secret_access_key_env, or neither")
        if self.url is not None and self.url.startswith("oss:") and self.endpoint_url is None:
            raise ValueError("needs the endpoint_url of OSS, https://s3.oss-REGION.aliyuncs.com")
        return self


class PipelinesSettings(_Section):
    """`[pipelines]`: the queues of executions."""

    #: refuse a PipelineId that is not known, instead of a warning
    strict: bool = False


class MessageSettings(_Section):
    """`[queues.NAME]` and `[topics.NAME]`: where messages go, one of three."""

    #: URL that takes a POST
    webhook: HttpUrl | None = None
    #: signs what the webhook gets (Standard Webhooks): `whsec_` and base64, or any text
    secret: SecretStr | None = None
    #: URL of an SQS queue
    sqs: HttpUrl | None = None
    #: one JSON document per line
    file: AbsolutePath | None = None

    @property
    def signing_key(self) -> bytes | None:
        """The bytes of the secret."""
        if self.secret is None:
            return None
        text = self.secret.get_secret_value()
        encoded = text.removeprefix(_SECRET_PREFIX)
        return text.encode() if encoded == text else base64.b64decode(encoded, validate=True)

    @model_validator(mode="after")
    def _kind(self) -> Self:
        _one_of(self, "webhook", "sqs", "file")
        if self.secret is not None and self.webhook is None:
            raise ValueError("has a secret, which only a webhook can use")
        try:
            key = self.signing_key
        except ValueError:
            reason = f'has a secret that is not valid Base64 behind "{_SECRET_PREFIX}"'
            raise ValueError(reason) from None
        if key == b"":
            raise ValueError("has an empty secret")
        if self.webhook is not None and urlsplit(self.webhook).username is not None:
            raise ValueError("has a webhook with a user name; sign with a secret instead")
        return self


class NotifySettings(_Section):
    """`[notify.NAME]`: who is told how executions end, by mail or in a chat."""

    #: of the target, as the library Apprise writes it; it may hold passwords
    url: SecretStr | None = None
    #: the environment variable that holds the URL
    url_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    #: each failure, each end, or a summary of the ends of a period
    on: Literal["failure", "end", "digest"] = "failure"
    #: names of workflows; none: all of them, and jobs
    workflows: tuple[str, ...] = ()
    #: period of a digest, counted from midnight UTC
    digest_hours: float = Field(default=24.0, ge=1, le=24 * 31)
    #: messages in `per_minutes`; the last of them speaks of everything beyond
    at_most: int = Field(default=10, ge=1)
    per_minutes: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        _one_of(self, "url", "url_env")
        return self


class HlsSettings(_Section):
    """`[hls]`: playlists that land in buckets."""

    #: whether the segments that a playlist names start runs of their own
    segments_trigger: bool = False
    #: seconds that a playlist waits for its end and its segments until it counts as incomplete
    wait_seconds: float = Field(default=3600.0, ge=0)


class Settings(BaseSettings):
    """Everything that can be configured, frozen; made by `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    service: ServiceSettings = Field(default_factory=ServiceSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    prefect: PrefectSettings = Field(default_factory=PrefectSettings)
    runner: RunnerSettings = Field(default_factory=RunnerSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    workflows: WorkflowsSettings = Field(default_factory=WorkflowsSettings)
    buckets: Mapping[str, BucketSettings] = Field(default_factory=dict[str, BucketSettings])
    hls: HlsSettings = Field(default_factory=HlsSettings)
    pipelines: PipelinesSettings = Field(default_factory=PipelinesSettings)
    queues: Mapping[str, MessageSettings] = Field(default_factory=dict[str, MessageSettings])
    topics: Mapping[str, MessageSettings] = Field(default_factory=dict[str, MessageSettings])
    notify: Mapping[str, NotifySettings] = Field(default_factory=dict[str, NotifySettings])
    _data_dir: Path = PrivateAttr(default_factory=data_dir)
    _file: Path | None = PrivateAttr(default=None)

    @property
    def data_dir(self) -> Path:
        """The data directory as it was when the settings were loaded."""
        return self._data_dir

    @property
    def file(self) -> Path | None:
        """The configuration file, None where there is none."""
        return self._file

    def kept_in(self, folder: Path) -> Self:
        """Return the same settings with everything that is kept in another data directory."""
        store = self.store.model_copy(update={"url": f"sqlite:///{folder.absolute() / 'store.db'}"})
        kept = self.model_copy(update={"store": store})
        kept._data_dir = folder.absolute()
        return kept

    def read_from(self, file: Path) -> Self:
        """Remember the configuration file."""
        self._file = Path(os.path.abspath(file))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what `load_settings` read from the file."""
        # pydantic's own source would fold the case of names and pass over unknown sections
        return InitSettingsSource(settings_cls, environment_values()), init_settings
