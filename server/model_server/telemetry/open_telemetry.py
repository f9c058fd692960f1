"""Spans told to OpenTelemetry, which exports them by OTLP. Needs the extra ``tracing``."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from model_server.telemetry import trace_context, tracing
from model_server.telemetry.trace_context import TraceContext
from model_server.telemetry.tracing import Asked, Attributes, Span

_SERVICE = "model-server"


class ExportedTracing:
    """See Tracing. The SDK and the exporter read their settings from OTEL_* variables.

    Spans wait in a queue of the SDK, which drops them when it is full: no request waits.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: _SERVICE}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("modelfleet.model_server")

    @contextmanager
    def request(self, asked: Asked) -> Iterator[Span]:
        """See Tracing."""
        context = Context() if asked.parent is None else _remote(asked.parent)
        span = self._tracer.start_span(
            asked.name, context, SpanKind.SERVER, attributes=asked.attributes
        )
        told = _Told(self._tracer, span)
        try:
            with trace_context.within(_local(span.get_span_context())), tracing.within(told):
                yield told
        finally:
            span.end()

    def stop(self, seconds: float) -> None:
        """See Tracing."""
        # By a thread, because an exporter that cannot reach anybody tries again for a while.
        ending = threading.Thread(target=self._provider.shutdown, name="tracing", daemon=True)
        ending.start()
        ending.join(seconds)


class _Told:
    """See Span."""

    def __init__(self, tracer: Tracer, span: OtelSpan) -> None:
        self._tracer = tracer
        self._span = span

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, description: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, description))

    @contextmanager
    def part(self, name: str, attributes: Attributes) -> Iterator[None]:
        part = self._tracer.start_span(
            name, set_span_in_context(self._span, Context()), attributes=attributes
        )
        try:
            yield
        except BaseException as error:
            # Not its message, which may quote what a client sent.
            part.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            part.end()


def _remote(parent: TraceContext) -> Context:
    context = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([parent.state]) if parent.state else None,
    )
    return set_span_in_context(NonRecordingSpan(context), Context())


def _local(context: SpanContext) -> TraceContext:
    return TraceContext(
        format_trace_id(context.trace_id),
        format_span_id(context.span_id),
        context.trace_flags.sampled,
    )
