"""Tiny real SavedModels of many kinds, made where a test wants them."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

v1 = tf.compat.v1
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def half_plus_two(folder: Path, addend: float = 2.0) -> Path:
    """TF1: y = 0.5 x + addend, for tensors and tf.Examples, as predict, regress and classify."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        half = v1.get_variable("a", initializer=0.5)
        two = v1.get_variable("b", initializer=addend)
        three = v1.get_variable("c", initializer=addend + 1)
        examples = v1.placeholder(tf.string, name="tf_example")
        parsed = v1.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
            },
        )
        x = tf.identity(parsed["x"], name="x")
        x2 = tf.identity(parsed["x2"], name="x2")
        y = tf.add(tf.multiply(half, x), two, name="y")
        y2 = tf.add(tf.multiply(half, x), three, name="y2")
        y3 = tf.add(tf.multiply(half, x2), three, name="y3")
        session.run(v1.global_variables_initializer())
        signatures = {
            "serving_default": _signature({"x": x}, {"y": y}, PREDICT),
            "regress_x_to_y": _signature({"inputs": examples}, {"outputs": y}, REGRESS),
            "regress_x_to_y2": _signature({"inputs": examples}, {"outputs": y2}, REGRESS),
            "regress_x2_to_y3": _signature({"inputs": x2}, {"outputs": y3}, REGRESS),
            "classify_x_to_y": _signature({"inputs": examples}, {"scores": y}, CLASSIFY),
            "classify_x2_to_y3": _signature({"inputs": x2}, {"scores": y3}, CLASSIFY),
        }
        _save(session, folder, signatures)
    return folder


def counter(folder: Path) -> Path:
    """TF1 with a ref variable: signatures without inputs that change the session's state."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        count = v1.Variable(0.0, name="count", use_resource=False)
        delta = v1.placeholder(tf.float32, name="delta")
        read = tf.identity(count, name="read")
        signatures = {
            "get_counter": _signature({}, {"output": read}, PREDICT),
            "incr_counter": _signature({}, {"output": v1.assign_add(count, 1.0)}, PREDICT),
            "incr_counter_by": _signature(
                {"delta": delta}, {"output": v1.assign_add(count, delta)}, PREDICT
            ),
            "reset_counter": _signature({}, {"output": v1.assign(count, 0.0)}, PREDICT),
        }
        session.run(v1.global_variables_initializer())
        _save(session, folder, signatures)
    return folder


def identities(folder: Path) -> Path:
    """TF1: a signature ``of_TYPE`` for each type, whose output ``y`` is its input ``x``.

    Of ``positive``, ``y`` is what is positive in ``x``: as many as there are.
    """
    kinds = {
        "float": tf.float32,
        "double": tf.float64,
        "int32": tf.int32,
        "int16": tf.int16,
        "int8": tf.int8,
        "uint8": tf.uint8,
        "string": tf.string,
        "int64": tf.int64,
        "bool": tf.bool,
        "uint32": tf.uint32,
        "uint64": tf.uint64,
        "half": tf.float16,
        "bfloat16": tf.bfloat16,
        "complex64": tf.complex64,
        "uint16": tf.uint16,
    }
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        signatures = {}
        for name, kind in kinds.items():
            x = v1.placeholder(kind, name=f"x_{name}")
            signatures[f"of_{name}"] = _signature({"x": x}, {"y": tf.identity(x)}, PREDICT)
        numbers = v1.placeholder(tf.float32, [None], name="x_mixed")
        positive = tf.boolean_mask(numbers, numbers > 0)
        signatures["positive"] = _signature({"x": numbers}, {"y": positive}, PREDICT)
        text = v1.placeholder(tf.string, name="x_bytes")
        signatures["of_bytes"] = _signature({"x": text}, {"y_bytes": tf.identity(text)}, PREDICT)
        _save(session, folder, signatures)
    return folder


def pair(folder: Path) -> Path:
    """TF2: two inputs and two outputs of different types."""

    class Pair(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 2], tf.float32, name="numbers"),
                tf.TensorSpec([None], tf.string, name="words"),
            ]
        )
        def serve(self, numbers: tf.Tensor, words: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"doubled": numbers * 2, "shouted": tf.strings.upper(words)}

    module = Pair()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def with_default(folder: Path) -> Path:
    """TF2: y = 0.5 x + 2 whose input x is [0.0] where a request leaves it out."""

    class HalfPlusTwo(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.half = tf.Variable(0.5)
            self.two = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": self.half * x + self.two}

    module = HalfPlusTwo()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    file = folder / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["x"].CopyFrom(tf.make_tensor_proto([0.0], dtype=tf.float32))
    file.write_bytes(saved.SerializeToString())
    return folder


def classifier(folder: Path) -> Path:
    """TF1: labels, scores, both, and signatures that are no classification or regression."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
                "word": tf.io.FixedLenFeature([], tf.string, default_value="none"),
            },
        )
        x, word = parsed["x"], parsed["word"]
        scores = tf.stack([x, -x], axis=1)
        signatures = _classifications(examples, word, scores) | _regressions(examples, word, scores)
        _save(session, folder, signatures)
    return folder


