"""The command ``model-server``: flags in, a server that runs until it is told to end."""

import logging
import os
import resource
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn, TextIO

from model_server.commands import COMMANDS, run_command
from model_server.options.checks import check
from model_server.options.command_line import (
    CommandLine,
    InvalidOptions,
    parse,
    usage,
    without_effect,
)
from model_server.options.flags import Options
from model_server.servables import allocator
from model_server.telemetry import exporting, logs

_PROGRAM = "model-server"
_log = logging.getLogger("model_server")


def main() -> None:
    """Runs the command; ends with 0, or with 255 if it cannot start."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in COMMANDS:
        sys.exit(run_command(arguments[0], arguments[1:]))
    if "--help" in arguments:
        print(usage(_PROGRAM))
        print(f"Commands beside serving, each with a --help of its own: {', '.join(COMMANDS)}")
        return
    try:
        line = _parsed(arguments)
        if line.options.version:
            print(f"TensorFlow ModelServer: {_version('modelfleet')}")
            print(f"TensorFlow Library: {_version('tensorflow', 'tensorflow-cpu')}")
            return
        for argument in line.unknown:
            _say(f"unknown argument: {argument}", sys.stdout)
        if line.unknown:
            _say(usage(_PROGRAM), sys.stdout)
        check(line.options)
    except InvalidOptions as error:
        _refuse(str(error))
    _serve(line.options)


def _parsed(arguments: list[str]) -> CommandLine:
    try:
        return parse(arguments)
    except InvalidOptions:
        _say(usage(_PROGRAM), sys.stdout)
        raise


def _serve(options: Options) -> None:
    # First of all, because it counts only for threads that are started later.
    allocator.set_up(os.environ)
    logs.set_up(options.log_format)
    # Each connection is a file; what a login shell allows is less than the server does.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    # TensorFlow reports every failed request on stderr; the client is told anyway.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # oneDNN's operations would wake another thread even for the part that is the caller's own.
    # Measured on 2 CPUs: small convolutions alone took 0.39 ms instead of 0.48.
    os.environ.setdefault("TF_ONEDNN_THREADPOOL_USE_CALLER_THREAD", "1")
    for name in without_effect(options):
        _log.warning("--%s is accepted, but has no effect on this server", name)
    # After the flags were checked: a wrong flag is answered without waiting for these.
    from model_server.core.errors import ServingError
    from model_server.options.model_config import read_model_config
    from model_server.server import run

    try:
        run(options, read_model_config(options), exporting.tracing_of(os.environ))
    except InvalidOptions as error:
        _refuse(str(error))
    except ServingError as error:
        _refuse(error.message, error.code.name)
    except OSError as error:
        _refuse(str(error), "UNAVAILABLE")
    _exit(0)


def _refuse(message: str, code: str = "INVALID_ARGUMENT") -> None:
    # On both: TensorFlow Serving says it on stdout, its parsers said it on stderr before.
    if logging.getLogger().handlers:
        _log.critical("%s", message)
    else:
        _say(message, sys.stderr)
    _say(f"Failed to start server. Error: {code}: {message}", sys.stdout)
    _exit(255)


def _say(text: str, stream: TextIO | None) -> None:
    # Where it cannot be said the exit code still says it. None is a stream closed from the start.
    with suppress(OSError):
        print(text, file=stream or sys.stdout, flush=True)


def _exit(code: int) -> NoReturn:
    logging.shutdown()
    # A load that is still under way, or TensorFlow's own threads, must not delay the end.
    os._exit(code)


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"


if __name__ == "__main__":
    main()
