"""Servers that serve a loop over split tables together by TensorFlow's distributed session."""

import os
import signal

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from model_server.servables.sharding.spread.sessions import own_words
from server.sharding import models
from server.sharding.members import ask, predict
from server.sharding.processes import MemberProcesses
from server.sharding.whole_models import whole_answers

IDS = [0, 1, 9_999, 10_000, 19_999, 7, 7]

# Servers import TensorFlow, which takes long where many do so at the same time.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "ranker"
    models.looping(folder / "1")
    return folder


@pytest.fixture(scope="module")
def wanted(folder):
    (answer,) = whole_answers(folder / "1", [IDS])
    return answer["scores"]


@pytest.fixture(scope="module")
def processes(folder):
    made = MemberProcesses(folder)
    yield made
    for rank in list(made.processes):
        made.kill(rank)


@pytest.fixture(scope="module")
def members(processes):
    found = [processes.start(0), processes.start(1)]
    for member in found:
        wait_until_ready(member)
    return found


def wait_until_ready(member):
    member.http.wait_for("/readyz", lambda answer: answer.status == 200, seconds=200)


def test_any_member_answers_each_verb_as_the_whole_model_does(members, wanted):
    request = RegressionRequest(model_spec={"name": "ranker", "signature_name": "regress"})
    for number in IDS:
        example = request.input.example_list.examples.add()
        example.features.feature["id"].int64_list.value.append(number)
    for member in members:
        assert np.array_equal(predict(member, IDS), wanted)
        answer = member.http.post("/v1/models/ranker:predict", {"instances": IDS})
        assert answer.status == 400  # the number of turns is not one for each instance
        answer = member.http.post("/v1/models/ranker:predict", {"inputs": IDS})
        scores = np.array(answer.json["outputs"]["scores"], np.float32)
        assert np.array_equal(scores, wanted)
        regressions = member.grpc.prediction.Regress(request, timeout=180).result.regressions
        assert np.array_equal(
            np.array([each.value for each in regressions], np.float32), wanted[:, 0]
        )


def test_an_id_out_of_range_fails_alone(members, wanted):
    with pytest.raises(grpc.RpcError, match=r"indices\[0\] = .* is not in") as caught:
        ask(members[0], ids=np.array([20_000]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "/job:" not in caught.value.details()
    assert np.array_equal(predict(members[0], IDS), wanted)


@pytest.mark.parametrize(
    "message",
    [
        "it failed\n\t [[{{node a}}]]",
        "From /job:shard/replica:0/task:1:\nit failed\n\t [[{{node a}}]]\nAdditional GRPC error",
        "\n=====================\nINVALID_ARGUMENT: From /job:shard/replica:0/task:1:\nit failed\n"
        "\t [[{{node a}}]]\nINVALID_ARGUMENT: From /job:b:\nit failed\n=====================\n",
        "2 root error(s) found.\n  (0) NOT_FOUND: it failed\n\t [[{{node a}}]]\n"
        "  (1) NOT_FOUND: it failed\n0 successful operations.\n0 derived errors ignored.",
    ],
)
def test_errors_are_told_in_the_words_of_the_first_member_that_has_one(message):
    assert own_words(message) == "it failed\n\t [[{{node a}}]]"


def test_a_member_that_hangs_is_not_waited_for_and_serves_again_when_it_goes_on(
    processes, members, wanted
):
    process = processes.processes[1]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(grpc.RpcError) as caught:
            predict(members[0], IDS)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        members[0].http.wait_until_reason("GroupNotWhole")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    members[0].http.wait_until_ready()
    assert np.array_equal(predict(members[0], IDS), wanted)


def test_a_lost_member_makes_the_group_unready_until_it_is_back(processes, members, wanted):
    first = members[0]
    processes.kill(1)
    said = first.http.wait_until_reason("GroupNotWhole").text
    assert "member 1 at" in said
    with pytest.raises(grpc.RpcError) as caught:
        predict(first, IDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    # Routers ask another group by it.
    assert ("x-modelfleet-retry", "elsewhere") in caught.value.trailing_metadata()
    second = processes.start(1)
    for member in (first, second):
        wait_until_ready(member)
        assert np.array_equal(predict(member, IDS), wanted)