def _classifications(examples, word, scores):
    x = scores[:, 0]
    labels = tf.stack([word, tf.fill([tf.size(examples)], "other")], axis=1)
    three = tf.stack([x, x, x], axis=1)
    given, more = {"inputs": examples}, {"inputs": examples, "more": examples}
    return {
        "both": _signature(given, {"classes": labels, "scores": scores}, CLASSIFY),
        "labels": _signature(given, {"classes": labels}, CLASSIFY),
        "scores": _signature(given, {"scores": scores}, CLASSIFY),
        "mismatch": _signature(given, {"classes": labels, "scores": three}, CLASSIFY),
        "swapped": _signature(given, {"classes": scores, "scores": labels}, CLASSIFY),
        "rank1": _signature(given, {"scores": x}, CLASSIFY),
        "short": _signature(given, {"scores": scores[:1]}, CLASSIFY),
        "neither": _signature(given, {"outputs": scores}, CLASSIFY),
        "feeds": _signature({"feeds": examples}, {"scores": scores}, CLASSIFY),
        "two_inputs": _signature(more, {"scores": scores}, CLASSIFY),
    }


def _regressions(examples, word, scores):
    x = scores[:, 0]
    given = {"inputs": examples}
    return {
        "flat": _signature(given, {"outputs": x}, REGRESS),
        "column": _signature(given, {"outputs": x[:, None]}, REGRESS),
        "wide": _signature(given, {"outputs": scores}, REGRESS),
        "short_flat": _signature(given, {"outputs": x[:1]}, REGRESS),
        "text": _signature(given, {"outputs": word}, REGRESS),
        "no_outputs": _signature(given, {"scores": scores}, REGRESS),
        "no_inputs": _signature({"feeds": examples}, {"outputs": x}, REGRESS),
    }


def slow(folder: Path) -> Path:
    """TF1: y = x after so many rounds of work as ``rounds`` says, some microseconds each."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, name="x")
        rounds = v1.placeholder(tf.int64, [], name="rounds")
        done, _ = tf.while_loop(
            lambda count, _: count < rounds,
            lambda count, work: (count + 1, tf.linalg.matmul(work, work)),
            (tf.constant(0, tf.int64), tf.zeros([64, 64])),
        )
        with tf.control_dependencies([done]):
            y = tf.identity(x)
        signatures = {"serving_default": _signature({"x": x, "rounds": rounds}, {"y": y}, PREDICT)}
        _save(session, folder, signatures)
    return folder


def product(folder: Path) -> Path:
    """TF1: y = x times a matrix of two rows; x of other shapes fails as it runs."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, name="x")
        y = tf.linalg.matmul(x, tf.ones([2, 1]), name="y")
        _save(session, folder, {"serving_default": _signature({"x": x}, {"y": y}, PREDICT)})
    return folder


def several(folder: Path) -> Path:
    """TF2: of ``a``, and ``b`` of two columns, ``both`` and, in whole numbers, their ``sum``."""

    class Several(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="a"),
                tf.TensorSpec([None, 2], tf.float64, name="b"),
            ]
        )
        def serve(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
            both = tf.concat([tf.cast(a, tf.float64)[:, None], b], axis=1)
            most = tf.reduce_sum(tf.clip_by_value(both, -1e6, 1e6), axis=1)
            return {"sum": tf.cast(most, tf.int64), "both": both}

    module = Several()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def weighty(folder: Path, megabytes: int) -> Path:
    """TF1: y = x plus the means of variables of ones, of 10 megabytes each."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        ones, shape = v1.ones_initializer(), [10 * 2**18]
        weights = [
            v1.get_variable(f"w{n}", shape, initializer=ones) for n in range(megabytes // 10)
        ]
        y = tf.add(x, tf.add_n([tf.reduce_mean(weight) for weight in weights]), name="y")
        session.run(v1.global_variables_initializer())
        _save(session, folder, {"serving_default": _signature({"x": x}, {"y": y}, PREDICT)})
    return folder


def _signature(inputs, outputs, method):
    infos = v1.saved_model.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        inputs={alias: infos(value) for alias, value in inputs.items()},
        outputs={alias: infos(value) for alias, value in outputs.items()},
        method_name=method,
    )


def _save(session, folder: Path, signatures) -> None:
    builder = v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
    builder.save()
