"""Queues of ops that batch: names after their places, and settings that cannot lock up."""

from collections import Counter

import pytest
from google.protobuf import text_format
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from model_server.core.errors import Code, ServingError
from model_server.servables.batch_ops.places import part_callers
from model_server.servables.batch_ops.queues import Limits, mend_queues
from model_server.servables.saved_model.in_graph import session_config_for

LIMITS = Limits(threads=2, rows=100)
GIVEN = {"num_batch_threads": 1, "max_batch_size": 8, "batch_timeout_micros": 500}


def batch(settings="", name="batch", function="inner", **given):
    """Text of a BatchFunction with settings beside those it must have."""
    numbers = " ".join(
        f'attr {{ key: "{key}" value {{ i: {value} }} }}' for key, value in (GIVEN | given).items()
    )
    return (
        f'name: "{name}" op: "BatchFunction" attr {{ key: "f" value {{ func {{'
        f' name: "{function}" }} }} }} {numbers} {settings}'
    )


def sizes(*numbers):
    listed = " ".join(f"i: {number}" for number in numbers)
    return f'attr {{ key: "allowed_batch_sizes" value {{ list {{ {listed} }} }} }}'


def calling(op, function, attribute="f"):
    return (
        f'name: "call_{function}" op: "{op}"'
        f' attr {{ key: "{attribute}" value {{ func {{ name: "{function}" }} }} }}'
    )


def graph(*nodes, **functions):
    """Text nodes of a graph, and lists of those of its functions."""
    library = "".join(
        f'function {{ signature {{ name: "{name}" }}'
        + "".join(f" node_def {{ {node} }}" for node in body)
        + "}"
        for name, body in ({"inner": []} | functions).items()
    )
    text = "".join(f"node {{ {node} }}" for node in nodes) + f"library {{ {library} }}"
    return text_format.Parse(text, GraphDef())


def names(graph):
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return [node.attr["shared_name"].s.decode() for node in nodes if "shared_name" in node.attr]


