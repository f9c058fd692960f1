"""Models with embedding tables, written where a test wants them."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

v1 = tf.compat.v1
IDS = tf.TensorSpec([None], tf.int64, name="ids")
EXAMPLES = tf.TensorSpec([None], tf.string, name="inputs")
# More than is copied to all members: 1.28 MB.
ROWS, WIDTH = 20_000, 16


def recommender(folder: Path, users: int = 40_000, items: int = 30_001) -> Path:
    """TF2: two tables that are gathered from in two ways, and a dense layer that is small."""
    variables = {
        "users": table(users, 64),
        "items": table(items, 16),
        "dense": table(80, 4),
    }

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        user = tf.gather(held.users, ids)
        item = tf.nn.embedding_lookup(held.items, ids)
        return {"scores": tf.matmul(tf.concat([user, item], 1), held.dense)}

    return module(folder, variables, serve)


def conditional(folder: Path) -> Path:
    """TF2: a table from which a branch gathers that not every request takes."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.cond(
            tf.size(ids) > 2,
            lambda: tf.gather(held.table, ids),
            lambda: tf.zeros([tf.size(ids), WIDTH]),
        )
        return {"rows": rows}

    return module(folder, {"table": table()}, serve)


def looping(folder: Path) -> Path:
    """TF2: rows are summed turn by turn of a loop, each of the ids that the row before names.

    A branch within a turn gathers from a second table, and the shape of the first is asked for.
    """

    def turn(
        held: tf.Module, ids: tf.Tensor, turns: tf.Tensor, sums: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        rows = tf.gather(held.table, ids)
        more = tf.cond(
            turns > 1,
            lambda: tf.nn.embedding_lookup(held.others, ids),
            lambda: tf.zeros_like(rows),
        )
        shape = tf.raw_ops.VariableShape(input=held.table.handle, out_type=tf.int64)
        following = (ids * 7 + 1) % shape[0]
        return following, turns + 1, sums + rows * held.scale + more

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        sums = tf.zeros([tf.size(ids), WIDTH])
        _, turns, sums = tf.while_loop(
            lambda _ids, turns, _sums: turns < 4,
            lambda *each: turn(held, *each),
            (ids, tf.constant(0), sums),
            shape_invariants=(
                tf.TensorShape([None]),
                tf.TensorShape([]),
                tf.TensorShape([None, WIDTH]),
            ),
        )
        return {"scores": sums + tf.gather(held.table, ids), "turns": turns}

    def regress(held: tf.Module, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"id": tf.io.FixedLenFeature([], tf.int64)})
        return {"outputs": serve(held, parsed["id"])["scores"][:, 0]}

    variables = {"table": table(), "others": table(ROWS + 1), "scale": table(1, WIDTH)}
    return module(folder, variables, serve, regress)


def dense(folder: Path) -> Path:
    """TF2: a matrix that is multiplied, and rows of it gathered as well; nothing to split."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(held.kernel, ids)
        return {"y": tf.matmul(rows, held.kernel, transpose_b=True)}

    return module(folder, {"kernel": table(1024, 512)}, serve)


def dense_beside_table(folder: Path) -> Path:
    """TF2: a matrix that is multiplied and lies on one member, and a table for the others."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(held.kernel, ids % 1024)
        product = tf.matmul(rows, held.kernel, transpose_b=True)
        return {"y": product, "own": tf.gather(held.table, ids)}

    return module(folder, {"kernel": table(1024, 512), "table": table()}, serve)


def chain(folder: Path) -> Path:
    """TF2: rows of a table are the ids of another, and a small one is read by a branch."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        near = tf.gather(held.neighbours, ids)
        small = tf.cond(tf.size(ids) > 2, lambda: held.small * 2.0, lambda: held.small + 1.0)
        return {"near": tf.gather(held.table, near), "own": tf.gather(held.table, ids) + small}

    neighbours = tf.random.stateless_uniform([ROWS, WIDTH], (1, 2), maxval=ROWS, dtype=tf.int32)
    variables = {"neighbours": neighbours, "table": table(), "small": table(1, WIDTH)}
    return module(folder, variables, serve)


def weighted(folder: Path) -> Path:
    """TF2: rows of a table are summed for each request, and the ids are squeezed first."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.zeros_like(ids)
        places = tf.stack([tf.range(tf.size(ids, tf.int64)), columns], 1)
        sparse = tf.SparseTensor(places, ids, [tf.size(ids, tf.int64), 1])
        return {"sums": tf.nn.embedding_lookup_sparse(held.table, sparse, None, combiner="sum")}

    return module(folder, {"table": table()}, serve)


