"""Cells in Python that count, wait and fail as tests want them to."""

import threading

import numpy as np

from model_server.core.errors import Code, ServingError


class Sums:
    """Adds what comes; a negative number fails, as does a head whose sum is 13.

    ``sizes`` are the rows of each step. With a gate each step waits until it is let through.
    """

    def __init__(self, *, gated: bool = False) -> None:
        self.sizes: list[int] = []
        self.began = threading.Semaphore(0)
        self.gate = threading.Semaphore(0) if gated else None

    def start(self, rows):
        return {"sum": np.zeros([rows], np.float32)}

    def step(self, inputs, states):
        self.sizes.append(len(inputs["x"]))
        self.began.release()
        if self.gate is not None:
            assert self.gate.acquire(timeout=180)
        if (inputs["x"] < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, f"negative: {inputs['x'].min()}")
        return {"sum": states["sum"] + inputs["x"].reshape(len(inputs["x"]), -1).sum(1)}

    def head(self, states):
        if (states["sum"] == 13).any():
            raise ServingError(Code.INTERNAL, "thirteen")
        return [states["sum"], -states["sum"]]


def rows(*sequences):
    """Inputs with a row for each sequence, and their lengths."""
    longest = max(map(len, sequences))
    padded = [list(each) + [99] * (longest - len(each)) for each in sequences]
    return {"x": np.array(padded, np.float32).reshape(len(sequences), longest)}, [
        len(each) for each in sequences
    ]
