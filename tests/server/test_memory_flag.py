"""The memory limit as whoever starts the server meets it."""

from server.conftest import model_config


def test_a_model_beyond_the_memory_limit_is_not_loaded_and_says_so(started, model_folders):
    running = started(
        model_config(model_folders / "default"),
        model_memory_limit_bytes=1,
        max_num_load_retries=0,
    )

    (model,) = running.http.wait_until_reason("LoadFailed").json["models"]

    assert "Insufficient resources" in model["message"]


def test_a_model_within_the_memory_limit_is_served(started, model_folders):
    running = started(model_config(model_folders / "default"), model_memory_limit_bytes=2**32)

    running.http.wait_until_ready()

    answer = running.http.post("/v1/models/default:predict", {"inputs": 2.0})
    assert answer.json == {"outputs": 3.0}
