"""Input and result messages of classify and regress, to and from the service's own."""

from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from model_server.servables.signature import Tensor
from model_server.service.classify import Classes
from model_server.service.examples import Examples


def examples(message: Input) -> Examples:
    """The Examples of an Input; none if it holds nothing."""
    match message.WhichOneof("kind"):
        case "example_list":
            listed = message.example_list.examples
            return Examples([example.SerializeToString() for example in listed])
        case "example_list_with_context":
            inner = message.example_list_with_context
            return Examples(
                [example.SerializeToString() for example in inner.examples],
                inner.context.SerializeToString(),
            )
        case _:
            return Examples(())


def fill_classifications(message: ClassificationResult, classes: Classes) -> None:
    """Writes labels and scores into an empty message."""
    for row in classes.rows():
        classifications = message.classifications.add()
        for label, score in row:
            classifications.classes.add(label=label, score=score)


def fill_regressions(message: RegressionResult, values: Tensor) -> None:
    """Writes a number for each example into an empty message."""
    for value in values.tolist():
        message.regressions.add(value=value)
