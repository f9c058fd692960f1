"""Plain grpcio and TensorFlow: PredictionService/Predict in processes that share a port.

Arguments: folder, name, port, processes.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor


def serve(folder, name, port):
    """Answers until the process is ended."""
    import grpc
    import numpy as np
    import tensorflow_call
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

    call = tensorflow_call.call_of(folder)

    def predict(request, _context):
        tensor = request.inputs["x"]
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        rows = call(np.frombuffer(tensor.tensor_content, np.float32).reshape(shape))
        response = PredictResponse()
        response.model_spec.name = name
        output = response.outputs["y"]
        output.dtype = types_pb2.DT_FLOAT
        for size in rows.shape:
            output.tensor_shape.dim.add(size=size)
        output.float_val.extend(rows.ravel())
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        predict, PredictRequest.FromString, PredictResponse.SerializeToString
    )
    service = "tensorflow.serving.PredictionService"
    server = grpc.server(
        ThreadPoolExecutor(4),
        [grpc.method_handlers_generic_handler(service, {"Predict": handler})],
        options=[("grpc.so_reuseport", 1)],
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    _, folder, name, port, processes = sys.argv
    # Before anything is imported that has threads.
    for _ in range(int(processes) - 1):
        if os.fork() == 0:
            break
    serve(folder, name, int(port))
