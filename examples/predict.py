#!/usr/bin/env python3
"""Ask a model server for predictions over gRPC and REST, and check the answers.

    python examples/predict.py half-plus-two --grpc localhost:8500 --rest http://localhost:8501
    python examples/predict.py half-plus-two --grpc localhost:8500 --version 2
    python examples/predict.py digits --grpc localhost:8500 --rest http://localhost:8501

Ends with 0 if every answer is right, 1 if one is wrong or none came, 2 for a mistyped command.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from digits_dataset import training_and_held_out
from make_models import HALF_PLUS_TWO_OFFSETS
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

ASKED_DIGITS = 100
SHOWN_DIGITS = 6  # as many as fit beside each other on 80 columns
LEAST_RIGHT = 90  # of ASKED_DIGITS; the net gets 96 of these 100, which it never saw
HALF_PLUS_TWO_INPUT = (0.0, 1.0, 2.0, 5.0)


class WrongAnswer(Exception):
    """The server answered, and the answer is not what the model computes."""


class NoAnswer(Exception):
    """The server did not answer, or answered with an error."""


@dataclass(frozen=True)
class Answer:
    """Outputs by name, and the version that gave them where the protocol tells."""

    outputs: dict[str, NDArray[Any]]
    version: int | None


class Transport(Protocol):
    """One way to reach the server."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def predict(self, model: str, name: str, values: NDArray[np.float32]) -> Answer:
        """Send `values` as the input `name`; raises NoAnswer."""
        ...