def test_a_queue_is_named_after_its_place_whatever_the_model_says():
    same = 'attr { key: "shared_name" value { s: "batch/" } }'
    found = graph(batch(same, "one"), batch(same, "two"), a=[batch(same)], b=[batch(same)])

    mend_queues(found, "m/3", LIMITS)

    assert sorted(names(found)) == ["m/3//one", "m/3//two", "m/3/a/batch", "m/3/b/batch"]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (batch(max_batch_size=0), "max_batch_size must be positive; was 0"),
        (batch(max_enqueued_batches=-1), "max_enqueued_batches must be positive; was -1"),
        (batch(batch_timeout_micros=-5), "batch_timeout_micros must not be negative; was -5"),
        (batch(sizes(4, 2, 8)), "allowed_batch_sizes must increase; was [4, 2, 8]"),
        (batch(sizes(0, 8)), "allowed_batch_sizes must increase; was [0, 8]"),
        (
            batch(sizes(2, 4)),
            "the last of allowed_batch_sizes must be max_batch_size, 8; was [2, 4]",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(node, said):
    with pytest.raises(ServingError) as refused:
        mend_queues(graph(f=[node]), "m/1", LIMITS)

    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.message == f"BatchFunction batch in function f: {said}"


def test_the_last_size_is_free_where_large_batches_are_split():
    splitting = 'attr { key: "enable_large_batch_splitting" value { b: true } }'

    assert mend_queues(graph(batch(sizes(2, 4) + splitting)), "m/1", LIMITS) == []


@pytest.mark.parametrize(
    ("graph", "changes"),
    [
        pytest.param(graph(batch()), [], id="nothing wrong"),
        pytest.param(graph(batch(num_batch_threads=0)), [], id="adaptive"),
        pytest.param(
            graph(batch(num_batch_threads=64)),
            ["num_batch_threads of BatchFunction batch is 2 and not 64: more threads than"
             " processors"],
            id="many threads",
        ),
        pytest.param(
            graph(batch(), inner=[batch(num_batch_threads=0, function="x")]),
            ["num_batch_threads of BatchFunction batch in function inner is 2 and not 0: a batch"
             " within a batch"],
            id="adaptive within a batch",
        ),
        pytest.param(
            graph(
                calling("While", "body", "body"),
                body=[calling("PartitionedCall", "turn")],
                turn=[batch(max_enqueued_batches=12)],
            ),
            ["batch_timeout_micros of BatchFunction batch in function turn is 0 and not 500:"
             " waits in every turn of a loop",
             "max_enqueued_batches of BatchFunction batch in function turn is 13 and not 12: may"
             " be full within a loop"],
            id="below a loop",
        ),
        pytest.param(
            graph(
                'name: "enter" op: "Enter"',
                batch('input: "enter"'),
            ),
            ["batch_timeout_micros of BatchFunction batch is 0 and not 500: waits in every turn"
             " of a loop",
             "max_enqueued_batches of BatchFunction batch is 13 and not 10: may be full within a"
             " loop"],
            id="in a loop of TensorFlow 1",
        ),
    ],
)  # fmt: skip
def test_settings_that_could_lock_up_are_corrected_in_words(graph, changes):
    assert mend_queues(graph, "m/1", LIMITS) == changes
    assert mend_queues(graph, "m/1", LIMITS) == []


def test_each_caller_of_a_function_that_batches_gets_a_copy_of_it():
    call = calling("PartitionedCall", "outer")
    found = graph(
        call,
        call.replace("call_outer", "again"),
        calling("PartitionedCall", "plain"),
        calling("PartitionedCall", "plain").replace("call_plain", "again_plain"),
        outer=[
            calling("PartitionedCall", "turn"),
            calling("PartitionedCall", "turn").replace("call_turn", "again_turn"),
        ],
        turn=[batch()],
        plain=[],
    )

    part_callers(found)
    mend_queues(found, "m/1", LIMITS)

    functions = [each.signature.name for each in found.library.function]
    assert sum(name.startswith("outer") for name in functions) == 2
    assert sum(name.startswith("turn") for name in functions) == 4
    assert sum(name.startswith("plain") for name in functions) == 1
    nodes = [*found.node, *(node for each in found.library.function for node in each.node_def)]
    called = [node.attr["f"].func.name for node in nodes if node.op == "PartitionedCall"]
    assert [name for name, count in Counter(called).items() if count > 1] == ["plain"]
    assert len(set(names(found))) == 4


def test_a_function_that_calls_itself_is_refused():
    found = graph(
        calling("PartitionedCall", "turn"), turn=[batch(), calling("PartitionedCall", "turn")]
    )

    with pytest.raises(ServingError, match="function turn, which batches, is called at too many"):
        part_callers(found)


SINGLE = "SINGLE_THREADED_EXECUTOR"


@pytest.mark.parametrize(
    ("graph", "given", "executor", "threads"),
    [
        pytest.param(graph(batch()), {}, SINGLE, -1, id="no loop"),
        pytest.param(
            graph(calling("While", "turn", "body"), turn=[batch()]), {}, "", -1, id="a loop"
        ),
        pytest.param(
            graph(batch(), 'name: "v" op: "VariableV2"'), {}, "", -1, id="a reference variable"
        ),
        pytest.param(
            graph(batch(), 'name: "s" op: "Switch"'), {}, "", -1, id="a condition of TensorFlow 1"
        ),
        pytest.param(
            graph(batch()), {"inter_op_parallelism_threads": 2}, "", 2, id="threads were asked for"
        ),
        pytest.param(
            graph(batch()),
            {"inter_op_parallelism_threads": 2, "experimental": {"executor_type": SINGLE}},
            SINGLE,
            -1,
            id="threads that would wait for each other",
        ),
    ],
)
def test_the_executor_is_one_that_cannot_lock_up(graph, given, executor, threads):
    config = ConfigProto(**({"inter_op_parallelism_threads": -1} | given))

    found = session_config_for(MetaGraphDef(graph_def=graph), config)

    assert found.experimental.executor_type == executor
    assert found.inter_op_parallelism_threads == threads
