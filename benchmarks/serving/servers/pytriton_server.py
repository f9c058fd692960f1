"""PyTriton: Triton with a Python backend.

Arguments: folder, name, shape of a row as JSON, ports of gRPC, REST and metrics.
"""

import json
import sys

import numpy as np
import tensorflow_call
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

_MOST_ROWS = 64

if __name__ == "__main__":
    _, folder, name, shape, grpc_port, http_port, metrics_port = sys.argv
    call = tensorflow_call.call_of(folder)

    @batch
    def infer(x):
        """Rows in, rows out."""
        return {"y": call(x)}

    config = TritonConfig(
        grpc_port=int(grpc_port),
        http_port=int(http_port),
        metrics_port=int(metrics_port),
        http_address="127.0.0.1",
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name=name,
            infer_func=infer,
            inputs=[Tensor(name="x", dtype=np.float32, shape=tuple(json.loads(shape)))],
            outputs=[Tensor(name="y", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(
                max_batch_size=_MOST_ROWS, batcher=DynamicBatcher(max_queue_delay_microseconds=0)
            ),
            strict=False,
        )
        triton.serve()