@dataclass(frozen=True)
class Grpc:
    """PredictionService/Predict at HOST:PORT."""

    address: str
    timeout: float
    name: str = "gRPC"

    def predict(self, model: str, name: str, values: NDArray[np.float32]) -> Answer:
        """Send `values` as the input `name`; raises NoAnswer."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        with grpc.insecure_channel(self.address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            try:
                response = stub.Predict(request, timeout=self.timeout)
            except grpc.RpcError as error:
                raise NoAnswer(f"{error.code().name}: {error.details()}") from error
        outputs = {key: tf.make_ndarray(tensor) for key, tensor in response.outputs.items()}
        version = response.model_spec.version
        return Answer(outputs, version.value if response.model_spec.HasField("version") else None)


@dataclass(frozen=True)
class Rest:
    """POST URL/v1/models/MODEL:predict."""

    url: str
    timeout: float
    name: str = "REST"

    def predict(self, model: str, name: str, values: NDArray[np.float32]) -> Answer:
        """Send `values` as the input `name`; raises NoAnswer."""
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/v1/models/{model}:predict",
            json.dumps({"inputs": {name: values.tolist()}}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                said = json.load(response)["outputs"]
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace").strip()
            raise NoAnswer(f"HTTP {error.code}: {body}") from error
        except OSError as error:
            raise NoAnswer(str(getattr(error, "reason", error))) from error
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswer(f"not the JSON of a prediction ({error!r})") from error
        # A model with one output has its value here without a name.
        outputs = said if isinstance(said, dict) else {"": said}
        return Answer({key: np.asarray(value) for key, value in outputs.items()}, None)


def ask_half_plus_two(transport: Transport, model: str, version: int | None) -> str:
    """Check the answers to four numbers; returns a line to show. Raises WrongAnswer, NoAnswer."""
    x = np.asarray(HALF_PLUS_TWO_INPUT, np.float32)
    answer = transport.predict(model, "x", x)
    y = answer.outputs.get("y", answer.outputs.get(""))
    if y is None:
        raise WrongAnswer(f"no output y, only {sorted(answer.outputs)}")
    gave = [v for v, o in HALF_PLUS_TWO_OFFSETS.items() if _same(y, x / 2 + o)]
    if not gave:
        raise WrongAnswer(f"{y.tolist()} for x = {x.tolist()} is not x / 2 + 2 nor x / 2 + 2.5")
    expected = version or answer.version or gave[0]
    if gave[0] != expected or answer.version not in (None, expected):
        said = "" if answer.version is None else f" and names version {answer.version}"
        raise WrongAnswer(
            f"{y.tolist()} is what version {gave[0]} computes{said}, expected version {expected}"
        )
    return f"x = {_numbers(x)} -> y = {_numbers(y)}   (version {gave[0]})"


def ask_digits(transport: Transport, model: str, version: int | None) -> NDArray[np.int64]:
    """The labels found in 100 held-out images, checked; raises WrongAnswer, NoAnswer."""
    _, held_out = training_and_held_out()
    answer = transport.predict(model, "images", held_out.images[:ASKED_DIGITS])
    if version is not None and answer.version not in (None, version):
        raise WrongAnswer(f"version {answer.version} answered, expected version {version}")
    try:
        probabilities = answer.outputs["probabilities"]
        label = answer.outputs["label"].astype(np.int64)
    except KeyError as error:
        raise WrongAnswer(f"no output {error}, only {sorted(answer.outputs)}") from error
    if probabilities.shape != (ASKED_DIGITS, 10) or label.shape != (ASKED_DIGITS,):
        raise WrongAnswer(f"shapes {probabilities.shape} and {label.shape} for 100 images")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise WrongAnswer("the probabilities of an image do not add up to 1")
    right = int((label == held_out.labels[:ASKED_DIGITS]).sum())
    if right < LEAST_RIGHT:
        raise WrongAnswer(f"{right} of {ASKED_DIGITS} labels are right, expected {LEAST_RIGHT}")
    return label


def digits_table(found: dict[str, NDArray[np.int64]]) -> Table:
    """A column for each of the first images: the picture, its true label, what each said."""
    _, held_out = training_and_held_out()
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1))
    table.add_column(justify="left", no_wrap=True)
    for _ in range(SHOWN_DIGITS):
        table.add_column(justify="center", no_wrap=True)
    table.add_row("image", *[picture(image) for image in held_out.images[:SHOWN_DIGITS]])
    table.add_row("true", *map(str, held_out.labels[:SHOWN_DIGITS]), style="bold")
    for name, labels in found.items():
        cells = zip(labels[:SHOWN_DIGITS], held_out.labels[:SHOWN_DIGITS], strict=True)
        table.add_row(
            name, *[f"[{'green' if said == true else 'red'}]{said}[/]" for said, true in cells]
        )
    return table


def picture(image: NDArray[np.float32]) -> str:
    """An 8 x 8 image as four lines of half blocks: two pixels in a character."""
    dark = image > 7
    return "\n".join(
        "".join(" ▄▀█"[2 * int(top) + int(bottom)] for top, bottom in zip(*pair, strict=True))
        for pair in zip(dark[::2], dark[1::2], strict=True)
    )


def _same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return found.shape == expected.shape and bool(np.allclose(found, expected, atol=1e-5))


def _numbers(values: NDArray[Any]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ask a model server and check its answers.")
    parser.add_argument("example", choices=["half-plus-two", "digits"])
    parser.add_argument("--grpc", metavar="HOST:PORT", help="ask over gRPC")
    parser.add_argument("--rest", metavar="URL", help="ask over REST, for example http://host:8501")
    parser.add_argument("--model", help="the model's name on the server, if another")
    parser.add_argument("--version", type=int, help="the version whose answers are expected")
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS")
    options = parser.parse_args(arguments)
    if not (options.grpc or options.rest):
        parser.error("say where the server is: --grpc HOST:PORT, --rest URL, or both")
    if options.rest and not options.rest.startswith(("http://", "https://")):
        parser.error(f"--rest {options.rest}: a URL begins with http:// or https://")
    return options


def _show(options: argparse.Namespace, transports: list[Transport], console: Console) -> bool:
    """Ask by every transport and print what came; whether all of it is right."""
    model = options.model or options.example
    labels: dict[str, NDArray[np.int64]] = {}
    right = True
    for transport in transports:
        try:
            if options.example == "digits":
                labels[transport.name] = ask_digits(transport, model, options.version)
            else:
                said = ask_half_plus_two(transport, model, options.version)
                console.print(f"{transport.name}  {said}", highlight=False)
        except WrongAnswer as error:
            print(f"{transport.name}: {model} gave a wrong answer: {error}", file=sys.stderr)
            right = False
        except NoAnswer as error:
            print(f"{transport.name}: {model} gave no answer: {error}", file=sys.stderr)
            right = False
    if labels:
        console.print(digits_table(labels))
        _, held_out = training_and_held_out()
        for name, found in labels.items():
            correct = int((found == held_out.labels[:ASKED_DIGITS]).sum())
            console.print(f"{name}  {correct} of {ASKED_DIGITS} held-out digits are right")
    return right


def main(arguments: list[str] | None = None) -> None:
    """Ask as the command line says; exits 1 when an answer is wrong or missing."""
    options = _options(arguments)
    transports: list[Transport] = []
    if options.grpc:
        transports.append(Grpc(options.grpc, options.timeout))
    if options.rest:
        transports.append(Rest(options.rest, options.timeout))
    if not _show(options, transports, Console()):
        sys.exit(1)


if __name__ == "__main__":
    main()
