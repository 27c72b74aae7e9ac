"""What a receiver of OpenTelemetry traces got: the spans of OTLP over HTTP, decoded."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.support.webhook_server import Request


@dataclass(frozen=True, kw_only=True)
class SeenSpan:
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    seconds: float
    failed: bool
    message: str
    attributes: dict[str, Any]
    service: str


def spans_of(requests: Sequence[Request]) -> list[SeenSpan]:
    """The spans of requests to `/v1/traces`."""
    service: Any = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    found: list[SeenSpan] = []
    for request in requests:
        assert request.path == "/v1/traces", request.path
        assert request.headers["content-type"] == "application/x-protobuf"
        zipped = request.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(request.body) if zipped else request.body
        for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans:
            about = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                found += [_span(span, about["service.name"]) for span in scope.spans]
    return found


def _span(span: Any, service: str) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        failed=span.status.code == 2,
        message=span.status.message,
        attributes=_values(span.attributes),
        service=service,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
