"""Envoy as a child process that is started again whenever it ends by itself."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from model_router.envoy.bootstrap import bootstrap

_log = logging.getLogger(__name__)
_FIRST_BACK_OFF = 0.2
_LONGEST_BACK_OFF = 10.0
# An Envoy that ran this long was healthy: what ended it is not what ended the one before.
_HEALTHY_AFTER = 30.0
_LONGEST_EXIT = 5.0


@dataclass(frozen=True)
class EnvoySettings:
    """How to start Envoy; sockets and the bootstrap file lie in `run_dir`."""

    binary: Path
    run_dir: Path
    concurrency: int
    drain_seconds: int

    @property
    def admin_socket(self) -> Path:
        """Where Envoy's admin interface answers."""
        return self.run_dir / "admin.sock"

    @property
    def ads_socket(self) -> Path:
        """Where Envoy asks for its configuration."""
        return self.run_dir / "ads.sock"

    @property
    def command(self) -> list[str]:
        """Envoy's command line."""
        return [
            str(self.binary),
            *("--config-path", str(self.run_dir / "bootstrap.json")),
            *("--concurrency", str(self.concurrency)),
            # By default it takes 10 minutes, and tells few clients at first.
            *("--drain-time-s", str(self.drain_seconds), "--drain-strategy", "immediate"),
            # An access log that is read as it grows; by default it is written every 10 s.
            *("--file-flush-interval-msec", "1000"),
            *("--log-level", "warning", "--disable-hot-restart"),
        ]


class EnvoyProcess:
    """Runs Envoy until `stop`."""

    def __init__(self, settings: EnvoySettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._started = 0

    @property
    def started(self) -> int:
        """How many Envoys were started until now; each counts from 0."""
        return self._started

    @property
    def running(self) -> bool:
        """Whether there is an Envoy at this moment."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> None:
        """Keep an Envoy running; returns after `stop`. Raises OSError if it cannot be started."""
        settings = self._settings
        config = bootstrap(str(settings.admin_socket), str(settings.ads_socket))
        (settings.run_dir / "bootstrap.json").write_text(json.dumps(config, indent=1))
        loop = asyncio.get_running_loop()
        back_off = _FIRST_BACK_OFF
        while not self._stopping.is_set():
            began = loop.time()
            self._started += 1
            self._process = await asyncio.create_subprocess_exec(*settings.command)
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            if loop.time() - began > _HEALTHY_AFTER:
                back_off = _FIRST_BACK_OFF
            _log.error("Envoy ended with code %d; starting it again in %.1f s", code, back_off)
            try:
                async with asyncio.timeout(back_off):
                    await self._stopping.wait()
            except TimeoutError:
                back_off = min(2 * back_off, _LONGEST_BACK_OFF)

    async def stop(self) -> None:
        """End Envoy at once, and start no other."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_LONGEST_EXIT):
                await process.wait()
        except TimeoutError:
            _log.error("Envoy did not end in %.0f s, killing it", _LONGEST_EXIT)
            process.kill()
