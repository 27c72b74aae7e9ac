"""What a listener needs: who tells the engine what lands in buckets.

A listener notes what it heard with `Intake.note`, as `Notice`s; `triggers/` has those that come
with mediaflow. A kind of your own is an entry point of the group `mediaflow.triggers`; a part of
`serve` is one of `mediaflow.services` and gets the `Engine`.
"""

from workflow_engine.api.access import check_local
from workflow_engine.engine import Engine
from workflow_engine.errors import (
    Code,
    InvalidInputError,
    MediaflowError,
    SettingsError,
    StoreError,
)
from workflow_engine.ingest.intake import Intake
from workflow_engine.messages.sqs import sqs_client
from workflow_engine.records.ingest import ListenerRecord, Notice
from workflow_engine.settings.models import BucketSettings, PluginEvents, SqsEvents

__all__ = [
    "BucketSettings",
    "Code",
    "Engine",
    "Intake",
    "InvalidInputError",
    "ListenerRecord",
    "MediaflowError",
    "Notice",
    "PluginEvents",
    "SettingsError",
    "SqsEvents",
    "StoreError",
    "check_local",
    "sqs_client",
]
