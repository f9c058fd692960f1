"""SavedModels that batch in their graphs.

A batch waits twenty seconds or until it is full, so a test whose requests do not share a batch
takes long, and one whose requests share the wrong one gets wrong answers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
LONG = 20_000_000

_NUMBERS = [tf.TensorSpec([None], tf.float32, name="x")]


def batched(rows: int, wait: int = LONG) -> Callable[..., Any]:
    """TensorFlow's own decorator, which gives all functions the same name."""
    return tf.nondifferentiable_batch_function(1, rows, wait, enable_large_batch_splitting=False)


class TwoFunctions(tf.Module):
    """Two functions, each of which batches two rows."""

    @tf.function(input_signature=_NUMBERS)
    def doubled(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": batched(2)(lambda rows: rows * 2.0)(x)}

    @tf.function(input_signature=_NUMBERS)
    def negated(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": batched(2)(lambda rows: -rows)(x)}


def two_functions(folder: Path) -> Path:
    module = TwoFunctions()
    signatures = {"doubled": module.doubled, "negated": module.negated}
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def nested(folder: Path) -> Path:
    """A batch within a batch: y is 2 x + 1."""

    @tf.function(input_signature=_NUMBERS)
    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        inner = batched(2)(lambda rows: rows * 2.0)
        return {"y": batched(2)(lambda rows: inner(rows) + 1.0)(x)}

    return _saved(folder, run)


def one_function_two_variables(folder: Path) -> Path:
    """A function with a batch of two rows that is called with 2 and with 5 to multiply by."""
    two, five = tf.Variable(2.0), tf.Variable(5.0)

    @tf.function(input_signature=[*_NUMBERS, tf.TensorSpec([], tf.resource)])
    def times(x: tf.Tensor, variable: tf.Tensor) -> tf.Tensor:
        return batched(2)(
            lambda rows: rows * tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)
        )(x)

    def signature(variable: tf.Variable) -> Any:
        @tf.function(input_signature=_NUMBERS)
        def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": times(x, variable.handle)}

        return run

    module = tf.Module()
    module.variables_used = [two, five]
    module.two, module.five = signature(two), signature(five)
    tf.saved_model.save(module, str(folder), {"two": module.two, "five": module.five})
    return folder


def numbers_of_words(folder: Path) -> Path:
    """Batches of three words made numbers, and a bias; what is no number fails its batch."""
    bias = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
    def run(word: tf.Tensor) -> dict[str, tf.Tensor]:
        number = batched(3)(lambda words: tf.strings.to_number(words) + bias)(word)
        return {"number": number, "length": tf.strings.length(word)}

    return _saved(folder, run, bias=bias)


def rows_of_any_width(folder: Path) -> Path:
    """Batches of two rows made their sums and doubles."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = batched(2)(lambda rows: (tf.reduce_sum(rows, 1), rows * 2.0))
        total, doubled = batch(x)
        return {"total": total, "doubled": doubled}

    return _saved(folder, run)


def powers(folder: Path) -> Path:
    """A loop whose turns are batched: y is x doubled so many times."""

    @tf.function(
        input_signature=[*_NUMBERS, tf.TensorSpec([], tf.int32, name="times")],
    )
    def run(x: tf.Tensor, times: tf.Tensor) -> dict[str, tf.Tensor]:
        double = batched(8, wait=1000)(lambda rows: rows * 2.0)

        def turn(count: tf.Tensor, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return count + 1, tf.ensure_shape(double(value), [None])

        _, y = tf.while_loop(
            lambda count, _: count < times,
            turn,
            [0, x],
            [tf.TensorShape([]), tf.TensorShape([None])],
        )
        return {"y": y}

    return _saved(folder, run)


def _pair(x: tf.Tensor, dense: Callable[[tf.Tensor], list[tf.Tensor]]) -> list[tf.Tensor]:
    """What these operations give, between Batch and Unbatch."""
    (rows,), index, number = tf.raw_ops.Batch(
        in_tensors=[x],
        num_batch_threads=1,
        max_batch_size=2,
        batch_timeout_micros=LONG,
        grad_timeout_micros=0,
        allowed_batch_sizes=[],
    )
    return [
        tf.raw_ops.Unbatch(batched_tensor=tensor, batch_index=index, id=number, timeout_micros=LONG)
        for tensor in dense(rows)
    ]


def pair_of_tensorflow_1(folder: Path) -> Path:
    """Ref variables; y is weight x + 1 and z is -x, of two rows in a batch."""
    with v1.Session(graph=tf.Graph()) as session:
        weight = v1.Variable(3.0, use_resource=False)
        x = v1.placeholder(tf.float32, [None], name="x")
        y, z = _pair(x, lambda rows: [rows * weight + 1.0, -rows])
        session.run(v1.global_variables_initializer())
        _save_graph(session, folder, {"x": x}, {"y": y, "z": z})
    return folder


def pair_with_a_factor(folder: Path) -> Path:
    """What a request brings reaches between Batch and Unbatch: no batch can be made of that."""
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        factor = v1.placeholder(tf.float32, [], name="factor")
        y, z = _pair(x, lambda rows: [rows * factor, -rows])
        _save_graph(session, folder, {"x": x, "factor": factor}, {"y": y, "z": z})
    return folder


def pair_in_a_function(folder: Path) -> Path:
    """TensorFlow 2; y is weight x + 1 and z is -x, of two rows in a batch."""
    weight = tf.Variable(3.0)

    @tf.function(input_signature=_NUMBERS)
    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        y, z = _pair(x, lambda rows: [rows * weight + 1.0, -rows])
        return {"y": y, "z": z}

    return _saved(folder, run, weight=weight)


def _saved(folder: Path, run: Any, **variables: tf.Variable) -> Path:
    module = tf.Module()
    module.run = run
    for name, variable in variables.items():
        setattr(module, name, variable)
    tf.saved_model.save(module, str(folder), {"serving_default": run})
    return folder


def _save_graph(
    session: Any, folder: Path, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    builder = v1.saved_model.Builder(str(folder))
    signature = v1.saved_model.build_signature_def(
        {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in inputs.items()},
        {name: v1.saved_model.build_tensor_info(tensor) for name, tensor in outputs.items()},
        "tensorflow/serving/predict",
    )
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
    builder.save()
