"""Real servers that serve a model together, over gRPC and REST."""

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
import numpy as np
import pytest

from model_server.servables.sharding.group.loading import source_of
from model_server.servables.sharding.plan.planning import plan_of
from server.formats import warm_ups
from server.identities import Identity, config_file
from server.sharding import models
from server.sharding.members import IDS, ROWS, ask, predict


def test_any_member_answers_for_all_over_both_apis(group, model, wanted):
    both = group(model)
    for rank in (0, 1):
        both.start(rank)
    for member in both.running.values():
        member.http.wait_until_ready()
        assert np.array_equal(predict(member, IDS), wanted(IDS))
        answer = member.http.post("/v1/models/ranker:predict", {"instances": IDS})
        assert np.array_equal(np.array(answer.json["predictions"], np.float32), wanted(IDS))
        metadata = member.http.get("/v1/models/ranker/metadata").text
        assert "shard/" not in metadata


def test_three_members_answer_in_batches(group, model, wanted):
    all_three = group(model, 3, enable_batching=True)
    members = [all_three.start(rank) for rank in range(3)]
    for member in members:
        member.http.wait_until_ready()
    rows = [[place] for place in range(0, ROWS, ROWS // 40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(partial(predict, members[1]), rows))
    # Batches of another size sum in another order.
    assert np.allclose(np.concatenate(found), wanted(np.concatenate(rows)), rtol=1e-6)


def test_a_member_waits_for_the_others_and_says_for_whom(group, model, wanted):
    both = group(model)
    first = both.start(0)
    first.http.wait_until_reason("GroupNotWhole")
    first.http.wait_for(
        "/readyz", lambda answer: f"member 1 at 127.0.0.1:{both.ports[1]}" in answer.text
    )
    with pytest.raises(grpc.RpcError) as caught:
        predict(first, IDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    both.start(1)
    first.http.wait_until_ready()
    assert np.array_equal(predict(first, IDS), wanted(IDS))


def test_a_lost_member_makes_the_group_unready_until_it_is_back(group, model, wanted):
    both = group(model)
    first = both.start(0)
    both.start(1)
    first.http.wait_until_ready()
    both.end(1)
    first.http.wait_until_reason("GroupNotWhole")
    with pytest.raises(grpc.RpcError) as caught:
        predict(first, IDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    # Routers ask another group by it.
    assert ("x-modelfleet-retry", "elsewhere") in caught.value.trailing_metadata()
    answer = first.http.post("/v1/models/ranker:predict", {"instances": IDS})
    assert (answer.status, answer.header("x-modelfleet-retry")) == (503, "elsewhere")
    assert "member 1 at" in caught.value.details()
    both.start(1)
    first.http.wait_until_ready()
    assert np.array_equal(predict(first, IDS), wanted(IDS))


def test_a_member_that_hangs_makes_the_group_unready(group, model):
    both = group(model, shard_timeout_ms=300)
    with socket.create_server(("127.0.0.1", both.ports[1])):
        first = both.start(0)
        first.http.wait_for("/readyz", lambda answer: "Deadline" in answer.text)


def test_a_member_with_another_model_is_refused_by_name(group, model, tmp_path):
    other = tmp_path / "ranker"
    models.recommender(other / "1", ROWS + 2, ROWS)
    both = group(model)
    first = both.start(0)
    both.start(1, other)
    said = first.http.wait_for("/readyz", lambda answer: "signature key" in answer.text)
    assert f"member 1 at 127.0.0.1:{both.ports[1]}" in said.text


def test_a_member_with_spoilt_rows_is_never_believed(group, model, tmp_path):
    other = shutil.copytree(model, tmp_path / "ranker")
    source = source_of(other / "1", ["serve"])
    users = source.checkpoint.index.tensors["users/.ATTRIBUTES/VARIABLE_VALUE"]
    with source.checkpoint.data(0).open("r+b") as file:
        file.seek(users.offset + users.size - 8)
        file.write(b"spoilt")
    both = group(model)
    first, second = both.start(0), both.start(1, other)
    for member in (first, second):
        member.http.wait_for("/readyz", lambda answer: "what is stored of users" in answer.text)
        with pytest.raises(grpc.RpcError, match="not whole"):
            predict(member, IDS)


def test_members_show_their_token_and_clients_cannot_ask_for_parts(group, model, tmp_path):
    token = tmp_path / "token"
    token.write_text("a secret of sixteen bytes and more")
    both = group(model, shard_token_file=str(token))
    first = both.start(0)
    second = both.start(1)
    first.http.wait_until_ready()
    second.http.wait_until_ready()
    digest = source_of(model / "1", ["serve"]).digest
    hello = f"shard/{plan_of(model / '1', 2).hash}-{digest}/hello"
    with pytest.raises(grpc.RpcError) as caught:
        ask(first, hello, token=np.array(b"another one of sixteen bytes"))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_members_know_each_other_by_their_certificates(group, model, wanted, tmp_path):
    identity = Identity()
    file = config_file(tmp_path, identity, identity)
    both = group(model, ssl_config_file=file)
    first, second = both.start(0), both.start(1)
    first.http.wait_until_ready()
    second.http.wait_until_ready()
    answer = first.http.post("/v1/models/ranker:predict", {"instances": IDS})
    assert np.array_equal(np.array(answer.json["predictions"], np.float32), wanted(IDS))


def test_a_member_with_another_certificate_is_not_believed(group, model, tmp_path):
    files = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        identity = Identity()
        files.append(config_file(tmp_path / name, identity, identity))
    both = group(model)
    first = both.start(0, ssl_config_file=files[0])
    both.start(1, ssl_config_file=files[1])
    first.http.wait_for("/readyz", lambda answer: "member 1 at" in answer.text)


def test_members_of_another_token_do_not_answer_each_other(group, model, tmp_path):
    tokens = [tmp_path / "one", tmp_path / "other"]
    for place, token in enumerate(tokens):
        token.write_text(f"secret number {place} of sixteen bytes")
    both = group(model)
    first = both.start(0, shard_token_file=str(tokens[0]))
    both.start(1, shard_token_file=str(tokens[1]))
    first.http.wait_for("/readyz", lambda answer: "not the token of the group" in answer.text)


def test_recorded_requests_warm_up_a_group_when_it_is_whole(group, model, tmp_path):
    warm = shutil.copytree(model, tmp_path / "ranker")
    warm_ups.write(warm / "1", warm_ups.predict(ids=np.array(IDS)))
    both = group(warm)
    first, second = both.start(0), both.start(1)
    first.http.wait_until_ready()
    second.http.wait_until_ready()
    metrics = first.http.get("/monitoring/prometheus/metrics").text
    assert "warmup" in metrics.lower()


def test_a_model_that_no_group_can_serve_is_refused_with_its_reason(group, tmp_path):
    folder = tmp_path / "ranker"
    models.conditional(folder / "1")
    first = group(folder).start(0)
    said = first.http.wait_until_reason("LoadFailed").text
    assert "within a condition or a loop" in said
    assert "a group has only with --shard_tf_ports" in said
