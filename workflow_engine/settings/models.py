"""The sections and keys of the configuration, with their defaults (design, section 3).

All of it is frozen. `loading.py` reads the file, `environment.py` the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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

from workflow_engine.settings.environment import environment_values


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
        raise ValueError('must be "watch", "poll", "webhook" or {sqs = "queue-url"}') from None


def _one_of(model: BaseModel, *keys: str) -> None:
    given = [key for key in keys if getattr(model, key) is not None]
    if len(given) != 1:
        raise ValueError(f"needs exactly one of {', '.join(keys)}; it has {len(given)}")


AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ServiceSettings(_Section):
    """`[service]`: where `serve` listens, and who may call."""

    host: str = "127.0.0.1"
    port: Port = 8080
    #: secret by access key id; none: only loopback may call, without signature
    access_keys: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr])


class StoreSettings(_Section):
    """`[store]`: the database of executions."""

    url: str = Field(default_factory=_default_store)


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
    #: decode once for sibling outputs (design, decision 7)
    fuse: bool = True


class WorkflowsSettings(_Section):
    """`[workflows]`: topologies as files, the file's name is the workflow's."""

    dir: AbsolutePath = Path("workflows")


class SqsEvents(_Section):
    """`events = {sqs = "queue-url"}`."""

    sqs: str = Field(min_length=1)


class BucketSettings(_Section):
    """`[buckets.NAME]`: a local folder (`path`) or an object store (`url`), never both."""

    path: AbsolutePath | None = None
    url: Annotated[str, Field(pattern=r"^(s3|oss)://[^/]+/?$")] | None = None
    endpoint_url: str | None = None
    region: str | None = None
    addressing_style: Literal["virtual", "path"] | None = None
    signature_version: str | None = None
    #: names of the environment variables that hold the access key
    access_key_id_env: str | None = None
    secret_access_key_env: str | None = None
    #: how new objects are noticed; None: not at all
    events: Annotated[
        Literal["watch", "poll", "webhook"] | SqsEvents | None, WrapValidator(_events)
    ] = None
    #: seconds without an event or a change before an object counts as finished
    settle_seconds: float = Field(default=2.0, ge=0)
    #: seconds between listings
    poll_seconds: float = Field(default=60.0, gt=0)
    #: what lies there when the bucket is first watched (design, decision 13)
    existing: Literal["skip", "process"] = "skip"

    @model_validator(mode="after")
    def _kind(self) -> Self:
        _one_of(self, "path", "url")
        return self


class PipelinesSettings(_Section):
    """`[pipelines]`."""

    #: refuse a PipelineId that is not known, instead of a warning
    strict: bool = False


class MessageSettings(_Section):
    """`[queues.NAME]` and `[topics.NAME]`: where messages go, one of three."""

    #: URL that takes a POST
    webhook: str | None = None
    #: URL of an SQS queue
    sqs: str | None = None
    #: one JSON document per line
    file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _kind(self) -> Self:
        _one_of(self, "webhook", "sqs", "file")
        return self


class Settings(BaseSettings):
    """Everything that can be configured, frozen; made by `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    service: ServiceSettings = Field(default_factory=ServiceSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    prefect: PrefectSettings = Field(default_factory=PrefectSettings)
    runner: RunnerSettings = Field(default_factory=RunnerSettings)
    workflows: WorkflowsSettings = Field(default_factory=WorkflowsSettings)
    buckets: Mapping[str, BucketSettings] = Field(default_factory=dict[str, BucketSettings])
    pipelines: PipelinesSettings = Field(default_factory=PipelinesSettings)
    queues: Mapping[str, MessageSettings] = Field(default_factory=dict[str, MessageSettings])
    topics: Mapping[str, MessageSettings] = Field(default_factory=dict[str, MessageSettings])
    _data_dir: Path = PrivateAttr(default_factory=data_dir)

    @property
    def data_dir(self) -> Path:
        """The data directory as it was when the settings were loaded."""
        return self._data_dir

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
