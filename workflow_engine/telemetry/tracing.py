"""Traces by OpenTelemetry, sent where its standard variables say; needs the extra `otel`.

The RunId is the trace id, so that the trace of a run is found by it; a run that is resumed adds
to its trace. Variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import logging
import os
import random
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from workflow_engine.errors import Code, InstallationError, InvalidInputError, MediaflowError
from workflow_engine.telemetry.context import current
from workflow_engine.telemetry.spans import Attributes, Span, use

log = logging.getLogger(__name__)

#: seconds that the last spans get to be sent at the end
PATIENCE = 5.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER = "OTEL_TRACES_EXPORTER"
_RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"


def configured() -> str:
    """Return the variable by which traces are asked for, "" where they are not."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    exporter = os.environ.get(_EXPORTER, "").strip()
    if exporter == "none":
        return ""
    given = (name for name in _ENDPOINTS if os.environ.get(name, "").strip())
    return _EXPORTER if exporter else next(given, "")


@contextmanager
def sending_traces() -> Generator[None]:
    """Send the traces of what runs inside, where the environment asks for it.

    What keeps them from being sent is a warning: no run fails for want of its trace.
    """
    if not configured():
        yield
        return
    try:
        provider = open_provider()
    except MediaflowError as error:
        log.warning("no traces are sent: %s", error.problem())
        yield
        return
    use(_Tracer(provider.get_tracer("mediaflow", version("mediaflow"))))
    try:
        yield
    finally:
        use(None)
        # the exporter waits for a server that does not answer, longer than anybody wants to
        end = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        end.start()
        end.join(PATIENCE)


def open_provider() -> Any:
    """Return a provider of tracers that sends what they trace.

    Raises InstallationError without the extra, InvalidInputError for what the variables ask for
    in vain.
    """
    exporter = os.environ.get(_EXPORTER, "").strip()
    if exporter not in ("", "otlp"):
        raise InvalidInputError(
            Code.NOT_SUPPORTED,
            f'The variable "{_EXPORTER}" is "{exporter}", which is not supported.',
            remedy='Use "otlp".',
        )
    for name in _PROTOCOLS:
        if (protocol := os.environ.get(name, "http/protobuf")) != "http/protobuf":
            raise InvalidInputError(
                Code.NOT_SUPPORTED,
                f'The variable "{name}" is "{protocol}", which is not supported.',
                remedy='Use "http/protobuf", with the port for HTTP of the collector (4318).',
            )
    try:
        sdk: Any = import_module("opentelemetry.sdk.trace")
        export: Any = import_module("opentelemetry.sdk.trace.export")
        resources: Any = import_module("opentelemetry.sdk.resources")
        otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        raise InstallationError(
            Code.INSTALLATION,
            f'The variable "{configured()}" is set, but OpenTelemetry is not installed ({error}).',
            remedy='Install the extra "otel" (make setup EXTRAS=otel), or unset the variable.',
        ) from None
    # its own lines come for every batch, with tracebacks; `_Exporter` says it once
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    about = {"service.version": version("mediaflow")}
    named = ("OTEL_SERVICE_NAME" in os.environ, "service.name" in os.environ.get(_RESOURCE, ""))
    if not any(named):
        about["service.name"] = "mediaflow"
    try:
        provider = sdk.TracerProvider(
            resource=resources.Resource.create(about),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        sending = _Exporter(otlp.OTLPSpanExporter(), export.SpanExportResult.SUCCESS)
        provider.add_span_processor(export.BatchSpanProcessor(sending))
    except Exception as error:  # whatever the libraries think of the variables
        raise InvalidInputError(
            Code.INVALID,
            f"The variables OTEL_* cannot be used: {error}.",
            remedy="Correct them.",
        ) from error
    return provider


class _Ids:
    """Makes ids; the trace of a run has its RunId."""

    def generate_span_id(self) -> int:
        return random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        run_id = current().run_id
        try:
            return int(run_id, 16) or 1
        except ValueError:
            return random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        return False


class _Exporter:
    """Sends spans and says once when that begins to fail."""

    def __init__(self, exporter: Any, success: Any) -> None:
        self._exporter = exporter
        self._success = success
        self._failing = False

    def export(self, spans: Sequence[Any]) -> Any:
        result = self._exporter.export(spans)
        failed = result is not self._success
        if failed and not self._failing:
            log.warning("traces cannot be sent to the endpoint of %s; they are lost", configured())
        self._failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Tracer:
    """Begins spans of OpenTelemetry, with parents of ours instead of those of its own context.

    Prefect has spans in that, which are not ours to send.
    """

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def begin(self, name: str, attributes: Attributes, parent: Span | None) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = Context()
        if isinstance(parent, _Span):
            context = set_span_in_context(parent.inner, context)
        return _Span(self._tracer.start_span(name, context, attributes=dict(attributes)))


class _Span:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def set(self, attributes: Attributes) -> None:
        self.inner.set_attributes(dict(attributes))

    def fail(self, code: str, message: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self.inner.set_attribute("error.type", code)
        self.inner.set_status(Status(StatusCode.ERROR, f"{code}: {message}"))

    def end(self) -> None:
        self.inner.end()
