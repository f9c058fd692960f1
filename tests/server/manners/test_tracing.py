"""Traces: a server joins those of its clients, and tells a real OTLP receiver what it did."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.telemetry.exporting import is_wanted, tracing_of
from model_server.telemetry.tracing import NO_TRACING
from server.clients import GrpcClient, HttpClient
from server.conftest import free_port, model_config
from server.transports import NAMES

COMMAND = str(Path(sys.executable).with_name("model-server"))
TRACES = [f"{number:032x}" for number in range(1, 6)]
PARENT = "b7ad6b7169203331"
REST, GRPC, MISTAKE, RELOAD, FAULT = (f"00-{trace}-{PARENT}-01" for trace in TRACES)


class Receiver(TraceServiceServicer):
    """Keeps what is exported to it."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []

    def Export(self, request, _context):
        self.requests.append(request)
        return ExportTraceServiceResponse()

    def spans(self, trace: str) -> dict[str, Span]:
        """The spans of one trace, by name."""
        return {
            span.name: span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace
        }


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[Receiver, str]]:
    """An OTLP receiver on loopback, and its address."""
    server, kept = grpc.server(ThreadPoolExecutor(2)), Receiver()
    add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture(scope="module", params=NAMES)
def told(
    receiver, model_folders, tmp_path_factory, request
) -> tuple[Receiver, list[dict[str, object]]]:
    """What a server that was asked in five traces exported and logged until it ended.

    The one with the native transport batches, too, so that its calls wait without threads.
    """
    kept, address = receiver
    kept.requests.clear()
    log = tmp_path_factory.mktemp("tracing") / "log"
    rest, over_grpc = free_port(), free_port()
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_SERVICE_NAME": "fleet",
        # So that only the end of the server makes it tell.
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    flags = [f"--port={over_grpc}", f"--rest_api_port={rest}", "--log_format=json"]
    flags.append(f"--transport={request.param}")
    if request.param == "native":
        flags.append("--enable_batching")
    model = ["--model_name=two", f"--model_base_path={model_folders / 'two'}"]
    with log.open("w") as stderr:
        process = subprocess.Popen([COMMAND, *flags, *model], stderr=stderr, env=environment)
    try:
        ask(HttpClient(rest), over_grpc, model_config(model_folders / "default"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0
    finally:
        process.kill()
        process.wait()
    return kept, [json.loads(line) for line in log.read_text().splitlines()]


def ask(http: HttpClient, over_grpc: int, other_model: str) -> None:
    http.wait_until_ready()
    path = "/v1/models/two:predict"
    http.request("POST", path, b'{"instances": [1.0]}', traceparent=REST)
    http.request("POST", path, b"no JSON", traceparent=MISTAKE)
    client = GrpcClient(f"127.0.0.1:{over_grpc}")
    request = PredictRequest(model_spec={"name": "two"})
    row = "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1"
    text_format.Parse(row, request.inputs["x"])
    client.prediction.Predict(request, metadata=[("traceparent", GRPC), ("tracestate", "a=b")])
    unknown = MultiInferenceRequest(tasks=[{"method_name": "unknown"}])
    unknown.tasks[0].model_spec.name = "two"
    unknown.tasks[0].model_spec.signature_name = "regress_x_to_y"
    unknown.input.example_list.examples.add()
    with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
        client.prediction.MultiInference(unknown, metadata=[("traceparent", FAULT)])
    reload = f"config {{ model_config_list {{ {other_model} }} }}"
    client.model.HandleReloadConfigRequest(
        text_format.Parse(reload, ReloadConfigRequest()), metadata=[("traceparent", RELOAD)]
    )
    client.close()


def attributes(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_request_over_rest_is_a_span_of_its_clients_trace_with_the_run_as_its_part(told):
    spans = told[0].spans(TRACES[0])

    request, run = spans["POST predict"], spans["run"]
    assert request.kind == Span.SPAN_KIND_SERVER
    assert request.parent_span_id.hex() == PARENT
    assert run.parent_span_id == request.span_id
    about = {"modelfleet.model": "two", "modelfleet.version": 2}
    assert attributes(run) == about | {"modelfleet.signature": "serving_default"}
    assert attributes(request) == attributes(run) | {
        "http.request.method": "POST",
        "url.path": "/v1/models/two:predict",
        "http.response.status_code": 200,
    }


def test_a_request_over_grpc_is_one_too(told):
    spans = told[0].spans(TRACES[1])

    request = spans["tensorflow.serving.PredictionService/Predict"]
    assert request.parent_span_id.hex() == PARENT
    assert request.trace_state == "a=b"
    assert spans["run"].parent_span_id == request.span_id
    assert (
        attributes(request).items()
        >= {
            "rpc.system": "grpc",
            "rpc.service": "tensorflow.serving.PredictionService",
            "rpc.method": "Predict",
        }.items()
    )


def test_a_clients_mistake_is_no_fault_of_the_server(told):
    (request,) = told[0].spans(TRACES[2]).values()

    assert attributes(request)["http.response.status_code"] == 400
    assert request.status.code == Status.STATUS_CODE_UNSET


def test_a_fault_of_the_server_makes_its_span_an_error_without_quoting_anybody(told):
    (request,) = told[0].spans(TRACES[4]).values()

    assert attributes(request)["rpc.grpc.status_code"] == 12
    assert (request.status.code, request.status.message) == (
        Status.STATUS_CODE_ERROR,
        "UNIMPLEMENTED",
    )


def test_every_line_of_a_json_log_is_an_object_that_names_its_servable(told):
    _, lines = told

    loaded = [line for line in lines if line["message"].startswith("Successfully loaded")]

    assert {(line["model"], line["version"]) for line in loaded} >= {("two", 2)}
    assert lines[-1]["message"] == "Ended"


def test_log_lines_name_the_trace_and_span_of_the_request_that_caused_them(told):
    kept, lines = told

    (line,) = [each for each in lines if each["message"] == " (Re-)adding model: default"]
    (request,) = kept.spans(TRACES[3]).values()

    assert (line["trace_id"], line["span_id"]) == (TRACES[3], request.span_id.hex())


def test_the_service_is_named_as_the_environment_says(told):
    resource = told[0].requests[0].resource_spans[0].resource

    assert attributes(resource)["service.name"] == "fleet"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_standard_variables_decide_whether_traces_are_exported(environment, wanted):
    assert is_wanted(environment) is wanted


def test_what_cannot_be_exported_is_logged_and_nothing_else(caplog):
    tracing = tracing_of({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "paper"})

    assert tracing is NO_TRACING
    assert caplog.messages == [
        'Traces are not exported: the protocol "paper" is neither grpc nor http/protobuf'
    ]


def test_a_server_that_exports_no_traces_does_not_import_opentelemetry():
    code = (
        "import sys; from model_server.telemetry.exporting import tracing_of; tracing_of({});"
        "import model_server.server; print([m for m in sys.modules if 'opentelemetry' in m])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ended.stdout == "[]\n"
