"""Whether a request's inputs fit a signature, and what is fed for those it leaves out.

Source: TensorFlow Serving ``servables/tensorflow/predict_util.cc`` and TensorFlow
``cc/saved_model/util.cc``, whose messages these are.
"""

from collections.abc import Iterable, Mapping, Sequence

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import BY_NUMPY
from model_server.servables.signature import Signature, Tensor, Tensors


def check_input_names(signature: Signature, names: Iterable[str]) -> None:
    """Raises ServingError unless these inputs, with the defaults, are the signature's."""
    sent = set(names)
    wanted = signature.inputs.keys()
    if sent == wanted:
        return
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not signature.defaults):
        raise _invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)}"
            f" len({{{_list(sent)}}}) != len({{{_list(wanted)}}})."
            f" Sent extra: {{{_list(sent - wanted)}}}."
            f" Missing but required: {{{_list(wanted - sent)}}}."
        )
    for alias in sorted(wanted - sent - signature.defaults.keys()):
        raise _invalid(
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name})"
            " not found in request and no default value provided. Inputs expected to be in the"
            f" request {{{_list(sent)}}}, or default input alias set: {_list(signature.defaults)}"
        )
    if sent - wanted:
        raise _invalid(
            f"Inputs contains invalid name. Used request inputs: {_list(sent & wanted)},"
            f" request input: {_list(sent)}"
        )


def complete(signature: Signature, inputs: Tensors) -> Tensors:
    """The inputs with the signature's defaults for those left out. Raises ServingError on a dtype.

    Shapes are not compared: TensorFlow Serving leaves them to the graph, and clients rely on it.
    """
    fed: Mapping[str, Tensor] = {**signature.defaults, **inputs} if signature.defaults else inputs
    for alias, spec in signature.inputs.items():
        sent = fed[alias].dtype
        if sent is not spec.dtype.numpy and sent != spec.dtype.numpy:
            known = BY_NUMPY.get(sent)
            raise _invalid(
                f"Expects arg[{list(signature.inputs).index(alias)}] to be {spec.dtype.name}"
                f" but {known.name if known else sent} is provided"
            )
    return fed


def select_outputs(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    """The aliases of the outputs to run: those filtered by, or all. Raises ServingError."""
    if not output_filter:
        return signature.every_output
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise _invalid(
                f"output tensor alias not found in signature: {alias}"
                f" Outputs expected to be in the set {{{_list(signature.outputs)}}}."
            )
        if alias in output_filter[:position]:
            raise _invalid(f"duplicate output tensor alias: {alias}")
    # In the signature's order, so that each set of outputs is compiled once.
    return tuple(alias for alias in signature.outputs if alias in output_filter)


def _list(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
