"""What batching of a part of a model, and stepping of a recurrent one, gain over the load.

Run ``python benchmarks/fine_grained.py dense|recurrent [--seconds S] [--rounds N] [--plot FILE]``.
Each way is a servable of its own in this process, asked by threads that wait for their answers and
check them; the ways take turns. Prints rates, latencies, and ratios of the rounds.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from closed_loops import Ask, Measured, measured, ratios
from lines import plot

from model_server.batching.ran import Ran
from model_server.batching.scheduler import BatchScheduler
from model_server.batching.steps.stepper import StepLimits
from model_server.core.servable import ServableId
from model_server.options.batching import Batching
from model_server.options.cpus import CPUS
from model_server.servables.batch_ops.making import Queue
from model_server.servables.batched import BatchedServable
from model_server.servables.platform import Runtime
from model_server.servables.stepping.stepped import Stepping
from model_server.servables.subgraph.parts import Function
from model_server.servables.subgraph.rewriting import batch_subgraph
from model_server.servables.subgraph.samples import Sample
from model_server.servables.tensorflow_platform import TensorFlow

_LOADS = (1, 2, 4, 8, 16, 32)
_DEFAULT = "serving_default"
_WIDTH, _WORDS, _LABELS = 1024, 1000, 1000
_UNITS, _FEATURES, _SHORT, _LONG = 512, 64, 20, 80


class _Ranker(tf.Module):
    """Examples of some words, to their embeddings' sum, 4 dense layers, and the best labels."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.Variable(tf.random.normal([_WORDS, _WIDTH]))
        self.layers = [
            tf.Variable(tf.random.normal([_WIDTH, _WIDTH], stddev=_WIDTH**-0.5)) for _ in range(4)
        ]
        self.labels = tf.Variable([f"label {n}" for n in range(_WIDTH)], dtype=tf.string)

    @tf.function
    def dense(self, x: tf.Tensor) -> tf.Tensor:
        for weights in self.layers:
            x = tf.nn.relu(x @ weights)
        return x

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def run(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        words = tf.io.parse_example(examples, {"words": tf.io.VarLenFeature(tf.int64)})["words"]
        summed = tf.nn.safe_embedding_lookup_sparse(self.table, words, combiner="sum")
        scores, best = tf.math.top_k(self.dense(summed), 5)
        return {"scores": scores, "labels": tf.gather(self.labels, best)}


class _Lstm(tf.Module):
    """An LSTM whose last state is projected; as step and head, and as a loop that masks."""

    def __init__(self) -> None:
        super().__init__()
        size = _FEATURES + _UNITS
        self.weights = tf.Variable(tf.random.normal([size, 4 * _UNITS], stddev=size**-0.5))
        self.out = tf.Variable(tf.random.normal([_UNITS, 8], stddev=_UNITS**-0.5))

    @tf.function
    def cell(self, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        i, f, g, o = tf.split(tf.concat([x, h], 1) @ self.weights, 4, axis=1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, _FEATURES], tf.float32, name="x"),
            tf.TensorSpec([None, _UNITS], tf.float32, name="h"),
            tf.TensorSpec([None, _UNITS], tf.float32, name="c"),
        ]
    )
    def step(self, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> dict[str, tf.Tensor]:
        h, c = self.cell(x, h, c)
        return {"h": h, "c": c}

    @tf.function(input_signature=[tf.TensorSpec([None, _UNITS], tf.float32, name="h")])
    def head(self, h: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": h @ self.out}

    @tf.function(input_signature=[tf.TensorSpec([None, None, _FEATURES], tf.float32, name="x")])
    def loop(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.shape(x)[0]
        state = tf.TensorShape([None, _UNITS])
        zeros = tf.zeros([rows, _UNITS])
        _, h, _ = tf.while_loop(
            lambda n, _h, _c: n < tf.shape(x)[1],
            lambda n, h, c: (n + 1, *self.cell(x[:, n], h, c)),
            [0, zeros, zeros],
            [tf.TensorShape([]), state, state],
            parallel_iterations=1,
        )
        return self.head(h)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, _FEATURES], tf.float32, name="x"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ]
    )
    def masked(self, x: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        state = tf.TensorShape([None, _UNITS])
        zeros = tf.zeros([tf.shape(x)[0], _UNITS])

        def turn(n: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, ...]:
            new_h, new_c = self.cell(x[:, n], h, c)
            goes_on = (n < lengths)[:, tf.newaxis]
            return n + 1, tf.where(goes_on, new_h, h), tf.where(goes_on, new_c, c)

        _, h, _ = tf.while_loop(
            lambda n, _h, _c: n < tf.reduce_max(lengths),
            turn,
            [0, zeros, zeros],
            [tf.TensorShape([]), state, state],
            parallel_iterations=1,
        )
        return self.head(h)


class _Unobserved:
    def waited(self, seconds: float) -> None:
        pass

    def ran(self, ran: Ran) -> None:
        pass


def _asking(
    servable: Any, signature: str, requests: Sequence[dict[str, np.ndarray]], checked: str
) -> Ask:
    """Asks for all outputs of one request after the other, each of which must stay what it was."""
    called = servable.signatures[signature]
    outputs = tuple(called.outputs)
    expected = [
        servable.run(called, {**called.defaults, **each}, outputs)[outputs.index(checked)]
        for each in requests
    ]

    def ask(number: int) -> None:
        number %= len(requests)
        found = servable.run(called, {**called.defaults, **requests[number]}, outputs)
        np.testing.assert_allclose(
            found[outputs.index(checked)], expected[number], rtol=1e-3, atol=1e-3
        )

    return ask


def _dense(folder: Path) -> tuple[dict[str, Ask], Callable[[int], bool]]:
    module = _Ranker()
    tf.saved_model.save(module, str(folder / "1"), {_DEFAULT: module.run})
    random = np.random.default_rng(1)
    requests = [
        {"examples": np.array([_example(random.integers(0, _WORDS, size))], object)}
        for size in random.integers(1, 60, 64)
    ]
    load = TensorFlow(Runtime()).load
    ways = {"unbatched": _asking(load("m", 1, str(folder / "1")), _DEFAULT, requests, "scores")}
    for threads in (1, 2):
        target = folder / f"{threads + 1}"
        samples = [Sample(_DEFAULT, each) for each in requests[:4]]
        batch_subgraph(folder / "1", target, Function("dense"), Queue(threads=threads), samples)
        servable = load("m", threads + 1, str(target))
        name = f"dense part batched, {threads} thread{'s' if threads > 1 else ''}"
        ways[name] = _asking(servable, _DEFAULT, requests, "scores")
    return ways, lambda _number: True


def _example(words: np.ndarray) -> bytes:
    example = tf.train.Example()
    example.features.feature["words"].int64_list.value.extend(words.tolist())
    return example.SerializeToString()


def _recurrent(folder: Path) -> tuple[dict[str, Ask], Callable[[int], bool]]:
    module = _Lstm()
    signatures = {"step": module.step, "head": module.head, "loop": module.loop}
    tf.saved_model.save(module, str(folder / "1"), {**signatures, "masked": module.masked})
    tf.saved_model.save(module, str(folder / "looping"), {"loop": module.loop})
    random = np.random.default_rng(2)
    lengths = random.integers(5, 101, 256)
    requests = [
        {"x": random.normal(size=[1, length, _FEATURES]).astype(np.float32)} for length in lengths
    ]
    samples = [Sample("loop", each) for each in requests[:3]]
    batch_subgraph(folder / "looping", folder / "2", Function("cell"), Queue(), samples)
    load = TensorFlow(Runtime()).load
    loaded, by_tool = load("m", 1, str(folder / "1")), load("m", 2, str(folder / "2"))
    rules = Batching(max_size=32, max_execution_size=32, pad_variable_length_inputs=True)
    padded = BatchedServable(loaded, BatchScheduler(1, "padded", _Unobserved()), rules)
    with_lengths = [
        {**each, "lengths": np.array([length], np.int32)}
        for each, length in zip(requests, lengths, strict=True)
    ]
    ways = {
        "a loop for each request": _asking(loaded, "loop", requests, "y"),
        "padded batches": _asking(padded, "masked", with_lengths, "y"),
        "cell batched in the graph": _asking(by_tool, "loop", requests, "y"),
    }
    stepped = Stepping(StepLimits(threads=CPUS))(ServableId("m", 1), loaded, "")
    ways["step and head"] = _asking(stepped, "sequence", requests, "y")
    return ways, lambda number: lengths[number % len(lengths)] <= _SHORT


def main() -> None:
    """Measures, prints, and plots."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=["dense", "recurrent"])
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make = {"dense": _dense, "recurrent": _recurrent}[options.model]
        ways, is_short = make(Path(folder))
        found = measured(ways, _LOADS, options.rounds, options.seconds)
    _print(found, is_short)
    if options.plot:
        rates = {name: [max(found[load][name].rates) for load in _LOADS] for name in ways}
        title = {"dense": "Parse, 4 dense layers of 1024, top-k", "recurrent": "LSTM of 512 units"}
        plot(options.plot, title[options.model], _LOADS, rates, "answers/s")


def _print(found: dict[int, dict[str, Measured]], is_short: Callable[[int], bool]) -> None:
    for load, ways in found.items():
        base = next(iter(ways.values()))
        print(f"{load} clients")
        for name, each in ways.items():
            middle, least, most = ratios(each.rates, base.rates)
            saved, _, _ = ratios(base.processor, each.processor)
            print(
                f"  {name:32} {max(each.rates):7.0f}/s  {middle:5.2f} x ({least:.2f}-{most:.2f})"
                f"  CPU {1e6 * min(each.processor):6.0f} us, {saved:.2f} x less"
                f"  p50 {each.median_milliseconds():6.1f} ms,"
                f" short {each.median_milliseconds(is_short):6.1f} ms"
            )


if __name__ == "__main__":
    main()
