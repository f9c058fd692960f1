"""What the example client says about right, wrong and missing answers."""

from __future__ import annotations

import numpy as np
import predict
import pytest
from digits_dataset import training_and_held_out

V1 = [2.0, 2.5, 3.0, 4.5]
V2 = [2.5, 3.0, 3.5, 5.0]


def both(served):
    return ["--grpc", served.grpc, "--rest", served.rest]


def test_right_answers_are_shown_with_their_version(served, capsys):
    served.outputs = {"y": V1}

    predict.main(["half-plus-two", *both(served), "--version", "1"])

    assert capsys.readouterr().out.splitlines() == [
        "gRPC  x = [0, 1, 2, 5] -> y = [2, 2.5, 3, 4.5]   (version 1)",
        "REST  x = [0, 1, 2, 5] -> y = [2, 2.5, 3, 4.5]   (version 1)",
    ]


@pytest.mark.parametrize(
    ("values", "version", "says"),
    [
        pytest.param([9.0, 9.0, 9.0, 9.0], 1, "is not x / 2 + 2 nor", id="no version computes it"),
        pytest.param(V1, 2, "is what version 1 computes", id="the other version computes it"),
        pytest.param([2.0], 1, "is not x / 2 + 2 nor", id="too few values"),
    ],
)
def test_a_wrong_answer_ends_with_an_error_on_either_protocol(
    served, capsys, values, version, says
):
    served.outputs, served.version = {"y": values}, version

    with pytest.raises(SystemExit) as ended:
        predict.main(["half-plus-two", *both(served), "--version", str(version)])

    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert [line.split(":")[0] for line in said] == ["gRPC", "REST"]
    assert all(says in line for line in said)


def test_an_answer_that_names_another_version_than_it_computes_is_wrong(served, capsys):
    served.outputs, served.version = {"y": V2}, 1

    with pytest.raises(SystemExit):
        predict.main(["half-plus-two", "--grpc", served.grpc])

    assert "version 2 computes and names version 1" in capsys.readouterr().err


def test_digits_are_shown_with_their_true_labels_beside(served, capsys):
    _, held_out = training_and_held_out()
    labels = held_out.labels[:100]
    served.outputs = {"probabilities": np.eye(10)[labels].tolist(), "label": labels.tolist()}

    predict.main(["digits", *both(served)])

    out = capsys.readouterr().out
    truth = [str(label) for label in labels[:6]]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["true"] == truth
    assert "gRPC  100 of 100 held-out digits are right" in out
    assert "REST  100 of 100 held-out digits are right" in out


def test_a_classifier_that_guesses_is_caught(served, capsys):
    labels = np.zeros(100, np.int64)
    served.outputs = {"probabilities": np.eye(10)[labels].tolist(), "label": labels.tolist()}

    with pytest.raises(SystemExit):
        predict.main(["digits", "--rest", served.rest])

    assert "of 100 labels are right, expected 90" in capsys.readouterr().err


def test_an_error_of_the_server_is_passed_on(served, capsys):
    with pytest.raises(SystemExit):
        predict.main(["half-plus-two", *both(served), "--model", "other"])

    said = capsys.readouterr().err
    assert "gRPC: other gave no answer: NOT_FOUND: no such model" in said
    assert "REST: other gave no answer: HTTP 404" in said


def test_a_server_that_is_not_there_is_no_answer(capsys):
    with pytest.raises(SystemExit) as ended:
        predict.main(["half-plus-two", "--rest", "http://127.0.0.1:1", "--timeout", "2"])

    assert ended.value.code == 1
    assert "half-plus-two gave no answer: [Errno" in capsys.readouterr().err


def test_an_address_is_asked_for_when_none_is_given(capsys):
    with pytest.raises(SystemExit) as ended:
        predict.main(["half-plus-two"])

    assert ended.value.code == 2
    assert "--grpc HOST:PORT, --rest URL, or both" in capsys.readouterr().err
