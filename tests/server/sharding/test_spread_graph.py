"""Graphs that lie on all members: the same answers, tried without any other process."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_server.servables.sharding.cut.cutting import CannotCut
from model_server.servables.sharding.graph.flattening import flatten
from model_server.servables.sharding.group.loading import plan_for, source_of
from model_server.servables.sharding.group.stored_shares import found_in
from model_server.servables.sharding.spread.spreading import Home, spread
from model_server.servables.sharding.spread.tasks import device_of
from server.sharding import models
from server.sharding.whole_models import whole_answers

REQUESTS = [[0, 1, 9_999, 10_000, 19_999, 7, 7], [3], [], [12_000, 5]]


def wanted_of(source, flat):
    (definition,) = [
        each for name, each in source.meta_graph.signature_def.items() if name == "serving_default"
    ]
    outputs = {alias: flat.outputs[info.name] for alias, info in definition.outputs.items()}
    return definition.inputs["ids"].name, outputs


def spread_answers(folder, shards, entry):
    """By one session in which all members are one, so that nothing but the graph is tried."""
    source = source_of(Path(folder), ["serve"])
    plan, flat = plan_for(source, shards), flatten(source.meta_graph)
    ids, outputs = wanted_of(source, flat)
    members = [
        spread(flat, outputs.values(), plan, Home(member, "models")) for member in range(shards)
    ]
    graph_def = members[entry].graph
    for node in graph_def.node:
        node.device = ""
    by_name = {each.variable.name: each for each in plan.placed}
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        for member, each in enumerate(members):
            placed = {handle: by_name[name] for name, handle in each.handles.items()}
            with found_in(source.checkpoint, placed, member) as found:
                for one in found.stored:
                    (value,) = tf.raw_ops.RestoreV2(
                        prefix=one.prefix,
                        tensor_names=[one.key],
                        shape_and_slices=[one.slice],
                        dtypes=[tf.as_dtype(one.dtype)],
                    )
                    handle = graph.get_tensor_by_name(f"{one.handle}:0")
                    session.run(tf.raw_ops.AssignVariableOp(resource=handle, value=value))
        source.loader.run_init_ops(session, ["serve"])
        return [session.run(outputs, {ids: np.array(each, np.int64)}) for each in REQUESTS]


@pytest.mark.parametrize(
    "model",
    [
        models.conditional,
        models.looping,
        models.chain,
        models.dense_beside_table,
        models.weighted,
        models.words,
        models.odd,
        partial(models.tensorflow_1, resource=False),
        partial(models.tensorflow_1, parts=2, rows=40_000),
    ],
)
@pytest.mark.parametrize(("shards", "entry"), [(2, 1), (3, 0)])
def test_answers_are_those_of_the_whole_model(tmp_path, model, shards, entry):
    folder = model(tmp_path / "1")
    found = spread_answers(folder, shards, entry)
    for answer, whole in zip(found, whole_answers(folder, REQUESTS), strict=True):
        assert answer.keys() == whole.keys()
        assert all(np.array_equal(answer[alias], whole[alias]) for alias in whole)


def test_gathers_run_where_the_rows_are_and_all_else_on_the_entry(tmp_path):
    source = source_of(models.looping(tmp_path / "1"), ["serve"])
    plan, flat = plan_for(source, 2), flatten(source.meta_graph)
    made = spread(flat, [], plan, Home(1, "models"))
    at = {node.name: node.device for node in made.graph.node}
    assert set(at.values()) == {device_of(0), device_of(1)}
    gathers = [node for node in made.graph.node if node.op == "ResourceGather"]
    assert {node.device for node in gathers} == {device_of(0), device_of(1)}
    elsewhere = {node.op for node in made.graph.node if node.device == device_of(0)}
    assert elsewhere <= {"VarHandleOp", "Enter", "Switch", "Identity", "ResourceGather"}


@pytest.mark.parametrize("model", [models.counting, models.setting])
def test_a_graph_that_changes_a_variable_is_not_spread(tmp_path, model):
    source = source_of(model(tmp_path / "1"), ["serve"])
    plan, flat = plan_for(source, 2), flatten(source.meta_graph)
    _, outputs = wanted_of(source, flat)
    with pytest.raises(CannotCut, match="changes a variable"):
        spread(flat, outputs.values(), plan, Home(0, "models"))
