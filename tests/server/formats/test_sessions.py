"""What a runtime says reaches TensorFlow's sessions, and how their graphs run."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import ConfigProto, ThreadPoolOptionProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from model_server.options.cpus import CPUS
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.session_config import session_config
from model_server.servables.tensorflow_platform import TensorFlow
from server import saved_models

IN_THE_CALLER = -1

# Loads a model with a number of threads, and tells how many threads that brought.
COUNT_THREADS = """
import json, os, sys
from model_server.servables.platform import Runtime
from model_server.servables.tensorflow_platform import TensorFlow
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
servable = TensorFlow(Runtime(intra_op_threads=int(sys.argv[2]))).load("m", 1, sys.argv[1])
print(json.dumps(count() - before))
"""


class Watched(tf.Module):
    """Tells which threads its operations run in."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def _seen(self, x):
        self.threads.add(threading.get_ident())
        return x

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def run(self, x):
        return {"y": tf.numpy_function(self._seen, [x], tf.float32)}


class Compiled(tf.Module):
    """Is compiled by XLA."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")], jit_compile=True)
    def run(self, x):
        return {"y": x * 2.0 + 1.0}


def answer(folder, runtime: Runtime) -> list[float]:
    """What a model says to [1, 2]."""
    platform = TensorFlow(runtime)
    servable = platform.load("m", 1, str(folder))
    signature = servable.signatures["serving_default"]
    (y,) = servable.run(signature, {"x": np.array([1, 2], np.float32)}, ["y"])
    platform.unload(servable)
    return [float(value) for value in y]


def saved(module: tf.Module, folder):
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.run})
    return folder


@pytest.mark.parametrize(
    ("runtime", "intra", "inter"),
    [
        pytest.param(Runtime(), 0, IN_THE_CALLER, id="nothing said"),
        pytest.param(Runtime(intra_op_threads=3), 3, IN_THE_CALLER, id="intra"),
        pytest.param(Runtime(inter_op_threads=2), 0, 2, id="inter"),
        pytest.param(
            Runtime(session_config=ConfigProto(intra_op_parallelism_threads=5).SerializeToString()),
            5,
            IN_THE_CALLER,
            id="intra in the file",
        ),
        pytest.param(
            Runtime(
                inter_op_threads=2,
                session_config=ConfigProto(
                    inter_op_parallelism_threads=7, intra_op_parallelism_threads=6
                ).SerializeToString(),
            ),
            6,
            2,
            id="a flag goes before the file",
        ),
        pytest.param(
            Runtime(session_config=ConfigProto(use_per_session_threads=True).SerializeToString()),
            0,
            0,
            id="threads of each session",
        ),
        pytest.param(
            Runtime(
                session_config=ConfigProto(
                    session_inter_op_thread_pool=[ThreadPoolOptionProto(num_threads=2)]
                ).SerializeToString()
            ),
            0,
            0,
            id="pools of each session",
        ),
    ],
)
def test_threads_are_those_of_flags_then_of_the_file(runtime, intra, inter):
    config = session_config(runtime)

    assert config.intra_op_parallelism_threads == intra
    assert config.inter_op_parallelism_threads == inter
    assert config.allow_soft_placement


@pytest.mark.parametrize(
    ("runtime", "is_on_one"),
    [
        pytest.param(Runtime(), False, id="all processors"),
        pytest.param(Runtime(intra_op_threads=1), True, id="one thread an operation"),
        pytest.param(
            Runtime(intra_op_threads=1, inter_op_threads=2), False, id="operations side by side"
        ),
    ],
)
def test_a_model_knows_whether_its_runs_have_one_processor(tmp_path, runtime, is_on_one):
    saved_models.half_plus_two(tmp_path / "1")

    model = TensorFlow(runtime).load("m", 1, str(tmp_path / "1"))

    assert model.is_on_one_cpu is is_on_one


def test_gpu_memory_and_precision_reach_the_session():
    said = ConfigProto(device_count={"CPU": 1})
    said.gpu_options.allow_growth = True

    config = session_config(
        Runtime(
            gpu_memory_fraction=0.25,
            mixed_precision="bfloat16",
            session_config=said.SerializeToString(),
        )
    )

    assert config.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert config.gpu_options.allow_growth
    assert config.device_count == {"CPU": 1}
    rewriting = config.graph_options.rewrite_options
    assert rewriting.auto_mixed_precision_onednn_bfloat16 == RewriterConfig.ON


def test_threads_inside_operations_do_not_spin_while_they_wait():
    assert session_config(Runtime()).experimental.disable_thread_spinning


def test_operations_run_in_the_thread_of_the_request_unless_there_are_others(tmp_path):
    watched = Watched()
    folder = saved(watched, tmp_path / "watched")

    assert answer(folder, Runtime()) == [1, 2]
    in_the_caller = set(watched.threads)
    watched.threads.clear()
    assert answer(folder, Runtime(inter_op_threads=2)) == [1, 2]

    assert in_the_caller == {threading.get_ident()}
    assert threading.get_ident() not in watched.threads


def test_threads_inside_an_operation_are_as_many_as_said(tmp_path):
    folder = saved(Compiled(), tmp_path / "compiled")
    # More than TensorFlow would take by itself.
    threads = CPUS + 40

    ended = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS, str(folder), str(threads)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        check=True,
    )

    assert json.loads(ended.stdout) >= threads


def test_a_model_that_xla_compiles_runs_without_a_flag(tmp_path):
    assert answer(saved(Compiled(), tmp_path / "compiled"), Runtime()) == [3, 5]


def test_a_platform_config_file_brings_platforms_of_other_names(started, model_folders, tmp_path):
    adapter = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"
    file = tmp_path / "platforms.txt"
    file.write_text(
        'platform_configs { key: "mine" value { source_adapter_config {'
        f" [{adapter}] {{ legacy_config {{ saved_model_tags: 'serve' }} }} }} }} }}"
    )

    running = started(
        f'config {{ name: "two" base_path: "{model_folders / "two"}" model_platform: "mine" }}',
        platform_config_file=str(file),
    )
    running.http.wait_until_ready()

    assert running.http.post("/v1/models/two:predict", {"inputs": 2.0}).json == {"outputs": 4.0}
