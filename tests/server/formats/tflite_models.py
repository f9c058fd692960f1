"""TensorFlow Lite models: some converted from TensorFlow, some packed by hand."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

# Of the heavy model: as many inputs as outputs.
WIDTH = 1500


class Functions(tf.Module):
    """What is converted."""

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def half_plus_two(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 0.5 * x + 2.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def positive(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"kept": tf.boolean_mask(x, x > 0)}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def weighed(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.matmul(x, tf.reshape(tf.range(8.0) / 8, [4, 2]))}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="x")])
    def endless(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.while_loop(lambda y: y < 1, lambda y: [y * 2], [x])[0]}

    @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
    def heavy(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        weights = np.random.default_rng(3).normal(size=(WIDTH, WIDTH))
        return {"y": tf.matmul(x, tf.constant(weights, tf.float32))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def features(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(
            inputs,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "pair": tf.io.FixedLenFeature([2], tf.float32, default_value=[1.0, 2.0]),
                "word": tf.io.FixedLenFeature([], tf.string, default_value="no"),
                "some": tf.io.VarLenFeature(tf.int64),
                "many": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
            },
        )
        return {
            "sum": found["x"] * 2.0 + found["pair"],
            "word": found["word"],
            "some": found["some"].values,
            "many": found["many"],
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def scores(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"scores": tf.concat([found["x"], 1.0 - found["x"]], 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def both(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"scores": tf.concat([found["x"], 1.0 - found["x"]], 1), "outputs": found["x"] + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regression(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        dense = tf.raw_ops.ParseExample(
            serialized=inputs,
            names=[],
            sparse_keys=["s"],
            dense_keys=["x"],
            dense_defaults=[[7.0]],
            sparse_types=[tf.int64],
            dense_shapes=[[1]],
        ).dense_values
        return {"outputs": dense[0] * 0.5 + 2.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def lower(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"lower": tf.strings.lower(text)}


@functools.cache
def half_plus_two() -> bytes:
    """``serving_default``: x [-1, 1] to y."""
    module = Functions()
    return _converter(module.half_plus_two, module).convert()


@functools.cache
def two_signatures() -> bytes:
    """``half`` and ``positive``, each with a subgraph; the output of the latter is dynamic."""
    module = Functions()
    signatures = {"half": module.half_plus_two, "positive": module.positive}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()


@functools.cache
def quantised() -> bytes:
    """Int8 in and out, x [-1, 4] to y [-1, 2]."""
    module = Functions()
    converter = _converter(module.weighed, module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter([[np.eye(4, dtype=np.float32)]])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@functools.cache
def endless() -> bytes:
    """Doubles x until it is positive, which 0 never is."""
    module = Functions()
    return _converter(module.endless, module).convert()


@functools.cache
def counting() -> bytes:
    """The sum of all x so far."""

    class Counting(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def add(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"sum": self.sum.assign_add(x)}

    module = Counting()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.add)
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()


@functools.cache
def features() -> bytes:
    """Examples to features of every kind that TensorFlow Lite can have."""
    return _with_custom_operations(Functions().features)


@functools.cache
def scores() -> bytes:
    """Examples with x to scores, as Classify asks it."""
    return _with_custom_operations(Functions().scores)


@functools.cache
def regression() -> bytes:
    """Examples with x to outputs, as Regress asks it, by the older operation that parses."""
    return _with_custom_operations(Functions().regression)


@functools.cache
def both() -> bytes:
    """Examples with x to ``c``, a classification, and ``r``, a regression, by SignatureDefs."""
    content = _with_custom_operations(Functions().both)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    (listed,) = model.signatureDefs
    names = {
        each.name.decode(): model.subgraphs[0].tensors[each.tensorIndex].name.decode()
        for each in listed.inputs + listed.outputs
    }
    inputs = {"inputs": names["inputs"]}
    classify = definition(inputs, {"scores": names["scores"]}, "tensorflow/serving/classify")
    regress = definition(inputs, {"outputs": names["outputs"]}, "tensorflow/serving/regress")
    return packed(with_metadata(model, {"c": classify, "r": regress}))


@functools.cache
def heavy() -> bytes:
    """x [-1, WIDTH] to y of the same shape, with 9 MB of weights."""
    module = Functions()
    return _converter(module.heavy, module).convert()


@functools.cache
def with_operation_of_tensorflow() -> bytes:
    """StringLower, which TFLite has not."""
    module = Functions()
    converter = _converter(module.lower, module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    return converter.convert()


def _with_custom_operations(function: Callable) -> bytes:
    converter = _converter(function, Functions())
    converter.allow_custom_ops = True
    return converter.convert()


def _converter(function: Callable, module: tf.Module) -> tf.lite.TFLiteConverter:
    concrete = function.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)


def reshape(kind: int = schema.TensorType.FLOAT32) -> schema.ModelT:
    """``list`` and ``shape`` to ``output``, without a signature; to be packed."""
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = schema.ReshapeOptionsT()
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("list:0", kind),
        _tensor("shape:0", schema.TensorType.INT32),
        _tensor("output:0", kind),
    ]
    graph.inputs, graph.outputs, graph.operators = [0, 1], [2], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    return model


def _tensor(name: str, kind: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, kind, [1]
    return tensor


def packed(model: schema.ModelT) -> bytes:
    """The flatbuffer of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_metadata(model: schema.ModelT, signatures: dict[str, SignatureDef]) -> schema.ModelT:
    """Adds SignatureDefs as TensorFlow's own tools do."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, definition in signatures.items():
            builder.String(name, definition.SerializeToString().decode("ascii"))
    return with_metadata_buffer(model, bytes(builder.Finish()))


def with_metadata_buffer(model: schema.ModelT, content: bytes) -> schema.ModelT:
    """Adds a buffer in which SignatureDefs should be."""
    buffer = schema.BufferT()
    buffer.data = list(content)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "signature_defs_metadata", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    return model


def definition(inputs: dict[str, str], outputs: dict[str, str], method: str) -> SignatureDef:
    """A SignatureDef with the names of tensors by alias."""

    def infos(names: dict[str, str]) -> dict[str, TensorInfo]:
        return {alias: TensorInfo(name=name) for alias, name in names.items()}

    return SignatureDef(inputs=infos(inputs), outputs=infos(outputs), method_name=method)


def custom(model: schema.ModelT, operation: str) -> schema.ModelT:
    """Makes the model's operation one of somebody else."""
    (code,) = model.operatorCodes
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = operation
    (operator,) = model.subgraphs[0].operators
    operator.builtinOptions, operator.builtinOptionsType = None, schema.BuiltinOptions.NONE
    return model


def written(folder: Path, content: bytes) -> Path:
    """A version folder with this model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    return folder
