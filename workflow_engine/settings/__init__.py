"""Settings: `mediaflow.toml` and the environment (`README.md`, "Configuration").

>>> settings = load_settings()
>>> settings.service.port
8080

`models.py` has the keys, their types and defaults; `loading.py` reads the file and explains what
is wrong with it; `environment.py` reads the variables, which win over the file; `files.py`
checks the files that a user names.
"""

from workflow_engine.settings.loading import load_settings
from workflow_engine.settings.models import (
    BucketSettings,
    HlsSettings,
    LogSettings,
    MessageSettings,
    NotifySettings,
    PipelinesSettings,
    PluginEvents,
    PrefectSettings,
    RetentionSettings,
    RunnerSettings,
    ServiceSettings,
    Settings,
    SqsEvents,
    StoreSettings,
    WorkflowsSettings,
    data_dir,
)

__all__ = [
    "BucketSettings",
    "HlsSettings",
    "LogSettings",
    "MessageSettings",
    "NotifySettings",
    "PipelinesSettings",
    "PluginEvents",
    "PrefectSettings",
    "RetentionSettings",
    "RunnerSettings",
    "ServiceSettings",
    "Settings",
    "SqsEvents",
    "StoreSettings",
    "WorkflowsSettings",
    "data_dir",
    "load_settings",
]
