"""Batching parameters: TensorFlow Serving's files, defaults and checks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from model_server.options.batching import (
    Batching,
    batching_of_file,
    batching_of_text,
    batching_of_version,
)
from model_server.options.command_line import InvalidOptions
from model_server.options.cpus import CPUS
from model_server.options.priorities import LowPriority, MixedPriority

# As in the guide of TensorFlow Serving.
EVERYTHING = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 1500 }
max_enqueued_batches { value: 1000000 }
num_batch_threads { value: 8 }
thread_pool_name { value: "mine" }
allowed_batch_sizes: 1
allowed_batch_sizes: 64
allowed_batch_sizes: 128
pad_variable_length_inputs: true
enable_large_batch_splitting { value: true }
max_execution_batch_size { value: 32 }
"""


@pytest.fixture
def file(tmp_path):
    """Writes a file of batching parameters; its path."""

    def write(text: str) -> str:
        path = tmp_path / "batching.txt"
        path.write_text(text)
        return str(path)

    return write


def test_every_parameter_is_read(file):
    assert batching_of_file(file(EVERYTHING)) == Batching(
        max_size=128,
        timeout=timedelta(microseconds=1500),
        max_enqueued=1_000_000,
        threads=8,
        threads_name="mine",
        allowed_sizes=(1, 64, 128),
        pad_variable_length_inputs=True,
        split_large=True,
        max_execution_size=32,
    )


def test_the_flag_says_the_same_as_a_file(file):
    assert batching_of_text(EVERYTHING, "--x") == batching_of_file(file(EVERYTHING))


def test_an_empty_file_leaves_the_defaults(file):
    assert batching_of_file(file("")) == Batching(
        max_size=1000,
        timeout=timedelta(0),
        max_enqueued=10,
        threads=CPUS,
        threads_name="batch_threads",
        allowed_sizes=(),
        pad_variable_length_inputs=False,
        split_large=False,
        max_execution_size=1000,
    )


def test_without_a_file_only_the_threads_are_called_otherwise():
    assert batching_of_file("") == Batching(threads_name="model_server_batch_threads")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("max_batch_size { value: 5 }", 5, id="all of a batch"),
        pytest.param(
            "max_batch_size { value: 5 } max_execution_batch_size { value: 2 }",
            5,
            id="without splitting the limit means nothing",
        ),
        pytest.param(
            "max_batch_size { value: 5 } enable_large_batch_splitting { value: true }",
            5,
            id="splitting without a limit",
        ),
    ],
)
def test_a_batch_is_run_whole_unless_splitting_has_a_limit(file, text, size):
    assert batching_of_file(file(text)).max_execution_size == size


def test_allowed_sizes_are_put_in_order(file):
    text = "max_batch_size { value: 8 } " + " ".join(
        f"allowed_batch_sizes: {size}" for size in (4, 1, 4, 8)
    )

    assert batching_of_file(file(text)).allowed_sizes == (1, 4, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
        (
            "batch_timeout_micros { value: 9223372036854775807 }",
            "batch_timeout_micros must be at most 86400000000; was 9223372036854775807",
        ),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches must be positive; was 0"),
        ("num_batch_threads { value: -3 }", "num_batch_threads must be positive; was -3"),
        (
            "num_batch_threads { value: 2147483648 }",
            "num_batch_threads must be at most 4096; was 2147483648",
        ),
        (
            "allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4;"
            " expected 1000",
        ),
        (
            "allowed_batch_sizes: 0 allowed_batch_sizes: 1000",
            "allowed_batch_sizes must be positive; was 0",
        ),
        (
            "max_batch_size { value: 4 } enable_large_batch_splitting { value: true }"
            " max_execution_batch_size { value: 5 }",
            "max_execution_batch_size must be at most max_batch_size; was 5; expected at most 4",
        ),
        (
            "max_batch_size: 4",
            "Error parsing text-format tensorflow.serving.BatchingParameters: 1:17 :"
            " 'max_batch_size: 4': Expected \"{\".",
        ),
        (
            "batch_size { value: 4 }",
            "Error parsing text-format tensorflow.serving.BatchingParameters: 1:1 : Message type"
            ' "tensorflow.serving.BatchingParameters" has no field named "batch_size".',
        ),
    ],
)
def test_a_parameter_that_cannot_be_is_named_with_its_file(file, text, message):
    path = file(text)

    with pytest.raises(InvalidOptions) as raised:
        batching_of_file(path)

    assert str(raised.value) == f"{path}: {message}"
    with pytest.raises(InvalidOptions) as raised:
        batching_of_text(text, "--batching_parameters")
    assert str(raised.value) == f"--batching_parameters: {message}"


def test_a_version_says_how_it_is_batched_but_not_by_how_many_threads(tmp_path):
    common = Batching(threads=3, threads_name="common")
    (tmp_path / "batching_params.pbtxt").write_text(EVERYTHING)
    own = batching_of_file(str(tmp_path / "batching_params.pbtxt"))

    found = batching_of_version(str(tmp_path), common)

    assert found == replace(own, threads=3, threads_name="common")
    assert found.max_size == 128


def test_a_version_that_says_nothing_is_not_batched(tmp_path):
    assert batching_of_version(str(tmp_path), Batching()) is None


LOW = """
low_priority_max_batch_size { value: 16 }
low_priority_batch_timeout_micros { value: 7 }
low_priority_max_enqueued_batches { value: 3 }
low_priority_allowed_batch_sizes: 16
mixed_priority_batching_policy { value: "priority_merge" }
"""


def test_how_requests_that_may_be_shed_are_batched_is_read():
    assert batching_of_text(LOW, "--x").low == LowPriority(
        16, timedelta(microseconds=7), 3, (16,), MixedPriority.MERGE
    )
    assert batching_of_text("low_priority_max_batch_size { value: 16 }", "--x").low == (
        LowPriority(16)
    )
    assert batching_of_text("", "--x").low is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "low_priority_max_batch_size { value: 0 }",
            "low_priority_max_batch_size must be positive; was 0",
        ),
        (
            "low_priority_max_enqueued_batches { value: 3 }",
            "low_priority_max_batch_size must be set, because low_priority_max_enqueued_batches is",
        ),
        (
            'mixed_priority_batching_policy { value: "priority_merge" }',
            "low_priority_max_batch_size must be set, because mixed_priority_batching_policy is",
        ),
        (
            "low_priority_max_batch_size { value: 4 } low_priority_allowed_batch_sizes: 2",
            "Last entry in low_priority_allowed_batch_sizes must match"
            " low_priority_max_batch_size; last entry was 2; expected 4",
        ),
        (
            "low_priority_max_batch_size { value: 4 }"
            ' mixed_priority_batching_policy { value: "merge" }',
            'mixed_priority_batching_policy "merge" is none of'
            " low_priority_padding_with_max_batch_size,",
        ),
    ],
)
def test_wrong_rules_for_requests_that_may_be_shed_are_refused_by_name(text, said):
    with pytest.raises(InvalidOptions) as refused:
        batching_of_text(text, "--x")

    assert str(refused.value).startswith(f"--x: {said}")
