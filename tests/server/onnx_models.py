"""Tiny real ONNX graphs, made where a test wants them."""

from pathlib import Path

from onnx import TensorProto, helper

value = helper.make_tensor_value_info
node = helper.make_node


def half_plus_two(folder: Path) -> Path:
    """y = 0.5 x + 2, for vectors."""
    return graph(
        folder,
        nodes=[node("Mul", ["x", "half"], ["h"]), node("Add", ["h", "two"], ["y"])],
        inputs=[value("x", TensorProto.FLOAT, ["n"])],
        outputs=[value("y", TensorProto.FLOAT, ["n"])],
        constants=[
            helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("two", TensorProto.FLOAT, [], [2.0]),
        ],
    )


def identity(folder: Path, kind: int, shape: list[int | str] | None = None) -> Path:
    """y = x of one type."""
    return graph(
        folder,
        nodes=[node("Identity", ["x"], ["y"])],
        inputs=[value("x", kind, shape)],
        outputs=[value("y", kind, shape)],
    )


def with_external_weight(folder: Path, location: str) -> Path:
    """y = x + w; w, one float, lies in the file at this place."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    return graph(
        folder,
        nodes=[node("Add", ["x", "w"], ["y"])],
        inputs=[value("x", TensorProto.FLOAT, [1])],
        outputs=[value("y", TensorProto.FLOAT, [1])],
        constants=[weight],
    )


def graph(folder: Path, nodes, inputs, outputs, constants=()) -> Path:
    """Writes model.onnx into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    made = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder
