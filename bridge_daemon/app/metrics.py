"""Metrics in OpenMetrics on a port of loopback, when ``[metrics] port`` names one; loaded only then.

Made of what ``status`` tells at the moment of the look, so nothing is counted beside the journal. Labels name states,
periods, rooms and kinds: no prompt, path, client or key is in them, so the port needs no secret.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from bridge_daemon.domain.job import State
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.settings.sections import is_loopback
from bridge_daemon.util.loading import load
from bridge_daemon.util.port_holder import port_taken

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = logging.getLogger(__name__)
HOST: Final = "127.0.0.1"
_PERIODS: Final = (("day", "today"), ("month", "month"))


def families(status: dict[str, Any]) -> Iterator[Metric]:
    """Yield what is measured, of a status."""
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    def gauge(name: str, help_: str, value: float, unit: str = "") -> Metric:
        return GaugeMetricFamily(f"daw_bridge_{name}", help_, value=value, unit=unit)

    yield InfoMetricFamily(
        "daw_bridge", "The bridge.", value={"version": status["version"], "engine": status["engine"]["name"]}
    )
    yield gauge("uptime_seconds", "Time since the bridge started.", status["uptime_s"], "seconds")
    yield gauge("paused", "Whether sending is paused.", float(status["paused"] is not None))
    yield gauge("problems", "Jobs that a person should look at, 20 at most.", len(status["problems"]))
    jobs = GaugeMetricFamily("daw_bridge_jobs", "Jobs in the journal.", labels=("state",))
    for state in State:
        jobs.add_metric((str(state),), status["jobs"].get(str(state), 0))
    yield jobs
    yield from _money("", "this bridge", status, {"day": status["limit_today_usd"], "month": status["limit_month_usd"]})
    if status["studio"] is not None:
        yield from _studio(status["studio"])


def _money(prefix: str, whose: str, told: dict[str, Any], limits: dict[str, float]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    name = f"daw_bridge_{prefix}"
    spent = GaugeMetricFamily(f"{name}spent_usd", f"US dollars spent by {whose}.", labels=("period",), unit="usd")
    for period, key in _PERIODS:
        spent.add_metric((period,), told[f"spent_{key}_usd"])
    yield spent
    set_to = GaugeMetricFamily(
        f"{name}limit_usd", f"US dollars that {whose} may spend.", labels=("period",), unit="usd"
    )
    for period, usd in limits.items():
        set_to.add_metric((period,), usd)
    yield set_to
    help_ = f"US dollars reserved for jobs of {whose} that wait."
    yield GaugeMetricFamily(f"{name}reserved_usd", help_, value=told["reserved_usd"], unit="usd")


def _studio(studio: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    answers = studio["rooms"] is not None
    yield GaugeMetricFamily("daw_bridge_studio_up", "Whether the database of the studio answers.", value=float(answers))
    if not answers:
        return
    up = GaugeMetricFamily("daw_bridge_studio_bridge_up", "Whether a bridge is there.", labels=("room", "kind"))
    silent = GaugeMetricFamily(
        "daw_bridge_studio_silence_seconds",
        "Time since a bridge was heard of.",
        labels=("room", "kind"),
        unit="seconds",
    )
    lately = sorted(studio["rooms"], key=lambda one: -one["silent_s"])  # of homes with one name, the one heard of last
    for one in {(one["room"], one["kind"]): one for one in lately}.values():
        up.add_metric((one["room"], one["kind"]), float(one["alive"]))
        silent.add_metric((one["room"], one["kind"]), one["silent_s"])
    yield up
    yield silent
    sent, allowed = studio["requests_this_minute"], studio["requests_per_minute"]
    for name, help_, value, unit in (
        ("lag", "Time that the database took to answer.", studio["lag_ms"] / 1000, "seconds"),
        ("minute", "Requests to the service in this minute, of all.", sent, "requests"),
        ("minute_limit", "Requests that the account allows in a minute.", allowed, "requests"),
    ):
        yield GaugeMetricFamily(f"daw_bridge_studio_{name}_{unit}", help_, value=value, unit=unit)
    limits = studio["limits"] or {}
    of = {period: limits[key] for period, key in (("day", "per_day_usd"), ("month", "per_month_usd")) if key in limits}
    yield from _money("studio_", "all rooms", studio, of)


class MetricsServer:
    """Serves ``GET /metrics`` and nothing else."""

    def __init__(self, port: int, status: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """``port`` 0 takes any free one."""
        self.port = port
        self._status = status
        self._server: web.Server | None = None
        self._listening: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://{HOST}:{self.port}/metrics"

    async def start(self) -> None:
        """Listen. Raises PortTaken, and SettingsInvalid without the library."""
        try:
            await load("prometheus_client.openmetrics.exposition")
        except ImportError as error:
            raise SettingsInvalid(
                f"[metrics] port is set, and what writes metrics is not installed ({error}).",
                next="Install it: pip install 'daw-bridge[metrics]', or take [metrics] port out of config.toml.",
            ) from error
        server = web.Server(self._answer, access_log=None)
        try:
            self._listening = await asyncio.get_running_loop().create_server(server, HOST, self.port)
        except OSError as error:
            what = f"Port {self.port} ([metrics] port)"
            raise await asyncio.to_thread(port_taken, what, error, self.port, "tcp") from error
        self._server = server
        self.port = self._listening.sockets[0].getsockname()[1]
        log.info("Metrics: %s", self.url)

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None and self._server is not None:
            self._listening.close()
            await self._server.shutdown(1.0)
            await self._listening.wait_closed()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        # a page of the web that has its name lead to loopback gets nothing
        if not is_loopback(urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""):
            return web.Response(status=403)
        if request.method != "GET" or request.path != "/metrics":
            return web.Response(status=404)
        from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

        status = await self._status()
        return web.Response(body=written(status), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Told:
    """A collector of what one status tells."""

    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        return families(self._status)


def written(status: dict[str, Any]) -> bytes:
    """Return a status in the text of OpenMetrics."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import generate_latest

    registry = CollectorRegistry()
    registry.register(_Told(status))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text
