"""The command model-router: options in, a router that runs until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from model_router.cluster.errors import NotConnected
from model_router.envoy.process import EnvoySettings
from model_router.resources.listeners import Listening
from model_router.router.run import Router, RouterSettings

# Below the 30 s that Kubernetes gives a pod to end.
_DRAIN_SECONDS = 25
# Long enough for every node to have taken the pod out of its Services.
_QUIET_SECONDS = 3.0
_LONGEST_CONNECTION_SECONDS = 600


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits 2 for a mistyped command and 1 when the router cannot run."""
    options = _options(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    run_dir = Path(tempfile.mkdtemp(prefix="model-router-"))
    try:
        asyncio.run(_run(_settings(options, run_dir)))
    except* (OSError, NotConnected) as errors:
        sys.exit(f"model-router: {errors.exceptions[0]}")
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


async def _run(settings: RouterSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Router(settings).run(stop)


def _settings(options: argparse.Namespace, run_dir: Path) -> RouterSettings:
    return RouterSettings(
        state_dir=options.state_dir,
        namespace=options.namespace,
        envoy=EnvoySettings(options.envoy, run_dir, options.concurrency, options.drain_seconds),
        listening=Listening(
            options.listen_address,
            timedelta(seconds=options.longest_connection_seconds),
            options.access_log,
        ),
        health_port=options.health_port,
        drain_seconds=options.drain_seconds,
        quiet_seconds=options.quiet_seconds,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="model-router", description="Split the traffic of models between their revisions."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('modelfleet')}")
    _add_sources(parser)
    _add_serving(parser)
    _add_ending(parser)
    options = parser.parse_args(arguments)
    try:
        # Not as the option's type: what is missing on the command line is to be said first.
        options.envoy = _program(options.envoy)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return options


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state-dir",
        type=_folder,
        required=True,
        help="holds records/MODEL.json and endpoints/REVISION.json, and is read all the time; "
        "with --namespace, where these are kept for the next start",
    )
    parser.add_argument(
        "--namespace",
        help="follow the traffic records and the EndpointSlices of this namespace",
    )


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--envoy", default="envoy", help="Envoy's binary")
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=1,
        help="Envoy's worker threads, as many as the pod has processors (default 1)",
    )
    parser.add_argument("--listen-address", default="0.0.0.0", help="default 0.0.0.0")
    parser.add_argument("--health-port", type=int, default=8080, help="default 8080")
    parser.add_argument(
        "--longest-connection-seconds",
        type=_positive,
        default=_LONGEST_CONNECTION_SECONDS,
        help="when a client is asked to connect anew, so that all routers get their share "
        f"(default {_LONGEST_CONNECTION_SECONDS})",
    )
    parser.add_argument(
        "--access-log",
        action="store_true",
        help="write a line of JSON for every request to the standard output",
    )


def _add_ending(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drain-seconds",
        type=_positive,
        default=_DRAIN_SECONDS,
        help=f"the longest that clients may take to leave at the end (default {_DRAIN_SECONDS})",
    )
    parser.add_argument(
        "--quiet-seconds",
        type=float,
        default=_QUIET_SECONDS,
        help=f"end when no client was connected for so long (default {_QUIET_SECONDS:g})",
    )


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


def _program(text: str) -> Path:
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no program; name Envoy's binary with --envoy PATH"
        )
    return Path(os.path.abspath(found))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    main()
