"""A changed SavedModel tried with sample requests, beside the one it was made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_server.core.errors import ServingError
from model_server.servables.batch_ops.bodies import Body, CannotBatch
from model_server.servables.batch_ops.nodes import BATCH_FUNCTION, all_nodes
from model_server.servables.batch_ops.twin import unbatch_all
from model_server.servables.platform import Runtime
from model_server.servables.saved_model.saved_models import SavedModels
from model_server.servables.signature import Signature, Tensor
from model_server.servables.subgraph.independence import RowCheck
from model_server.servables.subgraph.likeness import alike
from model_server.servables.subgraph.probes import Probe
from model_server.servables.subgraph.samples import Sample

SERVER = "model-server"
TENSORFLOW_2 = "tf.saved_model.load"
_TOGETHER = 8

Answer = Mapping[str, Tensor]


def check_rows(
    meta_graph: Any,
    functions: Sequence[str],
    samples: Sequence[Sample],
    write: Callable[[], Path],
) -> int:
    """How often each function ran for rows of two requests together, at least, with equal answers.

    Changes the MetaGraphDef, which ``write`` then puts into a folder. Raises CannotBatch with the
    operation that does not treat rows independently.
    """
    # TensorFlow forgets a probe that nobody else remembers.
    checks, _probes = _put_probes(meta_graph.graph_def, functions)
    with _loaded(write()) as model:
        # The first time they are only seen: the second time there are other rows to run beside.
        for sample in [*samples, *samples]:
            _run_probed(model, sample, checks)
    for name, check in zip(functions, checks, strict=True):
        if not check.compared:
            raise CannotBatch(
                f"the sample requests never run {name} with two different rows of one shape; give"
                " more of them"
            )
    return min(check.compared for check in checks)


def _put_probes(graph: Any, functions: Sequence[str]) -> tuple[list[RowCheck], list[Probe]]:
    # Before the first probe is put in, which changes their names.
    rows = {
        node.attr["f"].func.name: len(node.attr["Tin"].list.type)
        for _, node in all_nodes(graph)
        if node.op == BATCH_FUNCTION and node.attr["f"].func.name in functions
    }
    checks: list[RowCheck] = []
    probes: list[Probe] = []
    for name in functions:
        body = Body(graph, name)
        checks.append(RowCheck(body))
        probes.append(Probe(body, checks[-1].second, checks[-1].judge))
        checks[-1].points = probes[-1].points
        probes[-1].put_into(graph, rows[name])
    unbatch_all(graph)
    return checks, probes


def _run_probed(model: Any, sample: Sample, checks: Sequence[RowCheck]) -> None:
    error: ServingError | None = None
    try:
        _answer(model, sample)
    except ServingError as raised:
        error = raised
    for check in checks:
        if check.failed:
            raise CannotBatch(check.failed) from error
    if error is not None:
        raise CannotBatch(
            f"the subgraph cannot run for rows of two requests together: {error.message}"
        ) from error


def check_answers(source: Path, changed: Path, samples: Sequence[Sample]) -> list[str]:
    """The loaders by which the changed model answers as the source does.

    Those that cannot load the source are left out. Raises CannotBatch where an answer differs.
    """
    with _loaded(source) as model:
        expected = [_answer(model, sample) for sample in samples]
    with _loaded(changed) as model:
        _compare(expected, [_answer(model, sample) for sample in samples], SERVER)
        with ThreadPoolExecutor(_TOGETHER) as pool:
            # Several times, so that there are others to share a batch with.
            every = [*samples] * -(-4 * _TOGETHER // len(samples))
            found = list(pool.map(lambda sample: _answer(model, sample), every))
        _compare([*expected] * (len(every) // len(samples)), found, f"{SERVER}, concurrently")
    if not _loads_in_tensorflow_2(source, samples):
        return [SERVER]
    module = tf.saved_model.load(str(changed), tags=["serve"])
    _compare(expected, [_answer_of_module(module, each) for each in samples], TENSORFLOW_2)
    return [SERVER, TENSORFLOW_2]


@contextmanager
def _loaded(folder: Path) -> Iterator[Any]:
    try:
        model = SavedModels(Runtime()).load("batch-subgraph", 1, str(folder))
    except ServingError as error:
        raise CannotBatch(f"{folder} cannot be loaded: {error.message}") from error
    try:
        yield model
    finally:
        model.close()


def _answer(model: Any, sample: Sample) -> Answer:
    signature: Signature | None = model.signatures.get(sample.signature)
    if signature is None:
        raise CannotBatch(f"a sample request names signature {sample.signature}: there is none")
    inputs = {**signature.defaults, **sample.inputs}
    if inputs.keys() != signature.inputs.keys():
        raise CannotBatch(
            f"a sample request for {sample.signature} has inputs {sorted(inputs)}, not"
            f" {sorted(signature.inputs)}"
        )
    arrays = {
        alias: np.asarray(value, signature.inputs[alias].dtype.numpy)
        for alias, value in inputs.items()
    }
    outputs = tuple(signature.outputs)
    return dict(zip(outputs, model.run(signature, arrays, outputs), strict=True))


def _answer_of_module(module: Any, sample: Sample) -> Answer:
    call = module.signatures[sample.signature]
    specs = call.structured_input_signature[1]
    given = {
        alias: tf.constant(np.asarray(value).tolist(), specs[alias].dtype)
        for alias, value in sample.inputs.items()
    }
    return {alias: tensor.numpy() for alias, tensor in call(**given).items()}


def _loads_in_tensorflow_2(source: Path, samples: Sequence[Sample]) -> bool:
    try:
        module = tf.saved_model.load(str(source), tags=["serve"])
        for sample in samples:
            _answer_of_module(module, sample)
    except Exception:
        # It raises whatever it does not expect; the model is served by a session anyway.
        return False
    return True


def _compare(expected: Sequence[Answer], found: Sequence[Answer], loader: str) -> None:
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        for alias, tensor in one.items():
            if not alike(tensor, _like(other[alias], tensor)):
                raise CannotBatch(
                    f"output {alias} of sample request {number % len(expected)} is another than"
                    f" before, by {loader}"
                )


def _like(tensor: Tensor, other: Tensor) -> Tensor:
    """With the type of another where both hold strings, of which there are two in NumPy."""
    array = np.asarray(tensor)
    return array.astype(object) if other.dtype == object else array
