"""No configuration that a client sends ends the server or keeps it from the next one."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from server.conftest import Running, model_config, serve
from server.limits.mutations import mutated

few = settings(max_examples=30, suppress_health_check=list(HealthCheck))
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
CLIENTS_FAULT = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    # What upstream says of new models that cannot be loaded.
    grpc.StatusCode.UNKNOWN,
}
PATHS = ["/", "/nowhere", "/proc", "x://y", "memory://none", "/a\x00b", "file://", "s3://a::b"]
# Most have nothing wrong but one field, so that the others are reached.
rarely = st.integers(0, 9).map(lambda number: number == 0)
versions = st.integers(-2, 3) | st.sampled_from([2**63 - 1, -(2**63)])
policies = st.one_of(
    st.just({}),
    st.just({"all": {}}),
    st.builds(
        lambda count: {"latest": {"num_versions": count}}, st.sampled_from([0, 1, 2**32 - 1])
    ),
    st.builds(lambda listed: {"specific": {"versions": listed}}, st.lists(versions, max_size=3)),
)
configs = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "a", "two", "a/b", "a:b"]) | st.text(max_size=3),
        "base_path": rarely.flatmap(
            lambda wrong: st.text(max_size=5) if wrong else st.sampled_from(PATHS)
        ),
        "model_platform": rarely.flatmap(
            lambda wrong: st.sampled_from(["", "nosuch"] if wrong else ["tensorflow", "hashmap"])
        ),
        "model_version_policy": policies,
        "version_labels": st.dictionaries(st.text(max_size=3), versions, max_size=2),
    }
)


@pytest.fixture(scope="module")
def reloaded(model_folders) -> Iterator[Running]:
    """A server that serves ``two`` at first."""
    running = serve(model_config(model_folders / "two"), max_num_load_retries=0)
    running.http.wait_until_ready()
    yield running
    running.end()


@pytest.fixture
def sound(model_folders) -> ReloadConfigRequest:
    """The request that brings ``two`` back."""
    text = f"model_config_list {{ {model_config(model_folders / 'two')} }}"
    return ReloadConfigRequest(config=text_format.Parse(text, ModelServerConfig()))


@pytest.fixture(autouse=True)
def right_afterwards(reloaded, sound):
    """After each test a sound configuration is served."""
    yield
    # A model of the same name may have another platform, which no reload can change.
    nothing = ReloadConfigRequest(config={"model_config_list": {}})
    reloaded.grpc.model.HandleReloadConfigRequest(nothing, timeout=120)
    reloaded.grpc.model.HandleReloadConfigRequest(sound, timeout=120)
    reloaded.http.wait_until_available("two", 2)
    assert reloaded.http.post("/v1/models/two:predict", {"inputs": 2.0}).json == {"outputs": 4.0}


def outcome(running: Running, message: bytes) -> grpc.Future:
    """How a reload ended."""
    return running.grpc.channel.unary_unary(RELOAD).future(message, timeout=120)


@few
@given(listed=st.lists(configs, max_size=3))
def test_no_configuration_is_a_fault_of_the_server(reloaded, listed):
    request = ReloadConfigRequest(config={"model_config_list": {"config": listed}})

    ended = outcome(reloaded, request.SerializeToString())

    assert ended.code() in CLIENTS_FAULT
    assert reloaded.http.get("/readyz").status in (200, 503)


@few
@given(data=st.data())
def test_no_change_of_a_configuration_is_a_fault_of_the_server(reloaded, sound, data):
    ended = outcome(reloaded, data.draw(mutated([sound.SerializeToString()])))

    assert ended.code() in CLIENTS_FAULT | {grpc.StatusCode.INTERNAL}
    assert "see the server's log" not in (ended.details() or "")
