"""Threads follow the CPUs that a container may use, not those of its node."""

import pytest
from tensorflow.core.protobuf import config_pb2

from model_server.options.cpus import limit_of
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.session_config import session_config

OLD = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "unheard of"}, None),
        ({"cpu.max": "100000 0"}, None),
        ({}, None),
        ({OLD[0]: "300000\n", OLD[1]: "100000\n"}, 3),
        ({OLD[0]: "-1\n", OLD[1]: "100000\n"}, None),
        ({OLD[0]: "300000\n"}, None),
    ],
)
def test_the_limit_is_that_of_the_control_group(tmp_path, files, limit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert limit_of(tmp_path) == limit


@pytest.mark.parametrize(
    ("runtime", "threads"),
    [
        (Runtime(), 3),
        (Runtime(intra_op_threads=8), 8),
        (
            Runtime(
                session_config=config_pb2.ConfigProto(
                    intra_op_parallelism_threads=5
                ).SerializeToString()
            ),
            5,
        ),
    ],
)
def test_operations_use_as_many_threads_as_the_limit_unless_told_otherwise(runtime, threads):
    assert session_config(runtime, cpu_limit=3).intra_op_parallelism_threads == threads


def test_without_a_limit_tensorflow_chooses():
    assert session_config(Runtime(), cpu_limit=None).intra_op_parallelism_threads == 0
