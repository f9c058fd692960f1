"""Models with embedding tables, written where a test wants them."""

from pathlib import Path

import tensorflow as tf

v1 = tf.compat.v1
_IDS = tf.TensorSpec([None], tf.int64, name="ids")


def recommender(folder: Path, users: int = 40_000, items: int = 30_001) -> Path:
    """TF2: two tables that are gathered from in two ways, and a dense layer that is small."""

    class Recommender(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users = tf.Variable(_table(users, 64), name="users")
            self.items = tf.Variable(_table(items, 16), name="items")
            self.dense = tf.Variable(_table(80, 4), name="dense")

        @tf.function(input_signature=[_IDS])
        def serve(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
            user = tf.gather(self.users, ids)
            item = tf.nn.embedding_lookup(self.items, ids)
            return {"scores": tf.matmul(tf.concat([user, item], 1), self.dense)}

    module = Recommender()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def table_in_condition(folder: Path) -> Path:
    """TF2: a table from which a branch gathers that not every request takes."""

    class Conditional(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.Variable(_table(20_000, 16), name="table")

        @tf.function(input_signature=[_IDS])
        def serve(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = tf.cond(
                tf.size(ids) > 2,
                lambda: tf.gather(self.table, ids),
                lambda: tf.zeros([tf.size(ids), 16]),
            )
            return {"rows": rows}

    module = Conditional()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def large_dense(folder: Path) -> Path:
    """TF2: a matrix that is multiplied, and one row of it gathered as well; nothing to split."""

    class Dense(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(_table(1024, 512), name="kernel")

        @tf.function(input_signature=[_IDS])
        def serve(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = tf.gather(self.kernel, ids)
            return {"y": tf.matmul(rows, self.kernel, transpose_b=True)}

    module = Dense()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def table_of_tensorflow_1(folder: Path, parts: int = 1, resource: bool = True) -> Path:
    """TF1: a table, in as many parts as wanted, of resource or ref variables."""
    with tf.Graph().as_default(), v1.Session() as session:
        table = v1.get_variable(
            "table",
            [20_000, 16],
            initializer=v1.random_uniform_initializer(),
            partitioner=v1.fixed_size_partitioner(parts),
            use_resource=resource,
        )
        ids = v1.placeholder(tf.int64, [None], name="ids")
        rows = v1.nn.embedding_lookup(table, ids, partition_strategy="div")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"ids": ids}, {"rows": rows})
    return folder


def _table(rows: int, width: int) -> tf.Tensor:
    return tf.random.stateless_uniform([rows, width], seed=(rows, width))
