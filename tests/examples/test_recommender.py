"""The recommender that is too big for one server: what it computes, and that a group serves it."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from filecmp import dircmp

import ask_recommender
import build_recommender
import numpy as np
import pytest
from recommender_rows import PIECE_ROWS, Table, scores, size_of, tables_of

from examples.limited_memory import memory_limit, running_in
from examples.loaded import run
from model_server.servables.sharding.plan.planning import plan_of
from server.clients import HttpClient
from server.conftest import free_port

SMALL = tables_of(8_000_000)
MIB = 2**20


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The version folder of a recommender of 8 MB."""
    out = tmp_path_factory.mktemp("small")
    build_recommender.main(["--out", str(out), "--size", "8MB"])
    return out / "recommender" / "1"


def test_a_row_is_the_same_alone_and_among_all():
    table = Table("users", 0, PIECE_ROWS + 2)

    pieces = list(table.pieces())

    assert [len(piece) for piece in pieces] == [PIECE_ROWS, 2]
    assert np.array_equal(table.row(PIECE_ROWS + 1), pieces[1][1])


def test_answers_are_the_best_of_the_candidates(small):
    user, candidates = 7, [0, 5, 5, SMALL.items.rows - 1, 3, 9, 11]

    answer = run(small, "serving_default", {"user": [user], "candidates": [candidates]})

    [items], [given] = answer["items"], answer["scores"]
    best = np.sort(scores(SMALL, user, candidates))[::-1][:5]
    np.testing.assert_allclose(given, best, rtol=1e-5)
    np.testing.assert_allclose(scores(SMALL, user, items), best, rtol=1e-5)


def test_examples_are_ranked_as_tensors_are(small):
    import tensorflow as tf

    question = ask_recommender.questions(SMALL, 1)[0]
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(question.user)
    features.feature["candidates"].int64_list.value.extend(question.candidates)
    example = tf.train.Example(features=features).SerializeToString()

    of_example = run(small, "rank_examples", {"examples": [example]})
    of_tensors = run(
        small,
        "serving_default",
        {"user": [question.user], "candidates": [question.candidates]},
    )

    assert of_example["items"].tolist() == of_tensors["items"].tolist()


def test_both_tables_are_split_and_the_layer_is_copied(small):
    plan = plan_of(small, 4)

    assert {each.variable.name: type(each).__name__ for each in plan.placed} == {
        "users": "Split",
        "items": "Split",
        "hidden": "Copied",
    }


def test_an_outline_is_planned_as_the_model_itself(small, tmp_path):
    build_recommender.main(["--out", str(tmp_path), "--size", "8MB", "--outline"])

    outline = tmp_path / "recommender" / "1"

    assert plan_of(outline, 4).hash == plan_of(small, 4).hash
    assert sum(file.stat().st_size for file in outline.rglob("*")) < 50_000


def test_the_same_size_gives_the_same_files(small, tmp_path):
    build_recommender.main(["--out", str(tmp_path), "--size", "8MB"])

    compared = dircmp(small / "variables", tmp_path / "recommender" / "1" / "variables")

    assert compared.diff_files == []
    assert sorted(compared.same_files) == ["variables.data-00000-of-00001", "variables.index"]


def test_a_version_that_is_there_is_kept(small, capsys):
    build_recommender.main(["--out", str(small.parents[1]), "--size", "9MB"])

    assert "is already there, kept" in capsys.readouterr().out


def test_what_the_disk_has_no_room_for_is_not_begun(tmp_path):
    with pytest.raises(SystemExit, match=r"recommender/1: only .* GB are free, for 9000000.0 GB"):
        build_recommender.main(["--out", str(tmp_path), "--size", "9000TB"])

    assert list((tmp_path / "recommender").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500_000_000), ("1.2TB", 1_200_000_000_000), ("2GB", 2 * 10**9)]
)
def test_sizes_are_told_as_people_write_them(text, size):
    assert size_of(text) == size


def test_a_size_that_is_none_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        build_recommender.main(["--out", str(tmp_path), "--size", "big"])

    assert "'big' is no size, such as 500MB, 2GB or 1.2TB" in capsys.readouterr().err


def test_a_wrong_answer_is_noticed():
    question = ask_recommender.questions(SMALL, 1)[0]
    items = question.candidates[:5]
    answer = {"items": items, "scores": scores(SMALL, question.user, items).tolist()}

    with pytest.raises(ask_recommender.WrongAnswer, match=f"user {question.user}"):
        ask_recommender.check(SMALL, question, answer)


def test_a_limit_that_kills_the_whole_model_lets_a_group_of_two_serve(tmp_path, capsys):
    build_recommender.main(["--out", str(tmp_path), "--size", "500MB"])
    grpc, rest = [free_port() for _ in range(2)], [free_port() for _ in range(2)]
    members = ",".join(f"127.0.0.1:{port}" for port in grpc)

    def server(name, *flags):
        cgroup = started.enter_context(memory_limit(f"{tmp_path.name}-{name}", 620 * MIB))
        base_path = f"--model_base_path={tmp_path / 'recommender'}"
        named = (sys.executable, "-m", "model_server", "--model_name=recommender", base_path)
        return started.enter_context(running_in(cgroup, [*named, *flags], tmp_path / name))

    with ExitStack() as started:
        whole = server("whole", f"--port={free_port()}")
        for rank in (0, 1):
            ports = (f"--port={grpc[rank]}", f"--rest_api_port={rest[rank]}")
            server(f"{rank}", *ports, f"--shard_members={members}", f"--shard_rank={rank}")
        assert whole.wait(timeout=120) == -signal.SIGKILL
        for port in rest:
            HttpClient(port).wait_until_ready()
            url = f"http://127.0.0.1:{port}"
            ask_recommender.main(["--rest", url, "--size", "500MB", "--requests", "5"])

    assert capsys.readouterr().out.count("all 5 answers are right") == 2
