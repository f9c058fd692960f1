"""Plain grpcio and TensorFlow: PredictionService/Predict in processes that share a port.

Arguments: folder, name, port, processes; folder and name of each further model.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor


def serve(models, port):
    """Answers until the process is ended."""
    import grpc
    from tensorflow_predict import predict_of
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

    predict = {name: predict_of(folder, name) for folder, name in models}

    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, _context: predict[request.model_spec.name](request),
        PredictRequest.FromString,
        PredictResponse.SerializeToString,
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
    _, folder, name, port, processes, *more = sys.argv
    # Before anything is imported that has threads.
    for _ in range(int(processes) - 1):
        if os.fork() == 0:
            break
    serve([(folder, name), *zip(more[::2], more[1::2], strict=True)], int(port))
