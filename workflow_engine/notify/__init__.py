"""Notifications: people hear by mail or in a chat how executions end (`[notify.NAME]`).

`notifier.py` looks for what has ended and tells each target, beside the runs; `text.py` says it in
words, `target.py` sends it by the library Apprise, which knows the services. What is to be told
waits in the store (`store/notifications.py`).
"""

from workflow_engine.notify.notifier import Notifier
from workflow_engine.notify.target import Target, open_target
from workflow_engine.notify.text import Note, trial_note

__all__ = ["Note", "Notifier", "Target", "open_target", "trial_note"]
