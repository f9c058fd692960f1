"""A server started with numbers that nobody means lives, answers and ends."""

import dataclasses

from model_server.options.checks import RANGES
from model_server.options.flags import Options
from server.conftest import model_config

ANY = (-(2**31), 2**31 - 1)
# Ports are those of the test; threads of TensorFlow are of the process, so of other tests too.
LEFT_OUT = ("port", "rest_api_port", "tensorflow_")


def at_the_edge(edge: int) -> dict[str, float]:
    """Every number at the lowest (0) or highest (1) of what its flag may be."""
    numbers = {}
    for flag in dataclasses.fields(Options):
        if flag.type is int and not flag.name.startswith(LEFT_OUT):
            bound = RANGES.get(flag.name, ANY)[edge]
            numbers[flag.name] = int(min(max(bound, ANY[0]), ANY[1]))
    return numbers


def test_a_server_with_the_least_of_everything_is_alive(started, model_folders):
    running = started(model_config(model_folders / "two"), **at_the_edge(0))

    assert running.http.wait_until("/healthz", 200).text == "ok"
    assert '"two"' in running.http.get("/models").text


def test_a_server_with_the_most_of_everything_answers(started, model_folders):
    running = started(model_config(model_folders / "two"), **at_the_edge(1))
    running.http.wait_until_available("two", 2)

    assert running.http.post("/v1/models/two:predict", {"inputs": 2.0}).json == {"outputs": 4.0}
