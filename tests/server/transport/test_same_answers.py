"""Both transports tell the same of every call and request: code, words and bytes."""

from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from server.clients import HttpAnswer
from server.conftest import model_config
from server.transport.served_twice import served_twice
from server.transports import NAMES

pytestmark = list(NAMES[-1].marks)
_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
RELOAD = f"{_MODEL}/HandleReloadConfigRequest"
METHODS: dict[str, tuple[str, type[Message]]] = {
    "predict": (f"{_PREDICTION}/Predict", PredictRequest),
    "classify": (f"{_PREDICTION}/Classify", ClassificationRequest),
    "regress": (f"{_PREDICTION}/Regress", RegressionRequest),
    "infer": (f"{_PREDICTION}/MultiInference", MultiInferenceRequest),
    "metadata": (f"{_PREDICTION}/GetModelMetadata", GetModelMetadataRequest),
    "status": (f"{_MODEL}/GetModelStatus", GetModelStatusRequest),
    "reload": (RELOAD, ReloadConfigRequest),
}
X = 'inputs { key: "x" value { dtype: DT_FLOAT float_val: 2 tensor_shape { dim { size: 1 } } } }'
LONG = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1000000 } }  } }'
EXAMPLE = 'features { feature { key: "x" value { float_list { value: 2 } } } }'
INPUT = f"input {{ example_list {{ examples {{ {EXAMPLE} }} }} }}"
NO_EXAMPLES = "input { example_list {} }"


def spec(name: str, more: str = "") -> str:
    return f'model_spec {{ name: "{name}" {more} }}'


def signature(name: str) -> str:
    return f'signature_name: "{name}"'


def task(name: str, method: str) -> str:
    of = spec("default", signature(name))
    return f'tasks {{ {of} method_name: "tensorflow/serving/{method}" }}'


CALLS = [
    ("predict", spec("default") + X),
    ("predict", spec("two", "version { value: 1 }") + X),
    ("predict", spec("default") + X + 'output_filter: "y"'),
    ("predict", ""),
    ("predict", spec("nobody") + X),
    ("predict", spec("two", "version { value: 9 }") + X),
    ("predict", spec("default", 'version_label: "canary"') + X),
    ("predict", spec("default", signature("none")) + X),
    ("predict", spec("default")),
    ("predict", spec("default") + X.replace('"x"', '"z"')),
    ("predict", spec("default") + X.replace("DT_FLOAT", "DT_STRING")),
    ("predict", spec("default") + LONG),
    ("predict", spec("default") + X + 'output_filter: "z"'),
    ("predict", spec("n" * 9000) + X),
    ("predict", spec("Grüße, 100 %\\n\\t\N{SNOWMAN}") + X),
    ("classify", spec("default", signature("classify_x_to_y")) + INPUT),
    ("classify", spec("default", signature("classify_x_to_y")) + NO_EXAMPLES),
    ("classify", spec("default", signature("regress_x_to_y")) + INPUT),
    ("classify", ""),
    ("regress", spec("default", signature("regress_x_to_y")) + INPUT),
    ("regress", spec("default", signature("regress_x_to_y"))),
    ("regress", spec("default", signature("classify_x_to_y")) + INPUT),
    ("regress", spec("nobody") + INPUT),
    ("infer", task("classify_x_to_y", "classify") + task("regress_x_to_y", "regress") + INPUT),
    ("infer", task("classify_x_to_y", "regress") + INPUT),
    ("infer", task("classify_x_to_y", "predict") + INPUT),
    ("infer", ""),
    ("metadata", spec("default") + 'metadata_field: "signature_def"'),
    ("metadata", spec("default")),
    ("metadata", spec("default") + 'metadata_field: "other"'),
    ("metadata", spec("nobody") + 'metadata_field: "signature_def"'),
    ("status", spec("two")),
    ("status", spec("two", "version { value: 1 }")),
    ("status", spec("two", "version { value: 9 }")),
    ("status", spec("nobody")),
    ("status", ""),
    ("reload", ""),
    ("reload", 'config { model_config_list { config { name: "m" base_path: "a" } } }'),
]
RAW = [
    pytest.param(METHODS["predict"][0], b"\xff", id="no message"),
    pytest.param(METHODS["predict"][0], b"\x12\xff\xff\xff\xff\x07abc", id="a wrong length"),
    pytest.param(METHODS["status"][0], b"\x0a\x03\x0a\x01\xff", id="a name that is no text"),
    pytest.param(f"{_PREDICTION}/Guess", b"", id="an unknown method"),
    pytest.param("/other.Service/Predict", b"", id="an unknown service"),
    pytest.param(f"{_PREDICTION}/PredictStreamed", b"", id="a method that is not served"),
]


