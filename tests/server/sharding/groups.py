"""A group whose members are objects of this process, and the whole model beside it."""

from concurrent.futures import Future

import tensorflow as tf

from model_server.core.errors import ServingError
from model_server.servables.sharding.sharded_model import Place, load_member, source_of


class Group:
    """All members of a group; each asks the others through it."""

    def __init__(self, folder, shards):
        self.asked = []
        source = source_of(folder, ["serve"])
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=-1)
        self.members = [
            load_member(source, Place(member, shards), self, config) for member in range(shards)
        ]

    def ask(self, member, signature, inputs):
        self.asked.append(member)
        future = Future()
        asked = self.members[member]
        try:
            outputs = tuple(asked.signatures[signature].outputs)
            found = asked.run(asked.signatures[signature], inputs, outputs)
            future.set_result(dict(zip(outputs, found, strict=True)))
        except ServingError as error:
            future.set_exception(error)
        return future

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
