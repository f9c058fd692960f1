"""Servers that serve a model together, each started and ended by itself."""

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.options.flags import Options
from model_server.server import Server
from server.clients import GrpcClient, HttpClient
from server.conftest import Running, free_port, model_config

ROWS = 30_000
IDS = [0, 1, ROWS // 2 - 1, ROWS // 2, ROWS - 1, 7, 7]


class Members:
    """Servers of one group, that are started and ended one by one."""

    def __init__(self, folder, count=2, ends=(), ports=(), **options):
        """`ends` are the ports by which members reach each other, if others than they have."""
        self.ports = ports or [free_port() for _ in range(count)]
        self.addresses = ",".join(f"127.0.0.1:{port}" for port in ends or self.ports)
        self.folder = folder
        self.options = options
        self.running = {}

    def start(self, rank, folder=None, **options):
        """Starts the server of a member, with a model of its own if one is given."""
        entry = model_config(folder or self.folder)
        config = text_format.Parse(f"model_config_list {{ {entry} }}", ModelServerConfig())
        flags = Options(
            port=self.ports[rank],
            rest_api_port=free_port(),
            shard_members=self.addresses,
            shard_rank=rank,
            **{"shard_timeout_ms": 1000, **self.options, **options},
        )
        server = Server(flags, config)
        ports = server.start()
        found = Running(server, GrpcClient(f"127.0.0.1:{ports.grpc}"), HttpClient(ports.rest))
        self.running[rank] = found
        return found

    def end(self, rank):
        self.running.pop(rank).end()


def predict(member, ids):
    return tf.make_ndarray(ask(member, ids=np.array(ids)).outputs["scores"])


def ask(member, signature="", **inputs):
    request = PredictRequest()
    request.model_spec.name = "ranker"
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return member.grpc.prediction.Predict(request, timeout=180)