@dataclass(frozen=True)
class Told:
    """All that a client is told of a call."""

    code: grpc.StatusCode
    details: str | None
    message: bytes | None


@pytest.fixture(scope="module")
def servers(model_folders):
    """A server over grpcio and aiohttp, and one over the native transport."""
    with served_twice(model_folders, "default", "two") as servers:
        yield servers


@pytest.fixture(scope="module")
def both(servers):
    """A channel to each."""
    return [server.grpc.channel for server in servers]


def told(channel: grpc.Channel, path: str, message: bytes) -> Told:
    call = channel.unary_unary(path).future(message, timeout=180)
    answered = call.exception() is None
    return Told(call.code(), call.details(), call.result() if answered else None)


@pytest.mark.parametrize(("method", "text"), CALLS, ids=lambda word: word[:60])
def test_the_same_call_is_told_the_same(both, method, text):
    path, kind = METHODS[method]
    message = text_format.Parse(text, kind()).SerializeToString()

    over_grpcio, over_native = (told(channel, path, message) for channel in both)

    assert over_native == over_grpcio


@pytest.mark.parametrize(("path", "message"), RAW)
def test_what_is_no_call_of_the_api_is_told_the_same(both, path, message):
    over_grpcio, over_native = (told(channel, path, message) for channel in both)

    assert over_native == over_grpcio
    assert over_native.code is not grpc.StatusCode.OK


def test_a_reload_is_told_the_same_and_does_the_same(both, model_folders):
    def reload(names: tuple[str, ...]) -> bytes:
        models = " ".join(model_config(model_folders / name) for name in names)
        text = f"config {{ model_config_list {{ {models} }} }}"
        return text_format.Parse(text, ReloadConfigRequest()).SerializeToString()

    status = GetModelStatusRequest(model_spec={"name": "pair"}).SerializeToString()
    for message in (reload(("default", "two", "pair")), reload(("default", "two"))):
        over_grpcio, over_native = (told(channel, RELOAD, message) for channel in both)
        seen = [told(channel, METHODS["status"][0], status) for channel in both]

        assert over_native == over_grpcio
        assert over_native.code is grpc.StatusCode.OK
        assert seen[0].code is seen[1].code


REST = [
    ("POST", "/v1/models/default:predict", b'{"instances": [1.0, 2.0]}'),
    ("POST", "/v1/models/default:predict", b'{"inputs": {"x": 1.0}, "signature_name": ""}'),
    ("POST", "/v1/models/two/versions/1:predict", b'{"instances": [1.0]}'),
    ("POST", "/v1/models/default:predict", b'{"instances": [1.0'),
    ("POST", "/v1/models/default:predict", b""),
    ("POST", "/v1/models/default:predict", b'{"instances": ["a"]}'),
    ("POST", "/v1/models/default:classify", b'{"examples": [{"x": 1.0}]}'),
    ("POST", "/v1/models/default:regress", b'{"signature_name": "regress_x_to_y", "examples": []}'),
    ("POST", "/v1/models/nobody:predict", b'{"instances": [1.0]}'),
    ("POST", "/v1/models/default:guess", b"{}"),
    ("GET", "/v1/models/default:predict", None),
    ("GET", "/v1/models/two", None),
    ("GET", "/v1/models/two/versions/9", None),
    ("GET", "/v1/models/default/metadata", None),
    ("GET", "/v1/models/n%C3%B6/metadata", None),
    ("GET", "/", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("PUT", "/v1/models/default", b"{}"),
    ("OPTIONS", "/v1/models/default:predict", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REST)
def test_the_same_request_is_told_the_same(servers, method, path, body):
    over_python, over_native = (
        server.http.request(method, path, body, Content_Type="application/json")
        for server in servers
    )

    assert over_native.status == over_python.status
    assert over_native.body == over_python.body
    assert kind(over_native) == kind(over_python)


def kind(answer: HttpAnswer) -> str | None:
    named = {name.lower(): value for name, value in answer.headers.items()}
    return named.get("content-type")
