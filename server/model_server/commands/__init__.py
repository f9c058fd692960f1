"""What ``model-server`` does beside serving: its first argument names one of these commands."""

import os
from collections.abc import Sequence
from importlib import import_module

# Each is a module with `main(arguments) -> exit code`, which is imported only when it is asked for.
COMMANDS = {
    "batch-subgraph": "model_server.commands.batch_subgraph",
    "shard-plan": "model_server.commands.shard_plan",
}


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Runs a command with what follows its name; the exit code."""
    # TensorFlow tells on stderr what only its developers ask for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    code: int = import_module(COMMANDS[name]).main(arguments)
    return code
