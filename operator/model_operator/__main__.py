"""The process model-operator: read settings, connect, watch, reconcile."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from prometheus_client import CollectorRegistry

from model_operator.cluster.cache import Written
from model_operator.cluster.client import Cluster
from model_operator.cluster.connection import NotConnected, connect
from model_operator.cluster.inventory import Inventories
from model_operator.cluster.leadership import leading
from model_operator.cluster.readiness import Readiness
from model_operator.handlers import endpoints
from model_operator.handlers.queue import Queue, Work
from model_operator.handlers.routers import RouterWatches
from model_operator.handlers.watches import Flags, Wake, Watches, watch
from model_operator.metrics.operation import Metrics
from model_operator.prometheus.polling import Polling
from model_operator.prometheus.source import Prometheus
from model_operator.reconcile import Reconciler, Surroundings
from model_operator.routers import RouterReconciler
from model_operator.settings import InvalidSettings, LogFormat, Settings

logger = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `object` is the ModelDeployment a line is about."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if name := getattr(record, "object", None):
            line["object"] = name
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for a human, the object before the message."""

    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "object", "-")
        line = f"{self.formatTime(record)} {record.levelname} {name} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


async def run(settings: Settings) -> int:
    """Run until told to end; the exit code of the process.

    Raises:
        NotConnected: no cluster, or one without the CRD.
    """
    metrics, written = Metrics(CollectorRegistry()), Written()
    queue, flags, reasons = Queue(metrics), Flags(), list[str]()

    def restart(reason: str) -> None:
        reasons.append(reason)
        flags.stop.set()

    _end_by_signal(flags)
    watches = Watches(queue.wake, restart, written, settings.router is not None)
    async with (
        await connect() as api,
        aiohttp.ClientSession() as session,
        _asking(session, settings, queue.wake) as polling,
    ):
        cluster = Cluster(api, metrics.count_request)
        await cluster.require_api()
        surroundings = Surroundings(
            cluster, Inventories(cluster), Readiness(session), written, metrics, settings, polling
        )
        work = _work(surroundings, watches, queue.wake)
        async with endpoints.serving(
            metrics.registry, flags.is_ready, settings.health_port
        ) as port:
            scope = ", ".join(settings.namespaces) or "all namespaces"
            logger.info("started: %s; health and metrics on port %d", scope, port)
            async with leading(api, settings.lease, flags.stop, restart) as leads:
                if leads:
                    flags.leads.set()
                    metrics.leads.set(1)
                    logger.info("leads: watches and works")
                    async with queue.working(work):
                        await watch(watches, settings, flags)
    return _exit_code(reasons)


def _exit_code(reasons: list[str]) -> int:
    for reason in reasons[:1]:
        logger.error("ends, to begin anew: %s", reason)
    return 1 if reasons else 0


def _end_by_signal(flags: Flags) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, flags.stop.set)  # kopf takes both over when it starts


@asynccontextmanager
async def _asking(
    session: aiohttp.ClientSession, settings: Settings, wake: Wake
) -> AsyncIterator[Polling | None]:
    if settings.prometheus is None:
        yield None
        return
    polling = Polling(Prometheus(session, settings.prometheus), wake)
    try:
        yield polling
    finally:
        await polling.end()


def _work(surroundings: Surroundings, watches: Watches, wake: Wake) -> Work:
    """Passes by their key: `NAMESPACE/NAME` of a ModelDeployment, or a router's `NAMESPACE`."""
    reconciler, chosen = Reconciler(surroundings, watches.watched), surroundings.settings.router
    written = surroundings.written
    # Where routers are switched off, those of before are to go.
    seen = RouterWatches(watches.registry, wake, written, chosen is not None).seen
    routers = RouterReconciler(surroundings.cluster, written, chosen, seen)

    async def work(key: str) -> datetime | None:
        return await (reconciler if "/" in key else routers).reconcile(key)

    return work


def main() -> int:
    """The console script."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        print(f"model-operator: {error}", file=sys.stderr)
        return 2
    _log(settings.log_format)
    try:
        return asyncio.run(run(settings))
    except NotConnected as error:
        logger.error("%s", error)
        return 1


def _log(log_format: LogFormat) -> None:
    handler = logging.StreamHandler()
    is_json = log_format is LogFormat.JSON
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # kopf tells each step of each event at INFO.
    logging.getLogger("kopf").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
