"""What comes between members that are well: hangs, cuts, new addresses, and too many requests."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import grpc
import numpy as np
import pytest

from server.conftest import free_port
from server.sharding.cables import Cable
from server.sharding.members import IDS, ROWS, predict


@pytest.fixture
def cables():
    made = []

    def lay(port):
        made.append(Cable(port))
        return made[-1]

    yield lay
    for each in made:
        each.close()


def test_requests_that_wait_for_each_others_members_all_get_their_answers(group, model, wanted):
    both = group(model, grpc_max_threads=2)
    members = [both.start(0), both.start(1)]
    for member in members:
        member.http.wait_until_ready()
    rows = [[place, ROWS - 1 - place] for place in range(0, ROWS, ROWS // 40)]
    with ThreadPoolExecutor(24) as pool:
        found = [pool.map(partial(predict, member), rows) for member in members]
        for answers in found:
            for ids, answer in zip(rows, answers, strict=True):
                assert np.array_equal(answer, wanted(ids))


def test_a_cut_between_members_makes_both_unready_until_it_is_mended(group, model, wanted, cables):
    ports = [free_port(), free_port()]
    way = [cables(port) for port in ports]
    both = group(model, ends=[each.end for each in way], ports=ports, shard_timeout_ms=300)
    members = [both.start(0), both.start(1)]
    for member in members:
        member.http.wait_until_ready()
    for each in way:
        each.cut()
    for place, member in enumerate(members):
        said = member.http.wait_until_reason("GroupNotWhole").text
        assert f"member {1 - place} at 127.0.0.1:{way[1 - place].end}" in said
        with pytest.raises(grpc.RpcError) as caught:
            predict(member, IDS)
        assert caught.value.code() in (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE,
        )
    for each in way:
        each.mend()
    for member in members:
        member.http.wait_until_ready()
        assert np.array_equal(predict(member, IDS), wanted(IDS))


def test_all_members_may_start_anew_at_other_addresses(group, model, wanted, cables):
    way = [cables(0), cables(0)]
    for _ in range(2):
        both = group(model, ends=[each.end for each in way])
        for each, port in zip(way, both.ports, strict=True):
            each.port = port
        members = [both.start(0), both.start(1)]
        for member in members:
            member.http.wait_until_ready()
            assert np.array_equal(predict(member, IDS), wanted(IDS))
        both.end(0)
        both.end(1)


# A server imports TensorFlow, which takes long where many do so at the same time.
@pytest.mark.timeout(300)
def test_a_member_that_hangs_is_not_waited_for_and_serves_again_when_it_goes_on(
    group, model, wanted
):
    both = group(model, shard_timeout_ms=500)
    with process_of_member(both, 1, model) as process:
        first = both.start(0)
        first.http.wait_for("/readyz", lambda answer: answer.status == 200, seconds=240)
        os.kill(process.pid, signal.SIGSTOP)
        said = first.http.wait_until_reason("GroupNotWhole").text
        assert "member 1 at" in said
        assert "Deadline" in said
        with pytest.raises(grpc.RpcError) as caught:
            predict(first, IDS)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        os.kill(process.pid, signal.SIGCONT)
        first.http.wait_until_ready()
        assert np.array_equal(predict(first, IDS), wanted(IDS))


@contextmanager
def process_of_member(group, rank, model):
    """The server of a member in a process of its own."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "model_server",
            "--model_name=ranker",
            f"--model_base_path={model}",
            f"--port={group.ports[rank]}",
            f"--shard_members={group.addresses}",
            f"--shard_rank={rank}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
