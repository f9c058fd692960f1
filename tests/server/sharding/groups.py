"""A group whose members are objects of this process."""

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from model_server.core.errors import ServingError
from model_server.servables.sharding.group.loading import Place, load_member, source_of


class Group:
    """All members of a group; each asks the others through it, and may have a folder of its own."""

    def __init__(self, folder, shards, folders=()):
        self.asked = []
        self._loaded = threading.Event()
        self.members = []
        sources = [source_of(Path(each), ["serve"]) for each in folders or [folder] * shards]
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=-1)
        for member, source in enumerate(sources):
            self.members.append(load_member(source, Place(member, shards, self.ask), config))
        self._loaded.set()
        until = time.monotonic() + 180
        while any(member.hindrance for member in self.members) and time.monotonic() < until:
            time.sleep(0.01)

    def ask(self, signature, questions):
        self._loaded.wait()
        return [self._answer(member, signature, each) for member, each in questions.items()]

    def _answer(self, member, signature, inputs):
        if not signature.endswith("/hello"):
            self.asked.append(member)
        asked = self.members[member]
        outputs = tuple(asked.signatures[signature].outputs)
        try:
            found = asked.run(asked.signatures[signature], inputs, outputs)
        except ServingError as error:
            return error
        return dict(zip(outputs, found, strict=True))

    def answers(self, inputs, signature="serving_default"):
        """What each member answers as the entry."""
        found = []
        for member in self.members:
            known = member.signatures[signature]
            outputs = tuple(known.outputs)
            found.append(dict(zip(outputs, member.run(known, inputs, outputs), strict=True)))
        return found

    def close(self):
        for member in self.members:
            member.close()


@contextmanager
def grouped(folder, shards, folders=()):
    """A group that is closed at the end."""
    group = Group(folder, shards, folders)
    try:
        yield group
    finally:
        group.close()
