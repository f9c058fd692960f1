"""A damaged TensorFlow Lite model ends a process that was made for it, and no other."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ai_edge_litert.schema_py_generated import TensorType

from model_server.core.errors import Code, ServingError
from model_server.servables.tflite.trial import Trials
from server.formats import tflite_models as models


@pytest.fixture
def own_trials():
    """Trials that a test may end."""
    made = Trials()
    yield made
    made.close()


@pytest.fixture(scope="module")
def trials():
    made = Trials()
    yield made
    made.close()


def without_a_list_of_subgraphs():
    model = models.reshape()
    model.subgraphs = None
    return models.packed(model)


def refusal(call) -> ServingError:
    with pytest.raises(ServingError) as raised:
        call()
    return raised.value


def children(process: int | None = None) -> set[int]:
    """The processes that a process, by default this one, has started."""
    wanted = os.getpid() if process is None else process
    numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return {number for number in numbers if parent(number) == wanted}


def parent(process: int) -> int | None:
    """Who started a process; None if it has gone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    # After the name, which is in brackets and may be anything: the state, and the parent.
    return int(status.rpartition(")")[2].split()[1])


def wait_for(find):
    """What is found at last."""
    until = time.monotonic() + 180
    while not (found := find()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def test_a_model_that_ends_its_process_is_refused(trials):
    error = refusal(lambda: trials.run(without_a_list_of_subgraphs()))

    assert error.code is Code.INVALID_ARGUMENT
    assert "it ends a process that loads it, by SIGSEGV" in error.message


@pytest.mark.parametrize(
    "content",
    [models.half_plus_two, models.two_signatures, models.quantised, models.features],
)
def test_other_models_pass_before_and_after(trials, content):
    trials.run(content())
    refusal(lambda: trials.run(without_a_list_of_subgraphs()))
    trials.run(content())


def test_strings_that_nobody_fed_pass(trials):
    trials.run(models.packed(models.reshape(TensorType.STRING)))


def test_what_is_refused_with_an_error_is_no_concern_of_a_trial(trials):
    trials.run(b"")
    trials.run(b"no model")


def test_threads_take_turns(trials):
    contents = [models.half_plus_two(), without_a_list_of_subgraphs()] * 10

    def passes(content):
        try:
            trials.run(content)
        except ServingError:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(passes, contents)) == [True, False] * 10


def test_trials_go_on_where_their_process_was_ended(own_trials):
    before = children()
    own_trials.run(models.half_plus_two())
    (process,) = children() - before
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)

    own_trials.run(models.half_plus_two())

    (after,) = children() - before
    assert after != process


def test_after_closing_there_are_no_trials(own_trials):
    before = children()
    own_trials.run(models.half_plus_two())
    (process,) = children() - before

    own_trials.close()

    assert process not in children()
    assert refusal(lambda: own_trials.run(models.half_plus_two())).code is Code.UNAVAILABLE


def test_a_trial_that_is_killed_is_told(own_trials):
    before = children()
    own_trials.run(models.half_plus_two())
    (process,) = children() - before

    with ThreadPoolExecutor(1) as threads:
        trial = threads.submit(own_trials.run, models.endless())
        (running,) = wait_for(lambda: children(process))
        os.kill(running, signal.SIGKILL)
        error = refusal(trial.result)

    assert error.code is Code.RESOURCE_EXHAUSTED
    assert "it may want more memory" in error.message
