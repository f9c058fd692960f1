"""Scripts that follow tensorflow_model_server by its log find the same lines here."""

import logging
import time

from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

from model_server.options.flags import Options
from model_server.options.model_config import read_model_config
from model_server.server import Server
from server.conftest import free_port, model_config


def reload_request(models: str) -> ReloadConfigRequest:
    return text_format.Parse(
        f"config {{ model_config_list {{ {models} }} }}", ReloadConfigRequest()
    )


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def wait_for(caplog, line: str) -> None:
    until = time.monotonic() + 180
    while line not in caplog.text:
        assert time.monotonic() < until, f"not logged: {line}"
        time.sleep(0.05)


def test_the_start_of_a_server_with_one_model(model_folders, tmp_path, caplog):
    options = Options(
        port=free_port(),
        rest_api_port=free_port(),
        grpc_socket_path=str(tmp_path / "socket"),
        model_name="two",
        model_base_path=str(model_folders / "two"),
    )
    wanted = [
        "Building single TensorFlow model file config:  model_name: two model_base_path:"
        f" {model_folders / 'two'}",
        "Adding/updating models.",
        " (Re-)adding model: two",
        "Successfully reserved resources to load servable {name: two version: 2}",
        "Approving load for servable version {name: two version: 2}",
        "Loading servable version {name: two version: 2}",
        "Successfully loaded servable version {name: two version: 2}",
        "Finished adding/updating models",
        "Profiler service is enabled",
        f"Running gRPC ModelServer at 0.0.0.0:{options.port} ...",
        f"Running gRPC ModelServer at UNIX socket {tmp_path / 'socket'} ...",
        f"Exporting HTTP/REST API at:localhost:{options.rest_api_port} ...",
    ]
    server = Server(options, read_model_config(options))

    with caplog.at_level(logging.INFO):
        server.start()
        wait_for(caplog, wanted[-1])
    server.stop(5)

    assert sorted(set(wanted) & set(lines(caplog))) == sorted(wanted)
    ends = [line for line in lines(caplog) if line in wanted[-5:]]
    assert ends == wanted[-5:]


def test_a_configuration_that_says_the_same_is_not_told_again(started, model_folders, caplog):
    same = model_config(model_folders / "two")
    with caplog.at_level(logging.INFO):
        running = started(same)
        running.http.wait_until_ready()

        running.grpc.model.HandleReloadConfigRequest(reload_request(same))
        after_the_same = lines(caplog).count("Adding/updating models.")
        more = same + model_config(model_folders / "pair")
        running.grpc.model.HandleReloadConfigRequest(reload_request(more))

    assert after_the_same == 1
    assert lines(caplog).count("Adding/updating models.") == 2
    assert " (Re-)adding model: pair" in lines(caplog)
