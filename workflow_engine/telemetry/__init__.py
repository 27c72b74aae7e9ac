"""What tells operators how runs go: which run a log line is about, and traces.

`context.py` binds the RunId and the activity to what a thread does, for the log (`cli/log_lines.py`
writes the lines). `spans.py` is what the engine and activities call to be seen in traces, and does
nothing until `tracing.py`, the only module that imports OpenTelemetry, was told to send them.
"""

from workflow_engine.telemetry.context import RunContext, bound, current, fields, in_context
from workflow_engine.telemetry.spans import Span, current_span, process_span, span

__all__ = [
    "RunContext",
    "Span",
    "bound",
    "current",
    "current_span",
    "fields",
    "in_context",
    "process_span",
    "span",
]
