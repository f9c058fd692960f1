"""PredictionService/Predict over the extension modelfleet-transport, as model-server uses it.

Arguments: folder, name, port, and ``bare`` to leave out the turns, limits and deadlines that the
server gives each call.
"""

import sys
import threading

import grpc
from tensorflow_predict import PATH, bytes_of

from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.native.endpoint import NativeEndpoint


class BareEndpoint(NativeEndpoint):
    """Answers calls and does nothing else."""

    predict = None

    def _answer(self, call):
        call.answer(self.predict(call.message()))


if __name__ == "__main__":
    _, folder, name, port, *bare = sys.argv
    predict = bytes_of(folder, name)
    handler = grpc.unary_unary_rpc_method_handler(lambda message, _context: predict(message))
    endpoint = (BareEndpoint if bare else NativeEndpoint)(Listen(int(port)))
    endpoint.predict = predict
    endpoint.serve({PATH: handler})
    endpoint.start()
    threading.Event().wait()
