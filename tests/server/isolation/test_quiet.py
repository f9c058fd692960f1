"""A load gives way to requests: threads hand over quickly, and reading has low priority."""

import os
import sys
import threading

import pytest

from model_server.servables.quiet import at_low_priority, short_turns


def priority() -> int:
    """That of the thread that asks; higher gives way to lower."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_while_anything_loads_threads_hand_over_quickly_and_afterwards_as_usual():
    usual = sys.getswitchinterval()

    with short_turns():
        with short_turns():
            both = sys.getswitchinterval()
        one = sys.getswitchinterval()

    assert both == one == pytest.approx(0.0005)
    assert sys.getswitchinterval() == usual


def test_a_load_that_fails_leaves_the_usual_turns():
    usual = sys.getswitchinterval()

    with pytest.raises(ZeroDivisionError), short_turns():
        raise ZeroDivisionError

    assert sys.getswitchinterval() == usual


def test_what_runs_at_low_priority_answers_and_leaves_its_caller_alone():
    before = priority()

    lower = at_low_priority(priority)

    assert lower == min(before + 10, 19)
    assert priority() == before


def test_what_fails_at_low_priority_fails_as_it_would():
    with pytest.raises(ZeroDivisionError):
        at_low_priority(lambda: 1 // 0)


@pytest.fixture
def with_variable(tmp_path):
    import tensorflow as tf

    class Doubler(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return x * self.two

    tf.saved_model.save(Doubler(), str(tmp_path / "1"))
    return tmp_path / "1"


def test_variables_are_read_at_low_priority(with_variable, model_folders):
    import tensorflow as tf

    from model_server.servables.saved_model.restoring import load_into, read

    priorities: list[int] = []

    class Watched(tf.compat.v1.Session):
        def run(self, *args, **kwargs):
            priorities.append(priority())
            return super().run(*args, **kwargs)

    for path in (with_variable, next((model_folders / "default").iterdir())):
        with Watched(graph=tf.Graph()) as session:
            load_into(session, read(str(path), ["serve"]))
        assert max(priorities) == min(priority() + 10, 19)
        priorities.clear()
