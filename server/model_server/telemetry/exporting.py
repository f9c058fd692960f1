"""Whether spans are exported, by the variables that all programs with OpenTelemetry know.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

import logging
from collections.abc import Mapping

from model_server.telemetry.tracing import NO_TRACING, Tracing

_log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_GRPC, _HTTP = "grpc", "http/protobuf"


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces by OTLP: an endpoint, or the exporter by name."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    return exporter == "otlp" or (not exporter and any(map(environment.get, _ENDPOINTS)))


def protocol(environment: Mapping[str, str]) -> str:
    """The form of OTLP that the variables ask for."""
    return next((asked for name in _PROTOCOLS if (asked := environment.get(name))), _GRPC)


def tracing_of(environment: Mapping[str, str]) -> Tracing:
    """What the variables ask for; nothing of OpenTelemetry is imported unless they do.

    Serving matters more than traces: what cannot be had is logged.
    """
    if not is_wanted(environment):
        return NO_TRACING
    try:
        return _exported(protocol(environment))
    except ImportError as error:
        _log.error(
            "Traces are not exported, though OTEL_* variables ask for it: %s; install"
            " modelfleet[tracing]",
            error,
        )
    except Exception as error:
        # The SDK raises what it likes for variables that it cannot read.
        _log.error("Traces are not exported: %s", error)
    return NO_TRACING


def _exported(form: str) -> Tracing:
    from opentelemetry.sdk.trace.export import SpanExporter

    from model_server.telemetry.open_telemetry import ExportedTracing

    exporter: SpanExporter
    if form == _GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    elif form == _HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter as OverHttp,
        )

        exporter = OverHttp()
    else:
        raise ValueError(f'the protocol "{form}" is neither {_GRPC} nor {_HTTP}')
    return ExportedTracing(exporter)