def words(folder: Path) -> Path:
    """TF2: ids come from a vocabulary in a file of the model."""
    vocabulary = folder.parent / "vocabulary.txt"
    vocabulary.write_text("\n".join(str(number) for number in range(ROWS)))
    initializer = tf.lookup.TextFileInitializer(
        str(vocabulary),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        known = held.vocabulary.lookup(tf.strings.as_string(ids))
        return {"rows": tf.gather(held.table, known)}

    return module(
        folder, {"table": table()}, serve, vocabulary=tf.lookup.StaticHashTable(initializer, 0)
    )


def odd(folder: Path) -> Path:
    """TF2: a table that is an output itself, one of strings, and the shape of a table."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        matrix = tf.reshape(ids, [-1, 1])
        return {
            "all": tf.identity(held.output),
            "names": tf.gather(held.names, ids),
            "rows": tf.gather(held.table, tf.cast(matrix, tf.int32)),
            "shape": tf.shape(held.table) + tf.cast(tf.size(ids), tf.int32),
        }

    names = tf.strings.as_string(tf.range(200_000))
    return module(folder, {"output": table(), "names": names, "table": table()}, serve)


def counting(folder: Path) -> Path:
    """TF2: each run adds one to a counter, which is small."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        runs = held.counter.assign_add(1)
        return {"rows": tf.gather(held.table, ids), "runs": runs}

    return module(folder, {"table": table(), "counter": tf.constant(0)}, serve)


def setting(folder: Path) -> Path:
    """TF2: each run keeps the ids of the one before."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        before = tf.identity(held.last)
        with tf.control_dependencies([before]):
            held.last.assign(tf.reduce_max(ids))
        return {"rows": tf.gather(held.table, ids), "before": before}

    return module(folder, {"table": table(), "last": tf.constant(0, tf.int64)}, serve)


def random_ids(folder: Path) -> Path:
    """TF2: ids are drawn anew in each run."""

    def serve(held: tf.Module, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = tf.random.uniform(tf.shape(ids), maxval=ROWS, dtype=tf.int64, seed=1)
        return {"rows": tf.gather(held.table, drawn), "ids": drawn}

    return module(folder, {"table": table()}, serve)


def keras_embedding(folder: Path) -> Path:
    """Keras 3: an embedding and a dense layer, exported."""
    import keras

    keras.utils.set_random_seed(7)
    ids = keras.Input((3,), name="ids", dtype="int64")
    flat = keras.layers.Flatten()(keras.layers.Embedding(ROWS, WIDTH, name="table")(ids))
    keras.Model(ids, keras.layers.Dense(4, name="dense")(flat)).export(str(folder), verbose=False)
    return folder


def tensorflow_1(folder: Path, parts: int = 1, resource: bool = True, rows: int = ROWS) -> Path:
    """TF1: a table, in as many parts as wanted, of resource or ref variables."""
    with tf.Graph().as_default(), v1.Session() as session:
        held = v1.get_variable(
            "table",
            [rows, WIDTH],
            initializer=v1.random_uniform_initializer(seed=1),
            partitioner=v1.fixed_size_partitioner(parts),
            use_resource=resource,
        )
        scale = v1.get_variable("scale", initializer=tf.range(float(WIDTH)), use_resource=resource)
        ids = v1.placeholder(tf.int64, [None], name="ids")
        found = v1.nn.embedding_lookup(held, ids, partition_strategy="div") * scale
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"ids": ids}, {"rows": found})
    return folder


def table(rows: int = ROWS, width: int = WIDTH) -> tf.Tensor:
    """Random numbers, the same each time."""
    return tf.random.stateless_uniform([rows, width], seed=(rows, width))


def module(
    folder: Path,
    variables: dict[str, tf.Tensor],
    serve: Callable[[tf.Module, tf.Tensor], dict[str, tf.Tensor]],
    regress: Callable[[tf.Module, tf.Tensor], dict[str, tf.Tensor]] | None = None,
    **tracked: object,
) -> Path:
    """A module with these variables, of which `serve` makes the outputs for some ids.

    `regress` makes those for some examples.
    """
    held = tf.Module()
    for name, value in variables.items():
        setattr(held, name, tf.Variable(value, name=name))
    for name, value in tracked.items():
        setattr(held, name, value)
    signatures = {
        "serving_default": tf.function(lambda ids: serve(held, ids), input_signature=[IDS])
    }
    if regress is not None:
        signatures["regress"] = tf.function(
            lambda inputs: regress(held, inputs), input_signature=[EXAMPLES]
        )
    tf.saved_model.save(held, str(folder), signatures=signatures)
    return folder
