"""SavedModels written by TensorFlow 2 and Keras 3, made where a test wants them."""

from pathlib import Path

import keras
import tensorflow as tf

WORDS = ["a", "b", "c"]


def classifier() -> keras.Model:
    """Scores of five words each, by an embedding of 50 words: 4 x 50 + 12 + 4 + 4 x 4 values."""
    keras.utils.set_random_seed(7)
    words = keras.Input((5,), name="words", dtype="int64")
    embedded = keras.layers.Embedding(50, 4, name="table")(words)
    pooled = keras.layers.GlobalAveragePooling1D()(embedded)
    normal = keras.layers.BatchNormalization(name="normal")(pooled)
    scores = keras.layers.Dense(3, name="scores", use_bias=False)(normal)
    shift = keras.layers.Dense(1, name="shift")(pooled)
    return keras.Model(words, keras.layers.Add(name="sum")([scores, shift]))


# The values of the variables above: table, normal's four, scores, shift's two.
VARIABLES = 1 + 4 + 1 + 2
BYTES = 4 * (50 * 4 + 4 * 4 + 4 * 3 + 4 + 1)


def lookup(folder: Path) -> Path:
    """A table read from an asset, a variable, and a mutable table with content: id of a word."""
    vocabulary = folder.parent / "vocabulary.txt"
    vocabulary.write_text("\n".join(WORDS))

    class Lookup(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = tf.Variable(10, dtype=tf.int64)
            self.table = tf.lookup.StaticVocabularyTable(
                tf.lookup.TextFileInitializer(
                    str(vocabulary),
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                num_oov_buckets=1,
            )
            self.bonus = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
            self.bonus.insert(["b"], tf.constant([100], tf.int64))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
        def serve(self, word: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"id": self.table.lookup(word) + self.shift}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
        def bonus_of(self, word: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"bonus": self.bonus.lookup(word) + self.shift}

    module = Lookup()
    signatures = {"serving_default": module.serve, "bonus": module.bonus_of}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    vocabulary.unlink()
    return folder


def ragged(folder: Path) -> Path:
    """The letters of texts: an output of another length than the input."""

    class Letters(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def serve(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
            letters = tf.strings.unicode_split(text, "UTF-8")
            return {"letters": letters.flat_values, "lengths": letters.row_lengths()}

    module = Letters()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def product(folder: Path) -> Path:
    """y = 6 x, as one concrete function on a checkpoint's variables."""
    root = tf.train.Checkpoint(v1=tf.Variable(3.0), v2=tf.Variable(2.0))
    root.f = tf.function(lambda x: {"y": root.v1 * root.v2 * x})
    tf.saved_model.save(root, str(folder), root.f.get_concrete_function(tf.TensorSpec(None)))
    return folder


def constants(folder: Path) -> Path:
    """y = 1, or 2 by the signature ``custom``, whatever x is."""
    root = tf.train.Checkpoint()
    takes_x = [tf.TensorSpec(None, tf.float32)]
    root.f = tf.function(lambda x: {"y": 1.0}, input_signature=takes_x)
    root.g = tf.function(lambda x: {"y": 2.0}, input_signature=takes_x)
    signatures = {"serving_default": root.f, "custom": root.g}
    tf.saved_model.save(root, str(folder), signatures=signatures)
    return folder


def unlike_its_checkpoint(folder: Path) -> Path:
    """A graph for a vector of three with a checkpoint for one of two."""
    vector(folder, 3)
    vector(folder.parent / "shorter", 2)
    for file in (folder.parent / "shorter" / "variables").iterdir():
        file.replace(folder / "variables" / file.name)
    return folder


def vector(folder: Path, size: int) -> Path:
    """A variable that is read as it is."""

    class Vector(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vector = tf.Variable(tf.range(float(size)))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": self.vector + x}

    module = Vector()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def counting(folder: Path) -> Path:
    """A state that signatures share: ``add`` returns the sum of all x so far, ``sum`` reads it."""

    class Counting(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sum = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def add(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"sum": self.sum.assign_add(x)}

        @tf.function(input_signature=[])
        def read(self) -> dict[str, tf.Tensor]:
            return {"sum": self.sum.read_value()}

    module = Counting()
    tf.saved_model.save(module, str(folder), signatures={"add": module.add, "read": module.read})
    return folder


def sharded(folder: Path) -> Path:
    """Three variables of 4 kB, each in a shard of the checkpoint of its own; their sum and x."""

    class Sharded(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [tf.Variable(tf.fill([1000], float(number))) for number in range(3)]

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x + tf.add_n(self.parts)[0]}

    module = Sharded()
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=5000)
    options = tf.saved_model.SaveOptions(experimental_sharding_callback=policy)
    tf.saved_model.save(module, str(folder), signatures=module.serve, options=options)
    return folder


def without_signatures(folder: Path) -> Path:
    """A module that was saved as it is."""
    tf.saved_model.save(tf.Module(), str(folder))
    return folder


def nested(folder: Path) -> Path:
    """Functions in functions, branches and loops: y is x factorial, or -1 below 0."""

    class Nested(tf.Module):
        @tf.function
        def factorial(self, x: tf.Tensor) -> tf.Tensor:
            product = tf.constant(1)
            for factor in tf.range(1, x + 1):
                product *= factor
            return product

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.cond(x < 0, lambda: -1, lambda: self.factorial(x))}

    module = Nested()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder
